import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import { sharedEmperor } from '../support/emperor-under-test.ts';
import { peekLink, statusLine } from '../support/processes.ts';
import { runCommand } from '../support/run-command.ts';
import { waitUntil } from '../support/wait-until.ts';

const emperor = sharedEmperor();
const UWSGI = '/usr/bin/uwsgi-core';
const JOINED = ['mnt', 'pid', 'ipc', 'uts', 'net', 'cgroup'] as const;
const FULL = 'unshare = mnt,pid,ipc,uts,net,cgroup';

const socketPath = (): string => join(emperor.outDir, 'ns.sock');

async function offered(...lines: readonly string[]): Promise<number> {
  emperor.write(
    'offer.ini',
    emperor.probeFile('pause', FULL, 'hostname = offered', `setns-socket = ${socketPath()}`, ...lines),
  );
  return (await emperor.running('offer')).pid;
}

test('a vassal joins the jail of another over its socket: all of it, as its own user', async () => {
  const other = await offered();
  const facts = await emperor.facts('guest', ['list:/tmp'], `setns = ${socketPath()}`);
  const { pid, namespaces, uid } = await emperor.running('guest');

  expect(facts.get('hostname')).toBe('offered');
  for (const kind of JOINED)
    expect([kind, facts.get('ns', kind)]).toEqual([kind, readlinkSync(`/proc/${other}/ns/${kind}`)]);
  expect(namespaces).toEqual([]);
  expect(statusLine(pid, 'Uid')?.split('\t')[0]).toBe(String(uid));
  expect(statusLine(pid, 'NoNewPrivs')).toBe('1');
  for (const set of ['CapPrm', 'CapBnd', 'CapAmb']) expect(statusLine(pid, set)).toBe('0000000000000000');
});

test('the socket is root’s alone, follows the generations, and is gone with its vassal', async () => {
  const first = await offered('setns-preopen = yes');
  const { mode, uid } = statSync(socketPath());
  expect([mode & 0o7777, uid]).toEqual([0o600, 0]);

  await emperor.cli(['restart', 'offer']);
  const { pid } = await emperor.running('offer', first);
  const facts = await emperor.facts('guest', [], `setns = ${socketPath()}`);
  expect(facts.get('ns', 'uts')).toBe(readlinkSync(`/proc/${pid}/ns/uts`));

  emperor.remove('offer.ini');
  await emperor.forgotten('offer');
  expect(existsSync(socketPath())).toBe(false);
});

test('what is skipped is not handed out', async () => {
  await offered('setns-socket-skip = net,mnt');
  const facts = await emperor.facts('guest', [], `setns = ${socketPath()}`);

  for (const kind of ['net', 'mnt'])
    expect(facts.get('ns', kind)).toBe(readlinkSync(`/proc/self/ns/${kind}`));
  expect(facts.get('hostname')).toBe('offered');
});

test('the namespaces of a process are joined by its directory, and what unshare names is new', async () => {
  const other = await offered();
  const facts = await emperor.facts('guest', [], `setns = /proc/${other}/ns`, 'unshare = mnt,pid');

  for (const kind of ['ipc', 'uts', 'net', 'cgroup'])
    expect([kind, facts.get('ns', kind)]).toEqual([kind, readlinkSync(`/proc/${other}/ns/${kind}`)]);
  for (const kind of ['mnt', 'pid']) {
    expect(facts.get('ns', kind)).not.toBe(readlinkSync(`/proc/${other}/ns/${kind}`));
    expect(facts.get('ns', kind)).not.toBe(readlinkSync(`/proc/self/ns/${kind}`));
  }
});

test('one file joins one namespace; the rest of the default jail stays', async () => {
  const other = await offered();
  const facts = await emperor.facts('guest', [], `setns = /proc/${other}/ns/net`);

  expect(facts.get('ns', 'net')).toBe(readlinkSync(`/proc/${other}/ns/net`));
  expect((await emperor.running('guest')).namespaces).toEqual(['mnt', 'pid', 'ipc', 'uts', 'cgroup']);
  expect(facts.get('hostname')).toBe('guest');
});

test('a default that cannot apply falls away and plan says why; written in the file it is an error', async () => {
  emperor.write('guest.ini', emperor.probeFile('pause', 'setns = /proc/1/ns'));
  const { stdout } = await emperor.cli(['plan', emperor.path('guest.ini')]);
  expect(stdout).toMatch(/unshare = none.*setns joins mnt,pid,ipc,uts,cgroup/);
  expect(stdout).toMatch(/private-tmp = false.*needs mnt in unshare/);

  emperor.write('other.ini', emperor.probeFile('pause', 'setns = /proc/1/ns', 'private-tmp = yes'));
  await emperor.waitFor('other', ({ state }) => state === 'failed');
  expect(await emperor.diagnostics('other')).toContain('other.ini:4 private-tmp needs mnt in unshare');

  emperor.write('both.ini', emperor.probeFile('pause', 'setns = /proc/1/ns/net', 'unshare = net'));
  await emperor.waitFor('both', ({ state }) => state === 'failed');
  expect(await emperor.diagnostics('both')).toContain('both.ini:3 setns joins net, and unshare makes it too');
});

test('mounts that a user made for himself are not joined with the power of root', async () => {
  const mallory = { uid: 5, gid: 60 } as const;
  const his = spawn(
    'unshare',
    ['-Urm', 'sh', '-c', 'mount --bind /etc /usr/local/bin; echo; exec sleep 60'],
    {
      ...mallory,
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  onTestFinished(() => void his.kill('SIGKILL'));
  await once(his.stdout, 'data');

  for (const path of [`/proc/${his.pid}/ns`, `/proc/${his.pid}/ns/mnt`]) {
    emperor.write(
      'guest.ini',
      emperor.probeFile('pause', `setns = ${path}`, 'hook-post-jail = print:hooked'),
    );
    const guest = await emperor.waitFor('guest', ({ state }) => state === 'backing-off');
    expect(guest.note).toMatch(/the mounts belong to a user namespace that is not joined.*EPERM/);
    expect(emperor.log('guest')).toEqual([]);
    emperor.remove('guest.ini');
    await emperor.forgotten('guest');
  }
  // Files of a host's root in a namespace without one would be open to whoever owns that.
  const rootless = spawn(
    'unshare',
    ['--user', '--map-user=5', '--map-group=60', 'sh', '-c', 'echo; exec sleep 60'],
    {
      ...mallory,
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  onTestFinished(() => void rootless.kill('SIGKILL'));
  await once(rootless.stdout, 'data');
  emperor.write('guest.ini', emperor.probeFile('pause', `setns = /proc/${rootless.pid}/ns/user`));
  const guest = await emperor.waitFor('guest', ({ state }) => state === 'backing-off');
  expect(guest.note).toMatch(/the user namespace has no gid 0/);
});

test('what is not there is said, with what to do', async () => {
  emperor.write('guest.ini', emperor.probeFile('pause', `setns = ${socketPath()}`));

  const { note } = await emperor.waitFor('guest', (seen) => seen.note !== null);
  expect(note).toContain(socketPath());
  expect(note).toContain('namespaces');
});

describe.skipIf(!existsSync(UWSGI))('uwsgi 2.0.21', () => {
  let uwsgi: ChildProcess | undefined;

  afterEach(() => {
    // Its worker as well, which outlives it otherwise.
    if (uwsgi?.pid !== undefined) process.kill(-uwsgi.pid, 'SIGKILL');
    uwsgi = undefined;
  });

  test('is the one of Debian', () => {
    expect(execFileSync(UWSGI, ['--version'], { encoding: 'utf8' })).toContain('2.0.21');
  });

  test.each(['', 'setns-preopen = yes'])('uwsgi joins the jail of our vassal %s', async (line) => {
    const other = await offered(...(line === '' ? [] : [line]));
    const hook = `hostname > ${join(emperor.outDir, 'seen')}; readlink /proc/self/ns/net >> ${join(emperor.outDir, 'seen')}`;

    // Without a socket to serve it ends after its hooks.
    await runCommand([UWSGI, '--setns', socketPath(), '--hook-as-root', `exec:${hook}`]);

    const seen = readFileSync(join(emperor.outDir, 'seen'), 'utf8').trim().split('\n');
    rmSync(join(emperor.outDir, 'seen'));
    expect(seen).toEqual(['offered', readlinkSync(`/proc/${other}/ns/net`)]);
  });

  test('our vassal joins the namespaces of uwsgi', async () => {
    const args = ['--unshare', 'uts,ipc,net', '--hook-post-jail', 'hostname:wsgi-host', '--master'];
    uwsgi = spawn(
      UWSGI,
      [...args, '--setns-socket', socketPath(), '--socket', join(emperor.outDir, 'app.sock')],
      { stdio: 'ignore', detached: true },
    );
    const pid = uwsgi.pid ?? 0;
    await waitUntil('the socket of uwsgi', () => (existsSync(socketPath()) ? true : undefined));

    const facts = await emperor.facts('guest', [], `setns = ${socketPath()}`);

    expect(facts.get('hostname')).toBe('wsgi-host');
    for (const kind of JOINED)
      expect([kind, facts.get('ns', kind)]).toEqual([kind, peekLink(`/proc/${pid}/ns/${kind}`)]);
    for (const file of ['ns.sock', 'app.sock']) rmSync(join(emperor.outDir, file), { force: true });
  });
});
