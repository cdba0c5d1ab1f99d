import type { StatusJson, VassalJson } from '@emperor/common/control/api';
import fc from 'fast-check';
import { expect, test } from 'vitest';

import { openMetrics } from '../../../../packages/emperor/src/stats/openmetrics.ts';
import { vassalJson } from '../../../support/fake-control-port.ts';

function statusOf(...vassals: readonly VassalJson[]): StatusJson {
  const since = '2026-11-20T10:00:00.000Z';
  const emperor = { version: '0.1.0', pid: 812, since, vassals: vassals.length, diagnostics: [] };
  return { format: 1, emperor, vassals };
}

function textOf(...vassals: readonly VassalJson[]): string {
  return [...openMetrics(statusOf(...vassals))].join('');
}

type Sample = { readonly name: string; readonly labels: Record<string, string>; readonly value: number };
type Family = {
  readonly type: string;
  readonly unit: string | undefined;
  readonly samples: readonly Sample[];
};

const SUFFIX: Readonly<Record<string, string>> = { gauge: '', counter: '_total', info: '_info' };
const NAME = '[a-zA-Z_][a-zA-Z0-9_]*';
const ESCAPED = '(?:[^\\\\"\\n]|\\\\[\\\\"n])*';
const PAIR = `(${NAME})="(${ESCAPED})"`;
const FAMILY = new RegExp(
  `^# TYPE (${NAME}) (gauge|counter|info)\\n(?:# UNIT \\1 (\\w+)\\n)?# HELP \\1 ${ESCAPED}\\n([^]*)$`,
);
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(${PAIR}(?:,${PAIR})*)\\})? (\\d+(?:\\.\\d+)?(?:e[+-]?\\d+)?)$`);

/** The part of OpenMetrics 1.0 that we write, to the letter; throws at the first line that is anything else. */
function parse(text: string): ReadonlyMap<string, Family> {
  const [all, rest] = text.split(/(?<=\n)# EOF\n/);
  if (all === undefined || rest !== '') throw new Error('no # EOF at the end, or two');
  const families = new Map<string, Family>();
  for (const block of all.split(/(?<=\n)(?=# TYPE )/)) {
    const [, name = '', type = '', unit, lines = ''] = FAMILY.exec(block) ?? [];
    if (name === '' || families.has(name)) throw new Error(`no family, or twice: ${block}`);
    if (unit !== undefined && !name.endsWith(`_${unit}`)) throw new Error(`${unit} is not in ${name}`);
    const samples = lines.split('\n').slice(0, -1).map(sampleIn);
    const keys = new Set(samples.map(({ labels }) => JSON.stringify(labels)));
    if (keys.size !== samples.length) throw new Error(`a sample of ${name} is there twice`);
    const foreign = samples.find((sample) => sample.name !== `${name}${SUFFIX[type]}`);
    if (foreign !== undefined) throw new Error(`${foreign.name} is not of ${name}`);
    families.set(name, { type, unit, samples });
  }
  return families;
}

function sampleIn(line: string): Sample {
  const [, name, pairs = '', ...rest] = SAMPLE.exec(line) ?? [];
  if (name === undefined) throw new Error(`no sample: ${JSON.stringify(line)}`);
  const labels = [...pairs.matchAll(new RegExp(PAIR, 'g'))].map(
    ([, label = '', text = '']) => [label, unescaped(text)] as const,
  );
  if (new Set(labels.map(([label]) => label)).size !== labels.length)
    throw new Error(`a label twice: ${line}`);
  return { name, labels: Object.fromEntries(labels), value: Number(rest.at(-1)) };
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
}

/** Name and value of everything that is told of `vassal`, its states apart. */
function valuesOf(text: string, vassal: string): Readonly<Record<string, number>> {
  const samples = [...parse(text).values()].flatMap((family) => family.samples);
  return Object.fromEntries(
    samples
      .filter(({ labels }) => labels['vassal'] === vassal && labels['state'] === undefined)
      .map(({ name, value }) => [name, value]),
  );
}

test('a status is told in full, byte by byte', () => {
  const counts = {
    restarts: 2,
    oomKills: 1,
    pidsMaxHits: 4,
    memoryHighHits: 5,
    throttledMs: 1_500,
    throttledPercent: 12.5,
  };
  const blog = vassalJson('blog', { owner: 'alice', ...counts });

  expect(textOf(blog)).toBe(`# TYPE emperor info
# HELP emperor The running emperor.
emperor_info{version="0.1.0"} 1
# TYPE emperor_vassals gauge
# HELP emperor_vassals How many vassals the emperor has.
emperor_vassals 1
# TYPE emperor_vassal_state gauge
# HELP emperor_vassal_state 1 for the state that the vassal is in, 0 for all others.
emperor_vassal_state{vassal="blog",owner="alice",state="stopped"} 0
emperor_vassal_state{vassal="blog",owner="alice",state="listening"} 0
emperor_vassal_state{vassal="blog",owner="alice",state="starting"} 0
emperor_vassal_state{vassal="blog",owner="alice",state="running"} 1
emperor_vassal_state{vassal="blog",owner="alice",state="stopping"} 0
emperor_vassal_state{vassal="blog",owner="alice",state="backing-off"} 0
emperor_vassal_state{vassal="blog",owner="alice",state="failed"} 0
# TYPE emperor_vassal_ready gauge
# HELP emperor_vassal_ready 1 when the vassal is ready, 0 when it is not.
emperor_vassal_ready{vassal="blog",owner="alice"} 1
# TYPE emperor_vassal_restarts counter
# HELP emperor_vassal_restarts How often the app was started again.
emperor_vassal_restarts_total{vassal="blog",owner="alice"} 2
# TYPE emperor_vassal_oom_kills counter
# HELP emperor_vassal_oom_kills How many of its processes the kernel killed for want of memory.
emperor_vassal_oom_kills_total{vassal="blog",owner="alice"} 1
# TYPE emperor_vassal_pids_max_hits counter
# HELP emperor_vassal_pids_max_hits How often pids-max refused it a new process.
emperor_vassal_pids_max_hits_total{vassal="blog",owner="alice"} 4
# TYPE emperor_vassal_memory_high_hits counter
# HELP emperor_vassal_memory_high_hits How often memory-high slowed it down.
emperor_vassal_memory_high_hits_total{vassal="blog",owner="alice"} 5
# TYPE emperor_vassal_throttled_seconds counter
# UNIT emperor_vassal_throttled_seconds seconds
# HELP emperor_vassal_throttled_seconds How long cpu-max made it wait.
emperor_vassal_throttled_seconds_total{vassal="blog",owner="alice"} 1.5
# TYPE emperor_vassal_throttled_percent gauge
# UNIT emperor_vassal_throttled_percent percent
# HELP emperor_vassal_throttled_percent In how many of the spans of 100 ms with work to do cpu-max makes it wait.
emperor_vassal_throttled_percent{vassal="blog",owner="alice"} 12.5
# TYPE emperor_vassal_memory_bytes gauge
# UNIT emperor_vassal_memory_bytes bytes
# HELP emperor_vassal_memory_bytes Memory in use.
emperor_vassal_memory_bytes{vassal="blog",owner="alice"} 12582912
# TYPE emperor_vassal_cpu_percent gauge
# UNIT emperor_vassal_cpu_percent percent
# HELP emperor_vassal_cpu_percent Use of CPU, in percent of one CPU.
emperor_vassal_cpu_percent{vassal="blog",owner="alice"} 0.4
# TYPE emperor_vassal_tasks gauge
# HELP emperor_vassal_tasks Processes, or threads where the kernel counts them.
emperor_vassal_tasks{vassal="blog",owner="alice"} 5
# EOF
`);
});

test('what is not known is left out, and a known 0 is not', () => {
  const unknown = vassalJson('blog', { ready: false, memoryBytes: null, cpuPercent: null, tasks: null });
  const idle = vassalJson('shop', { restarts: 0, oomKills: 0, memoryBytes: 0, cpuPercent: 0, tasks: 0 });
  const text = textOf(unknown, idle);

  expect(valuesOf(text, 'blog')).toEqual({
    emperor_vassal_ready: 0,
    emperor_vassal_restarts_total: 2,
    emperor_vassal_oom_kills_total: 0,
    emperor_vassal_pids_max_hits_total: 0,
    emperor_vassal_memory_high_hits_total: 0,
    emperor_vassal_throttled_seconds_total: 0,
  });
  expect(valuesOf(text, 'shop')).toEqual({
    emperor_vassal_ready: 1,
    emperor_vassal_restarts_total: 0,
    emperor_vassal_oom_kills_total: 0,
    emperor_vassal_pids_max_hits_total: 0,
    emperor_vassal_memory_high_hits_total: 0,
    emperor_vassal_throttled_seconds_total: 0,
    emperor_vassal_memory_bytes: 0,
    emperor_vassal_cpu_percent: 0,
    emperor_vassal_tasks: 0,
  });
});

test('backslash, quote and line feed in a label are escaped, and nothing else is', () => {
  const text = textOf(vassalJson('blog', { owner: 'a\\b"c\nd\\n{é},\t=' }));

  expect(text).toContain(
    String.raw`emperor_vassal_ready{vassal="blog",owner="a\\b\"c\nd\\n{é},` + '\t="} 1\n',
  );
  expect(valuesOf(text, 'blog')).toMatchObject({ emperor_vassal_ready: 1 });
});

test('every line parses and says what the status says, whatever the owner is called', () => {
  const vassals = fc.uniqueArray(
    fc.record({
      name: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,9}$/),
      owner: fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.string({ unit: fc.constantFrom('\\', '"', '\n', 'n', '}', ',', '=', '#', '\u2028') }),
      ),
      state: fc.constantFrom('stopped', 'running', 'backing-off', 'failed'),
      ready: fc.boolean(),
      restarts: fc.nat(),
      memoryBytes: fc.option(fc.maxSafeNat()),
      cpuPercent: fc.option(fc.double({ min: 0, noNaN: true, noDefaultInfinity: true })),
      tasks: fc.option(fc.nat()),
    }),
    { selector: ({ name }) => name, maxLength: 5 },
  );

  fc.assert(
    fc.property(vassals, (rows) => {
      const families = parse(textOf(...rows.map(({ name, ...more }) => vassalJson(name, more))));
      const samplesOf = (name: string) => families.get(name)?.samples;

      expect(samplesOf('emperor_vassals')).toEqual([
        { name: 'emperor_vassals', labels: {}, value: rows.length },
      ]);
      expect(samplesOf('emperor_vassal_state')?.filter(({ value }) => value === 1)).toEqual(
        rows.map(({ name, owner, state }) => ({
          name: 'emperor_vassal_state',
          labels: { vassal: name, owner, state },
          value: 1,
        })),
      );
      expect(samplesOf('emperor_vassal_state')).toHaveLength(rows.length * 7);
      expect(samplesOf('emperor_vassal_restarts')?.map(({ value }) => value)).toEqual(
        rows.map(({ restarts }) => restarts),
      );
      for (const field of ['memoryBytes', 'cpuPercent', 'tasks'] as const) {
        const name = { memoryBytes: 'memory_bytes', cpuPercent: 'cpu_percent', tasks: 'tasks' }[field];
        expect(
          samplesOf(`emperor_vassal_${name}`)?.map(({ labels, value }) => [labels['vassal'], value]),
        ).toEqual(
          rows.filter((row) => row[field] !== null).map((row) => [row.name, (row[field] ?? Number.NaN) + 0]),
        );
      }
    }),
  );
});

test('an emperor without vassals is told as well', () => {
  const families = parse(textOf());

  expect(families.get('emperor')).toMatchObject({ type: 'info', samples: [{ name: 'emperor_info' }] });
  expect(families.get('emperor_vassals')?.samples).toMatchObject([{ value: 0 }]);
  expect(families.get('emperor_vassal_restarts')).toMatchObject({ type: 'counter', samples: [] });
  expect(families.get('emperor_vassal_memory_bytes')).toMatchObject({ type: 'gauge', unit: 'bytes' });
});

const HEAD_OF_A = '# TYPE a gauge\n# HELP a What.\n';

test('the parser of these tests takes what is right', () => {
  expect(parse(`${HEAD_OF_A}a 1\na{b="\\\\n\\n"} 2.5\n# EOF\n`).get('a')?.samples).toEqual([
    { name: 'a', labels: {}, value: 1 },
    { name: 'a', labels: { b: '\\n\n' }, value: 2.5 },
  ]);
});

test.each([
  ['a sample without its head', 'a 1\n# EOF\n'],
  ['a bare quote', `${HEAD_OF_A}a{b="c"d"} 1\n# EOF\n`],
  ['a bare line feed', `${HEAD_OF_A}a{b="c\nd"} 1\n# EOF\n`],
  ['an unknown escape', `${HEAD_OF_A}a{b="\\t"} 1\n# EOF\n`],
  ['a lone backslash', `${HEAD_OF_A}a{b="\\"} 1\n# EOF\n`],
  ['a label twice', `${HEAD_OF_A}a{b="1",b="2"} 1\n# EOF\n`],
  ['a word for a number', `${HEAD_OF_A}a null\n# EOF\n`],
  ['a counter without _total', '# TYPE a counter\n# HELP a What.\na 1\n# EOF\n'],
  ['a unit that is not in the name', '# TYPE a gauge\n# UNIT a bytes\n# HELP a What.\n# EOF\n'],
  ['the same sample twice', `${HEAD_OF_A}a 1\na 1\n# EOF\n`],
  ['the same family twice', `${HEAD_OF_A}${HEAD_OF_A}# EOF\n`],
  ['an empty line', `${HEAD_OF_A}\n# EOF\n`],
  ['no end', `${HEAD_OF_A}a 1\n`],
  ['something after the end', `${HEAD_OF_A}a 1\n# EOF\na 2\n`],
])('the parser of these tests refuses %s', (_what, text) => {
  expect(() => parse(text)).toThrow();
});
