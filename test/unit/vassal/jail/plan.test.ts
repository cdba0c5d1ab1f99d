import { planCgroups } from '@emperor/vassal/cgroup/limits';
import type { Directive } from '@emperor/vassal/jail/directive';
import { planJail } from '@emperor/vassal/jail/plan';
import type { JailRun } from '@emperor/vassal/jail/run';
import type { HostFacts } from '@emperor/vassal/spec/host-facts';
import type { VassalSpec } from '@emperor/vassal/spec/spec';
import { expect, test } from 'vitest';
import { jailNotes } from '../../../../packages/vassal/src/jail/mounts.ts';
import { ALICE, hostFacts, specOf } from '../../../support/vassal-fixtures.ts';

const host = hostFacts();

function runOf(spec: VassalSpec, changes: Partial<JailRun> = {}): JailRun {
  const place = { instance: '1a', ownerUid: spec.owner.uid, name: spec.name, generation: 3 };
  return {
    uid: spec.identity.uid === 'auto' ? 400_001 : spec.identity.uid,
    gid: spec.identity.gid === 'auto' ? 400_001 : spec.identity.gid,
    cgroups: planCgroups(spec.limits, host.cgroups, place),
    scratchDir: '/run/emperor/scratch/blog',
    notifyPath: '/run/emperor/notify/blog',
    hide: [],
    ...changes,
  };
}

const lines = (directives: readonly Directive[]): string[] =>
  directives.map(({ word, args }) => [word, ...args].join(' '));

function planned(
  written: Parameters<typeof specOf>[0],
  { facts = host, run = {}, owner }: { facts?: HostFacts; run?: Partial<JailRun>; owner?: typeof ALICE } = {},
): string[] {
  const spec = specOf(written, owner === undefined ? {} : { owner });
  return lines(planJail(spec, facts, runOf(spec, run)));
}

const words = (plan: readonly string[]): string[] => plan.map((line) => line.split(' ')[0] ?? '');

test('a command alone gets the whole default jail', () => {
  const plan = planned({ command: 'node server.js' });

  expect(plan.filter((line) => !/^(mask|readonly|file|env|cgroup|counter|seccomp)/.test(line))).toEqual([
    'unshare 771883008',
    'root host / sd',
    'scratch /run/emperor/scratch/blog',
    'private-tmp 536870912 131072',
    'private-dev',
    'hide /home',
    'hide /root',
    'dev',
    'tmp',
    'run',
    'proc 2',
    'sysfs',
    'hostname blog',
    'gid 400001',
    'uid 400001',
    'caps 0',
    'no-new-privs',
    'landlock-scope 3',
    'umask 22',
    'notify /run/notify',
    'chdir /',
    'arg node',
    'arg server.js',
  ]);
  expect(plan.filter((line) => /^readonly \/(?!proc)/.test(line))).toEqual([
    'readonly /usr',
    'readonly /boot',
    'readonly /etc',
  ]);
  expect(plan).toEqual(
    expect.arrayContaining([
      'mask /proc/kcore',
      'readonly /proc/sys',
      'mask /sys/firmware',
      'cgroup2 /sys/fs/cgroup',
    ]),
  );
  expect(plan.filter((line) => line.startsWith('cgroup'))).toEqual([
    'cgroup /sys/fs/cgroup/unified/emperor-1a/u0/blog/g3',
    'cgroup-v1 /sys/fs/cgroup/pids/box/emperor-1a/u0/blog/g3',
    'cgroup-set /sys/fs/cgroup/pids/box/emperor-1a/u0/blog/g3 pids.max 512',
    'cgroup2 /sys/fs/cgroup',
  ]);
});

test('a private uid has a clean environment and a name of its own inside', () => {
  const plan = planned({ env: ['PATH=/opt/bin', 'A='], 'env-file': '/srv/env' });

  expect(plan.filter((line) => line.startsWith('env'))).toEqual([
    'env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    'env HOME=/tmp',
    'env USER=emperor-blog',
    'env LOGNAME=emperor-blog',
    'env LANG=C.UTF-8',
    'env EMPEROR_VASSAL=blog',
    'env NOTIFY_SOCKET=/run/notify',
    'env-file /srv/env',
    'env PATH=/opt/bin',
    'env A=',
  ]);
  expect(plan.filter((line) => line.startsWith('file'))).toEqual([
    'file /etc/passwd root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\nemperor-blog:x:400001:400001::/tmp:/usr/sbin/nologin\n',
    'file /etc/group root:x:0:\nnogroup:x:65534:\nemperor-blog:x:400001:\n',
  ]);
});

test('a tenant sees its own home and no other, and starts in it', () => {
  const plan = planned({}, { owner: ALICE });

  expect(plan).toEqual(
    expect.arrayContaining([
      'env HOME=/home/alice',
      'env USER=alice',
      'chdir /home/alice',
      'uid 1001',
      'gid 1001',
    ]),
  );
  expect(plan.filter((line) => /^(keep|hide)/.test(line))).toEqual([
    'keep /home/alice',
    'hide /home',
    'hide /root',
  ]);
  expect(words(plan)).not.toContain('file');
});

test("the operator's working directory in a home is kept, a tenant's word keeps nothing but its own home", () => {
  const keeps = (plan: readonly string[]) => plan.filter((line) => line.startsWith('keep'));

  expect(keeps(planned({ chdir: '/home/shared//app/.' }))).toEqual(['keep /home/shared/app']);
  expect(keeps(planned({ chdir: '/home/alice/app/' }, { owner: ALICE }))).toEqual(['keep /home/alice']);
  expect(keeps(planned({ chdir: '/home/shared/app' }, { owner: ALICE }))).toEqual(['keep /home/alice']);
  expect(planned({ chdir: '/home' }).filter((line) => line.startsWith('hide'))).toEqual(['hide /root']);
});

test('without a mount namespace nothing is mounted, and the notify socket stands where the keeper makes it', () => {
  const plan = planned({ unshare: 'pid,net' });

  expect(words(plan)).not.toEqual(expect.arrayContaining(['scratch']));
  expect(plan).toEqual(
    expect.arrayContaining([
      'unshare 1610612736',
      'loopback',
      'notify /run/emperor/notify/blog',
      'env NOTIFY_SOCKET=/run/emperor/notify/blog',
      'env HOME=/',
    ]),
  );
  for (const word of [
    'hide',
    'mask',
    'readonly',
    'file',
    'dev',
    'tmp',
    'run',
    'proc',
    'sysfs',
    'cgroup2',
    'hostname',
  ]) {
    expect(words(plan)).not.toContain(word);
  }
});

test('no namespace at all is no unshare', () => {
  expect(words(planned({ unshare: 'none' }))).not.toContain('unshare');
});

test('each part of the jail can be left out', () => {
  const plan = planned({
    'private-tmp': 'no',
    'private-dev': 'no',
    proc: 'host',
    'protect-system': 'no',
    'no-new-privs': 'no',
  });

  for (const word of [
    'private-tmp',
    'tmp',
    'private-dev',
    'dev',
    'proc',
    'readonly',
    'no-new-privs',
    'landlock-scope',
  ]) {
    expect([word, words(plan).includes(word)]).toEqual([word, false]);
  }
  expect(plan).toEqual(expect.arrayContaining(['run', 'sysfs', 'env HOME=/']));
});

test('strict makes everything read-only before the private directories come', () => {
  const plan = planned({ 'protect-system': 'strict' });

  expect(plan.indexOf('readonly /')).toBeGreaterThan(0);
  expect(plan.indexOf('readonly /')).toBeLessThan(plan.indexOf('tmp'));
  expect(plan).not.toContain('readonly /usr');
});

test('the size of /tmp stays below the memory limit', () => {
  expect(planned({ 'memory-max': '64M' })).toContain('private-tmp 33554432 8192');
});

test('capabilities, groups, limits and readiness are numbers', () => {
  const plan = planned({
    cap: 'net_bind_service,40',
    'add-gid': 'audio',
    'limit-nofile': '100:200',
    'limit-core': '0',
    'limit-stack': '8M:unlimited',
    ready: 'tcp:8000',
    'touch-reload': '/srv/app//touch',
    umask: '077',
    watchdog: '5s',
  });

  expect(plan).toEqual(
    expect.arrayContaining([
      'caps 10000000400',
      'add-gid 29',
      'rlimit 7 100 200',
      'rlimit 4 0 0',
      'rlimit 3 8388608 -',
      'ready-tcp 127.0.0.1 8000',
      'touch /srv/app/touch',
      'umask 77',
      'env WATCHDOG_USEC=5000000',
    ]),
  );
});

test.each([
  ['notify', 'ready-notify'],
  ['log:up and running', 'ready-log up and running'],
  ['auto', undefined],
  ['delay:1s', undefined],
])('ready = %s is told to the keeper as %s', (written, line) => {
  expect(planned({ ready: written }).find((text) => text.startsWith('ready-'))).toBe(line);
});

test('Landlock scopes only where the kernel has it', () => {
  expect(words(planned({}, { facts: hostFacts({ landlockAbi: 5 }) }))).not.toContain('landlock-scope');
});

test('a resolv.conf below /run is put back into the private one', () => {
  const resolvConf = '/run/systemd/resolve/stub-resolv.conf';
  const plan = planned({}, { facts: hostFacts({ paths: { ...host.paths, resolvConf } }) });

  expect(plan.indexOf(`bind ${resolvConf} ${resolvConf} r`)).toBeGreaterThan(plan.indexOf('run'));
});

test("the emperor's directories are hidden, but where the vassal's own files lie, and that is said", () => {
  const hide = ['/run/emperor', '/var/lib/emperor/', '/srv/vassals'];
  const spec = specOf({ command: 'node /srv/vassals/app/server.js' });

  expect(
    lines(planJail(spec, host, runOf(spec, { hide }))).filter((line) => line.startsWith('hide')),
  ).toEqual(['hide /home', 'hide /root', 'hide /var/lib/emperor']);
  expect(jailNotes(spec, hide).slice(0, 1)).toEqual([
    '/srv/vassals is not hidden from the app: its own files lie below',
  ]);
});

test("a tenant's own word opens neither another home nor a directory of the emperor's", () => {
  const hide = ['/etc/emperor/vassals', '/var/log/emperor'];
  const written = {
    command: 'sh -c x /etc/emperor/vassals/blog.ini',
    chdir: '/home/bob/project',
    'env-file': '/var/log/emperor/blog/current',
    'touch-reload': '/var/log/emperor/blog/current',
  };
  const views = (plan: readonly string[]) => plan.filter((line) => /^(keep|hide)/.test(line));

  expect(views(planned(written, { run: { hide }, owner: ALICE }))).toEqual([
    'keep /home/alice',
    'hide /home',
    'hide /root',
    'hide /etc/emperor/vassals',
    'hide /var/log/emperor',
  ]);
  expect(views(planned({ ...written, chdir: '/root' }, { run: { hide }, owner: ALICE }))).toContain(
    'hide /root',
  );
  expect(views(planned(written, { run: { hide } }))).toEqual([
    'keep /home/bob/project',
    'hide /home',
    'hide /root',
  ]);
});

test('a program or directory that the jail covers is said before it fails', () => {
  const spec = specOf({ command: '/tmp/app/run', chdir: '/run/app' });

  expect(jailNotes(spec, []).slice(0, 2)).toEqual([
    'the jail has a /run of its own: /run/app of the host is not in it',
    'the jail has a /tmp of its own: /tmp/app/run of the host is not in it',
  ]);
  expect(jailNotes(specOf({ chdir: '/tmp', unshare: 'mnt,net' }), [])).toEqual([]);
});
