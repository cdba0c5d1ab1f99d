import { expect, test } from 'vitest';
import { ALICE, built } from '../../../support/vassal-fixtures.ts';

type Written = Parameters<typeof built>[0];

function problems(written: Written, options = {}): readonly string[] {
  return built({ command: 'true', ...written }, options).diagnostics.map(
    ({ severity, key, message }) => `${severity} ${key}: ${message}`,
  );
}

function granted(written: Written, key: string, options = {}): readonly (string | undefined)[] {
  const row = built({ command: 'true', ...written }, options).granted.find((entry) => entry.key === key);
  return [row?.granted, row?.reason];
}

test.each([
  [{ root: 'minimal', namespace: '/n' }, 'namespace: says what is /, and so does root'],
  [{ namespace: '/n', chroot: '/c' }, 'chroot: says what is /, and so does namespace'],
  [{ 'pivot-root': '/n /n/o', overlay: '/a::/' }, 'overlay: says what is /, and so does pivot-root'],
  [{ unshare: 'pid', root: 'minimal' }, 'root: needs mnt in unshare'],
  [{ unshare: 'pid', namespace: '/n' }, 'namespace: needs mnt in unshare'],
  [{ unshare: 'pid', 'pivot-root': '/n /n/o' }, 'pivot-root: needs mnt in unshare'],
  [{ unshare: 'pid', bind: '/a' }, 'bind: needs mnt in unshare'],
  [{ unshare: 'pid', 'bind-ro': '/a' }, 'bind-ro: needs mnt in unshare'],
  [{ unshare: 'pid', tmpfs: '/a' }, 'tmpfs: needs mnt in unshare'],
  [{ unshare: 'pid', overlay: '/a::/b' }, 'overlay: needs mnt in unshare'],
  [{ unshare: 'pid', mask: '/a' }, 'mask: needs mnt in unshare'],
  [{ unshare: 'pid', write: '/a' }, 'write: needs mnt in unshare'],
  [{ unshare: 'pid', 'protect-home': 'read-only' }, 'protect-home: needs mnt in unshare'],
  [{ 'namespace-keep-mount': '/a' }, 'namespace-keep-mount: needs namespace'],
  [{ namespace: '/n:box', hostname: 'other' }, 'hostname: is other, and namespace says box'],
  [{ namespace: '/n:box', unshare: 'mnt,pid' }, 'namespace: a host name needs uts in unshare'],
  [{ 'pivot-root': '/n /n/o', 'private-tmp': 'yes' }, 'private-tmp: hooks make what pivot-root leads to'],
  [{ 'pivot-root': '/n /n/o', proc: 'private' }, 'proc: hooks make what pivot-root leads to'],
  [
    { 'pivot-root': '/n /n/o', ready: 'notify' },
    'ready: needs a notify socket, and hooks make what pivot-root leads to',
  ],
  [
    { chroot: '/c', unshare: 'none', watchdog: '5s' },
    'watchdog: needs a notify socket, and a bare chroot has nothing of the kind',
  ],
  [
    { root: 'minimal', 'protect-system': 'no' },
    'protect-system: root = minimal is read-only but for what write and bind name',
  ],
  [{ bind: ['/a:/x', '/b:/x'] }, 'bind: /x is taken by another mount'],
  [{ bind: '/a:/x', tmpfs: '/x' }, 'bind: /x is taken by another mount'],
  [{ bind: '/a:/tmp' }, 'bind: /tmp is taken by private-tmp'],
  [{ tmpfs: '/run' }, 'tmpfs: /run is taken by the jail’s own /run'],
  [{ bind: '/dev' }, 'bind: /dev is taken by private-dev'],
  [{ bind: 'a' }, 'bind: expected SRC or SRC:DST, both absolute paths, DST not /'],
  [{ bind: '/' }, 'bind: expected SRC or SRC:DST, both absolute paths, DST not /'],
  [{ bind: '/a:/b:/c' }, 'bind: expected SRC or SRC:DST, both absolute paths, DST not /'],
  [{ root: '/' }, 'root: expected host, minimal, or an absolute directory other than /'],
  [{ root: 'tiny' }, 'root: expected host, minimal, or an absolute directory other than /'],
  [{ namespace: '/' }, 'namespace: expected DIR or DIR:HOSTNAME, DIR an absolute directory other than /'],
  [
    { namespace: '/n:-' },
    'namespace: expected a host name after the colon: letters, digits, dots and hyphens',
  ],
  [{ 'pivot-root': '/n' }, 'pivot-root: expected two absolute directories: NEW OLD'],
  [{ 'pivot-root': '/n /o' }, 'pivot-root: OLD must lie below NEW, as seen from outside: /ns /ns/.old_root'],
  [{ tmpfs: '/a:1' }, 'tmpfs: expected PATH or PATH:SIZE, such as /var/cache/app:64M'],
  [
    { overlay: '/a:/b' },
    'overlay: expected LOWER:UPPER:DST, absolute paths; UPPER may be empty, more LOWERs go before it',
  ],
  [{ overlay: `${'/a:'.repeat(9)}/u:/b` }, 'overlay: has more than 8 lower layers'],
  [{ 'protect-home': 'maybe' }, 'protect-home: expected yes, read-only or no'],
])('%j: error %s', (written: Written, problem) => {
  expect(problems(written).filter((line) => line.startsWith('error'))).toEqual([`error ${problem}`]);
});

test('more mounts than a launch takes are refused with a line', () => {
  const binds = Array.from({ length: 65 }, (_, index) => `/a:/b${index}`);

  expect(problems({ bind: binds })[0]).toMatch(/^error bind: and the other mounts are too many/);
  expect(
    problems({ mask: [`/${'x'.repeat(4_000)}`, `/${'y'.repeat(4_000)}`, `/${'z'.repeat(4_000)}`] })[0],
  ).toMatch(/^error mask: /);
});

test('what is only preset falls away, and says why', () => {
  expect(granted({ 'pivot-root': '/n /n/o' }, 'private-tmp')).toEqual([
    'false',
    'hooks make what pivot-root leads to',
  ]);
  expect(granted({ 'pivot-root': '/n /n/o' }, 'protect-home')).toEqual([
    'no',
    'hooks make what pivot-root leads to',
  ]);
  expect(granted({ unshare: 'pid' }, 'protect-home')).toEqual(['no', 'needs mnt in unshare']);
  expect(granted({ root: 'minimal' }, 'protect-system')).toEqual([
    'strict',
    'root = minimal is read-only but for what write and bind name',
  ]);
  expect(granted({ namespace: '/n:box' }, 'hostname')).toEqual(['box', 'namespace says so']);
  expect(problems({ root: 'minimal', unshare: 'pid' }, { layer: 'defaults' })).toEqual([]);
});

test('a host’s tree that no hook takes away is told', () => {
  expect(problems({ 'pivot-root': '/n /n/.o' })).toEqual([
    'warning pivot-root: leaves the whole tree of the host to the app at /.o',
  ]);
});

test.each([
  'root',
  'namespace',
  'namespace-keep-mount',
  'pivot-root',
  'chroot',
  'overlay',
  'bind',
  'bind-ro',
  'tmpfs',
  'mask',
  'write',
  'protect-home',
  'protect-system',
  'private-dev',
  'proc',
])('%s is not for tenants', (key) => {
  expect(problems({ [key]: 'x' }, { owner: ALICE })).toEqual([
    `error ${key}: only the operator may set this, and the file belongs to alice`,
  ]);
});
