import { planCgroups, planLiveLimits } from '@emperor/vassal/cgroup/limits';
import type { LimitsSpec } from '@emperor/vassal/spec/spec';
import { expect, test } from 'vitest';
import { hostFacts } from '../../../support/vassal-fixtures.ts';

const place = { instance: '1a', ownerUid: 0, name: 'blog', generation: 3 };
const none: LimitsSpec = {
  memoryMaxBytes: undefined,
  cpuMaxPercent: undefined,
  pidsMax: undefined,
  rlimits: [],
};
const all: LimitsSpec = { memoryMaxBytes: 1_048_576, cpuMaxPercent: 150, pidsMax: 64, rlimits: [] };
const hybrid = hostFacts().cgroups;
const v2 = {
  v2: { mount: '/c', own: '/c/svc', controllers: new Set(['memory', 'cpu', 'pids']) },
  v1: new Map(),
};
const LEAF = '/c/svc/emperor-1a/u0/blog/g3';
const inV1 = (controller: string) => `/sys/fs/cgroup/${controller}/box/emperor-1a/u0/blog/g3`;

test('without limits a generation has its v2 group, no v1 group and nothing written', () => {
  expect(planCgroups(none, hybrid, place)).toEqual({
    v2: '/sys/fs/cgroup/unified/emperor-1a/u0/blog/g3',
    v1: [],
    writes: [],
    counters: [],
  });
});

test('on a hybrid host only the v1 hierarchies that a limit asks for are made', () => {
  const plan = planCgroups({ ...none, pidsMax: 64 }, hybrid, place);

  expect(plan.v1).toEqual([inV1('pids')]);
  expect(plan.writes).toEqual([{ dir: inV1('pids'), file: 'pids.max', value: '64' }]);
  expect(plan.counters).toEqual([{ name: 'pids_max', path: `${inV1('pids')}/pids.events`, key: 'max' }]);
});

test('every limit in its v1 form', () => {
  const { writes, counters } = planCgroups(all, hybrid, place);

  expect(writes).toEqual([
    { dir: inV1('memory'), file: 'memory.limit_in_bytes', value: '1048576' },
    { dir: inV1('cpu'), file: 'cpu.cfs_period_us', value: '100000' },
    { dir: inV1('cpu'), file: 'cpu.cfs_quota_us', value: '150000' },
    { dir: inV1('pids'), file: 'pids.max', value: '64' },
  ]);
  expect(counters.map(({ name, path, key }) => [name, path.split('/').at(-1), key])).toEqual([
    ['oom_kill', 'memory.oom_control', 'oom_kill'],
    ['throttled', 'cpu.stat', 'nr_throttled'],
    ['pids_max', 'pids.events', 'max'],
  ]);
});

test('every limit in its v2 form, the controllers passed on from above first', () => {
  const plan = planCgroups(all, v2, place);

  expect(plan).toMatchObject({ v2: LEAF, v1: [] });
  expect(plan.writes).toEqual([
    { dir: '/c/svc/emperor-1a/u0', file: 'cgroup.subtree_control', value: '+memory +cpu +pids' },
    { dir: '/c/svc/emperor-1a/u0/blog', file: 'cgroup.subtree_control', value: '+memory +cpu +pids' },
    { dir: LEAF, file: 'memory.max', value: '1048576' },
    { dir: LEAF, file: 'cpu.max', value: '150000 100000' },
    { dir: LEAF, file: 'pids.max', value: '64' },
  ]);
  expect(plan.counters).toContainEqual({ name: 'oom_kill', path: `${LEAF}/memory.events`, key: 'oom_kill' });
});

test('controllers that share one v1 hierarchy share the directory', () => {
  const shared = { mount: '/c/all', own: '/c/all' };
  const host = {
    v2: undefined,
    v1: new Map([
      ['memory', shared],
      ['cpu', shared],
      ['pids', shared],
    ] as const),
  };

  expect(planCgroups(all, host, place)).toMatchObject({
    v2: undefined,
    v1: ['/c/all/emperor-1a/u0/blog/g3'],
  });
});

test('a limit without a controller is left out', () => {
  expect(planCgroups(all, { v2: undefined, v1: new Map() }, place)).toEqual({
    v2: undefined,
    v1: [],
    writes: [],
    counters: [],
  });
});

test('live, a limit that is gone is written as none, and one that comes has its controller passed on first', () => {
  const lifted = { ...none, pidsMax: 9 };
  const writesOf = (host: typeof hybrid) =>
    planLiveLimits(lifted, host, place).flatMap(({ writes }) => writes);

  expect(writesOf(v2)).toEqual([
    { dir: LEAF, file: 'memory.max', value: 'max' },
    { dir: LEAF, file: 'cpu.max', value: 'max 100000' },
    { dir: '/c/svc/emperor-1a/u0', file: 'cgroup.subtree_control', value: '+pids' },
    { dir: '/c/svc/emperor-1a/u0/blog', file: 'cgroup.subtree_control', value: '+pids' },
    { dir: LEAF, file: 'pids.max', value: '9' },
  ]);
  expect(writesOf(hybrid)).toEqual([
    { dir: inV1('memory'), file: 'memory.limit_in_bytes', value: '-1' },
    { dir: inV1('cpu'), file: 'cpu.cfs_period_us', value: '100000' },
    { dir: inV1('cpu'), file: 'cpu.cfs_quota_us', value: '-1' },
    { dir: inV1('pids'), file: 'pids.max', value: '9' },
  ]);
  expect(planLiveLimits(lifted, hybrid, place).map(({ asked }) => asked)).toEqual([
    undefined,
    undefined,
    'pids-max=9',
  ]);
});
