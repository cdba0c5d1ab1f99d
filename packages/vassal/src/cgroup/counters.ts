import { readFile } from 'node:fs/promises';
import { isErrno } from '@emperor/common/errors';
import type { ControlName } from './controls.ts';

/**
 * What is counted of one generation. `oom_kill`: processes that the kernel killed for want of memory; `memory_max`,
 * `memsw_max` (with swap), `memory_high`, `pids_max`: how often that limit was met; `periods`, `throttled`, `throttled_usec` (or `_nsec`): the
 * spans of 100 ms with work to do, those in which cpu-max made it wait, and how long.
 */
export type CounterName =
  | 'oom_kill'
  | 'memory_max'
  | 'memsw_max'
  | 'memory_high'
  | 'pids_max'
  | 'periods'
  | 'throttled'
  | 'throttled_usec'
  | 'throttled_nsec';

/** A number of a group: the word after `key` in the file, the whole file when `key` is empty. */
export type CgroupCounter = { readonly name: CounterName; readonly path: string; readonly key: string };

type Place = { readonly name: ControlName; readonly version: 'v1' | 'v2'; readonly dir: string };

/** Every counter that groups with these limits have. */
export function countersOf(limits: readonly Place[]): readonly CgroupCounter[] {
  const counters = limits.flatMap(({ name, version, dir }) =>
    COUNTED[version]
      .filter(({ of }) => of.includes(name))
      .map(({ counter, file, key }) => ({ name: counter, path: `${dir}/${file}`, key })),
  );
  return [...new Map(counters.map((counter) => [counter.name, counter])).values()];
}

type Row = {
  readonly counter: CounterName;
  readonly of: readonly ControlName[];
  readonly file: string;
  readonly key: string;
};

const MEMORY: readonly ControlName[] = ['memory-max', 'memory-high', 'swap-max'];

const COUNTED: Readonly<Record<'v1' | 'v2', readonly Row[]>> = {
  v2: [
    { counter: 'oom_kill', of: MEMORY, file: 'memory.events', key: 'oom_kill' },
    { counter: 'memory_max', of: ['memory-max'], file: 'memory.events', key: 'max' },
    { counter: 'memory_high', of: ['memory-high'], file: 'memory.events', key: 'high' },
    { counter: 'pids_max', of: ['pids-max'], file: 'pids.events', key: 'max' },
    { counter: 'periods', of: ['cpu-max'], file: 'cpu.stat', key: 'nr_periods' },
    { counter: 'throttled', of: ['cpu-max'], file: 'cpu.stat', key: 'nr_throttled' },
    { counter: 'throttled_usec', of: ['cpu-max'], file: 'cpu.stat', key: 'throttled_usec' },
  ],
  v1: [
    { counter: 'oom_kill', of: MEMORY, file: 'memory.oom_control', key: 'oom_kill' },
    { counter: 'memory_max', of: ['memory-max'], file: 'memory.failcnt', key: '' },
    // With swap-max = 0 both limits are the same, and the kernel meets this one first.
    { counter: 'memsw_max', of: ['swap-max'], file: 'memory.memsw.failcnt', key: '' },
    { counter: 'pids_max', of: ['pids-max'], file: 'pids.events', key: 'max' },
    { counter: 'periods', of: ['cpu-max'], file: 'cpu.stat', key: 'nr_periods' },
    { counter: 'throttled', of: ['cpu-max'], file: 'cpu.stat', key: 'nr_throttled' },
    { counter: 'throttled_nsec', of: ['cpu-max'], file: 'cpu.stat', key: 'throttled_time' },
  ],
};

/** The counters of a generation, of those that can be read. */
export async function readCounters(
  counters: readonly CgroupCounter[],
): Promise<Readonly<Partial<Record<CounterName, number>>>> {
  const texts = new Map<string, Promise<string>>();
  const textOf = (path: string): Promise<string> => {
    const known = texts.get(path) ?? readText(path);
    texts.set(path, known);
    return known;
  };
  const read = await Promise.all(
    counters.map(
      async (counter) => [counter.name, numberIn(await textOf(counter.path), counter.key)] as const,
    ),
  );
  return Object.fromEntries(read.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}

/** The number after the word `key` at the start of a line, or the whole text without one. */
export function numberIn(text: string, key: string): number | undefined {
  const line = key === '' ? text : text.split('\n').find((each) => each.startsWith(`${key} `));
  const digits = line?.slice(key.length).trim();
  return digits === undefined || !/^\d+$/.test(digits) ? undefined : Number(digits);
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENODEV')) return '';
    throw error;
  }
}
