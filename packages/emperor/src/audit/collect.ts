import { lstat } from 'node:fs/promises';
import type { Clock } from '@emperor/common/clock';
import { describeError, isErrno } from '@emperor/common/errors';
import type {
  FoundHost,
  FoundJail,
  FoundProcess,
  Mount,
  Readable,
  Unread,
} from '@emperor/vassal/audit/found';
import { parseMountinfo, parseTcpListeners, parseUnixSockets, parseWords } from '@emperor/vassal/audit/parse';
import type { CgroupPlan } from '@emperor/vassal/cgroup/limits';
import type { Directive } from '@emperor/vassal/jail/directive';
import { isBelow } from '@emperor/vassal/jail/path';
import { isGone, linkOf, MemoryReader, readText, type Seen, someNames } from './proc.ts';
import { readNamespaces, readProcess } from './read-process.ts';

const MOST_PROCESSES = 128;
const MOST_SMALL_BYTES = 64 * 1024;
const MOST_MOUNT_BYTES = 1024 * 1024;
const MOST_SOCKET_BYTES = 2 * 1024 * 1024;
const MOST_ENVIRONMENT_BYTES = 256 * 1024;
const MOST_OWN_DESCRIPTORS = 65_536;
const AT_ONCE = 4;

/** Which jail: pids as the host numbers them. */
export type JailPlace = {
  readonly initPid: number;
  readonly appPid: number;
  readonly keeperPid: number | undefined;
  readonly cgroups: CgroupPlan;
  readonly directives: readonly Directive[];
};

/** Reads running jails. */
export class Collector {
  readonly #memory: MemoryReader;

  constructor(clock: Clock) {
    this.#memory = new MemoryReader(clock);
  }

  /** Everything that /proc and the control groups tell of a jail; undefined when its init ended meanwhile. */
  async collect(place: JailPlace): Promise<FoundJail | undefined> {
    const { initPid, appPid, cgroups, directives } = place;
    const pids = await pidsOf(place);
    if (!pids.ok && isGone(pids)) return undefined;
    const looked = new Set([initPid, appPid, ...(pids.ok ? pids.value : [])]);
    const { processes, unread } = await readAll([...looked].slice(0, MOST_PROCESSES), place);
    const init = `/proc/${initPid}`;
    const mounts = await readMounts(`${init}/mountinfo`);
    const served = mounts.ok ? mounts.value.filter(({ type }) => SERVED.test(type)) : [];
    const host = await readHost(place.keeperPid);
    const { existing, unread: unreadPaths } = await existingOf(
      init,
      directives.filter(({ args }) => !args.some((path) => served.some(({ point }) => isBelow(path, point)))),
    );
    const facts = {
      host: host.found,
      mounts,
      groupFiles: await readFiles(cgroups.writes.map(({ dir, file }) => `${dir}/${file}`)),
      environment: mapped(
        await this.#memory.read(`/proc/${appPid}/environ`, MOST_ENVIRONMENT_BYTES),
        parseWords,
      ),
      unixSockets: mapped(await readText(`${init}/net/unix`, MOST_SOCKET_BYTES), parseUnixSockets),
      tcpListeners: await readListeners(init),
      existing,
      members: await readMembers(cgroups),
    };
    // What left the group since, or took over the pid of one that did, is none of this jail.
    const now = await pidsOf(place);
    if (!now.ok && isGone(now)) return undefined;
    const still = new Set(now.ok ? now.value : looked);
    const left = processes.filter(({ pid }) => still.has(pid));
    const leftUnread = unread.filter(({ pid }) => pid !== undefined && still.has(pid));
    if (![...left, ...leftUnread].some(({ pid }) => pid === initPid)) return undefined;
    return {
      ...facts,
      processes: left,
      all: looked.size,
      unread: [
        ...unlisted(pids),
        ...unlisted(now),
        ...tooMany(looked.size),
        ...leftUnread,
        ...host.unread,
        ...(mounts.ok ? unreadPaths : []),
      ],
    };
  }
}

const PROCESSES = { group: 'processes', what: 'processes' };

function unlisted(pids: Readable<unknown>): readonly Unread[] {
  return pids.ok ? [] : [{ ...PROCESSES, why: `only init and app are known: ${pids.why}` }];
}

function tooMany(all: number): readonly Unread[] {
  if (all <= MOST_PROCESSES) return [];
  return [{ ...PROCESSES, why: `looked at ${MOST_PROCESSES} of ${all} processes` }];
}

async function readAll(
  pids: readonly number[],
  { initPid, appPid }: JailPlace,
): Promise<{ readonly processes: readonly FoundProcess[]; readonly unread: readonly Unread[] }> {
  const found: FoundProcess[] = [];
  const unread: Unread[] = [];
  const next = pids.values();
  const roleOf = (pid: number) => (pid === initPid ? 'init' : pid === appPid ? 'app' : 'other');
  const worker = async (): Promise<void> => {
    for (const pid of next) {
      const read = await readProcess(pid, roleOf(pid));
      if (!read.ok) unread.push({ group: 'processes', what: 'a process', why: read.why, pid });
      else if (read.value !== undefined) found.push(read.value);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return { processes: found.toSorted((a, b) => a.pid - b.pid), unread };
}

/** Without a v2 group only init and app are known for certain. */
async function pidsOf({ cgroups, initPid, appPid }: JailPlace): Promise<Seen<readonly number[]>> {
  const [directory] = [...(cgroups.v2 === undefined ? [] : [cgroups.v2]), ...cgroups.v1];
  if (directory === undefined) return { ok: true, value: [initPid, appPid] };
  const read = await readText(`${directory}/cgroup.procs`, MOST_MOUNT_BYTES);
  return read.ok ? { ok: true, value: pidsIn(read.value) } : read;
}

function pidsIn(text: string): readonly number[] {
  return text
    .split('\n')
    .filter((line) => /^[1-9]\d{0,9}$/.test(line))
    .map(Number);
}

/** Read after the processes: one that is in its group now was there all the time. */
async function readMembers({ v2, v1 }: CgroupPlan): Promise<FoundJail['members']> {
  const members = new Map<string, Readable<ReadonlySet<number>>>();
  for (const directory of [...(v2 === undefined ? [] : [v2]), ...v1]) {
    const read = await readText(`${directory}/cgroup.procs`, MOST_MOUNT_BYTES);
    members.set(
      directory,
      mapped(read, (text) => new Set(pidsIn(text))),
    );
  }
  return members;
}

async function readFiles(paths: readonly string[]): Promise<ReadonlyMap<string, Readable<string>>> {
  const files = new Map<string, Readable<string>>();
  for (const path of paths) files.set(path, await readText(path, MOST_SMALL_BYTES));
  return files;
}

async function readMounts(path: string): Promise<Readable<readonly Mount[]>> {
  const read = await readText(path, MOST_MOUNT_BYTES);
  if (!read.ok) return read;
  const value = parseMountinfo(read.value);
  return value === undefined ? { ok: false, why: 'more mounts than can be judged' } : { ok: true, value };
}

async function readListeners(process: string): Promise<Readable<readonly string[]>> {
  const texts: string[] = [];
  for (const file of ['tcp', 'tcp6']) {
    const read = await readText(`${process}/net/${file}`, MOST_SOCKET_BYTES);
    // A kernel without IPv6 has no tcp6.
    if (!read.ok && (file === 'tcp' || !isGone(read))) return read;
    if (read.ok) texts.push(read.value);
  }
  return { ok: true, value: parseTcpListeners(texts.join('\n')) };
}

/** Of the emperor; what is not known of it cannot be found in a jail. */
async function readHost(
  keeperPid: number | undefined,
): Promise<{ readonly found: FoundHost; readonly unread: readonly Unread[] }> {
  const mounts = await readMounts('/proc/self/mountinfo');
  const { channels, why: closed } = await readChannels();
  const own = await readNamespaces('/proc/self');
  const keeper = keeperPid === undefined ? undefined : await readNamespaces(`/proc/${keeperPid}`);
  const environment = await readText('/proc/self/environ', MOST_ENVIRONMENT_BYTES);
  const missed = (group: string, what: string, why: string | undefined): readonly Unread[] =>
    why === undefined ? [] : [{ group, what, why }];
  return {
    found: {
      namespaces: own.namespaces,
      keeperNamespaces: keeper?.namespaces ?? new Map<string, string>(),
      mounts: mounts.ok ? mounts.value : [],
      channels,
      environment: environment.ok ? parseWords(environment.value) : [],
    },
    unread: [
      ...missed('namespaces', "the emperor's own", own.why),
      ...missed('namespaces', "the keeper's", keeper?.why),
      ...missed('mounts', "the emperor's own", mounts.ok ? undefined : mounts.why),
      ...missed('descriptors', "the emperor's own", closed),
      ...missed('environment', "the emperor's own", environment.ok ? undefined : environment.why),
    ],
  };
}

async function readChannels() {
  const { names, why } = await someNames('/proc/self/fd', MOST_OWN_DESCRIPTORS);
  const channels = new Set<string>();
  let hidden: string | undefined;
  for (const fd of names) {
    const target = await linkOf(`/proc/self/fd/${fd}`);
    if (!target.ok && !isGone(target)) hidden ??= target.why;
    if (target.ok && /^(?:socket|pipe):/.test(target.value)) channels.add(target.value);
  }
  return { channels, why: why ?? hidden };
}

/** File systems that a program or another machine answers for, or does not. */
const SERVED = /^(?:fuse|nfs|9p|cifs|ceph|afs)/;

const SKIPPED: ReadonlySet<string> = new Set(['readonly', 'hide', 'mask', 'bind']);

const NOT_THERE = ['ENOENT', 'ENOTDIR', 'ELOOP', 'ESRCH'] as const;

/** Paths that a plan skips where they are missing (or, in a directory as root, symlinks): are they in the jail? */
async function existingOf(
  init: string,
  directives: readonly Directive[],
): Promise<Pick<FoundJail, 'existing' | 'unread'>> {
  const existing = new Set<string>();
  const unread: Unread[] = [];
  for (const { word, args } of directives) {
    const path = word === 'bind' ? args[1] : args[0];
    if (path === undefined || !SKIPPED.has(word)) continue;
    // What a link leads to has a name of its own in the plan.
    const isThere = await lstat(`${init}/root${path}`).then(
      (found) => !found.isSymbolicLink(),
      (error: unknown) => {
        if (!isErrno(error, ...NOT_THERE))
          unread.push({ group: 'mounts', what: path, why: describeError(error) });
        return false;
      },
    );
    if (isThere) existing.add(path);
  }
  return { existing, unread };
}

function mapped<A, B>(read: Readable<A>, change: (value: A) => B): Readable<B> {
  return read.ok ? { ok: true, value: change(read.value) } : read;
}
