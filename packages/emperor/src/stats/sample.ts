import type { Clock } from '@emperor/common/clock';
import { describeError } from '@emperor/common/errors';
import type { Log } from '@emperor/common/log/log';
import type { VassalName } from '@emperor/common/name';
import { pacedBy } from '@emperor/common/pace';
import pidusage from 'pidusage';

import type { Sampler, Usage, UsageTarget } from '../ports.ts';
import {
  type CounterFiles,
  findCounters,
  readCounts,
  readCpuUsec,
  readNumber,
  readPids,
} from './counters.ts';

const PASS_EVERY_MS = 2_000;
/** The loop is given back this often. */
const TURN_MS = 5;
/** How many processes of one vassal, and of all in one pass, are looked at where no counter tells. */
const MOST_PIDS_OF_ONE = 256;
const MOST_PIDS = 4_096;
/** pidusage keeps a descriptor of each process for this long after it looked. */
const PIDUSAGE_MAX_AGE_MS = 5_000;
const NOTHING: Usage = { memoryBytes: undefined, cpuPercent: undefined, tasks: undefined, counters: {} };

/** What is known of one generation. */
type Known = {
  /** Another generation has another one. */
  readonly key: string;
  readonly files: CounterFiles;
  usage: Usage;
  cpu: { readonly usec: number; readonly at: number } | undefined;
  /** When its processes were looked at. */
  pidsAt: number;
};

type Due = { readonly target: UsageTarget; readonly record: Known };

/**
 * Memory, CPU and tasks of running vassals: from the counters of their control groups, and from their processes for
 * what no counter tells. Nothing is read unless somebody asks.
 */
export function sampler({ clock, log }: { readonly clock: Clock; readonly log: Log }): Sampler {
  const records = new Map<VassalName, Known>();
  let passAt = Number.NEGATIVE_INFINITY;
  let running: Promise<void> | undefined;

  const begin = (targets: readonly UsageTarget[]): Promise<void> => {
    const pass = measure(clock, records, targets)
      .catch((error: unknown) => log.warn('usage cannot be measured', { error: describeError(error) }))
      .finally(() => {
        running = undefined;
      });
    running = pass;
    return pass;
  };

  const ask = (targets: readonly UsageTarget[]): Promise<void> | undefined => {
    if (running !== undefined) return running;
    if (clock.now() - passAt >= PASS_EVERY_MS) {
      passAt = clock.now();
      return targets.length === 0 ? undefined : begin(targets);
    }
    const fresh = targets.filter((target) => records.get(target.name)?.key !== keyOf(target));
    return fresh.length === 0 ? undefined : begin(fresh);
  };

  return {
    sample: async (targets, patienceMs) => {
      const pass = ask(targets);
      if (pass !== undefined) await atMost(clock, patienceMs, pass);
      return new Map(targets.map((target) => [target.name, usageOf(records, target)]));
    },
    forget: (name) => {
      records.delete(name);
    },
  };
}

function keyOf({ v2, memoryV1, pidsV1, appPid, sinceMs }: UsageTarget): string {
  return [v2, memoryV1, pidsV1, appPid, sinceMs].join(' ');
}

function recordOf(records: Map<VassalName, Known>, target: UsageTarget): Known {
  const known = records.get(target.name);
  if (known?.key === keyOf(target)) return known;
  const record: Known = {
    key: keyOf(target),
    files: findCounters(target),
    usage: NOTHING,
    cpu: undefined,
    pidsAt: Number.NEGATIVE_INFINITY,
  };
  records.set(target.name, record);
  return record;
}

function usageOf(records: ReadonlyMap<VassalName, Known>, target: UsageTarget): Usage {
  const known = records.get(target.name);
  return known?.key === keyOf(target) ? known.usage : NOTHING;
}

async function measure(
  clock: Clock,
  records: Map<VassalName, Known>,
  targets: readonly UsageTarget[],
): Promise<void> {
  const pace = pacedBy(clock, TURN_MS);
  const uncounted: Due[] = [];
  for (const target of targets) {
    await pace();
    const due = { target, record: recordOf(records, target) };
    readCounters(clock, due);
    const { memory, cpu } = due.record.files;
    if (memory === undefined || cpu === undefined) uncounted.push(due);
  }
  // Those that waited longest come first: a pass that has too much to look at goes on where the last one ended.
  uncounted.sort((a, b) => a.record.pidsAt - b.record.pidsAt);
  let pids = 0;
  for (const due of uncounted) {
    await pace();
    if (pids >= MOST_PIDS) return;
    pids += await readProcesses(clock, due);
  }
}

function readCounters(clock: Clock, { target, record }: Due): void {
  const { files, usage } = record;
  const memoryBytes = files.memory === undefined ? usage.memoryBytes : readNumber(files.memory);
  const tasks = files.tasks === undefined ? readPids(files.processes)?.length : readNumber(files.tasks);
  record.usage = { ...usage, memoryBytes, tasks, counters: readCounts(target.counters) };
  if (files.cpu !== undefined) countCpu({ target, record }, readCpuUsec(files.cpu), clock.now());
}

/** For what no counter tells; how many processes were looked at. */
async function readProcesses(clock: Clock, { target, record }: Due): Promise<number> {
  const { files } = record;
  const pids = files.processes === undefined ? [target.appPid] : (readPids(files.processes) ?? []);
  record.pidsAt = clock.now();
  // More than that would cost others; it is the vassal's own doing.
  const unknown = pids.length === 0 || pids.length > MOST_PIDS_OF_ONE;
  const seen = unknown ? undefined : await lookAt(pids);
  if (files.memory === undefined) record.usage = { ...record.usage, memoryBytes: seen?.memoryBytes };
  if (files.cpu === undefined) countCpu({ target, record }, seen?.cpuUsec, clock.now());
  return pids.length;
}

async function lookAt(
  pids: readonly number[],
): Promise<{ memoryBytes: number; cpuUsec: number } | undefined> {
  try {
    const seen = await pidusage([...pids], { maxage: PIDUSAGE_MAX_AGE_MS });
    const all = Object.values(seen).filter((status) => status !== undefined);
    return {
      memoryBytes: sum(all.map((one) => one.memory)),
      cpuUsec: sum(all.map((one) => one.ctime)) * 1_000,
    };
  } catch {
    // The last of them ended meanwhile.
    return undefined;
  }
}

/** Percent of one CPU since the last pass, or since the start at the first one. */
function countCpu({ target, record }: Due, usec: number | undefined, now: number): void {
  const before = record.cpu ?? { usec: 0, at: target.sinceMs };
  const isRead = usec !== undefined && usec >= before.usec && now > before.at;
  const cpuPercent = isRead ? Math.round((usec - before.usec) / (now - before.at)) / 10 : undefined;
  record.cpu = usec === undefined ? record.cpu : { usec, at: now };
  record.usage = { ...record.usage, cpuPercent };
}

function sum(numbers: readonly number[]): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}

async function atMost(clock: Clock, ms: number, task: Promise<void>): Promise<void> {
  await new Promise<void>((resolve) => {
    const cancel = clock.after(ms, resolve);
    void task.then(() => {
      cancel();
      resolve();
    });
  });
}
