import type { Diagnostic } from '@emperor/common/diagnostic';
import { expect, test } from 'vitest';
import { ALICE, built, hostFacts } from '../../../support/vassal-fixtures.ts';

type Written = Parameters<typeof built>[0];
const withHost = (written: Written, host = hostFacts()) => built({ command: 'true', ...written }, { host });
const asTenant = (written: Written) => built({ command: 'true', ...written }, { owner: ALICE });
const said = (diagnostics: readonly Diagnostic[]) =>
  diagnostics.map(({ severity, key, message }) => `${severity} ${key}: ${message}`);

const own = (changes: Partial<ReturnType<typeof hostFacts>['limits']>) =>
  hostFacts({ limits: { ...hostFacts().limits, ...changes } });

function v1Files(controller: string, ...files: readonly string[]) {
  const { cgroups } = hostFacts();
  const hierarchy = cgroups.v1.get(controller) ?? expect.unreachable();
  const v1 = new Map([...cgroups.v1, [controller, { ...hierarchy, files: new Set(files) }]]);
  return hostFacts({ cgroups: { ...cgroups, v1 } });
}

test('what nobody asked for is what is usual, and nothing is said', () => {
  const { spec, diagnostics } = withHost({});

  expect(diagnostics).toEqual([]);
  expect(spec?.scheduling).toEqual({
    nice: 0,
    ionice: undefined,
    sched: { policy: 'other' },
    oomScoreAdj: 0,
  });
});

test.each([
  ['memory-high', '64M', 'control groups v1 have no such limit'],
  ['swap-max', '64M', 'control groups v1 limit memory and swap together, and memory-max is not set'],
])('%s = %s is not granted on v1: %s', (key, value, because) => {
  const { diagnostics, granted } = withHost({ [key]: value });

  expect(said(diagnostics)).toEqual([`warning ${key}: asked ${key}=${value}, kernel gives none: ${because}`]);
  expect(granted.find((row) => row.key === key)?.granted).toBe('unlimited');
});

test('when-unsupported = refuse makes an error of what somebody asked for, and of nothing else', () => {
  const niced = own({ nice: 5, canRaisePriority: false });
  const severities = (written: Written) =>
    withHost({ ...written, 'when-unsupported': 'refuse' }, niced).diagnostics.map(({ severity }) => severity);

  expect(severities({ 'memory-high': '64M', nice: '5' })).toEqual(['error']);
  expect(severities({})).toEqual(['warning']);
});

test('a kernel without swap accounting, or without weights for disks, says so', () => {
  const limits = { 'memory-max': '64M', 'swap-max': '0' };

  expect(said(withHost(limits, v1Files('memory', 'memory.limit_in_bytes')).diagnostics)).toEqual([
    'warning swap-max: asked swap-max=0, kernel gives none: the kernel does not account for swap (boot it with swapaccount=1)',
  ]);
  expect(withHost(limits, v1Files('memory', 'memory.memsw.limit_in_bytes')).diagnostics).toEqual([]);
  expect(said(withHost({ 'io-weight': '9' }, v1Files('blkio', 'tasks')).diagnostics)).toEqual([
    'warning io-weight: asked io-weight=9, kernel gives none: no disk scheduler of this kernel has weights (neither bfq nor iocost)',
  ]);
});

test('CPUs that there are not are not granted', () => {
  const { spec, diagnostics } = withHost({ cpuset: '2-5,9' });

  expect(said(diagnostics)).toEqual([
    'warning cpuset: asked cpuset=2-5,9, kernel gives 2-3: the emperor may use 0-3',
  ]);
  expect(spec?.limits.cpuset).toEqual([{ from: 2, to: 3 }]);
  expect(said(withHost({ cpuset: '8' }).diagnostics)).toEqual([
    'warning cpuset: asked cpuset=8, kernel gives none: the emperor may use 0-3',
  ]);
});

test('a disk becomes its numbers; one that is not there is an error that names those that are', () => {
  expect(withHost({ 'io-max': '/dev/vda rbps=1M' }).spec?.limits.ioMax).toMatchObject([
    { device: '254:0', readBytes: 1_048_576 },
  ]);
  expect(withHost({ 'io-max': '8:16 wiops=5' }).spec?.limits.ioMax).toMatchObject([{ device: '8:16' }]);
  expect(withHost({ 'io-max': '/dev/sdq rbps=1M' }).diagnostics).toMatchObject([
    { severity: 'error', message: 'there is no disk /dev/sdq', hint: 'a whole disk, no partition: /dev/vda' },
  ]);
});

test('a control group lies in a hierarchy, one in each', () => {
  expect(said(withHost({ cgroup: '/srv/shop' }).diagnostics)).toEqual([
    'error cgroup: /srv/shop is in no hierarchy of control groups',
  ]);
  const twice = ['/sys/fs/cgroup/pids/a', '/sys/fs/cgroup/pids/b'];
  expect(said(withHost({ cgroup: twice }).diagnostics)).toEqual([
    'error cgroup: a second directory in the hierarchy /sys/fs/cgroup/pids',
  ]);
});

test('a raw setting of a controller that is not there is not granted', () => {
  const { spec, diagnostics } = withHost({ 'cgroup-opt': ['pids.max=5', 'rdma.max=x'] });

  expect(said(diagnostics)).toEqual([
    'warning cgroup-opt: asked cgroup-opt=pids.max=5, rdma.max=x, kernel gives pids.max=5: no rdma controller',
  ]);
  expect(spec?.limits.cgroupOptions).toEqual([{ file: 'pids.max', value: '5' }]);
});

test('a tenant may only give way to others', () => {
  const { spec, diagnostics } = asTenant({
    nice: '-5',
    'oom-score-adj': '-1',
    sched: 'rr:5',
    ionice: 'realtime:0',
    'cpu-weight': '101',
    'io-weight': '5000',
  });

  expect(spec?.scheduling).toEqual({
    nice: 0,
    ionice: undefined,
    sched: { policy: 'other' },
    oomScoreAdj: 0,
  });
  expect(spec?.limits).toMatchObject({ cpuWeight: 100, ioWeight: 100 });
  expect(diagnostics).toHaveLength(6);
  expect(asTenant({ ionice: 'best-effort:0' }).spec?.scheduling.ionice).toEqual({
    class: 'best-effort',
    level: 4,
  });
  expect(asTenant({ nice: '5', sched: 'idle', ionice: 'idle', 'oom-score-adj': '9' }).diagnostics).toEqual(
    [],
  );
});

test.each(['io-max', 'cgroup', 'cgroup-opt'])('%s is not for tenants', (key) => {
  const values = {
    'io-max': '/dev/vda rbps=1M',
    cgroup: '/sys/fs/cgroup/pids/x',
    'cgroup-opt': 'pids.max=1',
  };
  const { spec, diagnostics } = asTenant({ [key]: new Map(Object.entries(values)).get(key) ?? '' });

  expect(spec).toBeUndefined();
  expect(diagnostics).toMatchObject([{ severity: 'error', key, message: /only the operator/ }].map(asMatch));
});

function asMatch<T extends { readonly message: RegExp }>(diagnostic: T) {
  return { ...diagnostic, message: expect.stringMatching(diagnostic.message) };
}

test('an emperor without privileges gives what it can, also of what is usual', () => {
  const niced = own({ nice: 5, canRaisePriority: false, oomScoreAdj: 200 });

  expect(said(withHost({}, niced).diagnostics)).toEqual([
    'warning nice: asked nice=0, kernel gives 5: the emperor has not CAP_SYS_NICE',
    'warning oom-score-adj: asked oom-score-adj=0, kernel gives 200: the emperor has not CAP_SYS_RESOURCE',
  ]);
  expect(withHost({ nice: '7', 'oom-score-adj': '300' }, niced).diagnostics).toEqual([]);
  const plain = own({ canRaisePriority: false });
  expect(withHost({ sched: 'fifo:1', ionice: 'realtime:1' }, plain).spec?.scheduling).toMatchObject({
    sched: { policy: 'other' },
    ionice: undefined,
  });
});

test('real time and a v1 group of CPU time exclude each other where the kernel divides real time', () => {
  const divided = (realtimeUsec: number | undefined) =>
    hostFacts({ cgroups: { ...hostFacts().cgroups, realtimeUsec } });
  const policyOf = (written: Written, realtimeUsec: number | undefined) =>
    withHost({ sched: 'fifo:1', ...written }, divided(realtimeUsec)).spec?.scheduling.sched.policy;

  expect(policyOf({ 'cpu-max': '50%' }, 950_000)).toBe('other');
  expect(policyOf({ 'cpu-weight': '50' }, 950_000)).toBe('other');
  expect(policyOf({}, 950_000)).toBe('fifo');
  expect(policyOf({}, 0)).toBe('other');
  expect(policyOf({ 'cpu-max': '50%' }, undefined)).toBe('fifo');
});
