import { decodeBytes, formatBytes } from '@emperor/common/bytes';
import {
  commaList,
  integer,
  optional,
  parsed,
  path,
  repeated,
  size,
  text,
} from '@emperor/common/options/kinds';
import { type Decoded, type Kind, type Option, option } from '@emperor/common/options/option';
import type { CgroupOption, CpuRange, IoMax } from '../spec/limits.ts';
import {
  decodeCgroupOption,
  decodeCpuset,
  decodeIoMax,
  formatCpuset,
  formatIoMax,
  isPlainName,
} from './limit-forms.ts';

const group = 'limits';
const UNLIMITED = 'unlimited';
const SMALLEST_MEMORY_BYTES = 1024 ** 2;
const MOST_CPU_PERCENT = 100_000;
/** What a keeper can be told in one launch. */
const MOST_DEVICES = 4;
const MOST_CGROUP_OPTIONS = 16;

/** One resource limit; undefined = infinity. */
export type RlimitPair = { readonly soft: number | undefined; readonly hard: number | undefined };

const cpuPercent: Kind<number> = parsed(
  text,
  (written) => {
    const [, digits] = /^(\d{1,6})%$/.exec(written) ?? [];
    const percent = Number(digits ?? 0);
    return percent >= 1 && percent <= MOST_CPU_PERCENT
      ? { ok: true, value: percent }
      : { ok: false, message: 'expected a share of one CPU such as 150%' };
  },
  {
    name: 'cpu share',
    hint: 'share of one CPU such as 150%',
    schema: { type: 'string', pattern: '^([0-9]+%|unlimited)$' },
    format: (percent) => [`${percent}%`],
  },
);

/** CPU numbers and ranges, merged and in order. */
const cpuset: Kind<readonly CpuRange[]> = parsed(commaList(text), decodeCpuset, {
  name: 'CPU list',
  hint: 'CPUs such as 0-3,8',
  schema: { type: 'string', pattern: '^[0-9, -]*$' },
  format: (ranges) => (ranges.length === 0 ? [] : [formatCpuset(ranges)]),
});

const ioMax: Kind<readonly IoMax[]> = parsed(
  repeated(
    parsed(text, decodeIoMax, {
      name: 'I/O limit',
      hint: 'device and limits such as /dev/sda rbps=10M wbps=1M',
      format: (limit) => [formatIoMax(limit)],
    }),
  ),
  (limits) => {
    if (limits.length > MOST_DEVICES)
      return { ok: false, message: `at most ${MOST_DEVICES} devices are possible` };
    const again = limits.findIndex(
      ({ device }, index) => limits.findIndex((other) => other.device === device) < index,
    );
    return again < 0
      ? { ok: true, value: limits }
      : { ok: false, message: 'stands twice for one device', index: again };
  },
  { format: (limits) => limits.map(formatIoMax) },
);

const cgroupDirectory: Kind<string> = parsed(path, (written) =>
  written.split('/').slice(1).every(isPlainName)
    ? { ok: true, value: written }
    : { ok: false, message: 'expected a directory such as /sys/fs/cgroup/memory/shop, without . and ..' },
);

const cgroupOptions: Kind<readonly CgroupOption[]> = parsed(
  repeated(
    parsed(text, decodeCgroupOption, {
      name: 'control group setting',
      hint: 'FILE=VALUE such as memory.oom.group=1',
      format: ({ file, value }) => [`${file}=${value}`],
    }),
  ),
  (all) =>
    all.length <= MOST_CGROUP_OPTIONS
      ? { ok: true, value: all }
      : { ok: false, message: `at most ${MOST_CGROUP_OPTIONS} are possible` },
  { format: (all) => all.map(({ file, value }) => `${file}=${value}`) },
);

/** How one resource is counted. */
type Unit = {
  readonly what: string;
  readonly decode: (written: string) => number | undefined;
  readonly format: (value: number) => string;
};

const BYTES: Unit = { what: 'size such as 512M', decode: decodeBytes, format: formatBytes };
const COUNT: Unit = {
  what: 'number',
  decode: (written) => (/^\d{1,15}$/.test(written) ? Number(written) : undefined),
  format: String,
};

/** What control groups hold the whole vassal to, and what each of its processes may use. */
export const limits = {
  'memory-max': option({
    kind: optional(size(SMALLEST_MEMORY_BYTES), UNLIMITED),
    default: undefined,
    since: '0.1',
    who: 'tenant',
    onChange: 'live',
    group,
    help: 'Memory of the whole vassal, its /tmp included. What needs more is killed by the kernel. A tenant has 512M unless it says otherwise, and 4G at most.',
  }),
  'cpu-max': option({
    kind: optional(cpuPercent, UNLIMITED),
    default: undefined,
    since: '0.1',
    who: 'tenant',
    onChange: 'live',
    group,
    help: 'CPU time of the whole vassal, in percent of one CPU: 150% is one and a half.',
  }),
  'pids-max': option({
    kind: optional(integer(2, 4_194_304), UNLIMITED),
    default: 512,
    since: '0.1',
    who: 'tenant',
    onChange: 'live',
    group,
    help: 'Processes and threads of the whole vassal. A tenant may have 4096 at most.',
  }),
  'memory-high': option({
    kind: optional(size(SMALLEST_MEMORY_BYTES), UNLIMITED),
    default: undefined,
    since: '0.2',
    who: 'tenant',
    onChange: 'live',
    group,
    help: 'Memory of the whole vassal above which the kernel slows it down and takes memory back, instead of killing. Needs control groups v2.',
  }),
  'swap-max': option({
    kind: optional(size(), UNLIMITED),
    default: undefined,
    since: '0.2',
    who: 'tenant',
    onChange: 'live',
    group,
    help: 'Swap of the whole vassal; 0 = none. A tenant has 512M unless it says otherwise, and 4G at most. Control groups v1 limit memory and swap together, and need memory-max for it.',
  }),
  'cpu-weight': option({
    kind: optional(integer(1, 10_000)),
    default: undefined,
    since: '0.2',
    who: 'tenant',
    onChange: 'live',
    group,
    help: 'Share of the CPUs when there are not enough for all, beside other vassals; 100 is usual. A tenant has 100 at most.',
  }),
  cpuset: option({
    kind: cpuset,
    default: [],
    since: '0.2',
    who: 'tenant',
    onChange: 'live',
    group,
    help: 'The only CPUs that the vassal may run on, such as 0-3,8. Without it: all that the emperor may use.',
  }),
  'io-weight': option({
    kind: optional(integer(1, 10_000)),
    default: undefined,
    since: '0.2',
    who: 'tenant',
    onChange: 'live',
    group,
    help: "Share of the disks when they are busy, beside other vassals; 100 is usual. A tenant has 100 at most. Works on disks with the `bfq` scheduler, or with the kernel's iocost.",
  }),
  'io-max': option({
    kind: ioMax,
    default: [],
    since: '0.2',
    who: 'operator',
    onChange: 'live',
    group,
    help: 'What may be read from and written to one disk in a second: `/dev/sda rbps=10M wbps=1M riops=100 wiops=100`. With control groups v1 it does not hold for writes through the page cache.',
  }),
  cgroup: option({
    kind: repeated(cgroupDirectory),
    default: [],
    since: '0.2',
    who: 'operator',
    onChange: 'reload',
    group,
    help: "A control group of your own, below /sys/fs/cgroup, that the vassal's own group is made below: its limits hold for all that is in it. Made when it is missing, and then removed with the vassal, unless others are in it; at most one in each hierarchy.",
  }),
  'cgroup-opt': option({
    kind: cgroupOptions,
    default: [],
    since: '0.2',
    who: 'operator',
    onChange: 'reload',
    group,
    help: "FILE=VALUE: written into this file of the vassal's own control group, in the hierarchy that has it, after all other limits.",
  }),
  'limit-as': rlimit('as', BYTES, 'Address space of a process.'),
  'limit-core': rlimit('core', BYTES, 'Size of a core file.'),
  'limit-cpu': rlimit('cpu', COUNT, 'CPU time of a process, in seconds.'),
  'limit-data': rlimit('data', BYTES, 'Data segment of a process.'),
  'limit-fsize': rlimit('fsize', BYTES, 'Size of a file that a process writes.'),
  'limit-locks': rlimit('locks', COUNT, 'File locks of a process.'),
  'limit-memlock': rlimit('memlock', BYTES, 'Memory that a process may lock.'),
  'limit-msgqueue': rlimit('msgqueue', BYTES, 'POSIX message queues of the user.'),
  'limit-nice': rlimit('nice', COUNT, 'Ceiling of the nice value, as 20 minus the value.'),
  'limit-nofile': rlimit('nofile', COUNT, 'Open files of a process.'),
  'limit-nproc': rlimit(
    'nproc',
    COUNT,
    'Processes of the user on the whole host; see pids-max for the vassal.',
  ),
  'limit-rss': rlimit('rss', BYTES, 'Resident memory of a process; without effect on Linux.'),
  'limit-rtprio': rlimit('rtprio', COUNT, 'Ceiling of the real-time priority.'),
  'limit-rttime': rlimit('rttime', COUNT, 'Real-time CPU time without a blocking call, in microseconds.'),
  'limit-sigpending': rlimit('sigpending', COUNT, 'Signals waiting for the user.'),
  'limit-stack': rlimit('stack', BYTES, 'Stack of a process.'),
};

function rlimit(resource: string, unit: Unit, what: string): Option<RlimitPair | undefined> {
  return option({
    kind: optional(rlimitPair(unit)),
    default: undefined,
    since: '0.1',
    who: 'tenant',
    onChange: 'reload',
    group,
    help: `${what} (RLIMIT_${resource.toUpperCase()}: soft:hard, or one value for both)`,
  });
}

function rlimitPair(unit: Unit): Kind<RlimitPair> {
  const one = (value: number | undefined): string => (value === undefined ? UNLIMITED : unit.format(value));
  return parsed(text, (written) => decodePair(written, unit), {
    name: 'limit',
    hint: `${unit.what}, ${UNLIMITED}, or soft:hard`,
    format: ({ soft, hard }) => [soft === hard ? one(soft) : `${one(soft)}:${one(hard)}`],
  });
}

function decodePair(written: string, unit: Unit): Decoded<RlimitPair> {
  const parts = written.split(':').map((part) => decodeLimit(part.trim(), unit));
  const [soft, hard = soft] = parts;
  if (soft === undefined || hard === undefined || parts.length > 2) {
    return { ok: false, message: `expected a ${unit.what}, ${UNLIMITED}, or two of them as soft:hard` };
  }
  const fits = hard === UNLIMITED || (soft !== UNLIMITED && soft <= hard);
  if (!fits) return { ok: false, message: 'the soft limit is above the hard one' };
  return {
    ok: true,
    value: { soft: soft === UNLIMITED ? undefined : soft, hard: hard === UNLIMITED ? undefined : hard },
  };
}

function decodeLimit(part: string, unit: Unit): number | typeof UNLIMITED | undefined {
  return part === UNLIMITED ? UNLIMITED : unit.decode(part);
}
