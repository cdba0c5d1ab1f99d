import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';

import { systemClock } from '@emperor/common/clock';
import { decodeVassalName } from '@emperor/common/name';
import { afterEach, beforeEach, expect, test } from 'vitest';

import type { UsageTarget } from '../../../../packages/emperor/src/ports.ts';
import { sampler } from '../../../../packages/emperor/src/stats/sample.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { recordingLog } from '../../../support/recording-log.ts';
import { pauseMs } from '../../../support/wait-until.ts';

let base: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'emperor-stats-'));
});

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(base, { recursive: true });
});

function group(name: string, files: Readonly<Record<string, string | number>>): string {
  const path = join(base, name);
  mkdirSync(path, { recursive: true });
  for (const [file, content] of Object.entries(files)) writeFileSync(join(path, file), `${content}\n`);
  return path;
}

function cpuStat(usec: number): string {
  return `usage_usec ${usec}\nuser_usec 0\nsystem_usec 0`;
}

function target(name: string, more: Partial<UsageTarget>): UsageTarget {
  const decoded = decodeVassalName(name) ?? expect.unreachable();
  return {
    name: decoded,
    appPid: 1,
    sinceMs: 0,
    v2: undefined,
    memoryV1: undefined,
    pidsV1: undefined,
    counters: [],
    ...more,
  };
}

const of = (clock = new ManualClock()) => ({ clock, stats: sampler({ clock, log: recordingLog().log }) });

test('reads the counters of cgroup v2; CPU is the average since the start at first, then between two passes', async () => {
  const { clock, stats } = of(new ManualClock(10_000));
  const v2 = group('v2', { 'cpu.stat': cpuStat(1_000_000), 'memory.current': 4_096, 'pids.current': 3 });
  const blog = target('blog', { v2, sinceMs: 6_000 });

  const first = await stats.sample([blog], 50);
  clock.advance(2_000);
  group('v2', { 'cpu.stat': cpuStat(4_000_000), 'memory.current': 8_192 });
  const second = await stats.sample([blog], 50);

  expect(first.get(blog.name)).toEqual({ memoryBytes: 4_096, cpuPercent: 25, tasks: 3, counters: {} });
  expect(second.get(blog.name)).toEqual({ memoryBytes: 8_192, cpuPercent: 150, tasks: 3, counters: {} });
});

test('reads memory and tasks from cgroup v1 where v2 has no controller', async () => {
  const { stats } = of();
  const blog = target('blog', {
    v2: group('v2', { 'cpu.stat': cpuStat(0), 'cgroup.procs': '' }),
    memoryV1: group('memory', { 'memory.usage_in_bytes': 12_288 }),
    pidsV1: group('pids', { 'pids.current': 7 }),
  });

  expect((await stats.sample([blog], 50)).get(blog.name)).toEqual({
    memoryBytes: 12_288,
    cpuPercent: 0,
    tasks: 7,
    counters: {},
  });
});

test('counts and measures the processes where no counter tells', async () => {
  const child = spawn('sleep', ['60']);
  children.push(child);
  const { stats } = of();
  const v2 = group('v2', { 'cpu.stat': cpuStat(0), 'cgroup.procs': `${process.pid}\n${child.pid}` });
  const blog = target('blog', { v2 });

  const usage = (await stats.sample([blog], 5_000)).get(blog.name);
  await pauseMs(300);

  expect(usage?.tasks).toBe(2);
  expect(usage?.memoryBytes).toBeGreaterThan(20_000_000);
  expect(usage?.memoryBytes).toBeLessThan(2_000_000_000);
});

test('a vassal without any control group is measured by its app', async () => {
  const { stats } = of(new ManualClock());
  const blog = target('blog', { appPid: process.pid, sinceMs: 999_000 });

  const usage = (await stats.sample([blog], 5_000)).get(blog.name);

  expect(usage?.memoryBytes).toBeGreaterThan(20_000_000);
  expect(usage?.cpuPercent).toBeGreaterThan(0);
  expect(usage?.tasks).toBeUndefined();
});

test('tells nothing of what has ended', async () => {
  const { stats } = of();
  const gone = target('gone', { v2: join(base, 'gone'), appPid: 4_194_303 });

  expect((await stats.sample([gone], 5_000)).get(gone.name)).toEqual({
    memoryBytes: undefined,
    cpuPercent: undefined,
    tasks: undefined,
    counters: {},
  });
});

test('reads what the kernel counts, and leaves out what it does not', async () => {
  const { stats } = of();
  const memory = group('counted', { 'memory.events': 'low 0\noom_kill 3\nmax 17', failcnt: 4 });
  const counters: UsageTarget['counters'] = [
    { name: 'oom_kill', path: `${memory}/memory.events`, key: 'oom_kill' },
    { name: 'memory_max', path: `${memory}/memory.events`, key: 'max' },
    { name: 'memsw_max', path: `${memory}/failcnt`, key: '' },
    { name: 'memory_high', path: `${memory}/memory.events`, key: 'high' },
    { name: 'pids_max', path: `${memory}/pids.events`, key: 'max' },
  ];
  const blog = target('blog', { v2: memory, counters });

  expect((await stats.sample([blog], 5_000)).get(blog.name)?.counters).toEqual({
    oom_kill: 3,
    memory_max: 17,
    memsw_max: 4,
  });
});

test('makes at most one pass in two seconds and shows the last values meanwhile', async () => {
  const { clock, stats } = of();
  const blog = target('blog', {
    v2: group('v2', { 'cpu.stat': cpuStat(0), 'memory.current': 1, 'pids.current': 1 }),
  });
  await stats.sample([blog], 50);
  group('v2', { 'memory.current': 2 });

  clock.advance(1_999);
  const soon = await stats.sample([blog], 50);
  clock.advance(1);
  const later = await stats.sample([blog], 50);

  expect(soon.get(blog.name)?.memoryBytes).toBe(1);
  expect(later.get(blog.name)?.memoryBytes).toBe(2);
});

test('a new vassal is measured at once, and so is a new generation, without what the old one used', async () => {
  const { clock, stats } = of(new ManualClock(10_000));
  const old = target('blog', {
    v2: group('1', { 'cpu.stat': cpuStat(9_000_000), 'memory.current': 1 }),
    sinceMs: 1_000,
  });
  await stats.sample([old], 50);
  clock.advance(100);

  const next = target('blog', {
    v2: group('2', { 'cpu.stat': cpuStat(10_000), 'memory.current': 2 }),
    sinceMs: 10_000,
  });
  const shop = target('shop', { v2: group('3', { 'cpu.stat': cpuStat(0), 'memory.current': 3 }) });
  const usage = await stats.sample([next, shop], 50);

  expect(usage.get(next.name)).toMatchObject({ memoryBytes: 2, cpuPercent: 10 });
  expect(usage.get(shop.name)).toMatchObject({ memoryBytes: 3 });
});

test('what was forgotten is not shown again', async () => {
  const { stats } = of();
  const blog = target('blog', { v2: group('v2', { 'cpu.stat': cpuStat(0), 'memory.current': 1 }) });
  await stats.sample([blog], 50);

  stats.forget(blog.name);
  group('v2', { 'memory.current': 2 });

  expect((await stats.sample([blog], 50)).get(blog.name)?.memoryBytes).toBe(2);
});

test('an answer does not wait longer than its patience', async () => {
  const stats = sampler({ clock: systemClock, log: recordingLog().log });
  const v2 = group('v2', { 'cpu.stat': cpuStat(0), 'cgroup.procs': `${process.pid}` });
  const targets = Array.from({ length: 2_000 }, (_, n) => target(`v${n}`, { v2 }));
  const since = performance.now();

  const usage = await stats.sample(targets, 20);

  expect(performance.now() - since).toBeLessThan(200);
  expect(usage.size).toBe(2_000);
  // The pass ends before the files go.
  await stats.sample(targets, 60_000);
}, 60_000);
