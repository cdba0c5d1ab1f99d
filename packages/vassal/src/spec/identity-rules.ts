import type { Diagnostic } from '@emperor/common/diagnostic';
import { outsideId } from '../jail/id-maps.ts';
import type { AccountRef } from '../options/identity.ts';
import type { VassalOptionName, VassalValues } from '../options/index.ts';
import type { Group, Lookup, User } from './accounts.ts';
import { type RuleContext, writtenOf } from './draft.ts';
import type { IdentitySpec } from './spec.ts';

/** Who the app becomes, before its capabilities; undefined when that cannot be said. */
export type Persona = Pick<IdentitySpec, 'uid' | 'gid' | 'groups' | 'user' | 'home'>;

export type ResolvedPersona = {
  readonly persona: Persona | undefined;
  readonly diagnostics: readonly Diagnostic[];
};

/** A tenant's file runs as its owner; an operator's as it says, or as a private uid. Never as root by accident. */
export function resolvePersona(values: VassalValues, context: RuleContext): ResolvedPersona {
  const resolving = new Resolving(context);
  const persona = context.source.owner.powers === 'tenant' ? resolving.tenant() : resolving.operator(values);
  return { persona, diagnostics: resolving.diagnostics };
}

type Base = Pick<IdentitySpec, 'uid' | 'gid' | 'user' | 'home'>;

const PRIVATE: Base = { uid: 'auto', gid: 'auto', user: undefined, home: undefined };
const ROOT_HINT = 'say uid = root in the file if it really has to be root, or give it a user of its own';

/** One vassal's names becoming numbers, and what went wrong. */
class Resolving {
  readonly #context: RuleContext;
  readonly #diagnostics: Diagnostic[] = [];

  constructor(context: RuleContext) {
    this.#context = context;
  }

  get diagnostics(): readonly Diagnostic[] {
    return this.#diagnostics;
  }

  tenant(): Persona | undefined {
    const { owner } = this.#context.source;
    if (this.#context.host.rootless !== undefined) {
      const message = `the file belongs to ${owner.name ?? `uid ${owner.uid}`}, and an emperor without root runs nothing as another user`;
      return this.#refuse(
        undefined,
        message,
        'chown it to the user of the emperor, or run the emperor as root',
      );
    }
    const found = this.#context.accounts.userByUid(owner.uid);
    if (found.is === 'absent') {
      return this.#refuse(
        undefined,
        `the file belongs to uid ${owner.uid}, which is no user`,
        'chown it to a user',
      );
    }
    const user = this.#entry(undefined, `uid ${owner.uid}`, found);
    if (user === undefined) return undefined;
    if (user.uid === 0 || user.gid === 0) {
      return this.#refuse(
        undefined,
        `the primary group of ${user.name} is root`,
        'give the user a group of its own',
      );
    }
    return { uid: user.uid, gid: user.gid, groups: [], user: user.name, home: user.home };
  }

  operator(values: VassalValues): Persona | undefined {
    const base = this.#base(values.uid);
    const gid = values.gid === undefined ? base?.gid : this.#group('gid', values.gid);
    const groups = values['add-gid'].map((group) => this.#group('add-gid', group));
    if (base === undefined || gid === undefined || !groups.every((group) => group !== undefined))
      return undefined;
    const home = isSomebodyElse(values, base.uid) ? undefined : base.home;
    const persona = { ...base, home, gid, groups: [...new Set(groups)].toSorted((a, b) => a - b) };
    return this.#rootOnlyOnRequest(values, persona);
  }

  #base(uid: VassalValues['uid']): Base | undefined {
    if (uid === undefined || uid.by === 'auto') return PRIVATE;
    if (uid.by === 'name')
      return this.#entry('uid', `user ${uid.name}`, this.#context.accounts.userByName(uid.name));
    const known = this.#context.accounts.userByUid(uid.id);
    if (known.is === 'failed') return this.#entry('uid', `uid ${uid.id}`, known);
    const { name: user, home } = known.is === 'found' ? known.entry : { name: undefined, home: undefined };
    return { uid: uid.id, gid: uid.id, user, home };
  }

  #group(key: VassalOptionName, group: AccountRef): number | undefined {
    if (group.by === 'id') return group.id;
    return this.#found(key, `group ${group.name}`, this.#context.accounts.groupByName(group.name))?.gid;
  }

  #entry(key: VassalOptionName | undefined, what: string, found: Lookup<User>): (Base & User) | undefined {
    const user = this.#found(key, what, found);
    return user === undefined ? undefined : { ...user, user: user.name };
  }

  #found<T extends User | Group>(
    key: VassalOptionName | undefined,
    what: string,
    lookup: Lookup<T>,
  ): T | undefined {
    switch (lookup.is) {
      case 'found':
        return lookup.entry;
      case 'absent':
        return this.#refuse(
          key,
          `there is no ${what}`,
          `check with: getent ${what.startsWith('group') ? 'group' : 'passwd'}`,
        );
      case 'failed':
        return this.#refuse(
          key,
          `${what} could not be looked up: ${lookup.reason}`,
          'it is tried again with the next look',
        );
    }
  }

  /** "In so many words" is `uid = root` or `uid = 0`, in the vassal's own file or forced; another name of 0 is not. */
  #rootOnlyOnRequest(values: VassalValues, persona: Persona): Persona | undefined {
    const ids: readonly (readonly [VassalOptionName, boolean])[] = [
      ['uid', persona.uid === 0],
      ['gid', persona.gid === 0],
      ['add-gid', persona.groups.includes(0)],
    ];
    const root = ids.find(([, isRoot]) => isRoot);
    if (root === undefined || this.#asksForRoot(values)) return persona;
    const [key] = root;
    return this.#refuse(key, `nothing runs as root unless its own file says uid = root`, ROOT_HINT);
  }

  #asksForRoot({ uid }: VassalValues): boolean {
    const layer = writtenOf(this.#context.source, 'uid')?.layer;
    if (uid === undefined || (layer !== 'file' && layer !== 'force')) return false;
    return uid.by === 'name' ? uid.name === 'root' : uid.by === 'id' && uid.id === 0;
  }

  #refuse(key: VassalOptionName | undefined, message: string, hint: string): undefined {
    const { source } = this.#context;
    const written = key === undefined ? undefined : writtenOf(source, key);
    this.#diagnostics.push({
      severity: 'error',
      file: written?.file ?? source.file,
      line: written?.line,
      key,
      message,
      hint,
    });
    return undefined;
  }
}

/** In a user namespace an id may be another one outside: the home of that name is not its own then. */
function isSomebodyElse({ unshare, 'uid-map': maps }: VassalValues, uid: number | 'auto'): boolean {
  if (!unshare.includes('user') || uid === 'auto') return false;
  return maps.length === 0 ? uid === 0 : outsideId(maps, uid) !== uid;
}
