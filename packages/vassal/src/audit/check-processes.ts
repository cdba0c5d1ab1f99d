import { capabilitySet } from '../jail/capabilities.ts';
import type { DirectiveWord } from '../jail/directive.ts';
import { mappedId } from '../jail/id-maps.ts';
import { equal, type Finding, isNested, type Subject } from './finding.ts';
import type { FoundProcess, Limit, Unread } from './found.ts';

const NAMESPACES: readonly string[] = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'time', 'user', 'uts'];

/** Which namespaces are the jail's own, and that nobody in it is elsewhere. */
export function checkNamespaces(subject: Subject): readonly Finding[] {
  const { found } = subject;
  const init = found.processes.find(({ role }) => role === 'init');
  return found.processes.flatMap((process) =>
    NAMESPACES.flatMap((name) => {
      // Who makes a time namespace stays outside of it: its children are inside.
      if (name === 'time' && subject.spec.jail.namespaces.includes('time')) return ownTime(subject, process);
      return process.role === 'init'
        ? ownNamespace(subject, process, name)
        : sameNamespace(subject, process, name, init);
    }),
  );
}

function ownTime({ found }: Subject, { role, namespaces, pid }: FoundProcess): readonly Finding[] {
  if (role === 'init') return [];
  if (!namespaces.has('time')) return [unread('time', pid)];
  const isHosts = namespaces.get('time') === found.host.namespaces.get('time');
  const seen = isHosts ? "the host's" : 'its own';
  return [equal({ group: 'namespaces', what: 'time', promised: 'its own', found: seen, pid })];
}

function ownNamespace({ spec, found }: Subject, process: FoundProcess, name: string): readonly Finding[] {
  const [own, host] = [process.namespaces.get(name), found.host.namespaces.get(name)];
  if (host === undefined) return []; // the kernel has no such kind
  if (own === undefined) return [unread(name, process.pid)];
  const kinds: readonly string[] = spec.jail.namespaces;
  const joined: readonly string[] = spec.joining.setns?.namespaces ?? [];
  const isHosts = own === host || own === found.host.keeperNamespaces.get(name);
  const seen = isHosts ? "the host's" : 'its own';
  const finding = { group: 'namespaces', what: name, found: seen };
  if (joined.includes(name)) {
    const reason = isHosts ? 'there was none to join' : undefined;
    return [{ ...finding, promised: `of ${spec.joining.setns?.path ?? ''}`, verdict: 'note', reason }];
  }
  return [equal({ ...finding, promised: kinds.includes(name) ? 'its own' : "the host's" })];
}

/** A namespace that the kernel has and does not show to us. */
function unread(what: string, pid: number): Finding {
  const reason = 'its link in /proc cannot be read';
  return { group: 'namespaces', what, promised: '', found: 'unknown', verdict: 'cannot-tell', reason, pid };
}

function sameNamespace(
  { found }: Subject,
  process: FoundProcess,
  name: string,
  init: FoundProcess | undefined,
): readonly Finding[] {
  const [own, jail] = [process.namespaces.get(name), init?.namespaces.get(name)];
  const finding = { group: 'namespaces', what: `${name} of its processes`, promised: "the jail's" };
  if (jail === undefined) return []; // said of the init
  if (own === undefined) return [unread(name, process.pid)];
  if (own === jail) return [{ ...finding, found: "the jail's", verdict: 'ok' }];
  if (own === found.host.namespaces.get(name)) {
    return [{ ...finding, found: "the host's", verdict: 'violated', pid: process.pid }];
  }
  const reason = 'a process may make further namespaces inside its own';
  return [{ ...finding, found: 'one of its own making', verdict: 'note', reason, pid: process.pid }];
}

/** Ids, groups, capability sets, no_new_privs and seccomp of every process. */
export function checkIdentity(subject: Subject): readonly Finding[] {
  return subject.found.processes.flatMap((process) => [
    ...idFindings(subject, process),
    ...rightFindings(subject, process),
  ]);
}

function idFindings(
  { spec, run }: Subject,
  { status, pid, uidMap, gidMap }: FoundProcess,
): readonly Finding[] {
  const outside = (map: FoundProcess['uidMap'], id: number) => mappedId(map, id) ?? `unmapped ${id}`;
  const own = { uid: outside(uidMap, run.uid), gid: outside(gidMap, run.gid) };
  const promisedGroups = new Set(spec.identity.groups.map((gid) => outside(gidMap, gid)));
  const groups = status.groups.filter((gid) => gid !== own.gid);
  promisedGroups.delete(own.gid);
  const ids = (numbers: readonly (number | string)[]) => [...new Set(numbers)].join(' ');
  const group = 'identity';
  return [
    equal({ group, what: 'uid', promised: String(own.uid), found: ids(status.uids), pid }),
    equal({ group, what: 'gid', promised: String(own.gid), found: ids(status.gids), pid }),
    equal({
      group,
      what: 'further groups',
      promised: [...promisedGroups].map(String).toSorted().join(' ') || 'none',
      found: groups.map(String).toSorted().join(' ') || 'none',
      pid,
    }),
  ];
}

function rightFindings(subject: Subject, process: FoundProcess): readonly Finding[] {
  const { identity } = subject.spec;
  const { status, pid } = process;
  const promised = capabilitySet(identity.caps);
  const nested = isNested(subject, process);
  const caps = Object.entries(status.caps).map(([what, set]): Finding => {
    const finding = {
      group: 'capabilities',
      what,
      promised: `0x${promised}`,
      found: `0x${set.toString(16)}`,
      pid,
    };
    if (nested) return { ...finding, verdict: 'note', reason: 'in a user namespace of its own making' };
    // A process may drop what it was given; it must not have more.
    const extra = set & ~BigInt(`0x${promised}`);
    const dropped = extra === 0n && finding.found !== finding.promised;
    if (dropped && process.role === 'other')
      return { ...finding, verdict: 'ok', reason: 'it dropped some itself' };
    if (dropped) return { ...finding, verdict: 'note', reason: 'it has fewer than it was given' };
    return equal(finding);
  });
  const privs = { group: 'identity', what: 'no_new_privs', pid, found: status.noNewPrivs ? 'on' : 'off' };
  return [
    ...caps,
    identity.noNewPrivs
      ? equal({ ...privs, promised: 'on' })
      : { ...privs, promised: 'off', verdict: 'ok', reason: 'a process may set it itself' },
  ];
}

/** What the kernel refuses to every process beyond its rights. What Landlock does is nowhere to be read. */
export function checkFilters({ spec, directives, found }: Subject): readonly Finding[] {
  const isFiltered = directives.some(({ word }) => word === 'seccomp');
  const { apparmor, selinux } = spec.filters;
  const label = apparmor ?? selinux;
  return found.processes.flatMap(({ pid, role, status, label: seen }) => [
    seccompFinding(isFiltered, status, pid),
    // Entered at the next exec: init makes none.
    ...(label === undefined || role === 'init' ? [] : [labelFinding(label, seen, pid)]),
  ]);
}

const FILTER_MODE = 2;

function seccompFinding(
  isFiltered: boolean,
  { seccompMode, seccompFilters }: FoundProcess['status'],
  pid: number,
): Finding {
  const finding = { group: 'filters', what: 'seccomp', promised: isFiltered ? 'a filter' : 'none', pid };
  if (seccompMode === undefined) {
    const reason = 'this kernel does not tell';
    return { ...finding, found: 'unknown', verdict: isFiltered ? 'cannot-tell' : 'note', reason };
  }
  const isThere = seccompMode === FILTER_MODE && (seccompFilters ?? 1) > 0;
  const seen = isThere ? 'a filter' : `mode ${seccompMode}`;
  if (!isFiltered)
    return { ...finding, found: isThere ? 'one that the app took itself' : 'none', verdict: 'ok' };
  return { ...finding, found: seen, verdict: isThere ? 'ok' : 'violated' };
}

/** AppArmor shows `profile (mode)`. */
function labelFinding(promised: string, found: string | undefined, pid: number): Finding {
  const isIt = found === promised || found?.startsWith(`${promised} (`) === true;
  return {
    group: 'filters',
    what: 'label',
    promised,
    found: found ?? 'none',
    verdict: isIt ? 'ok' : 'violated',
    pid,
  };
}

/** A process may make itself less important, never more. */
export function checkScheduling({ directives, found }: Subject): readonly Finding[] {
  const promised = (word: DirectiveWord): number | undefined => {
    const value = directives.find((directive) => directive.word === word)?.args[0];
    return value === undefined ? undefined : Number(value);
  };
  const least = { nice: promised('nice'), adj: promised('oom-score-adj') };
  return found.processes.flatMap(({ pid, nice, oomScoreAdj }) => [
    ...(least.nice === undefined ? [] : [leastFinding('nice', least.nice, nice, pid)]),
    ...(least.adj === undefined || oomScoreAdj === undefined
      ? []
      : [leastFinding('oom-score-adj', least.adj, oomScoreAdj, pid)]),
  ]);
}

function leastFinding(what: string, least: number, seen: number, pid: number): Finding {
  const finding = { group: 'limits', what, promised: `${least} or more`, found: String(seen), pid };
  return { ...finding, verdict: seen >= least ? 'ok' : 'violated' };
}

/** Limits of every process: it may lower its own, never raise them. */
export function checkRlimits({ spec, host, found }: Subject): readonly Finding[] {
  const promised = new Map<string, number | undefined>(host.hardRlimits);
  for (const { resource, hard } of spec.limits.rlimits) promised.set(resource, hard);
  return found.processes.flatMap((process) =>
    [...promised].flatMap(([resource, hard]) => {
      const limit = process.limits.get(resource);
      return [
        limit === undefined
          ? unknownLimit(resource, process.pid)
          : limitFinding(resource, hard, limit, process.pid),
      ];
    }),
  );
}

function unknownLimit(what: string, pid: number): Finding {
  const reason = '/proc/PID/limits does not tell';
  return { group: 'limits', what, promised: '', found: 'unknown', verdict: 'cannot-tell', reason, pid };
}

function limitFinding(resource: string, hard: number | undefined, limit: Limit, pid: number): Finding {
  const finding = {
    group: 'limits',
    what: resource,
    promised: `at most ${hard ?? 'unlimited'}`,
    found: String(limit.hard ?? 'unlimited'),
    pid,
  };
  const isHigher = hard !== undefined && (limit.hard === undefined || limit.hard > hard);
  return { ...finding, verdict: isHigher ? 'violated' : 'ok' };
}

/** What every process holds open: nothing of the host that the jail does not show, nothing of the emperor's. */
export function checkDescriptors({ spec, found }: Subject): readonly Finding[] {
  // Without a mount namespace it shows all that the host has, a root of chroot(2) or not.
  const isOwn = spec.jail.namespaces.includes('mnt');
  const ids = isOwn && found.mounts.ok ? new Set(found.mounts.value.map(({ id }) => id)) : undefined;
  const leaks = found.processes.flatMap((process) =>
    process.descriptors.flatMap((descriptor): Finding[] => {
      const why = leakOf(descriptor, process, ids, found.host.channels);
      if (why === undefined) return [];
      const what = `descriptor ${descriptor.fd}`;
      const seen = `${descriptor.target}: ${why}`;
      return [{ ...DESCRIPTORS, what, found: seen, verdict: 'violated', pid: process.pid }];
    }),
  );
  if (leaks.length > 0 || found.processes.some((process) => process.unread.some(isOfDescriptors)))
    return leaks;
  const count = found.processes.reduce((sum, { descriptors }) => sum + descriptors.length, 0);
  return [{ ...DESCRIPTORS, what: 'open descriptors', found: `${count}, none of them`, verdict: 'ok' }];
}

/** checkReading says it. */
function isOfDescriptors({ group }: Unread): boolean {
  return group === DESCRIPTORS.group;
}

const DESCRIPTORS = { group: 'descriptors', promised: 'nothing from outside of the jail' };
const IS_PATH = /^\/(?!memfd:|SYSV|\[aio\]|anon_hugepage|i915|drm)/;
/** What init has: its report, a signalfd, an inotify, and the keeper's /dev/null. */
const OF_INIT = /^(\/dev\/null$|socket:\[|anon_inode:)/;

function leakOf(
  { target, mountId }: FoundProcess['descriptors'][number],
  { role }: FoundProcess,
  mounts: ReadonlySet<number> | undefined,
  channels: ReadonlySet<string>,
): string | undefined {
  if (channels.has(target)) return "the emperor's own";
  if (role === 'init') return OF_INIT.test(target) ? undefined : 'init should not have it';
  if (!IS_PATH.test(target) || mounts === undefined || mountId === undefined) return undefined;
  return mounts.has(mountId) ? undefined : 'on a file system that is not in the jail';
}
