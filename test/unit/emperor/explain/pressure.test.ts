import { NO_LIMITS } from '@emperor/vassal/spec/limits';
import { expect, test } from 'vitest';
import { explainEnd, limitBehind } from '../../../../packages/emperor/src/explain/ending.ts';
import { countsOf, livePressure } from '../../../../packages/emperor/src/explain/pressure.ts';

const limits = {
  ...NO_LIMITS,
  memoryMaxBytes: 64 * 1024 ** 2,
  memoryHighBytes: 48 * 1024 ** 2,
  pidsMax: 64,
  cpuMaxPercent: 50,
};
const launch = () => ({ what: 'launch', hint: undefined });
const sigkill = { by: 'signal', signal: 'SIGKILL' } as const;
const ended = (exit: Parameters<typeof limitBehind>[0]['exit'], counters: Record<string, number>) => ({
  by: 'exit' as const,
  exit,
  counters,
});

test.each([
  [sigkill, { oom_kill: 1, memory_max: 7 }, 'killed by the kernel: memory-max 64M reached'],
  [sigkill, { oom_kill: 1 }, 'killed by the kernel: memory-max 64M reached'],
  [sigkill, { oom_kill: 1, memory_max: 0, memsw_max: 2 }, 'killed by the kernel: memory-max 64M reached'],
  [
    sigkill,
    { oom_kill: 1, memory_max: 0 },
    'killed by the kernel: the machine, or a control group above the vassal, is out of memory',
  ],
  [sigkill, { oom_kill: 0, memory_max: 7 }, 'killed by SIGKILL'],
  [
    { by: 'code', code: 1 } as const,
    { oom_kill: 1, memory_max: 7 },
    'exited with code 1, after the kernel had killed part of it: memory-max 64M reached',
  ],
  [
    { by: 'code', code: 1 } as const,
    { pids_max: 3 },
    'exited with code 1; fork refused: pids-max 64 reached 3 times',
  ],
  [
    { by: 'code', code: 1 } as const,
    { memory_high: 1, periods: 200, throttled: 50 },
    'exited with code 1; slowed down once by memory-high 48M; throttled 25 % of the time by cpu-max 50%',
  ],
])('%j with %j is told as: %s', (exit, counters, what) => {
  expect(explainEnd(ended(exit, counters), { limits, launch }).what).toBe(what);
});

test('an end without a limit behind it names none, even when the kernel throttled it', () => {
  expect(limitBehind(ended(sigkill, { periods: 10, throttled: 10 }), limits)).toBeUndefined();
  expect(limitBehind(ended(sigkill, {}), limits)).toBeUndefined();
  expect(limitBehind(ended(sigkill, { pids_max: 1 }), limits)).toBe('fork refused: pids-max 64 reached once');
});

test('a worker that the kernel killed while its app lives on is told, and what to do', () => {
  expect(livePressure({ oom_kill: 2, memory_max: 9 }, limits)).toEqual([
    {
      what: 'the kernel killed 2 of its processes: memory-max 64M reached',
      hint: 'raise memory-max in the vassal file, or make the app use less',
    },
  ]);
  expect(livePressure({ oom_kill: 0, periods: 1_000, throttled: 4 }, limits)).toEqual([]);
});

test('status counts the runs that are over and the one that goes on; the share is of this one', () => {
  const over = { oom_kill: 1, pids_max: 2, throttled_usec: 1_500_000, periods: 10, throttled: 10 };
  const live = { oom_kill: 1, memory_high: 3, throttled_nsec: 2_000_000, periods: 8, throttled: 1 };

  expect(countsOf(over, live)).toEqual({
    oomKills: 2,
    pidsMaxHits: 2,
    memoryHighHits: 3,
    throttledMs: 1_502,
    throttledPercent: 12.5,
  });
  expect(countsOf({}, {})).toMatchObject({ oomKills: 0, throttledPercent: null });
});
