import { vassalOptions } from '@emperor/vassal/options';
import { diffSpec } from '@emperor/vassal/spec/diff';
import { OPTION_VALUES } from '@emperor/vassal/spec/option-values';
import { revisionOf } from '@emperor/vassal/spec/revision';
import { expect, test } from 'vitest';
import { ALICE, hostFacts, specOf } from '../../../support/vassal-fixtures.ts';

const base = specOf({});

test('the same content is nothing and the same revision, wherever and in whatever order it is written', () => {
  const one = specOf({ umask: '027', 'memory-max': '1G' });
  const other = { ...specOf({ 'memory-max': '1024M', umask: '27' }), file: '/elsewhere.ini' };

  expect(diffSpec(one, other, vassalOptions)).toEqual({ kind: 'nothing' });
  expect(revisionOf(other)).toBe(revisionOf(one));
  expect(revisionOf(one)).toMatch(/^[0-9a-f]{16}$/);
});

test.each([
  [{ 'memory-max': '1G' }, { kind: 'live', changed: ['memory-max'] }],
  [
    { restart: 'never', 'log-rate': '10' },
    { kind: 'live', changed: ['restart', 'log-rate'] },
  ],
  [
    { env: 'A=1', restart: 'never' },
    { kind: 'reload', changed: ['env', 'restart'] },
  ],
  [{ command: 'false' }, { kind: 'reload', changed: ['command'] }],
  [{ 'limit-nofile': '100' }, { kind: 'reload', changed: ['limit-nofile'] }],
  [
    { hostname: 'x', env: 'A=1' },
    { kind: 'restart', changed: ['env', 'hostname'] },
  ],
])('adding %j is %j', (written, change) => {
  expect(diffSpec(base, specOf(written), vassalOptions)).toEqual(change);
  expect(diffSpec(specOf(written), base, vassalOptions).kind).toBe(change.kind);
});

test('another owner is a restart and another revision, even with the same content', () => {
  const theirs = { ...base, owner: ALICE };

  expect(diffSpec(base, theirs, vassalOptions)).toEqual({ kind: 'restart', changed: [] });
  expect(revisionOf(theirs)).not.toBe(revisionOf(base));
});

test('every option of the table changes the revision and is seen by the diff', () => {
  const changes: Record<string, string> = {
    command: 'false',
    chdir: '/srv',
    env: 'A=1',
    'env-file': '/e',
    umask: '077',
    autostart: 'no',
    uid: 'www-data',
    gid: '5',
    'add-gid': '5',
    cap: 'kill',
    'no-new-privs': 'no',
    securebits: 'noroot',
    'uid-map': '0 300000 65536',
    'gid-map': '0 300000 500000',
    unshare: 'mnt,pid,ipc,uts',
    'when-unsupported': 'warn',
    setns: '/run/netns/blue',
    'setns-socket': '/run/ns',
    'setns-socket-skip': 'net',
    'setns-preopen': 'yes',
    hostname: 'other',
    'private-tmp': 'no',
    'private-dev': 'no',
    proc: 'host',
    'protect-system': 'no',
    'hook-pre-jail': 'print:x',
    'hook-post-jail': 'print:x',
    'hook-as-root': 'print:x',
    'hook-as-user': 'print:x',
    'hook-post-stop': 'print:x',
    'hook-timeout': '8s',
    seccomp: 'default,~ptrace',
    'landlock-ro': '/srv',
    'landlock-rw': '/srv',
    'landlock-exec': '/srv',
    root: 'minimal',
    namespace: '/ns',
    'namespace-keep-mount': '/data',
    'pivot-root': '/ns /ns/old',
    chroot: '/ns',
    overlay: '/a::/b',
    bind: '/a:/b',
    'bind-ro': '/a:/b',
    tmpfs: '/a',
    mask: '/a',
    write: '/a',
    'protect-home': 'no',
    'memory-max': '1G',
    'cpu-max': '50%',
    'pids-max': '9',
    'memory-high': '1G',
    'swap-max': '1G',
    cpuset: '1',
    'io-max': '/dev/vda rbps=1M',
    cgroup: '/sys/fs/cgroup/pids/shop',
    'cgroup-opt': 'pids.max=7',
    ionice: 'idle',
    sched: 'batch',
    restart: 'never',
    'restart-delay': '1s',
    'restart-max-delay': '2s',
    'restart-max': '3',
    stable: '4s',
    'stop-signal': 'INT',
    'stop-timeout': '5s',
    'kill-mode': 'control-group',
    reload: 'signal',
    'reload-signal': 'USR1',
    ready: 'notify',
    'ready-timeout': '6s',
    watchdog: '7s',
    'start-after': 'db',
    'touch-reload': '/t',
    'log-max-size': '1M',
    'log-keep': '1',
    'log-rate': '1',
  };
  const needs: Record<string, Record<string, string>> = {
    'uid-map': { unshare: 'mnt,user', uid: '5' },
    'gid-map': { unshare: 'mnt,user', uid: '5' },
    'setns-socket-skip': { 'setns-socket': '/run/ns' },
    'setns-preopen': { 'setns-socket': '/run/ns' },
    'namespace-keep-mount': { namespace: '/ns' },
    'swap-max': { 'memory-max': '1G' },
  };
  // Control groups v1 have no memory-high.
  const { cgroups } = hostFacts();
  const v2 = { mount: '/c', own: '/c', controllers: new Set(['memory']) };
  const host = hostFacts({ cgroups: { ...cgroups, v2 } });
  for (const key of Object.keys(OPTION_VALUES)) {
    const before = specOf(needs[key] ?? {}, { host });
    const changed = specOf({ ...needs[key], [key]: changes[key] ?? '7' }, { host });

    expect([key, diffSpec(before, changed, vassalOptions)]).toMatchObject([
      key,
      { changed: expect.arrayContaining([key]) },
    ]);
    expect([key, revisionOf(changed) === revisionOf(before)]).toEqual([key, false]);
  }
});
