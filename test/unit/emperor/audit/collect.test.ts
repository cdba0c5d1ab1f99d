import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@emperor/common/clock';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Collector } from '../../../../packages/emperor/src/audit/collect.ts';

let group = '';

beforeEach(async () => {
  group = await mkdtemp(join(tmpdir(), 'audit-'));
});

afterEach(() => rm(group, { recursive: true, force: true }));

/** A jail whose init and app are this very process. */
async function collect() {
  return new Collector(systemClock).collect({
    initPid: process.pid,
    appPid: process.pid,
    keeperPid: undefined,
    cgroups: { v2: group, v1: [], writes: [], counters: [] },
    directives: [],
  });
}

test('a group that can be read leaves nothing unread', async () => {
  await writeFile(join(group, 'cgroup.procs'), `${process.pid}\n`);

  expect(await collect()).toMatchObject({ all: 1, unread: [], processes: [{ pid: process.pid }] });
});

test('a list of processes that cannot be read is no jail that ended', async () => {
  await mkdir(join(group, 'cgroup.procs'));

  const found = await collect();

  expect(found?.processes.map(({ pid }) => pid)).toEqual([process.pid]);
  expect(new Set(found?.unread.map(({ why }) => why))).toEqual(
    new Set([expect.stringMatching(/^only init and app are known: EISDIR/)]),
  );
});

test('a group that is gone, or that init left, is a jail that ended', async () => {
  expect(await collect()).toBeUndefined();
  await writeFile(join(group, 'cgroup.procs'), '1\n');
  expect(await collect()).toBeUndefined();
});

test('more processes than are looked at are said to be there', async () => {
  // No process has such a pid: the kernel gives none above 2^22.
  const others = Array.from({ length: 150 }, (_, index) => 4_194_305 + index);
  await writeFile(join(group, 'cgroup.procs'), `${[process.pid, ...others].join('\n')}\n`);

  expect(await collect()).toMatchObject({
    all: 151,
    unread: [{ group: 'processes', what: 'processes', why: 'looked at 128 of 151 processes' }],
  });
});
