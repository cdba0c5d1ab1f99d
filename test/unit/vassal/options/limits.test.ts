import { decodeTable } from '@emperor/common/options/decode';
import { formatValue } from '@emperor/common/options/kinds';
import { vassalOptions } from '@emperor/vassal/options';
import { expect, test } from 'vitest';

type Key = keyof typeof vassalOptions;

function decoded(key: Key, ...values: readonly string[]) {
  const raw = values.map((value) => ({ value, file: 'x.ini', line: 1, layer: 'file' as const }));
  const result = decodeTable(vassalOptions, new Map([[key, raw]]));
  const row: { readonly kind: Parameters<typeof formatValue<unknown>>[0] } = vassalOptions[key];
  return result.diagnostics[0]?.message ?? formatValue(row.kind, result.values[key]).join(' | ');
}

test.each([
  ['cpuset', ['3,0-1,2', '8-9'], '0-3,8-9'],
  ['cpuset', ['4'], '4'],
  ['io-max', ['/dev/sda  rbps=10M wiops=5', '8:16 wbps=1K'], '/dev/sda rbps=10M wiops=5 | 8:16 wbps=1K'],
  ['io-max', ['/dev/mapper/vg-data rbps=1M'], '/dev/mapper/vg-data rbps=1M'],
  ['cgroup-opt', ['memory.oom.group=1', 'devices.deny: a'], 'memory.oom.group=1 | devices.deny=a'],
  ['cgroup-opt', ['io.cost.qos=8:0 enable=1'], 'io.cost.qos=8:0 enable=1'],
  ['nice', ['-20'], '-20'],
  ['ionice', ['best-effort:7'], 'best-effort:7'],
  ['ionice', ['idle'], 'idle'],
  ['ionice', ['none'], 'none'],
  ['sched', ['rr:99'], 'rr:99'],
  ['sched', ['batch'], 'batch'],
  ['swap-max', ['0'], '0'],
] as const)('%s = %j is %s', (key, values, text) => {
  expect(decoded(key, ...values)).toBe(text);
});

test.each([
  ['cpuset', 'a', 'expected CPUs such as 0-3,8'],
  ['cpuset', '3-1', 'expected CPUs such as 0-3,8'],
  ['cpuset', '0-9999', 'expected CPUs such as 0-3,8'],
  ['io-max', '/etc/passwd rbps=1M', 'expected a device such as /dev/sda or 8:0, then its limits'],
  ['io-max', '/dev/../etc rbps=1M', 'expected a device such as /dev/sda or 8:0, then its limits'],
  ['io-max', '/dev/sda', 'expected at least one of rbps wbps riops wiops'],
  ['io-max', '/dev/sda rbps=0', 'expected limits such as rbps=10M wbps=1M riops=100 wiops=100'],
  ['io-max', '/dev/sda rbps=1 rbps=2', 'expected limits such as rbps=10M wbps=1M riops=100 wiops=100'],
  [
    'cgroup',
    '/sys/fs/cgroup/../x',
    'expected a directory such as /sys/fs/cgroup/memory/shop, without . and ..',
  ],
  ['cgroup-opt', '../x=1', 'expected FILE=VALUE such as memory.oom.group=1'],
  ['cgroup-opt', 'pids.max', 'expected FILE=VALUE such as memory.oom.group=1'],
  ['cgroup-opt', 'cgroup.procs=1', "cgroup.procs is the keeper's: it says which processes are where"],
  ['nice', '20', 'expected an integer, from -20 to 19'],
  ['sched', 'fifo:0', 'expected other, batch, idle, fifo:1-99 or rr:1-99'],
  ['sched', 'other:5', 'expected other, batch, idle, fifo:1-99 or rr:1-99'],
  ['ionice', 'idle:3', 'expected realtime:0-7, best-effort:0-7, idle or none'],
  ['ionice', 'realtime', 'expected realtime:0-7, best-effort:0-7, idle or none'],
  ['cpu-weight', '0', 'expected an integer, from 1 to 10000'],
] as const)('%s = %s is refused: %s', (key, value, message) => {
  expect(decoded(key, value)).toBe(message);
});

test('one device may stand once, and no more than four', () => {
  expect(decoded('io-max', '8:0 rbps=1', '8:0 wbps=1')).toBe('stands twice for one device');
  const many = ['1:1', '1:2', '1:3', '1:4', '1:5'].map((device) => `${device} rbps=1`);
  expect(decoded('io-max', ...many)).toBe('at most 4 devices are possible');
});
