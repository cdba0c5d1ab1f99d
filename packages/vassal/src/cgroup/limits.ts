import { isBelow, parentOf } from '../jail/path.ts';
import type { LimitsSpec } from '../spec/limits.ts';
import {
  CONTROL_NAMES,
  CONTROLS,
  type ControlName,
  DEVICE_FILES,
  type FileWrite,
  holdLimit,
  liftLimit,
} from './controls.ts';
import { type CgroupCounter, countersOf } from './counters.ts';
import {
  type CgroupHost,
  CONTROLLERS,
  type Controller,
  type GenerationPlace,
  generationDirectory,
  type Hierarchy,
  hierarchyOf,
  versionOf,
} from './hierarchy.ts';
import { hierarchyOfFile, rawHierarchies } from './raw.ts';

/** A write into a file of a control group directory. */
export type CgroupWrite = { readonly dir: string; readonly file: string; readonly value: string };

/** The control groups of one generation: absolute directories, what to write, what to count. */
export type CgroupPlan = {
  readonly v2: string | undefined;
  readonly v1: readonly string[];
  readonly writes: readonly CgroupWrite[];
  readonly counters: readonly CgroupCounter[];
};

/** One limit of one generation: where it is written. */
type Limit = {
  readonly name: ControlName;
  readonly controller: Controller;
  readonly version: 'v1' | 'v2';
  readonly dir: string;
  readonly writes: readonly FileWrite[];
};

/**
 * The groups of one generation: always the v2 one, which ends and proves the end of a jail, and the v1 ones that a
 * limit or `cgroup` asks for. A limit that this host cannot hold is left out: `buildSpec` has said so.
 */
export function planCgroups(limits: LimitsSpec, host: CgroupHost, given: GenerationPlace): CgroupPlan {
  const place = { ...given, below: limits.cgroups };
  const held = CONTROL_NAMES.flatMap((name) => limitOf(name, limits, host, place));
  const raw = rawWrites(limits, host, place);
  const v2 = host.v2 && generationDirectory(host.v2, place);
  const inV1 = [
    ...held.filter(({ version }) => version === 'v1').map(({ dir }) => dir),
    ...raw.map(({ dir }) => dir).filter((dir) => dir !== v2),
    ...rawHierarchies(limits.cgroups, host)
      .filter((hierarchy) => hierarchy.mount !== host.v2?.mount)
      .map((hierarchy) => generationDirectory(hierarchy, place)),
  ];
  const passed = [
    ...held.filter(({ version }) => version === 'v2').map(({ controller }) => controller),
    ...raw.filter(({ dir, file }) => dir === v2 && !file.startsWith('cgroup.')).map(controllerOfFile),
  ];
  return {
    v2,
    // Controllers may share one hierarchy (cpu,cpuacct; or all in one).
    v1: [...new Set(inV1)],
    writes: [
      ...(host.v2 === undefined ? [] : passOn(host.v2, place, passed)),
      ...(inV1.some((dir) => dir === cpusetDirectory(host, place)) ? fillCpusets(host, place) : []),
      ...held.flatMap(({ dir, writes }) => writes.map((write) => ({ dir, ...write }))),
      ...raw,
    ],
    counters: countersOf(held),
  };
}

/** One limit of a running generation: its group, and what makes it obey. */
export type LiveLimit = {
  readonly name: ControlName;
  /** As an option would be written; undefined when the limit is lifted. */
  readonly asked: string | undefined;
  readonly dir: string;
  readonly version: 'v1' | 'v2';
  /** What the group needs before, when it has to be made or gets its first limit of this controller. */
  readonly before: readonly CgroupWrite[];
  readonly writes: readonly CgroupWrite[];
  /** Files in which every device but those of `writes` is freed. */
  readonly deviceFiles: readonly string[];
};

/** What makes a running generation obey other limits; a limit that is gone becomes the kernel's "none". */
export function planLiveLimits(
  limits: LimitsSpec,
  host: CgroupHost,
  given: GenerationPlace,
): readonly LiveLimit[] {
  const place = { ...given, below: limits.cgroups };
  return CONTROL_NAMES.flatMap((name) => {
    const { controller } = CONTROLS[name];
    const version = versionOf(host, controller);
    const hierarchy = hierarchyOf(host, controller);
    if (version === undefined || hierarchy === undefined) return [];
    const [held] = limitOf(name, limits, host, place);
    const dir = generationDirectory(hierarchy, place);
    const writes = held?.writes ?? liftOf(name, version, host);
    return [
      {
        name,
        asked: held === undefined ? undefined : `${name}=${CONTROLS[name].asked(limits) ?? ''}`,
        dir,
        version,
        before: held === undefined ? [] : preparations(controller, host, place),
        writes: writes.map((write) => ({ dir, ...write })),
        deviceFiles: name === 'io-max' ? DEVICE_FILES[version] : [],
      },
    ];
  });
}

function limitOf(
  name: ControlName,
  limits: LimitsSpec,
  host: CgroupHost,
  place: GenerationPlace,
): readonly Limit[] {
  const { controller, asked } = CONTROLS[name];
  const hierarchy = hierarchyOf(host, controller);
  if (asked(limits) === undefined || hierarchy === undefined) return [];
  const held = holdLimit(name, limits, host);
  if (held.gives === 'none') return [];
  const { version, writes } = held;
  return [{ name, controller, version, dir: generationDirectory(hierarchy, place), writes }];
}

function liftOf(name: ControlName, version: 'v1' | 'v2', host: CgroupHost): readonly FileWrite[] {
  if (name !== 'cpuset') return liftLimit(name, version);
  // No version takes the CPUs of a group with processes away: it gets all that there are.
  return host.cpuset === undefined ? [] : [{ file: 'cpuset.cpus', value: host.cpuset.cpus }];
}

function preparations(
  controller: Controller,
  host: CgroupHost,
  place: GenerationPlace,
): readonly CgroupWrite[] {
  if (host.v2 !== undefined && versionOf(host, controller) === 'v2')
    return passOn(host.v2, place, [controller]);
  return controller === 'cpuset' ? fillCpusets(host, place) : [];
}

/** v2: a group has a controller's files only when every directory above it passes the controller on. */
function passOn(
  hierarchy: Hierarchy & { readonly controllers: ReadonlySet<string> },
  place: GenerationPlace,
  controllers: readonly string[],
): readonly CgroupWrite[] {
  const wanted = [...new Set(controllers)];
  if (wanted.length === 0) return [];
  const vassal = parentOf(generationDirectory(hierarchy, place));
  const instance = parentOf(parentOf(vassal));
  // The emperor's own base passes the usual ones on already; nobody did so for a directory of the operator's choice.
  const isOwn = place.below?.some((dir) => isBelow(dir, hierarchy.mount)) !== true;
  const isUsual = wanted.every((name) => CONTROLLERS.some((controller) => controller === name));
  const above = isOwn && isUsual ? [] : [...ancestorsBetween(hierarchy.mount, parentOf(instance)), instance];
  const value = wanted.map((controller) => `+${controller}`).join(' ');
  return [...above, parentOf(vassal), vassal].map((dir) => ({ dir, file: 'cgroup.subtree_control', value }));
}

/** From `top` down to `bottom`, both included. */
function ancestorsBetween(top: string, bottom: string): readonly string[] {
  return bottom === top || !isBelow(bottom, top)
    ? [top]
    : [...ancestorsBetween(top, parentOf(bottom)), bottom];
}

/** v1: no process may enter a cpuset before it has CPUs and memory nodes, and no group more than its parent. */
function fillCpusets(host: CgroupHost, place: GenerationPlace): readonly CgroupWrite[] {
  const hierarchy = host.v1.get('cpuset');
  if (hierarchy === undefined || host.cpuset === undefined) return [];
  const { cpus, mems } = host.cpuset;
  const leaf = generationDirectory(hierarchy, place);
  const base = place.below?.find((dir) => isBelow(dir, hierarchy.mount));
  const top = base ?? parentOf(parentOf(parentOf(leaf)));
  return ancestorsBetween(top, leaf)
    .filter((dir) => dir !== hierarchy.mount)
    .flatMap((dir) => [
      { dir, file: 'cpuset.cpus', value: cpus },
      { dir, file: 'cpuset.mems', value: mems },
    ]);
}

function cpusetDirectory(host: CgroupHost, place: GenerationPlace): string | undefined {
  const hierarchy = host.v1.get('cpuset');
  return hierarchy && generationDirectory(hierarchy, place);
}

/** What `cgroup-opt` says, in the hierarchy that has the file. */
function rawWrites(limits: LimitsSpec, host: CgroupHost, place: GenerationPlace): readonly CgroupWrite[] {
  return limits.cgroupOptions.flatMap(({ file, value }) => {
    const hierarchy = hierarchyOfFile(file, host);
    return hierarchy === undefined ? [] : [{ dir: generationDirectory(hierarchy, place), file, value }];
  });
}

function controllerOfFile({ file }: { readonly file: string }): string {
  return file.split('.')[0] ?? file;
}
