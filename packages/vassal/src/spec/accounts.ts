/** One line of the user database. */
export type User = {
  readonly uid: number;
  readonly gid: number;
  readonly name: string;
  readonly home: string;
};

/** One line of the group database. */
export type Group = { readonly gid: number; readonly name: string };

/** *failed* is not *absent*: who could not be asked about may well exist. */
export type Lookup<T> =
  | { readonly is: 'found'; readonly entry: T }
  | { readonly is: 'absent' }
  | { readonly is: 'failed'; readonly reason: string };

/** The user and group databases, already asked: answers come at once. */
export type Accounts = {
  readonly userByName: (name: string) => Lookup<User>;
  readonly userByUid: (uid: number) => Lookup<User>;
  readonly groupByName: (name: string) => Lookup<Group>;
};

/** Everything that a set of vassal files needs to know about users and groups. */
export type AccountsQuery = {
  readonly userNames: ReadonlySet<string>;
  readonly uids: ReadonlySet<number>;
  readonly groupNames: ReadonlySet<string>;
};
