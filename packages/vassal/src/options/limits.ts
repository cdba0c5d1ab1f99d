import { decodeBytes, formatBytes } from '@emperor/common/bytes';
import { integer, optional, parsed, size, text } from '@emperor/common/options/kinds';
import { type Decoded, type Kind, type Option, option } from '@emperor/common/options/option';

const group = 'limits';
const UNLIMITED = 'unlimited';
const SMALLEST_MEMORY_BYTES = 1024 ** 2;
const MOST_CPU_PERCENT = 100_000;

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
