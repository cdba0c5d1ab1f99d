import type { CgroupPlan } from '../cgroup/limits.ts';
import type { HostFacts } from '../spec/host-facts.ts';
import type { Rlimit } from '../spec/limits.ts';
import type { Ready, VassalSpec } from '../spec/spec.ts';
import { capabilitySet } from './capabilities.ts';
import { type Directive, directive } from './directive.ts';
import { environmentDirectives, notifyPathOf, workingDirectoryOf } from './environment.ts';
import { filterDirectives } from './filters.ts';
import { hookDirectives } from './hooks.ts';
import { joiningDirectives } from './joining.ts';
import { mountDirectives } from './mounts.ts';
import { cloneFlags } from './namespaces.ts';
import { plain } from './path.ts';
import { RLIMITS } from './rlimits.ts';
import { rootDirectives } from './root.ts';
import type { JailRun } from './run.ts';
import { schedulingDirectives } from './scheduling.ts';

/** RLIMIT_* by name, the same on x86-64 and arm64. */
const RESOURCES: ReadonlyMap<string, number> = new Map(RLIMITS.map(([name], number) => [name, number]));

/** The first Landlock that can scope abstract sockets (1) and signals (2). */
const SCOPING_ABI = 6;
const SCOPES = 1 + 2;

/** What the keeper has to do for one generation. The order of jailing is the keeper's, only mounts keep theirs. */
export function planJail(
  spec: VassalSpec,
  host: Pick<HostFacts, 'landlockAbi' | 'architecture' | 'paths' | 'rootless'>,
  given: JailRun,
): readonly Directive[] {
  const run = { ...given, rootless: host.rootless };
  const { identity, jail, app, lifecycle } = spec;
  const { namespaces } = jail;
  const notifyPath = notifyPathOf(spec, run);
  const scoped = identity.noNewPrivs && host.landlockAbi >= SCOPING_ABI;
  return [
    ...cgroupDirectives(run.cgroups),
    ...(namespaces.length === 0 ? [] : [directive('unshare', cloneFlags(namespaces))]),
    ...joiningDirectives(spec, run),
    ...hookDirectives(spec, run),
    ...rootDirectives(spec, host.paths),
    ...mountDirectives(spec, host.paths, run),
    ...(jail.hostname === undefined ? [] : [directive('hostname', jail.hostname)]),
    ...(namespaces.includes('net') ? [directive('loopback')] : []),
    ...spec.limits.rlimits.flatMap(rlimitDirective),
    ...schedulingDirectives(spec.scheduling),
    ...identity.groups.map((gid) => directive('add-gid', gid)),
    directive('gid', run.gid),
    directive('uid', run.uid),
    directive('caps', capabilitySet(identity.caps)),
    ...(identity.securebits.length === 0 ? [] : [directive('securebits', bitsOf(identity.securebits))]),
    ...(identity.noNewPrivs ? [directive('no-new-privs')] : []),
    ...(scoped ? [directive('landlock-scope', SCOPES)] : []),
    ...filterDirectives(spec, host),
    directive('umask', app.umask.toString(8)),
    ...(notifyPath === undefined ? [] : [directive('notify', notifyPath)]),
    ...readyDirectives(lifecycle.ready),
    ...lifecycle.touchReload.map((path) => directive('touch', plain(path))),
    directive('chdir', placeOf(spec)),
    ...environmentDirectives(spec, run),
    ...app.command.map((word) => directive('arg', word)),
  ];
}

/** A root of its own may lack what stands before a `..`. */
function placeOf(spec: VassalSpec): string {
  const cwd = workingDirectoryOf(spec);
  return spec.root.form.by === 'minimal' ? plain(cwd) : cwd;
}

function bitsOf(numbers: readonly number[]): number {
  return numbers.reduce((bits, number) => bits | (1 << number), 0);
}

function cgroupDirectives({ v2, v1, writes, counters }: CgroupPlan): readonly Directive[] {
  return [
    ...(v2 === undefined ? [] : [directive('cgroup', v2)]),
    ...v1.map((dir) => directive('cgroup-v1', dir)),
    ...writes.map(({ dir, file, value }) => directive('cgroup-set', dir, file, value)),
    ...counters.map(({ name, path, key }) => directive('counter', name, path, key)),
  ];
}

function rlimitDirective({ resource, soft, hard }: Rlimit): readonly Directive[] {
  const number = RESOURCES.get(resource);
  return number === undefined ? [] : [directive('rlimit', number, soft ?? '-', hard ?? '-')];
}

function readyDirectives(ready: Ready): readonly Directive[] {
  switch (ready.by) {
    case 'notify':
      return [directive('ready-notify')];
    case 'log':
      return [directive('ready-log', ready.text)];
    case 'tcp':
      return [directive('ready-tcp', ready.host, ready.port)];
    case 'auto':
    case 'spawn':
    case 'delay':
      return [];
  }
}
