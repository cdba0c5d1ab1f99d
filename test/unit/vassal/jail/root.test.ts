import { planJail } from '@emperor/vassal/jail/plan';
import { expect, test } from 'vitest';
import { coverOf, hiddenOf } from '../../../../packages/vassal/src/jail/views.ts';
import { ALICE, hostFacts, specOf } from '../../../support/vassal-fixtures.ts';

type Written = Parameters<typeof specOf>[0];

function planned(written: Written, hide: readonly string[] = [], owner = {}): readonly string[] {
  const spec = specOf(written, owner);
  const run = {
    uid: 400_000,
    gid: 400_000,
    cgroups: { v2: undefined, v1: [], writes: [], counters: [], base: undefined },
    scratchDir: '/s',
    notifyPath: '/host/notify',
    hide,
  };
  return planJail(spec, hostFacts(), run).map(({ word, args }) => [word, ...args].join(' '));
}

const only = (lines: readonly string[], pattern: RegExp) => lines.filter((line) => pattern.test(line));

test.each([
  [{}, 'root host / sd'],
  [{ 'private-dev': 'no' }, 'root host / s'],
  [{ 'no-new-privs': 'no' }, 'root host / d'],
  [{ root: 'minimal' }, 'root tmpfs / -'],
  [{ root: '/srv/r/' }, 'root tree /srv/r sd'],
  [{ root: '/srv/r', 'no-new-privs': 'no' }, 'root tree /srv/r d'],
  [{ namespace: '/srv/r' }, 'root single /srv/r sd'],
  [{ namespace: '/srv/r:box' }, 'root single /srv/r sd'],
  [{ chroot: '/srv/r' }, 'root tree /srv/r sd'],
  [{ chroot: '/srv/r', unshare: 'none' }, 'chroot /srv/r'],
  [{ overlay: '/a:/b:/up:/' }, 'root overlay /a:/b:/up sd'],
  [{ overlay: '/a::/' }, 'root overlay /a: sd'],
  [{ 'pivot-root': '/ns /ns/.old' }, 'pivot-root /ns /ns/.old'],
])('%j is the root %s', (written: Written, word) => {
  expect(only(planned(written), /^(root|chroot|pivot-root) /)).toEqual([word]);
});

test('without a mount namespace nothing says what the root is', () => {
  expect(only(planned({ unshare: 'pid' }), /^(root|bind|hide|scratch)/)).toEqual([]);
});

test('a minimal root has its parts, the home and the working directory, and nothing to protect', () => {
  const lines = planned({ root: 'minimal', uid: 'www-data', chdir: '/srv/app', write: ['/data'] });

  expect(only(lines, /^(link|bind|readonly \/[^p]|hide|write|keep)/)).toEqual([
    'bind /usr /usr rsdm',
    'link /bin usr/bin',
    'bind /etc/hosts /etc/hosts rsdm',
    'bind /var/www /var/www sdm',
    'bind /srv/app /srv/app sdm',
    'bind /data /data sd',
  ]);
  expect(only(lines, /^file/).map((line) => line.split(' ')[1])).toEqual(['/etc/passwd', '/etc/group']);
  expect(only(lines, /www-data:x:400000/).length).toBe(2);
});

test('a tenant’s working directory opens nothing in a minimal root', () => {
  const lines = planned({ root: 'minimal', chdir: '/root/x' }, [], { owner: ALICE, layer: 'force' });

  expect(only(lines, /^bind/)).toEqual([
    'bind /usr /usr rsdm',
    'bind /etc/hosts /etc/hosts rsdm',
    'bind /home/alice /home/alice sdm',
  ]);
});

test('what a root of its own does not make private comes from the host', () => {
  const lines = planned({ root: '/r', 'private-dev': 'no', 'private-tmp': 'no', proc: 'host' });

  expect(only(lines, /^bind/)).toEqual(['bind /dev /dev s', 'bind /proc /proc sdx']);
  expect(only(planned({ root: 'minimal', 'private-tmp': 'no' }), /^bind .*tmp/)).toEqual([
    'bind /tmp /tmp sd',
    'bind /var/tmp /var/tmp sd',
  ]);
});

test('mounts that are asked for come last, outer ones first, devices usable', () => {
  const lines = planned({
    bind: ['/a:/x/y', '/dev/fuse'],
    'bind-ro': '/b:/x',
    tmpfs: '/x/y/z:1M',
    overlay: '/l1:/l2:/up:/o',
    mask: '/m',
  });

  expect(lines.slice(lines.indexOf('bind /b /x rsd'), lines.indexOf('mask /m') + 1)).toEqual([
    'bind /b /x rsd',
    'bind /a /x/y sd',
    'bind /dev/fuse /dev/fuse s',
    'tmpfs /x/y/z 1048576',
    'mask /m',
  ]);
  expect(lines.indexOf('overlay /o /l1:/l2 /up')).toBeLessThan(lines.indexOf('bind /b /x rsd'));
});

test('a mount below the namespace’s directory is shown at the same place', () => {
  const written = {
    namespace: '/apps/app1',
    'namespace-keep-mount': ['/apps/app1/nfs', '/mnt/nfs1:/nfs2', '/m'],
  };

  expect(only(planned(written), /^bind/)).toEqual([
    'bind /apps/app1/nfs /nfs sd',
    'bind /mnt/nfs1 /nfs2 sd',
    'bind /m /m sd',
  ]);
});

test('what is to be written is taken before the rest becomes read-only, and shows in hidden homes', () => {
  const lines = planned({ 'protect-system': 'strict', write: ['/srv/x', '/home/shared'] });
  const words = only(lines, /^(write|readonly \/$|keep|hide)/);

  expect(words).toEqual([
    'write /srv/x',
    'write /home/shared',
    'readonly /',
    'keep /home/shared',
    'hide /home',
    'hide /root',
  ]);
});

test.each([
  ['yes', ['hide /home', 'hide /root']],
  ['read-only', ['readonly /home', 'readonly /root']],
  ['no', []],
])('protect-home = %s', (value, words) => {
  expect(only(planned({ 'protect-home': value }), /^(hide|readonly) \/(home|root)$/)).toEqual(words);
});

test('with pivot-root no mount of the default jail is left, and nobody is told of a notify socket', () => {
  const lines = planned({ 'pivot-root': '/ns /ns/.old' }, ['/run/emperor', '/var/lib/emperor']);

  expect(
    only(lines, /^(scratch|private|dev|tmp|run|proc|sysfs|hide|readonly|bind|file|notify|env NOTIFY)/),
  ).toEqual(['scratch /s', 'hide /.old/run/emperor', 'hide /.old/var/lib/emperor']);
});

test('the emperor’s directories are hidden wherever they would show', () => {
  const hide = ['/srv/emperor/log', '/run/emperor'];
  const hidden = (written: Written) => hiddenOf(specOf(written), hide).hidden;

  expect(hidden({})).toEqual(['/srv/emperor/log']);
  expect(hidden({ bind: ['/:/host', '/srv:/s'] })).toEqual([
    '/srv/emperor/log',
    '/host/srv/emperor/log',
    '/host/run/emperor',
    '/s/emperor/log',
  ]);
  expect(hidden({ root: 'minimal' })).toEqual([]);
  expect(hidden({ root: 'minimal', bind: '/srv' })).toEqual(['/srv/emperor/log']);
  expect(hidden({ root: 'minimal', write: '/srv' })).toEqual(['/srv/emperor/log']);
  expect(hidden({ root: '/srv' })).toEqual(['/emperor/log']);
  expect(hidden({ namespace: '/srv/emperor' })).toEqual(['/log']);
  expect(hidden({ overlay: '/a:/srv:/up:/' })).toEqual(['/emperor/log']);
  expect(hidden({ overlay: '/srv::/o' })).toEqual(['/srv/emperor/log', '/o/emperor/log']);
});

test('what is not in a minimal root is known', () => {
  const spec = specOf({ root: 'minimal', 'bind-ro': '/opt/tool:/tool', chdir: '/srv/app' });

  expect(coverOf('/opt/tool/x', spec)).toBe('/');
  expect(coverOf('/tmp/x', spec)).toBe('/tmp');
  for (const path of ['/tool/x', '/usr/bin/x', '/bin/sh', '/srv/app/run', '/etc/hosts', 'sh'])
    expect([path, coverOf(path, spec)]).toEqual([path, undefined]);
  expect(coverOf('/opt/x', specOf({}))).toBeUndefined();
});
