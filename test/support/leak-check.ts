import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import type { OwnCgroup } from './own-cgroup.ts';
import { allPids, isSpawner, peek, peekDir, peekLink, processFacts, statusLine } from './processes.ts';

/** Where a leak of one emperor under test could show. */
export type LeakScope = {
  readonly base: string;
  readonly runDir: string;
  readonly cgroup: OwnCgroup;
  /** Private uids of this emperor: first and last. */
  readonly uids: readonly [number, number];
};

/** What stands there when nothing runs; taken once, before the first vassal. */
export type Snapshot = {
  readonly mounts: ReadonlySet<string>;
  readonly runFiles: ReadonlySet<string>;
  readonly directories: ReadonlySet<string>;
  readonly emperorSockets: number;
};

const JAIL_FILESYSTEMS = new Set(['proc', 'devpts', 'cgroup2', 'mqueue', 'nsfs', 'sysfs']);
const SPARE_SOCKETS = 4;

export function takeSnapshot(scope: LeakScope, emperorPid: number): Snapshot {
  return {
    mounts: new Set(hostMounts()),
    runFiles: new Set(filesBelow(scope.runDir)),
    directories: new Set(scope.cgroup.directories()),
    emperorSockets: socketCount(emperorPid),
  };
}

/**
 * Everything that vassals left behind, one line each; empty when all is clean. `emperorPid` and its spawner may
 * live, undefined when the emperor has ended too.
 */
export function findLeaks(
  scope: LeakScope,
  before: Snapshot,
  emperorPid: number | undefined,
): readonly string[] {
  return [
    ...leftProcesses(scope, emperorPid),
    ...hostMounts().flatMap((line) => (isNewMount(line, scope, before) ? [`mount: ${line}`] : [])),
    ...scope.cgroup
      .directories()
      .flatMap((dir) => (before.directories.has(dir) ? [] : [`control group: ${dir}`])),
    ...filesBelow(scope.runDir).flatMap((file) => leftFile(file, before, emperorPid)),
    ...leftSockets(scope, emperorPid),
  ];
}

/** Descriptors that the emperor holds beyond what it had before; asked only at rest. */
export function findDescriptorLeaks(before: Snapshot, emperorPid: number): readonly string[] {
  const sockets = socketCount(emperorPid);
  return sockets > before.emperorSockets + SPARE_SOCKETS
    ? [`the emperor holds ${sockets} sockets, ${before.emperorSockets} at the start`]
    : [];
}

/** Every process that belongs to this emperor, itself included, wherever it hides. */
export function ownProcesses(scope: LeakScope): readonly number[] {
  const inGroup = new Set(scope.cgroup.pids());
  return allPids().filter((pid) => pid !== process.pid && (inGroup.has(pid) || mentionsBase(pid, scope)));
}

function mentionsBase(pid: number, scope: LeakScope): boolean {
  const uid = Number(statusLine(pid, 'Uid')?.split('\t')[0] ?? 0);
  if (uid >= scope.uids[0] && uid <= scope.uids[1]) return true;
  const exe = peekLink(`/proc/${pid}/exe`) ?? '';
  if (!exe.endsWith('/keeper')) return false;
  const cmdline = processFacts(pid)?.cmdline.join(' ') ?? '';
  const open = peekDir(`/proc/${pid}/fd`).map((fd) => peekLink(`/proc/${pid}/fd/${fd}`) ?? '');
  return cmdline.includes(scope.base) || open.some((path) => path.includes(scope.base));
}

function leftProcesses(scope: LeakScope, emperorPid: number | undefined): readonly string[] {
  return ownProcesses(scope).flatMap((pid) => {
    const facts = processFacts(pid);
    if (facts === undefined) return [];
    const isOurSpawner = facts.ppid === emperorPid && isSpawner(facts) && facts.state !== 'Z';
    // Orphans of an emperor that was killed: the machine's init reaps them when it comes round to it.
    const isReaped = facts.state === 'Z' && facts.ppid === 1;
    if (pid === emperorPid || isOurSpawner || isReaped) return [];
    return [
      `process ${pid} (${facts.comm}, state ${facts.state}, parent ${facts.ppid}): ${facts.cmdline.join(' ')}`,
    ];
  });
}

function hostMounts(): readonly string[] {
  return (peek('/proc/self/mountinfo') ?? '').split('\n').filter((line) => line !== '');
}

function isNewMount(line: string, scope: LeakScope, before: Snapshot): boolean {
  if (before.mounts.has(line)) return false;
  const words = line.split(' ');
  return line.includes(scope.base) || JAIL_FILESYSTEMS.has(words[words.indexOf('-') + 1] ?? '');
}

function leftFile(file: string, before: Snapshot, emperorPid: number | undefined): readonly string[] {
  if (emperorPid !== undefined) return before.runFiles.has(file) ? [] : [`file: ${file}`];
  return lstatSync(file, { throwIfNoEntry: false })?.isSocket() === true ? [`socket file: ${file}`] : [];
}

function leftSockets(scope: LeakScope, emperorPid: number | undefined): readonly string[] {
  if (emperorPid !== undefined) return [];
  const lines = (peek('/proc/net/unix') ?? '').split('\n').filter((line) => line.includes(`${scope.base}/`));
  return lines.map((line) => `socket: ${line}`);
}

function filesBelow(dir: string): readonly string[] {
  return peekDir(dir).flatMap((name) => {
    const path = join(dir, name);
    return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true
      ? [path, ...filesBelow(path)]
      : [path];
  });
}

function socketCount(pid: number): number {
  const targets = peekDir(`/proc/${pid}/fd`).map((fd) => peekLink(`/proc/${pid}/fd/${fd}`) ?? '');
  return targets.filter((target) => target.startsWith('socket:')).length;
}
