import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { type CgroupCounter, numberIn } from '@emperor/vassal/cgroup/counters';
import type { Counters } from '../core/counted.ts';
import type { UsageTarget } from '../ports.ts';

/** The files that tell what one running generation uses; undefined where the kernel has none for it. */
export type CounterFiles = {
  readonly cpu: string | undefined;
  readonly memory: string | undefined;
  readonly tasks: string | undefined;
  /** Its processes, for what no counter tells. */
  readonly processes: string | undefined;
};

/** Which files there are; they stay the same as long as the generation runs. */
export function findCounters({ v2, memoryV1, pidsV1 }: UsageTarget): CounterFiles {
  return {
    cpu: firstOf([v2, 'cpu.stat']),
    memory: firstOf([v2, 'memory.current'], [memoryV1, 'memory.usage_in_bytes']),
    tasks: firstOf([v2, 'pids.current'], [pidsV1, 'pids.current']),
    processes: firstOf([v2, 'cgroup.procs'], [memoryV1, 'cgroup.procs'], [pidsV1, 'cgroup.procs']),
  };
}

/** CPU time since the group was made, in µs. */
export function readCpuUsec(path: string | undefined): number | undefined {
  const text = read(path);
  const digits = text === undefined ? undefined : /^usage_usec (\d+)$/m.exec(text)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** The one number in the file. */
export function readNumber(path: string | undefined): number | undefined {
  const text = read(path)?.trim();
  return text === undefined || !/^\d+$/.test(text) ? undefined : Number(text);
}

/** The pids in a cgroup.procs; undefined when the group is gone. Processes of a foreign pid namespace show as 0. */
export function readPids(path: string | undefined): readonly number[] | undefined {
  return read(path)
    ?.split('\n')
    .map(Number)
    .filter((pid) => pid > 0);
}

/** What the kernel counted, of what can be read; each file is read once. */
export function readCounts(counters: readonly CgroupCounter[]): Counters {
  const paths = new Set(counters.map(({ path }) => path));
  const texts = new Map([...paths].map((path) => [path, read(path)]));
  return Object.fromEntries(
    counters.flatMap(({ name, path, key }) => {
      const value = numberIn(texts.get(path) ?? '', key);
      return value === undefined ? [] : [[name, value] as const];
    }),
  );
}

function firstOf(...places: readonly (readonly [string | undefined, string])[]): string | undefined {
  const paths = places.flatMap(([directory, file]) =>
    directory === undefined ? [] : [join(directory, file)],
  );
  return paths.find((path) => existsSync(path));
}

/** The kernel makes these texts while they are read; they never wait for a disk. undefined: gone, with its vassal. */
function read(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    // 'utf8' is Node's one call for open, read and close; any other encoding is twice as slow.
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
