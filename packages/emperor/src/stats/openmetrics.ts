import { STATE_NAMES, type StatusJson, type VassalJson } from '@emperor/common/control/api';

/** What the three comment lines in front of the samples of one metric say. */
type Head = {
  /** Without the `_total` of a counter and the `_info` of an info. */
  readonly name: string;
  readonly type: 'gauge' | 'counter' | 'info';
  /** The last word of `name`, where it is a unit. */
  readonly unit?: string;
  readonly help: string;
};

/** One number for each vassal; null: not known, and then there is no line. */
type Family = Head & { readonly valueOf: (vassal: VassalJson) => number | null };

type Labels = Readonly<Record<string, string>>;

const INFO: Head = { name: 'emperor', type: 'info', help: 'The running emperor.' };
const COUNT: Head = { name: 'emperor_vassals', type: 'gauge', help: 'How many vassals the emperor has.' };
/** A gauge and no stateset: there the label would have to be called like the metric. */
const STATE: Head = {
  name: 'emperor_vassal_state',
  type: 'gauge',
  help: '1 for the state that the vassal is in, 0 for all others.',
};

const FAMILIES: readonly Family[] = [
  {
    name: 'emperor_vassal_ready',
    type: 'gauge',
    help: '1 when the vassal is ready, 0 when it is not.',
    valueOf: ({ ready }) => (ready ? 1 : 0),
  },
  {
    name: 'emperor_vassal_restarts',
    type: 'counter',
    help: 'How often the app was started again.',
    valueOf: ({ restarts }) => restarts,
  },
  {
    name: 'emperor_vassal_oom_kills',
    type: 'counter',
    help: 'How many of its processes the kernel killed for want of memory.',
    valueOf: ({ oomKills }) => oomKills,
  },
  {
    name: 'emperor_vassal_pids_max_hits',
    type: 'counter',
    help: 'How often pids-max refused it a new process.',
    valueOf: ({ pidsMaxHits }) => pidsMaxHits,
  },
  {
    name: 'emperor_vassal_memory_high_hits',
    type: 'counter',
    help: 'How often memory-high slowed it down.',
    valueOf: ({ memoryHighHits }) => memoryHighHits,
  },
  {
    name: 'emperor_vassal_throttled_seconds',
    type: 'counter',
    unit: 'seconds',
    help: 'How long cpu-max made it wait.',
    valueOf: ({ throttledMs }) => throttledMs / 1_000,
  },
  {
    name: 'emperor_vassal_throttled_percent',
    type: 'gauge',
    unit: 'percent',
    help: 'In how many of the spans of 100 ms with work to do cpu-max makes it wait.',
    valueOf: ({ throttledPercent }) => throttledPercent,
  },
  {
    name: 'emperor_vassal_memory_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Memory in use.',
    valueOf: ({ memoryBytes }) => memoryBytes,
  },
  {
    name: 'emperor_vassal_cpu_percent',
    type: 'gauge',
    unit: 'percent',
    help: 'Use of CPU, in percent of one CPU.',
    valueOf: ({ cpuPercent }) => cpuPercent,
  },
  {
    name: 'emperor_vassal_tasks',
    type: 'gauge',
    help: 'Processes, or threads where the kernel counts them.',
    valueOf: ({ tasks }) => tasks,
  },
];

/** `status` as OpenMetrics 1.0 text, in pieces of whole lines so that a long one can be made with pauses. */
export function* openMetrics({ emperor, vassals }: StatusJson): Generator<string> {
  yield headOf(INFO);
  yield sample('emperor_info', { version: emperor.version }, 1);
  yield headOf(COUNT);
  yield sample(COUNT.name, {}, emperor.vassals);
  yield headOf(STATE);
  for (const vassal of vassals) yield statesOf(vassal);
  for (const family of FAMILIES) {
    const name = family.type === 'counter' ? `${family.name}_total` : family.name;
    yield headOf(family);
    for (const vassal of vassals) {
      const value = family.valueOf(vassal);
      if (value !== null) yield sample(name, labelsOf(vassal), value);
    }
  }
  yield '# EOF\n';
}

function headOf({ name, type, unit, help }: Head): string {
  const unitLine = unit === undefined ? '' : `# UNIT ${name} ${unit}\n`;
  return `# TYPE ${name} ${type}\n${unitLine}# HELP ${name} ${help}\n`;
}

function statesOf(vassal: VassalJson): string {
  return STATE_NAMES.map((state) =>
    sample(STATE.name, { ...labelsOf(vassal), state }, vassal.state === state ? 1 : 0),
  ).join('');
}

function labelsOf({ name, owner }: VassalJson): Labels {
  return { vassal: name, owner };
}

function sample(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escape(text)}"`);
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}\n`;
}

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' };

function escape(text: string): string {
  return text.replace(/[\\"\n]/g, (character) => ESCAPES[character] ?? character);
}
