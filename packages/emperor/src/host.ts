import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readFileSync, realpathSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '@emperor/common/clock';
import type { Diagnostic } from '@emperor/common/diagnostic';
import { describeError, EmperorError, isErrno } from '@emperor/common/errors';
import type { Log } from '@emperor/common/log/log';
import { ensureBase, releaseBase } from '@emperor/vassal/cgroup/cgroup';
import { madeGroups } from '@emperor/vassal/cgroup/made';
import { lookupAccounts } from '@emperor/vassal/identity/lookup';
import { probeHost } from '@emperor/vassal/jail/host';
import type { Keepers } from '@emperor/vassal/keeper/keeper';
import { nativeKeepers } from '@emperor/vassal/keeper/native-keepers';
import type { Accounts, AccountsQuery } from '@emperor/vassal/spec/accounts';
import type { HostFacts, Rootless } from '@emperor/vassal/spec/host-facts';
import { KEEPER_BINARY } from './keeper-binary.ts';
import type { EmperorPaths, EmperorSettings } from './settings.ts';
import { type InHand, inHand } from './store/in-hand.ts';
import { type Lock, lockDirectory } from './store/lock.ts';
import type { MemoryStore } from './store/memory.ts';
import { stateDirectory } from './store/state-directory.ts';
import { ID_RANGE, type PrivateUids, privateUids } from './store/uids.ts';

const LONGEST_SOCKET_PATH = 107;
const KEEPER_ID_BYTES = 12;

/** This machine and this emperor's places on it, opened and claimed. */
export type Host = {
  readonly paths: EmperorPaths;
  readonly facts: HostFacts;
  readonly hostname: string;
  /** Which emperor of this machine: derived from the runtime directory. */
  readonly instance: string;
  readonly diagnostics: readonly Diagnostic[];
  readonly locks: readonly Lock[];
  readonly store: MemoryStore;
  readonly uids: PrivateUids;
  /** The first of the 65,536 ids of a vassal with a user namespace. */
  readonly idRanges: PrivateUids;
  readonly inHand: InHand;
  readonly keepers: Keepers;
  /** A keeper's leaf among the control groups; undefined without v2. */
  readonly keeperLeaf: string | undefined;
  readonly scratchDir: string;
  readonly ask: (query: AccountsQuery) => Promise<Accounts>;
  readonly ownerName: (uid: number) => string;
  /** The gid that may open the control socket; undefined: root alone. */
  readonly controlGroup: number | undefined;
  readonly removeGroups: () => Promise<void>;
};

export type HostParts = {
  readonly settings: EmperorSettings;
  readonly clock: Clock;
  readonly log: Log;
  /** false while vassals are being launched. */
  readonly isQuiet: () => boolean;
};

/**
 * Make and claim the directories, probe the kernel, make the control groups.
 * @throws EmperorError when another emperor is here or a directory cannot be used
 */
export async function openHost({ settings, clock, log, isQuiet }: HostParts): Promise<Host> {
  const { paths } = settings;
  makeDirectories(paths);
  const { locks, troubles } = lockAll(paths);
  const instance = instanceOf(paths.runtimeDir);
  const probed = await probeHost(KEEPER_BINARY);
  const base = await ensureBase(probed.cgroups, instance, process.pid);
  // What could not be made or passed on is not there for vassals either.
  const facts = { ...probed, cgroups: probed.rootless ? madeGroups(base.cgroups, instance) : base.cgroups };
  const keepersDir = join(paths.runtimeDir, 'keepers');
  const ledger = {
    stateDirectory: realpathSync(paths.stateDir),
    claimsDirectory: paths.uidClaims,
    clock,
  };
  let accounts: Accounts | undefined;
  return {
    paths,
    facts,
    hostname: hostname(),
    instance,
    diagnostics: [
      ...troubles,
      ...(probed.rootless === undefined
        ? base.troubles.map(groupTrouble)
        : rootlessNotes(probed.rootless, base.troubles)),
    ],
    locks,
    store: stateDirectory({ directory: paths.stateDir, clock, log, isQuiet }),
    uids: privateUids({ ...ledger, range: settings.uidRange }),
    idRanges: privateUids({ ...ledger, range: settings.idmapRange, unit: ID_RANGE }),
    inHand: inHand(paths.stateDir),
    keepers: nativeKeepers({
      keeperBinary: KEEPER_BINARY,
      keepersDir,
      cgroupLeaf: base.keeperLeaf,
      clock,
      log,
    }),
    keeperLeaf: base.keeperLeaf,
    scratchDir: join(paths.runtimeDir, 'jail'),
    ask: async (query) => {
      accounts = await lookupAccounts(query);
      return accounts;
    },
    ownerName: (uid) => {
      const found = accounts?.userByUid(uid);
      return found?.is === 'found' ? found.entry.name : String(uid);
    },
    controlGroup: await groupOf(settings),
    removeGroups: () => releaseBase(facts.cgroups, instance, process.pid),
  };
}

/** A group that does not exist must not silently become "root alone". */
async function groupOf({ group }: EmperorSettings): Promise<number | undefined> {
  if (typeof group !== 'string') return group;
  const accounts = await lookupAccounts({
    userNames: new Set(),
    uids: new Set(),
    groupNames: new Set([group]),
  });
  const found = accounts.groupByName(group);
  if (found.is === 'found') return found.entry.gid;
  const why = found.is === 'failed' ? found.reason : 'no such group';
  throw new EmperorError('config_invalid', `group = ${group}: ${why}`, {
    hint: `addgroup --system ${group}, or change emperor.ini`,
  });
}

/** Root's all of them; what others may enter has a directory of its own. */
function makeDirectories(paths: EmperorPaths): void {
  const wanted: readonly (readonly [string, number])[] = [
    [paths.runtimeDir, 0o755],
    [join(paths.runtimeDir, 'keepers'), 0o700],
    [join(paths.runtimeDir, 'jail'), 0o700],
    [join(paths.runtimeDir, 'notify'), 0o711],
    [paths.logDir, 0o755],
    [paths.stateDir, 0o700],
  ];
  for (const [path, mode] of wanted) {
    if (/[\p{Cc}]/u.test(path))
      throw new EmperorError('usage', `a path may hold no control characters: ${JSON.stringify(path)}`);
    try {
      mkdirSync(path, { recursive: true, mode });
    } catch (cause) {
      throw new EmperorError('state_unwritable', `cannot make ${path}`, { cause });
    }
  }
  refuseForeign(paths.runtimeDir);
  const longest = Buffer.byteLength(join(paths.runtimeDir, 'keepers')) + 1 + KEEPER_ID_BYTES;
  if (longest > LONGEST_SOCKET_PATH) {
    throw new EmperorError(
      'usage',
      `the runtime directory's name is too long for unix sockets: ${paths.runtimeDir}`,
      {
        hint: `give --runtime-dir a path of at most ${LONGEST_SOCKET_PATH - longest + paths.runtimeDir.length} bytes`,
      },
    );
  }
}

/** Below /tmp anybody may have made it before us, and would own what is in it. */
function refuseForeign(directory: string): void {
  const own = process.geteuid?.() ?? 0;
  const found = lstatSync(directory);
  if (own === 0 || (found.uid === own && found.isDirectory())) return;
  throw new EmperorError('not_permitted', `${directory} belongs to uid ${found.uid}, or is a link`, {
    hint: 'set XDG_RUNTIME_DIR, or give --runtime-dir a directory of your own',
  });
}

type Locked = { readonly locks: readonly Lock[]; readonly troubles: readonly Diagnostic[] };

/** The runtime directory must be ours; a state directory that cannot be written must not keep vassals from running. */
function lockAll({ runtimeDir, stateDir }: EmperorPaths): Locked {
  const runtime = lockDirectory(runtimeDir);
  try {
    return { locks: [runtime, lockDirectory(stateDir)], troubles: [] };
  } catch (error) {
    if (isErrno(error, 'ENOSPC', 'EDQUOT', 'EROFS'))
      return { locks: [runtime], troubles: [stateTrouble(stateDir, error)] };
    runtime.release();
    throw error;
  }
}

function stateTrouble(stateDir: string, error: unknown): Diagnostic {
  return {
    severity: 'warning',
    file: stateDir,
    line: undefined,
    key: undefined,
    message: `the state directory cannot be written: ${describeError(error)}`,
    hint: 'make room there: until then new private uids wait, and stops are forgotten by the next emperor',
  };
}

function instanceOf(runtimeDir: string): string {
  return createHash('sha256').update(realpathSync(runtimeDir)).digest('hex').slice(0, 8);
}

function groupTrouble(message: string): Diagnostic {
  return {
    severity: 'warning',
    file: 'control groups',
    line: undefined,
    key: undefined,
    message,
    hint: 'the emperor needs root and a writable /sys/fs/cgroup; under systemd, Delegate=yes',
  };
}

/** What is asked of every emperor and cannot be had without root, once and for all. */
function rootlessNotes({ uid }: Rootless, troubles: readonly string[]): readonly Diagnostic[] {
  const [first] = troubles;
  const note = (message: string, hint: string): Diagnostic => ({
    severity: 'warning',
    file: 'the emperor',
    line: undefined,
    key: undefined,
    message,
    hint,
  });
  return [
    note(
      `asked root, kernel gives uid ${uid}: every vassal runs as that user, in namespaces of its own`,
      'run the emperor as root for vassals with users of their own',
    ),
    ...(first === undefined
      ? []
      : [
          note(
            `asked control groups, kernel gives none: ${first}`,
            'delegate a group to the user (systemd: Delegate=yes), or live without limits of whole vassals',
          ),
        ]),
  ];
}

/** Pids in a control group; empty when it is gone. */
export function pidsIn(directory: string): readonly number[] {
  try {
    return readFileSync(join(directory, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENODEV')) return [];
    throw error;
  }
}
