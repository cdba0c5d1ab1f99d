import type { LimitsSpec } from '../spec/spec.ts';
import {
  type CgroupHost,
  type Controller,
  type GenerationPlace,
  generationDirectory,
  type Hierarchy,
  versionOf,
} from './hierarchy.ts';

/** A write into a file of a control group directory. */
export type CgroupWrite = { readonly dir: string; readonly file: string; readonly value: string };

/** A number to read when the app has ended: the word after `key` in the file, as counter `name`. */
export type CgroupCounter = { readonly name: string; readonly path: string; readonly key: string };

/** The control groups of one generation: absolute directories, what to write, what to count. */
export type CgroupPlan = {
  readonly v2: string | undefined;
  readonly v1: readonly string[];
  readonly writes: readonly CgroupWrite[];
  readonly counters: readonly CgroupCounter[];
};

/** One limit as files of a group. */
type Limit = { readonly controller: Controller; readonly value: number };

const CPU_PERIOD_USEC = 100_000;
/** Any negative value is "no limit". */
const NO_LIMIT = -1;

/**
 * The groups of one generation: always the v2 one, which ends and proves the end of a jail, and the v1 ones that a
 * limit asks for. A limit whose controller is nowhere is left out: `buildSpec` has said so.
 */
export function planCgroups(limits: LimitsSpec, host: CgroupHost, place: GenerationPlace): CgroupPlan {
  const asked = askedLimits(limits);
  const inV2 = asked.filter(({ controller }) => versionOf(host, controller) === 'v2');
  const inV1 = asked.flatMap((limit) => {
    const hierarchy = versionOf(host, limit.controller) === 'v1' ? host.v1.get(limit.controller) : undefined;
    return hierarchy === undefined ? [] : [{ limit, dir: generationDirectory(hierarchy, place) }];
  });
  const v2 = host.v2 && generationDirectory(host.v2, place);
  return {
    v2,
    // Controllers may share one hierarchy (cpu,cpuacct; or all in one).
    v1: [...new Set(inV1.map(({ dir }) => dir))],
    writes: [
      ...(host.v2 === undefined ? [] : enableControllers(host.v2, place, inV2)),
      ...(v2 === undefined ? [] : inV2.flatMap((limit) => writesV2(v2, limit))),
      ...inV1.flatMap(({ dir, limit }) => writesV1(dir, limit)),
    ],
    counters: [
      ...(v2 === undefined ? [] : inV2.map((limit) => counterOf(v2, limit, 'v2'))),
      ...inV1.map(({ dir, limit }) => counterOf(dir, limit, 'v1')),
    ],
  };
}

/** One limit of a running generation: its group, and what makes it obey. */
export type LiveLimit = {
  /** As an option would be written; undefined when the limit is lifted. */
  readonly asked: string | undefined;
  readonly dir: string;
  readonly writes: readonly CgroupWrite[];
};

/** What makes a running generation obey other limits; a limit that is gone becomes the kernel's "none". */
export function planLiveLimits(
  limits: LimitsSpec,
  host: CgroupHost,
  place: GenerationPlace,
): readonly LiveLimit[] {
  return allLimits(limits).flatMap(({ controller, value }) => {
    const version = versionOf(host, controller);
    const hierarchy = version === 'v2' ? host.v2 : host.v1.get(controller);
    if (version === undefined || hierarchy === undefined) return [];
    const dir = generationDirectory(hierarchy, place);
    const limit = { controller, value: value ?? NO_LIMIT };
    const enabling =
      version === 'v2' && value !== undefined ? enableControllers(hierarchy, place, [limit]) : [];
    const writes = version === 'v2' ? writesV2(dir, limit) : writesV1(dir, limit);
    const asked = value === undefined ? undefined : `${controller}-max=${value}`;
    return [{ asked, dir, writes: [...enabling, ...writes] }];
  });
}

function allLimits({
  memoryMaxBytes,
  cpuMaxPercent,
  pidsMax,
}: LimitsSpec): readonly { controller: Controller; value: number | undefined }[] {
  return [
    { controller: 'memory', value: memoryMaxBytes },
    { controller: 'cpu', value: cpuMaxPercent },
    { controller: 'pids', value: pidsMax },
  ];
}

function askedLimits(limits: LimitsSpec): readonly Limit[] {
  return allLimits(limits).flatMap(({ controller, value }) =>
    value === undefined ? [] : [{ controller, value }],
  );
}

/** v2: a group has a controller's files only when every directory above it passes the controller on. */
function enableControllers(
  hierarchy: Hierarchy,
  place: GenerationPlace,
  limits: readonly Limit[],
): readonly CgroupWrite[] {
  if (limits.length === 0) return [];
  const name = parentOf(generationDirectory(hierarchy, place));
  const value = limits.map(({ controller }) => `+${controller}`).join(' ');
  return [parentOf(name), name].map((dir) => ({ dir, file: 'cgroup.subtree_control', value }));
}

function writesV2(dir: string, { controller, value }: Limit): readonly CgroupWrite[] {
  const text = value < 0 ? 'max' : String(value);
  switch (controller) {
    case 'memory':
      return [{ dir, file: 'memory.max', value: text }];
    case 'cpu':
      return [{ dir, file: 'cpu.max', value: `${value < 0 ? 'max' : quotaUsec(value)} ${CPU_PERIOD_USEC}` }];
    case 'pids':
      return [{ dir, file: 'pids.max', value: text }];
  }
}

function writesV1(dir: string, { controller, value }: Limit): readonly CgroupWrite[] {
  switch (controller) {
    case 'memory':
      return [{ dir, file: 'memory.limit_in_bytes', value: String(value) }];
    case 'cpu':
      return [
        { dir, file: 'cpu.cfs_period_us', value: String(CPU_PERIOD_USEC) },
        { dir, file: 'cpu.cfs_quota_us', value: String(value < 0 ? -1 : quotaUsec(value)) },
      ];
    case 'pids':
      return [{ dir, file: 'pids.max', value: value < 0 ? 'max' : String(value) }];
  }
}

function quotaUsec(percent: number): number {
  return Math.round((percent * CPU_PERIOD_USEC) / 100);
}

function counterOf(dir: string, { controller }: Limit, version: 'v1' | 'v2'): CgroupCounter {
  switch (controller) {
    case 'memory':
      return {
        name: 'oom_kill',
        path: `${dir}/${version === 'v2' ? 'memory.events' : 'memory.oom_control'}`,
        key: 'oom_kill',
      };
    case 'cpu':
      return { name: 'throttled', path: `${dir}/cpu.stat`, key: 'nr_throttled' };
    case 'pids':
      return { name: 'pids_max', path: `${dir}/pids.events`, key: 'max' };
  }
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}
