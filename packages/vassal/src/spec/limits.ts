import type { Values } from '@emperor/common/options/option';
import type { limits } from '../options/limits.ts';
import type { scheduling } from '../options/scheduling.ts';
import type { VassalSpec } from './spec.ts';

/** Names as in prlimit(1), e.g. `nofile`. undefined = infinity. */
export type Rlimit = {
  readonly resource: string;
  readonly soft: number | undefined;
  readonly hard: number | undefined;
};

/** CPUs `from` to `to`, both included. */
export type CpuRange = { readonly from: number; readonly to: number };

/** What may be read from and written to one device in a second; undefined = as much as it can. */
export type IoMax = {
  /** `MAJOR:MINOR`, or as written while no host has been asked. */
  readonly device: string;
  readonly readBytes: number | undefined;
  readonly writeBytes: number | undefined;
  readonly readOperations: number | undefined;
  readonly writeOperations: number | undefined;
};

/** A raw write into a file of the vassal's own group. */
export type CgroupOption = { readonly file: string; readonly value: string };

/** What control groups hold the whole vassal to, and what each of its processes may use. */
export type LimitsSpec = {
  readonly memoryMaxBytes: number | undefined;
  readonly memoryHighBytes: number | undefined;
  readonly swapMaxBytes: number | undefined;
  /** Percent of one CPU: 150 = one and a half. */
  readonly cpuMaxPercent: number | undefined;
  readonly cpuWeight: number | undefined;
  /** Sorted, apart from each other; empty = all CPUs. */
  readonly cpuset: readonly CpuRange[];
  readonly pidsMax: number | undefined;
  readonly ioWeight: number | undefined;
  readonly ioMax: readonly IoMax[];
  /** Groups of the operator's choice that the vassal's own are made below, at most one in each hierarchy. */
  readonly cgroups: readonly string[];
  readonly cgroupOptions: readonly CgroupOption[];
  readonly rlimits: readonly Rlimit[];
};

/** No limit at all. */
export const NO_LIMITS: LimitsSpec = {
  memoryMaxBytes: undefined,
  memoryHighBytes: undefined,
  swapMaxBytes: undefined,
  cpuMaxPercent: undefined,
  cpuWeight: undefined,
  cpuset: [],
  pidsMax: undefined,
  ioWeight: undefined,
  ioMax: [],
  cgroups: [],
  cgroupOptions: [],
  rlimits: [],
};

export type IoPriority = { readonly class: 'realtime' | 'best-effort' | 'idle'; readonly level: number };

export type Scheduler =
  | { readonly policy: 'other' | 'batch' | 'idle' }
  | { readonly policy: 'fifo' | 'rr'; readonly priority: number };

/** How the kernel treats the vassal's processes beside others. Never inherited from the emperor. */
export type SchedulingSpec = {
  readonly nice: number;
  /** undefined = the kernel derives it from `nice`. */
  readonly ionice: IoPriority | undefined;
  readonly sched: Scheduler;
  readonly oomScoreAdj: number;
};

/** The part of a spec that the options of this group make. */
export function limitsOf(values: Values<typeof limits>): LimitsSpec {
  return {
    memoryMaxBytes: values['memory-max'],
    memoryHighBytes: values['memory-high'],
    swapMaxBytes: values['swap-max'],
    cpuMaxPercent: values['cpu-max'],
    cpuWeight: values['cpu-weight'],
    cpuset: values.cpuset,
    pidsMax: values['pids-max'],
    ioWeight: values['io-weight'],
    ioMax: values['io-max'],
    cgroups: values.cgroup,
    cgroupOptions: values['cgroup-opt'],
    rlimits: RLIMITS.flatMap((key) => {
      const pair = values[key];
      return pair === undefined ? [] : [{ resource: key.slice('limit-'.length), ...pair }];
    }),
  };
}

/** The part of a spec that the options of scheduling make. */
export function schedulingOf(values: Values<typeof scheduling>): SchedulingSpec {
  return {
    nice: values.nice,
    ionice: values.ionice,
    sched: values.sched,
    oomScoreAdj: values['oom-score-adj'],
  };
}

/** What a spec holds for each option of this group. */
export const LIMIT_VALUES: {
  readonly [K in keyof typeof limits | keyof typeof scheduling]: (spec: VassalSpec) => unknown;
} = {
  'memory-max': ({ limits }) => limits.memoryMaxBytes,
  'memory-high': ({ limits }) => limits.memoryHighBytes,
  'swap-max': ({ limits }) => limits.swapMaxBytes,
  'cpu-max': ({ limits }) => limits.cpuMaxPercent,
  'cpu-weight': ({ limits }) => limits.cpuWeight,
  cpuset: ({ limits }) => limits.cpuset,
  'pids-max': ({ limits }) => limits.pidsMax,
  'io-weight': ({ limits }) => limits.ioWeight,
  'io-max': ({ limits }) => limits.ioMax,
  cgroup: ({ limits }) => limits.cgroups,
  'cgroup-opt': ({ limits }) => limits.cgroupOptions,
  nice: ({ scheduling }) => scheduling.nice,
  ionice: ({ scheduling }) => scheduling.ionice,
  sched: ({ scheduling }) => scheduling.sched,
  'oom-score-adj': ({ scheduling }) => scheduling.oomScoreAdj,
  'limit-as': rlimit('as'),
  'limit-core': rlimit('core'),
  'limit-cpu': rlimit('cpu'),
  'limit-data': rlimit('data'),
  'limit-fsize': rlimit('fsize'),
  'limit-locks': rlimit('locks'),
  'limit-memlock': rlimit('memlock'),
  'limit-msgqueue': rlimit('msgqueue'),
  'limit-nice': rlimit('nice'),
  'limit-nofile': rlimit('nofile'),
  'limit-nproc': rlimit('nproc'),
  'limit-rss': rlimit('rss'),
  'limit-rtprio': rlimit('rtprio'),
  'limit-rttime': rlimit('rttime'),
  'limit-sigpending': rlimit('sigpending'),
  'limit-stack': rlimit('stack'),
};

export type RlimitName = Extract<keyof typeof limits, `limit-${string}`>;

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys of the type, which has no others
const RLIMITS = Object.keys(LIMIT_VALUES).filter((key) => key.startsWith('limit-')) as readonly RlimitName[];

function rlimit(resource: string): (spec: VassalSpec) => Rlimit | undefined {
  return ({ limits }) => limits.rlimits.find((limit) => limit.resource === resource);
}
