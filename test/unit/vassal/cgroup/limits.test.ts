import { planCgroups, planLiveLimits } from '@emperor/vassal/cgroup/limits';
import { type LimitsSpec, NO_LIMITS as none } from '@emperor/vassal/spec/limits';
import { expect, test } from 'vitest';
import { hostFacts } from '../../../support/vassal-fixtures.ts';

const place = { instance: '1a', ownerUid: 0, name: 'blog', generation: 3 };
const all: LimitsSpec = { ...none, memoryMaxBytes: 1_048_576, cpuMaxPercent: 150, pidsMax: 64 };
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
    ['memory_max', 'memory.failcnt', ''],
    ['periods', 'cpu.stat', 'nr_periods'],
    ['throttled', 'cpu.stat', 'nr_throttled'],
    ['throttled_nsec', 'cpu.stat', 'throttled_time'],
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
  const filesOf = (host: typeof hybrid) =>
    planLiveLimits(lifted, host, place).flatMap(({ before, writes }) =>
      [...before, ...writes].map(({ dir, file, value }) => `${dir} ${file} ${value}`),
    );

  expect(filesOf(v2)).toEqual([
    `${LEAF} memory.max max`,
    `${LEAF} memory.high max`,
    `${LEAF} memory.swap.max max`,
    `${LEAF} cpu.max max 100000`,
    `${LEAF} cpu.weight 100`,
    '/c/svc/emperor-1a/u0 cgroup.subtree_control +pids',
    '/c/svc/emperor-1a/u0/blog cgroup.subtree_control +pids',
    `${LEAF} pids.max 9`,
  ]);
  expect(filesOf(hybrid)).toEqual([
    `${inV1('memory')} memory.limit_in_bytes -1`,
    `${inV1('memory')} memory.memsw.limit_in_bytes -1`,
    `${inV1('cpu')} cpu.cfs_quota_us -1`,
    `${inV1('cpu')} cpu.shares 1024`,
    `${inV1('cpuset')} cpuset.cpus 0-3`,
    `${inV1('pids')} pids.max 9`,
    `${inV1('blkio')} blkio.weight 100`,
    `${inV1('blkio')} blkio.bfq.weight 100`,
  ]);
  expect(planLiveLimits(lifted, hybrid, place).flatMap(({ asked }) => asked ?? [])).toEqual(['pids-max=9']);
});

const IO_MAX: LimitsSpec['ioMax'] = [
  { device: '254:0', readBytes: 1_024, writeBytes: undefined, readOperations: undefined, writeOperations: 7 },
];

test('v2 has every limit', () => {
  const everything: LimitsSpec = {
    ...none,
    memoryMaxBytes: 64,
    memoryHighBytes: 48,
    swapMaxBytes: 0,
    cpuWeight: 50,
    cpuset: [
      { from: 0, to: 1 },
      { from: 3, to: 3 },
    ],
    ioWeight: 300,
    ioMax: IO_MAX,
  };
  const files = new Set(['memory.swap.max', 'io.weight']);
  const controllers = new Set(['memory', 'cpu', 'cpuset', 'io']);
  const host = { v2: { mount: '/c', own: '/c/svc', controllers, files }, v1: new Map() };

  expect(planCgroups(everything, host, place).writes.map(({ file, value }) => `${file} ${value}`)).toEqual([
    'cgroup.subtree_control +memory +cpu +cpuset +io',
    'cgroup.subtree_control +memory +cpu +cpuset +io',
    'memory.max 64',
    'memory.high 48',
    'memory.swap.max 0',
    'cpu.weight 50',
    'cpuset.cpus 0-1,3',
    'io.weight default 300',
    'io.max 254:0 rbps=1024 wbps=max riops=max wiops=7',
  ]);
});

const v1With = (controller: string, ...files: readonly string[]) => {
  const hierarchy = hybrid.v1.get(controller) ?? { mount: '/c', own: '/c' };
  return { ...hybrid, v1: new Map([...hybrid.v1, [controller, { ...hierarchy, files: new Set(files) }]]) };
};

test('v1 limits memory and swap together, memory first', () => {
  const host = v1With('memory', 'memory.memsw.limit_in_bytes');
  const limits = { ...none, memoryMaxBytes: 64, swapMaxBytes: 16 };

  expect(planCgroups(limits, host, place).writes).toEqual([
    { dir: inV1('memory'), file: 'memory.limit_in_bytes', value: '64' },
    { dir: inV1('memory'), file: 'memory.memsw.limit_in_bytes', value: '80' },
  ]);
});

test('v1 fills the CPUs and memory nodes of every group on the way before it narrows the last one', () => {
  const { v1, writes } = planCgroups({ ...none, cpuset: [{ from: 1, to: 1 }] }, hybrid, place);
  const top = '/sys/fs/cgroup/cpuset/box/emperor-1a';

  expect(v1).toEqual([inV1('cpuset')]);
  expect(writes.map(({ dir, file, value }) => `${dir} ${file} ${value}`)).toEqual([
    ...[top, `${top}/u0`, `${top}/u0/blog`, `${top}/u0/blog/g3`].flatMap((dir) => [
      `${dir} cpuset.cpus 0-3`,
      `${dir} cpuset.mems 0`,
    ]),
    `${top}/u0/blog/g3 cpuset.cpus 1`,
  ]);
});

test('v1 has weights and limits of disks under other names', () => {
  const host = v1With('blkio', 'blkio.bfq.weight');
  const { writes } = planCgroups({ ...none, ioWeight: 10_000, ioMax: IO_MAX }, host, place);

  expect(writes.map(({ file, value }) => `${file} ${value}`)).toEqual([
    'blkio.bfq.weight 1000',
    'blkio.throttle.read_bps_device 254:0 1024',
    'blkio.throttle.write_bps_device 254:0 0',
    'blkio.throttle.read_iops_device 254:0 0',
    'blkio.throttle.write_iops_device 254:0 7',
  ]);
});

test.each([
  [1, '10'],
  [100, '1024'],
  [10_000, '102400'],
])('cpu-weight %s is %s shares', (cpuWeight, shares) => {
  expect(planCgroups({ ...none, cpuWeight }, hybrid, place).writes).toEqual([
    { dir: inV1('cpu'), file: 'cpu.shares', value: shares },
  ]);
});

test('what v1 has not, or not without another limit, is left out', () => {
  const host = v1With('memory', 'memory.limit_in_bytes');

  expect(planCgroups({ ...none, memoryHighBytes: 9, swapMaxBytes: 9 }, host, place).writes).toEqual([]);
  expect(planCgroups({ ...none, memoryMaxBytes: 9, swapMaxBytes: 9 }, host, place).writes).toHaveLength(1);
});

test('a group of the operator has ours below it, in its hierarchy alone', () => {
  const cgroups = ['/sys/fs/cgroup/pids/shop'];
  const { v1, v2: inV2 } = planCgroups({ ...none, pidsMax: 9, cgroups }, hybrid, place);

  expect(v1).toEqual(['/sys/fs/cgroup/pids/shop/emperor-1a/u0/blog/g3']);
  expect(inV2).toBe('/sys/fs/cgroup/unified/emperor-1a/u0/blog/g3');
});

test('a group of the operator is entered without any limit, and on v2 passed controllers from the root on', () => {
  expect(planCgroups({ ...none, cgroups: ['/sys/fs/cgroup/cpu/shop'] }, hybrid, place).v1).toEqual([
    '/sys/fs/cgroup/cpu/shop/emperor-1a/u0/blog/g3',
  ]);
  const plan = planCgroups({ ...none, pidsMax: 9, cgroups: ['/c/shops/one'] }, v2, place);
  const top = '/c/shops/one';

  expect(plan.v2).toBe(`${top}/emperor-1a/u0/blog/g3`);
  expect(plan.writes.map(({ dir, value }) => `${dir} ${value}`)).toEqual([
    ...['/c', '/c/shops', top, `${top}/emperor-1a`, `${top}/emperor-1a/u0`, `${top}/emperor-1a/u0/blog`].map(
      (dir) => `${dir} +pids`,
    ),
    `${top}/emperor-1a/u0/blog/g3 9`,
  ]);
});

test('raw settings come last, each in the hierarchy of its controller', () => {
  const cgroupOptions = [
    { file: 'pids.max', value: '5' },
    { file: 'cgroup.max.depth', value: '1' },
    { file: 'nothing.here', value: '1' },
  ];
  const plan = planCgroups({ ...none, pidsMax: 9, cgroupOptions }, hybrid, place);

  expect(plan.v1).toEqual([inV1('pids')]);
  expect(plan.writes).toEqual([
    { dir: inV1('pids'), file: 'pids.max', value: '9' },
    { dir: inV1('pids'), file: 'pids.max', value: '5' },
    { dir: plan.v2, file: 'cgroup.max.depth', value: '1' },
  ]);
});
