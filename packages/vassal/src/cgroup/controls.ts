import { formatBytes } from '@emperor/common/bytes';
import { formatCpuset, formatIoMax } from '../options/limit-forms.ts';
import type { IoMax, LimitsSpec } from '../spec/limits.ts';
import { type CgroupHost, type Controller, hierarchyOf, versionOf } from './hierarchy.ts';

/** A write into a file of one group. */
export type FileWrite = { readonly file: string; readonly value: string };

/** What one limit is in files of a group. `files`: those that the group has, undefined = not known. */
type Form = {
  readonly set: (limits: LimitsSpec, files: ReadonlySet<string> | undefined) => readonly FileWrite[];
  /** What takes the limit away again; a file that is not there needs none. */
  readonly lift: readonly FileWrite[];
  /** Why this host, or these other limits, do not allow it; undefined when they do. */
  readonly refusal?: (limits: LimitsSpec, files: ReadonlySet<string> | undefined) => string | undefined;
};

/** One limit of the vassal file that a control group holds. */
type Control = {
  readonly controller: Controller;
  /** As an option would be written; undefined when nothing is asked. */
  readonly asked: (limits: LimitsSpec) => string | undefined;
  readonly v2: Form;
  /** undefined: v1 has no such limit. */
  readonly v1: Form | undefined;
};

export type ControlName =
  | 'memory-max'
  | 'memory-high'
  | 'swap-max'
  | 'cpu-max'
  | 'cpu-weight'
  | 'cpuset'
  | 'pids-max'
  | 'io-weight'
  | 'io-max';

const CPU_PERIOD_USEC = 100_000;
const USUAL_WEIGHT = 100;
const USUAL_SHARES = 1_024;
const MOST_SHARES = 262_144;
const MEMSW = 'memory.memsw.limit_in_bytes';

/** Every limit and its files; order = order of the writes. */
export const CONTROLS: Readonly<Record<ControlName, Control>> = {
  'memory-max': {
    controller: 'memory',
    asked: ({ memoryMaxBytes }) => bytes(memoryMaxBytes),
    v2: one('memory.max', ({ memoryMaxBytes }) => memoryMaxBytes, 'max'),
    v1: one('memory.limit_in_bytes', ({ memoryMaxBytes }) => memoryMaxBytes, '-1'),
  },
  'memory-high': {
    controller: 'memory',
    asked: ({ memoryHighBytes }) => bytes(memoryHighBytes),
    v2: one('memory.high', ({ memoryHighBytes }) => memoryHighBytes, 'max'),
    v1: undefined,
  },
  'swap-max': {
    controller: 'memory',
    asked: ({ swapMaxBytes }) => bytes(swapMaxBytes),
    v2: {
      ...one('memory.swap.max', ({ swapMaxBytes }) => swapMaxBytes, 'max'),
      refusal: (_, files) => (has(files, 'memory.swap.max') ? undefined : NO_SWAP),
    },
    // After the memory limit, which may never be above it; `live.ts` turns the two round where that must be.
    v1: {
      ...one(MEMSW, ({ memoryMaxBytes = 0, swapMaxBytes = 0 }) => memoryMaxBytes + swapMaxBytes, '-1'),
      refusal: ({ memoryMaxBytes }, files) => {
        if (!has(files, MEMSW)) return NO_SWAP;
        return memoryMaxBytes === undefined
          ? 'control groups v1 limit memory and swap together, and memory-max is not set'
          : undefined;
      },
    },
  },
  'cpu-max': {
    controller: 'cpu',
    asked: ({ cpuMaxPercent }) => (cpuMaxPercent === undefined ? undefined : `${cpuMaxPercent}%`),
    v2: {
      set: ({ cpuMaxPercent }) => [write('cpu.max', `${quotaUsec(cpuMaxPercent)} ${CPU_PERIOD_USEC}`)],
      lift: [write('cpu.max', `max ${CPU_PERIOD_USEC}`)],
    },
    v1: {
      set: ({ cpuMaxPercent }) => [
        write('cpu.cfs_period_us', CPU_PERIOD_USEC),
        write('cpu.cfs_quota_us', quotaUsec(cpuMaxPercent)),
      ],
      lift: [write('cpu.cfs_quota_us', -1)],
    },
  },
  'cpu-weight': {
    controller: 'cpu',
    asked: ({ cpuWeight }) => number(cpuWeight),
    v2: one('cpu.weight', ({ cpuWeight }) => cpuWeight, USUAL_WEIGHT),
    v1: one('cpu.shares', ({ cpuWeight }) => sharesOf(cpuWeight), USUAL_SHARES),
  },
  cpuset: {
    controller: 'cpuset',
    asked: ({ cpuset }) => (cpuset.length === 0 ? undefined : formatCpuset(cpuset)),
    // Lifted by the CPUs that there are: see limits.ts.
    v2: one('cpuset.cpus', ({ cpuset }) => formatCpuset(cpuset), undefined),
    v1: one('cpuset.cpus', ({ cpuset }) => formatCpuset(cpuset), undefined),
  },
  'pids-max': {
    controller: 'pids',
    asked: ({ pidsMax }) => number(pidsMax),
    v2: one('pids.max', ({ pidsMax }) => pidsMax, 'max'),
    v1: one('pids.max', ({ pidsMax }) => pidsMax, 'max'),
  },
  'io-weight': {
    controller: 'io',
    asked: ({ ioWeight }) => number(ioWeight),
    v2: weights({ 'io.weight': (weight) => `default ${weight}`, 'io.bfq.weight': bfqWeight }),
    v1: weights({ 'blkio.weight': bfqWeight, 'blkio.bfq.weight': bfqWeight }),
  },
  'io-max': {
    controller: 'io',
    asked: ({ ioMax }) => (ioMax.length === 0 ? undefined : ioMax.map(formatIoMax).join(', ')),
    v2: { set: ({ ioMax }) => ioMax.map(ioMaxV2), lift: [] },
    v1: { set: ({ ioMax }) => ioMax.flatMap(ioMaxV1), lift: [] },
  },
};

const NO_SWAP = 'the kernel does not account for swap (boot it with swapaccount=1)';
const NO_WEIGHTS = 'no disk scheduler of this kernel has weights (neither bfq nor iocost)';

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys of the type, which has no others
export const CONTROL_NAMES = Object.keys(CONTROLS) as readonly ControlName[];

/** A limit on this host: its group's files to write, or why the kernel gives it not. */
export type HeldLimit =
  | { readonly gives: 'all'; readonly version: 'v1' | 'v2'; readonly writes: readonly FileWrite[] }
  | { readonly gives: 'none'; readonly because: string };

/** What this host makes of one limit that is asked for. */
export function holdLimit(name: ControlName, limits: LimitsSpec, host: CgroupHost): HeldLimit {
  const { controller, v1, v2 } = CONTROLS[name];
  const version = versionOf(host, controller);
  if (version === undefined) return { gives: 'none', because: `no ${controller} controller` };
  const form = version === 'v2' ? v2 : v1;
  if (form === undefined) return { gives: 'none', because: 'control groups v1 have no such limit' };
  const files = hierarchyOf(host, controller)?.files;
  const because = form.refusal?.(limits, files);
  return because === undefined
    ? { gives: 'all', version, writes: form.set(limits, files) }
    : { gives: 'none', because };
}

/** What takes a limit away from a group that may have it. */
export function liftLimit(name: ControlName, version: 'v1' | 'v2'): readonly FileWrite[] {
  return CONTROLS[name][version]?.lift ?? [];
}

/** What undoes the lines of an io.max or blkio.throttle file that name other devices than `kept`. */
export function liftDevices(file: string, text: string, kept: ReadonlySet<string>): readonly FileWrite[] {
  const devices = text.split('\n').map((line) => line.split(' ')[0] ?? '');
  return devices
    .filter((device) => /^\d+:\d+$/.test(device) && !kept.has(device))
    .map((device) =>
      write(file, file === 'io.max' ? `${device} rbps=max wbps=max riops=max wiops=max` : `${device} 0`),
    );
}

/** The files that name devices. */
export const DEVICE_FILES: Readonly<Record<'v1' | 'v2', readonly string[]>> = {
  v2: ['io.max'],
  v1: ['read_bps', 'write_bps', 'read_iops', 'write_iops'].map((what) => `blkio.throttle.${what}_device`),
};

function one(
  file: string,
  valueOf: (limits: LimitsSpec) => string | number | undefined,
  none: string | number | undefined,
): Form {
  return {
    set: (limits) => [write(file, valueOf(limits) ?? '')],
    lift: none === undefined ? [] : [write(file, none)],
  };
}

/** A kernel may have several files for it, or none. */
function weights(formats: Readonly<Record<string, (weight: number) => string | number>>): Form {
  const all = (weight: number) =>
    Object.entries(formats).map(([file, format]) => write(file, format(weight)));
  const there = (files: ReadonlySet<string> | undefined) =>
    Object.keys(formats).filter((file) => files?.has(file) === true);
  return {
    set: ({ ioWeight = USUAL_WEIGHT }, files) =>
      all(ioWeight).filter(({ file }) => there(files).includes(file)),
    lift: all(USUAL_WEIGHT),
    refusal: (_, files) => (files !== undefined && there(files).length === 0 ? NO_WEIGHTS : undefined),
  };
}

function ioMaxV2({ device, readBytes, writeBytes, readOperations, writeOperations }: IoMax): FileWrite {
  const words = [
    `rbps=${readBytes ?? 'max'}`,
    `wbps=${writeBytes ?? 'max'}`,
    `riops=${readOperations ?? 'max'}`,
    `wiops=${writeOperations ?? 'max'}`,
  ];
  return write('io.max', [device, ...words].join(' '));
}

function ioMaxV1({
  device,
  readBytes,
  writeBytes,
  readOperations,
  writeOperations,
}: IoMax): readonly FileWrite[] {
  const values = [readBytes, writeBytes, readOperations, writeOperations];
  return DEVICE_FILES.v1.map((file, index) => write(file, `${device} ${values[index] ?? 0}`));
}

function write(file: string, value: string | number): FileWrite {
  return { file, value: String(value) };
}

/** What nobody has looked at is taken to be there: the launch tells otherwise. */
function has(files: ReadonlySet<string> | undefined, file: string): boolean {
  return files === undefined || files.has(file);
}

function quotaUsec(percent = USUAL_WEIGHT): number {
  return Math.round((percent * CPU_PERIOD_USEC) / 100);
}

/** 100 is 1024 shares; the kernel takes 2 at least. */
function sharesOf(weight = USUAL_WEIGHT): number {
  return Math.min(Math.max(Math.round((weight * USUAL_SHARES) / USUAL_WEIGHT), 2), MOST_SHARES);
}

/** 1–10000 on the scale of bfq, 1–1000, where 100 is usual as well. */
function bfqWeight(weight: number): number {
  return weight <= USUAL_WEIGHT ? Math.max(weight, 1) : Math.round(100 + ((weight - 100) * 900) / 9_900);
}

function bytes(value: number | undefined): string | undefined {
  return value === undefined ? undefined : formatBytes(value);
}

function number(value: number | undefined): string | undefined {
  return value === undefined ? undefined : String(value);
}
