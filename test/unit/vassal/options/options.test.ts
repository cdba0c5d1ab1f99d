import { decodeTable } from '@emperor/common/options/decode';
import { formatValue } from '@emperor/common/options/kinds';
import { type VassalOptionName, vassalOptions } from '@emperor/vassal/options';
import { expect, test } from 'vitest';

function decode(key: VassalOptionName, ...values: string[]) {
  const raw = new Map([[key, values.map((value) => ({ value, file: 'blog.ini', line: 3 }))]]);
  const { values: decoded, diagnostics } = decodeTable(vassalOptions, raw);
  return diagnostics.length === 0 ? decoded[key] : (diagnostics[0]?.message ?? '');
}

test('every row says when it came, what a change does and what it is for', () => {
  for (const [key, row] of Object.entries(vassalOptions)) {
    expect(key).toMatch(/^[a-z][a-z-]*$/);
    expect(row.since).toMatch(/^\d+\.\d+$/);
    expect(row.help.length).toBeGreaterThan(15);
    expect(row.help).toMatch(/[.)]$/);
  }
});

test('the default of every row is what its own text form decodes to', () => {
  for (const [key, row] of Object.entries(vassalOptions)) {
    const texts = formatValue(row.kind, row.default);
    if (texts.length === 0) continue;
    expect([key, row.kind.decodeAll(texts)]).toEqual([key, { ok: true, value: row.default }]);
  }
});

test.each([
  ['command', ["sh -c 'a; b'"], ['sh', '-c', 'a; b']],
  [
    'env',
    ['A=1', 'B=x=y', 'C='],
    [
      { name: 'A', value: '1' },
      { name: 'B', value: 'x=y' },
      { name: 'C', value: '' },
    ],
  ],
  ['umask', ['077'], 0o77],
  ['uid', ['auto'], { by: 'auto' }],
  ['uid', ['www-data'], { by: 'name', name: 'www-data' }],
  ['uid', ['0'], { by: 'id', id: 0 }],
  [
    'add-gid',
    ['audio, 44', 'video'],
    [
      { by: 'name', name: 'audio' },
      { by: 'id', id: 44 },
      { by: 'name', name: 'video' },
    ],
  ],
  ['cap', ['net_bind_service,CAP_KILL,42'], [10, 5, 42]],
  ['unshare', ['uts, fs', 'mount'], ['mnt', 'uts']],
  ['unshare', ['none'], []],
  ['hostname', ['blog-1.local'], 'blog-1.local'],
  ['memory-max', ['512M'], 536_870_912],
  ['memory-max', ['unlimited'], undefined],
  ['cpu-max', ['150%'], 150],
  ['limit-nofile', ['1024:4096'], { soft: 1024, hard: 4096 }],
  ['limit-nofile', ['512:unlimited'], { soft: 512, hard: undefined }],
  ['limit-core', ['0'], { soft: 0, hard: 0 }],
  ['limit-as', ['2G'], { soft: 2_147_483_648, hard: 2_147_483_648 }],
  ['limit-stack', ['unlimited'], { soft: undefined, hard: undefined }],
  ['stop-signal', ['INT'], 2],
  ['ready', ['auto'], { by: 'auto' }],
  ['ready', ['notify'], { by: 'notify' }],
  ['ready', ['tcp:8000'], { by: 'tcp', host: '127.0.0.1', port: 8000 }],
  ['ready', ['tcp:[::1]:8000'], { by: 'tcp', host: '::1', port: 8000 }],
  ['ready', ['log:listening on: x'], { by: 'log', text: 'listening on: x' }],
  ['ready', ['delay:2s'], { by: 'delay', ms: 2000 }],
  ['watchdog', ['none'], undefined],
  ['watchdog', ['5s'], 5000],
  ['start-after', ['db, cache'], ['db', 'cache']],
  ['touch-reload', ['/a', '/b'], ['/a', '/b']],
] as const)('%s = %j is understood', (key, written, value) => {
  expect(decode(key, ...written)).toEqual(value);
});

test.each([
  ['env', 'NOVALUE', 'expected NAME=VALUE'],
  ['env', '=x', 'expected NAME=VALUE'],
  ['umask', '1000', 'expected an octal mode such as 022'],
  ['uid', '4294967295', 'expected a number up to 4294967294'],
  ['uid', 'a:b', 'expected a name or a number'],
  ['uid', '-x', 'expected a name or a number'],
  ['cap', 'net_bind_servic', 'there is no such capability, did you mean net_bind_service?'],
  ['cap', '64', 'there is no capability 64: the last possible one is 63'],
  [
    'securebits',
    'no-root',
    'expected one of noroot, noroot-locked, no-setuid-fixup, no-setuid-fixup-locked, keep-caps, keep-caps-locked, no-cap-ambient-raise, no-cap-ambient-raise-locked',
  ],
  ['uid-map', '0 1000', 'expected INSIDE OUTSIDE COUNT, such as 0 300000 65536'],
  ['gid-map', '0 4294967294 2', 'expected ids up to 4294967294, and at least one'],
  ['setns-socket-skip', 'none', 'expected mnt, pid, ipc, uts, net, cgroup, user, time'],
  ['unshare', 'none,pid', 'none excludes every other namespace'],
  ['unshare', 'disk', 'expected mnt, pid, ipc, uts, net, cgroup, user, time or none'],
  ['hostname', 'a b', 'expected a host name: letters, digits, dots and hyphens, at most 63'],
  ['cpu-max', '1.5', 'expected a share of one CPU such as 150%'],
  ['cpu-max', '0%', 'expected a share of one CPU such as 150%'],
  ['limit-nofile', '10:5', 'the soft limit is above the hard one'],
  ['limit-nofile', 'unlimited:5', 'the soft limit is above the hard one'],
  ['limit-nofile', '1:2:3', 'expected a number, unlimited, or two of them as soft:hard'],
  ['reload', 'overlap', 'overlap comes with a later release'],
  ['ready', 'http:/x', 'http comes with a later release'],
  [
    'ready',
    'tcp:example.org:80',
    'expected a literal address such as 127.0.0.1 or [::1]: no name is looked up',
  ],
  ['ready', 'tcp:0', 'expected tcp:PORT or tcp:HOST:PORT'],
  ['ready', 'tcp:70000', 'expected tcp:PORT or tcp:HOST:PORT'],
  ['ready', 'delay:2', 'expected delay: and a duration such as 2s'],
  ['ready', 'log:', 'expected log: and the text to wait for'],
  ['ready', 'sometimes', 'expected auto, spawn, notify, tcp:PORT, tcp:HOST:PORT, log:TEXT or delay:DURATION'],
] as const)('%s = %s is refused: %s', (key, written, message) => {
  expect(decode(key, written)).toBe(message);
});

test('a ninth path of touch-reload is refused', () => {
  const paths = Array.from({ length: 9 }, (_, index) => `/p${index}`);

  expect(decode('touch-reload', ...paths)).toBe('expected at most 8 paths');
});
