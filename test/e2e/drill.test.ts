import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { DrillAttemptJson, DrillJson } from '@emperor/common/control/proof';
import { expect, onTestFinished, test } from 'vitest';
import { sharedEmperor } from '../support/emperor-under-test.ts';
import { peekDir } from '../support/processes.ts';
import { waitUntil } from '../support/wait-until.ts';

const emperor = sharedEmperor();

async function drill(name: string): Promise<DrillJson> {
  const { code, stdout, stderr } = await emperor.cli(['drill', name, '--json']);
  if (stdout === '') throw new Error(stderr);
  const found: DrillJson = JSON.parse(stdout);
  expect(code).toBe(found.holds ? 0 : 1);
  return found;
}

async function drillOf(...lines: readonly string[]): Promise<DrillJson> {
  emperor.write('blog.ini', emperor.probeFile('pause', ...lines));
  await emperor.running('blog');
  return drill('blog');
}

function allowed({ attempts }: DrillJson): readonly string[] {
  return attempts.filter(({ verdict }) => verdict === 'allowed').map(({ name }) => name);
}

function unexpected({ attempts }: DrillJson): readonly string[] {
  return attempts.filter(({ ok }) => !ok).map(({ name, verdict, detail }) => `${name} ${verdict} ${detail}`);
}

function attempt({ attempts }: DrillJson, name: string): DrillAttemptJson | undefined {
  return attempts.find((each) => each.name === name);
}

test('nothing gets out of a default jail, and the vassal does not notice', async () => {
  const found = await drillOf('pids-max = 100');
  const before = await emperor.running('blog');

  const again = await drill('blog');

  expect({ failure: found.failure, notes: found.notes, wrong: unexpected(found) }).toEqual({
    failure: null,
    notes: [],
    wrong: [],
  });
  expect(allowed(found)).toEqual(['loopback']);
  expect(attempt(found, 'fork-bomb')).toMatchObject({ verdict: 'denied', errno: 'EAGAIN' });
  expect(found.attempts.length).toBeGreaterThan(50);
  expect(again.holds).toBe(true);
  expect(await emperor.running('blog')).toMatchObject({
    pid: before.pid,
    restarts: 0,
    generation: before.generation,
  });
  expect(peekDir(emperor.runDir).filter((entry) => entry.startsWith('drill'))).toEqual([]);
});

test('with a net namespace and a strict system nothing at all is allowed', async () => {
  const found = await drillOf(
    'unshare = mnt,pid,ipc,uts,cgroup,net',
    'protect-system = strict',
    'memory-max = 64M',
  );

  expect(found.attempts.filter(({ verdict }) => verdict !== 'denied')).toEqual([]);
});

test('a weak jail fails visibly: 1, and the ways out are named', async () => {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
  const found = await drillOf('unshare = none', 'protect-system = no', 'cap = sys_admin');

  const { code, stdout } = await emperor.cli(['drill', 'blog']);

  expect(code).toBe(1);
  expect(found.holds).toBe(false);
  expect(unexpected(found).map((text) => text.split(' ')[0])).toEqual(
    expect.arrayContaining([
      'mount',
      'open-tree',
      'unmount',
      'set-hostname',
      'sysv-ipc',
      'proc-of-others',
      'tmp-of-others',
    ]),
  );
  expect(stdout).toMatch(/^! allowed +mount .*not expected/m);
  expect(readFileSync('/proc/self/mountinfo', 'utf8')).toBe(mounts);
});

test('what the operator granted may be allowed, and is told with the reason', async () => {
  const found = await drillOf('cap = mknod,net_raw,sys_admin', 'no-new-privs = no');

  expect(unexpected(found)).toEqual([]);
  expect(attempt(found, 'raw-socket')).toMatchObject({
    verdict: 'allowed',
    reason: 'cap = net_raw',
    ok: true,
  });
  expect(attempt(found, 'mknod')).toMatchObject({ verdict: 'allowed', reason: 'cap = mknod' });
  expect(attempt(found, 'mount')).toMatchObject({ verdict: 'allowed' });
  expect(attempt(found, 'kernel-module')).toMatchObject({ verdict: 'denied', expected: 'denied' });
});

const JAILS: readonly (readonly string[])[] = [
  ['uid = root'],
  ['uid = nobody', 'seccomp = none'],
  ['private-tmp = no', 'private-dev = no', 'protect-system = no'],
  ['proc = host'],
  ['root = minimal', 'bind-ro = /srv'],
  ['unshare = mnt,pid,ipc,uts,cgroup,net,user,time', 'uid = root', 'cap = sys_admin'],
  ['landlock-ro = /', 'tcp-connect = none', 'uid = nobody'],
  ['cap = sys_chroot,setuid,sys_ptrace', 'uid = nobody'],
];
test.each(JAILS)('%s %s: nothing unexpected', async (...lines) => {
  const found = await drillOf(...lines);

  expect({ failure: found.failure, wrong: unexpected(found) }).toEqual({ failure: null, wrong: [] });
});

test('what a list of the operator refuses to the prober itself is refused to the attempt', async () => {
  const found = await drillOf('seccomp = default, ~pipe2', 'pids-max = 100');

  expect({ failure: found.failure, wrong: unexpected(found) }).toEqual({ failure: null, wrong: [] });
  expect(attempt(found, 'mount')).toMatchObject({ verdict: 'skipped', errno: 'EPERM', ok: true });
});

test('another process of the same uid cannot write the results', async () => {
  const uid = 987_654;
  const loop = `for p in /proc/[0-9]*; do [ -O $p ] && [ $p != /proc/$$ ] && echo forged > $p/fd/1 && echo wrote; done`;
  const forger = spawn('sh', ['-c', `while :; do ${loop}; done 2>/dev/null`], {
    ...{ uid, gid: uid, stdio: ['ignore', 'pipe', 'ignore'] },
  });
  onTestFinished(() => void forger.kill('SIGKILL'));
  let said = '';
  forger.stdout?.on('data', (data) => {
    said += String(data);
  });

  emperor.write('blog.ini', emperor.probeFile('pause', `uid = ${uid}`, `gid = ${uid}`, 'autostart = no'));
  await emperor.waitFor('blog', ({ state }) => state === 'stopped');
  const found = await drill('blog');

  expect([found.failure, unexpected(found)]).toEqual([null, []]);
  expect(said).toBe('');
});

test('what is left of a drill whose emperor died is taken away by the next one, and the vassal lives on', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause'));
  const { pid } = await emperor.running('blog');
  const left = () => peekDir(emperor.runDir).filter((entry) => entry.startsWith('drill-'));
  const asked = emperor.cli(['drill', 'blog']);
  await waitUntil(
    async () => 'a drill to begin',
    () => (left().length > 0 ? true : undefined),
  );

  await emperor.kill9();
  await asked;
  await emperor.start();

  expect(await emperor.running('blog')).toMatchObject({ pid });
  await waitUntil(
    async () => `the drill to be taken away: ${left().join(' ')}`,
    () => (left().length === 0 ? true : undefined),
  );
  expect((await drill('blog')).holds).toBe(true);
});

test('a vassal that does not run is drilled all the same; a copy that cannot be built says why', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause', 'autostart = no'));
  emperor.write('shop.ini', emperor.probeFile('pause', 'autostart = no', 'chdir = /no/such/directory'));
  await emperor.waitFor('blog', ({ state }) => state === 'stopped');
  await emperor.waitFor('shop', ({ state }) => state === 'stopped');

  expect((await drill('blog')).holds).toBe(true);
  expect(await drill('shop')).toMatchObject({
    holds: false,
    failure: expect.stringContaining('/no/such/directory'),
    attempts: [],
  });
  expect(await emperor.cli(['drill', 'nobody'])).toMatchObject({ code: 4 });
});
