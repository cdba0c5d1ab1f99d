import { CONTROLLERS, versionOf } from '../cgroup/hierarchy.ts';
import { CAPABILITIES } from '../options/identity.ts';
import { NAMESPACES } from '../options/isolation.ts';
import type { HostFacts } from '../spec/host-facts.ts';

/** One thing that a vassal may ask for, what this host gives, and why it is not more. */
export type HostRow = {
  readonly what: string;
  readonly gives: string;
  readonly because: string | undefined;
};

/** What a host gives, in the order of a jail: privileges, namespaces, mounts, limits, filters. */
export function describeHost(host: HostFacts): readonly HostRow[] {
  return [
    row('kernel', host.kernelRelease),
    privileges(host),
    ...capabilities(host),
    ...NAMESPACES.map((kind) => state(`namespace ${kind}`, host.unavailable.get(kind))),
    ...host.features.map(({ name, missing }) => state(name, missing)),
    ...controllers(host),
    state('control groups for freezing and killing', host.cgroups.v2 === undefined ? NO_V2 : undefined),
    ...filters(host),
  ];
}

const NO_V2 = 'no control groups v2 that are writable here';

function privileges({ rootless }: HostFacts): HostRow {
  if (rootless === undefined) return row('privileges', 'root');
  return row(
    'privileges',
    `uid ${rootless.uid}`,
    'vassals run as this user; no other users, groups, device nodes or ports below 1024 of the host',
  );
}

function capabilities({ capBounding, capLastCap, rootless }: HostFacts): readonly HostRow[] {
  if (rootless !== undefined) return [row('capabilities', 'inside namespaces', 'of the host none')];
  const numbers = Array.from({ length: capLastCap + 1 }, (_, number) => number);
  const missing = numbers.filter((number) => ((capBounding >> BigInt(number)) & 1n) === 0n);
  const names = missing.map((number) => CAPABILITIES[number] ?? String(number));
  const gives = `${numbers.length - missing.length} of ${numbers.length}`;
  return [
    row('capabilities', gives, missing.length === 0 ? undefined : `the emperor has not ${names.join(', ')}`),
  ];
}

function controllers({ cgroups, rootless }: HostFacts): readonly HostRow[] {
  return CONTROLLERS.map((controller) => {
    const version = versionOf(cgroups, controller);
    const what = `control group ${controller}`;
    if (version === undefined) return row(what, 'no', 'not mounted, or not delegated to the emperor');
    return row(what, version, rootless === undefined ? undefined : 'as far as it is delegated to the user');
  });
}

function filters({ landlockAbi, hasSeccomp, architecture, securityModules }: HostFacts): readonly HostRow[] {
  const seccomp = !hasSeccomp
    ? 'the kernel has no filters'
    : architecture === undefined
      ? 'the calls of this machine are not known'
      : undefined;
  return [
    row('landlock', landlockAbi === 0 ? 'no' : `ABI ${landlockAbi}`, landlockLack(landlockAbi)),
    state('seccomp', seccomp),
    ...['apparmor', 'selinux'].map((module) =>
      state(module, securityModules.has(module) ? undefined : 'not active in this kernel'),
    ),
  ];
}

const LANDLOCK_GAINS: readonly (readonly [number, string])[] = [
  [1, 'it is not built in, or not in lsm='],
  [4, 'ports (tcp-bind, tcp-connect) need ABI 4'],
  [6, 'signals and abstract sockets out of the jail need ABI 6'],
];

function landlockLack(abi: number): string | undefined {
  return LANDLOCK_GAINS.find(([needed]) => abi < needed)?.[1];
}

function row(what: string, gives: string, because?: string): HostRow {
  return { what, gives, because };
}

function state(what: string, missing: string | undefined): HostRow {
  return row(what, missing === undefined ? 'yes' : 'no', missing);
}
