import { lstat } from 'node:fs/promises';
import type { Clock } from '@emperor/common/clock';
import type { FoundHost, FoundJail, FoundProcess, Mount, Readable } from '@emperor/vassal/audit/found';
import { parseMountinfo, parseTcpListeners, parseUnixSockets, parseWords } from '@emperor/vassal/audit/parse';
import type { CgroupPlan } from '@emperor/vassal/cgroup/limits';
import type { Directive } from '@emperor/vassal/jail/directive';
import { isBelow } from '@emperor/vassal/jail/path';
import { linkOf, MemoryReader, readText, someNames } from './proc.ts';
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
    const looked = [initPid, appPid, ...pids.filter((pid) => pid !== initPid && pid !== appPid)];
    const processes = await readAll(looked.slice(0, MOST_PROCESSES), place);
    const init = `/proc/${initPid}`;
    const mounts = await readMounts(`${init}/mountinfo`);
    const served = mounts.ok ? mounts.value.filter(({ type }) => SERVED.test(type)) : [];
    const facts = {
      host: await readHost(place.keeperPid),
      mounts,
      groupFiles: await readFiles(cgroups.writes.map(({ dir, file }) => `${dir}/${file}`)),
      environment: mapped(
        await this.#memory.read(`/proc/${appPid}/environ`, MOST_ENVIRONMENT_BYTES),
        parseWords,
      ),
      unixSockets: mapped(await readText(`${init}/net/unix`, MOST_SOCKET_BYTES), parseUnixSockets),
      tcpListeners: await readListeners(init),
      existing: await existingOf(
        init,
        directives.filter(
          ({ args }) => !args.some((path) => served.some(({ point }) => isBelow(path, point))),
        ),
      ),
      members: await readMembers(cgroups),
    };
    // What left the group since, or took over the pid of one that did, is none of this jail.
    const still = new Set(await pidsOf(place));
    const left = processes.filter(({ pid }) => still.has(pid));
    return left.some(({ role }) => role === 'init')
      ? { ...facts, processes: left, all: looked.length }
      : undefined;
  }
}

async function readAll(
  pids: readonly number[],
  { initPid, appPid }: JailPlace,
): Promise<readonly FoundProcess[]> {
  const found: FoundProcess[] = [];
  const next = pids.values();
  const roleOf = (pid: number) => (pid === initPid ? 'init' : pid === appPid ? 'app' : 'other');
  const worker = async (): Promise<void> => {
    for (const pid of next) {
      const read = await readProcess(pid, roleOf(pid));
      if (read !== undefined) found.push(read);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return found.toSorted((a, b) => a.pid - b.pid);
}

/** Without a v2 group only init and app are known for certain. */
async function pidsOf({ cgroups, initPid, appPid }: JailPlace): Promise<readonly number[]> {
  const [directory] = [...(cgroups.v2 === undefined ? [] : [cgroups.v2]), ...cgroups.v1];
  if (directory === undefined) return [initPid, appPid];
  const read = await readText(`${directory}/cgroup.procs`, MOST_MOUNT_BYTES);
  return read.ok ? pidsIn(read.value) : [];
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
    if (!read.ok && file === 'tcp') return read;
    if (read.ok) texts.push(read.value);
  }
  return { ok: true, value: parseTcpListeners(texts.join('\n')) };
}

async function readHost(keeperPid: number | undefined): Promise<FoundHost> {
  const mounts = await readMounts('/proc/self/mountinfo');
  const channels = new Set<string>();
  for (const fd of await someNames('/proc/self/fd', MOST_OWN_DESCRIPTORS)) {
    const target = await linkOf(`/proc/self/fd/${fd}`);
    if (target?.startsWith('socket:') === true || target?.startsWith('pipe:') === true) channels.add(target);
  }
  const environment = await readText('/proc/self/environ', MOST_ENVIRONMENT_BYTES);
  return {
    namespaces: await readNamespaces('self'),
    keeperNamespaces: keeperPid === undefined ? new Map() : await readNamespaces(keeperPid),
    mounts: mounts.ok ? mounts.value : [],
    channels,
    environment: environment.ok ? parseWords(environment.value) : [],
  };
}

/** File systems that a program or another machine answers for, or does not. */
const SERVED = /^(?:fuse|nfs|9p|cifs|ceph|afs)/;

const SKIPPED: ReadonlySet<string> = new Set(['readonly', 'hide', 'mask', 'bind']);

/** Paths that a plan skips where they are missing (or, in a directory as root, symlinks): are they in the jail? */
async function existingOf(init: string, directives: readonly Directive[]): Promise<ReadonlySet<string>> {
  const existing = new Set<string>();
  for (const { word, args } of directives) {
    const path = word === 'bind' ? args[1] : args[0];
    if (path === undefined || !SKIPPED.has(word)) continue;
    // What a link leads to has a name of its own in the plan.
    const isThere = await lstat(`${init}/root${path}`).then(
      (found) => !found.isSymbolicLink(),
      () => false,
    );
    if (isThere) existing.add(path);
  }
  return existing;
}

function mapped<A, B>(read: Readable<A>, change: (value: A) => B): Readable<B> {
  return read.ok ? { ok: true, value: change(read.value) } : read;
}
