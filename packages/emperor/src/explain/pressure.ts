import { formatBytes } from '@emperor/common/bytes';
import type { VassalJson } from '@emperor/common/control/api';
import type { LimitsSpec } from '@emperor/vassal/spec/limits';
import { addCounters, type Counters } from '../core/counted.ts';
import type { Explained } from './ending.ts';

const MS_PER_USEC = 1 / 1_000;
const MS_PER_NSEC = 1 / 1_000_000;

/** Why the kernel killed for want of memory: the vassal's own limit, or the machine's. undefined: it did not. */
export function outOfMemory(counters: Counters, limits: LimitsSpec | undefined): string | undefined {
  if (countOf(counters, 'oom_kill') === 0) return undefined;
  const { memory_max: ofMemory, memsw_max: ofBoth } = counters;
  const isKnown = ofMemory !== undefined || ofBoth !== undefined;
  const isOwn = !isKnown || (ofMemory ?? 0) + (ofBoth ?? 0) > 0;
  return limits?.memoryMaxBytes === undefined || !isOwn
    ? 'the machine, or a control group above the vassal, is out of memory'
    : `memory-max ${formatBytes(limits.memoryMaxBytes)} reached`;
}

/** What limits have done to a run beside ending it, each with what to do about it; nothing when none was met. */
export function pressureOf(counters: Counters, limits: LimitsSpec | undefined): readonly Explained[] {
  const [pidsMax, high] = [countOf(counters, 'pids_max'), countOf(counters, 'memory_high')];
  const percent = throttledPercent(counters) ?? 0;
  const found: Explained[] = [];
  if (pidsMax > 0)
    found.push({
      what: `fork refused: pids-max ${limits?.pidsMax ?? ''} reached ${times(pidsMax)}`,
      hint: 'raise pids-max in the vassal file, or make the app fork less',
    });
  if (high > 0)
    found.push({
      what: `slowed down ${times(high)} by memory-high ${written(limits?.memoryHighBytes)}`,
      hint: 'raise memory-high in the vassal file, or make the app use less',
    });
  if (percent >= 1)
    found.push({
      what: `throttled ${Math.round(percent)} % of the time by cpu-max ${limits?.cpuMaxPercent ?? ''}%`,
      hint: 'raise cpu-max in the vassal file, if it needs to be faster',
    });
  return found;
}

/** The same for a run that goes on, with those of its processes that the kernel killed. */
export function livePressure(counters: Counters, limits: LimitsSpec | undefined): readonly Explained[] {
  const memory = outOfMemory(counters, limits);
  const killed = countOf(counters, 'oom_kill');
  const kills = {
    what: `the kernel killed ${killed === 1 ? 'one of its processes' : `${killed} of its processes`}: ${memory ?? ''}`,
    hint: MEMORY_HINT,
  };
  return [...(memory === undefined ? [] : [kills]), ...pressureOf(counters, limits)];
}

export const MEMORY_HINT = 'raise memory-max in the vassal file, or make the app use less';

/** The counters for the status: `ended` of the runs that are over, `live` of the one that goes on. */
export function countsOf(
  ended: Counters,
  live: Counters,
): Pick<VassalJson, 'oomKills' | 'pidsMaxHits' | 'memoryHighHits' | 'throttledMs' | 'throttledPercent'> {
  const all = addCounters(ended, live);
  const throttledMs =
    countOf(all, 'throttled_usec') * MS_PER_USEC + countOf(all, 'throttled_nsec') * MS_PER_NSEC;
  return {
    oomKills: countOf(all, 'oom_kill'),
    pidsMaxHits: countOf(all, 'pids_max'),
    memoryHighHits: countOf(all, 'memory_high'),
    throttledMs: Math.round(throttledMs),
    throttledPercent: throttledPercent(live) ?? null,
  };
}

/** How many of the spans with work to do were cut short; undefined when nothing is counted. */
function throttledPercent({ periods, throttled }: Counters): number | undefined {
  if (periods === undefined || throttled === undefined) return undefined;
  return periods === 0 ? 0 : Math.round((throttled * 1_000) / periods) / 10;
}

function countOf(counters: Counters, name: string): number {
  return counters[name] ?? 0;
}

function written(bytes: number | undefined): string {
  return bytes === undefined ? '' : formatBytes(bytes);
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}
