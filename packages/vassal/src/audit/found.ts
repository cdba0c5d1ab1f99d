import type { IdMap } from '../options/identity.ts';

/** One line of mountinfo. */
export type Mount = {
  readonly id: number;
  readonly parent: number;
  readonly device: string;
  /** Which directory of its file system. */
  readonly root: string;
  readonly point: string;
  readonly options: ReadonlySet<string>;
  readonly type: string;
  readonly source: string;
  readonly superOptions: ReadonlySet<string>;
};

/** `/proc/PID/ns/NAME` by name: `mnt` → `mnt:[4026531841]`. */
export type Namespaces = ReadonlyMap<string, string>;

export type CapabilitySets = Readonly<Record<'CapInh' | 'CapPrm' | 'CapEff' | 'CapBnd' | 'CapAmb', bigint>>;

/** What /proc/PID/status tells of rights. */
export type Status = {
  readonly uids: readonly number[];
  readonly gids: readonly number[];
  readonly groups: readonly number[];
  readonly caps: CapabilitySets;
  readonly noNewPrivs: boolean;
  /** undefined: a kernel without seccomp does not tell. */
  readonly seccompMode: number | undefined;
  readonly seccompFilters: number | undefined;
};

/** undefined = unlimited. */
export type Limit = { readonly soft: number | undefined; readonly hard: number | undefined };

export type Descriptor = {
  readonly fd: number;
  readonly target: string;
  readonly mountId: number | undefined;
};

/** What is there and could not be looked at: of it nothing can be told. */
export type Unread = {
  readonly group: string;
  readonly what: string;
  readonly why: string;
  readonly pid?: number | undefined;
};

/** One process of a jail, read while it lived. */
export type FoundProcess = {
  readonly pid: number;
  readonly role: 'init' | 'app' | 'other';
  readonly namespaces: Namespaces;
  readonly status: Status;
  readonly limits: ReadonlyMap<string, Limit>;
  readonly nice: number;
  readonly oomScoreAdj: number | undefined;
  readonly descriptors: readonly Descriptor[];
  /** What AppArmor or SELinux calls it; undefined without either. */
  readonly label: string | undefined;
  readonly uidMap: readonly IdMap[];
  readonly gidMap: readonly IdMap[];
  readonly unread: readonly Unread[];
};

/** The emperor's own world, to compare with. */
export type FoundHost = {
  readonly namespaces: Namespaces;
  /** Of the keeper: what it shares with a jail that has no such namespace of its own. */
  readonly keeperNamespaces: Namespaces;
  readonly mounts: readonly Mount[];
  /** Pipes and sockets that the emperor itself holds, as /proc shows them: `socket:[4711]`. */
  readonly channels: ReadonlySet<string>;
  readonly environment: readonly string[];
};

/** A value read, or why not. */
export type Readable<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly why: string };

export type UnixSocket = { readonly path: string; readonly isListening: boolean };

/** Everything about a running jail that was read from /proc and the control groups. */
export type FoundJail = {
  readonly host: FoundHost;
  readonly processes: readonly FoundProcess[];
  /** How many there were, of which `processes` are those that were looked at. */
  readonly all: number;
  /** As the init sees them. */
  readonly mounts: Readable<readonly Mount[]>;
  /** Members of each promised group, by directory. */
  readonly members: ReadonlyMap<string, Readable<ReadonlySet<number>>>;
  /** Contents of the promised files of groups, by path. */
  readonly groupFiles: ReadonlyMap<string, Readable<string>>;
  /** Of the app. */
  readonly environment: Readable<readonly string[]>;
  /** In the net namespace of the init. */
  readonly unixSockets: Readable<readonly UnixSocket[]>;
  readonly tcpListeners: Readable<readonly string[]>;
  /** Which of the paths that the plan names are there in the jail. */
  readonly existing: ReadonlySet<string>;
  /** Beside what its processes keep to themselves. */
  readonly unread: readonly Unread[];
};
