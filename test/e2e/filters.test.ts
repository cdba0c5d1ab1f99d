import { chmodSync, chownSync, existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { architectureOf, CALL_TABLES } from '../../packages/vassal/src/seccomp/architecture.ts';
import { sharedEmperor, vassalFile } from '../support/emperor-under-test.ts';
import { freePort } from '../support/free-port.ts';
import { peek } from '../support/processes.ts';

const emperor = sharedEmperor();
const { numbers } = CALL_TABLES[architectureOf(process.arch) ?? 'x86-64'];
const TENANT = { uid: 5, gid: 60 };
const hasAppArmor = peek('/sys/module/apparmor/parameters/enabled')?.trim() === 'Y';
const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** `mount:0:0` as the attempt of the probe. */
function call(text: string): string {
  const [name = '', ...rest] = text.split(':');
  return `call:${[numbers.get(name) ?? name, ...rest].join(':')}`;
}

async function outcomes(
  calls: readonly string[],
  ...lines: readonly string[]
): Promise<Record<string, string>> {
  const facts = await emperor.facts('blog', calls.map(call), ...lines);
  const seen = facts.all('call');
  return Object.fromEntries(
    calls.map((text) => [text, seen.get(call(text).slice('call:'.length)) ?? 'nothing']),
  );
}

async function listening(): Promise<number> {
  const port = await freePort();
  const server = createServer((peer) => peer.destroy());
  servers.push(server);
  await new Promise<void>((resolve) => {
    server.listen(port, '127.0.0.1', resolve);
  });
  return port;
}

/** A tenant's file, its own from the first moment on. */
function writeAsTenant(file: string, text: string): void {
  const staged = emperor.path(`.${file}.tmp`);
  writeFileSync(staged, text, { mode: 0o644 });
  chownSync(staged, TENANT.uid, TENANT.gid);
  renameSync(staged, emperor.path(file));
}

function ask(port: number, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const peer = connect(port, '127.0.0.1', () => peer.write(request));
    peer.once('data', (bytes: Buffer) => {
      peer.destroy();
      resolve(bytes.toString());
    });
    peer.once('error', reject);
  });
}

const NEW_USER = '0x10000000';

test('every app runs under a filter', async () => {
  const facts = await emperor.facts('blog', []);

  expect(facts.get('status', 'Seccomp')).toBe('2');
});

test('the default list denies what no program needs', async () => {
  expect(
    await outcomes([
      'mount:0:0:0:0:0',
      'ptrace:0',
      'bpf:0:0:0',
      'keyctl:0:-3:0',
      'init_module:0:0:0',
      `unshare:${NEW_USER}`,
      `clone:0x10000011:0:0:0:0`,
      'clone3:0:0',
      'ioctl:0:0x5412:0',
      'personality:0x40000',
      'socket:40:1:0',
      'getppid',
      'unshare:0x400',
      'clone:17:0:0:0:0',
    ]),
  ).toEqual({
    'mount:0:0:0:0:0': 'EPERM',
    'ptrace:0': 'EPERM',
    'bpf:0:0:0': 'EPERM',
    'keyctl:0:-3:0': 'EPERM',
    'init_module:0:0:0': 'EPERM',
    [`unshare:${NEW_USER}`]: 'EPERM',
    'clone:0x10000011:0:0:0:0': 'EPERM',
    'clone3:0:0': 'ENOSYS',
    'ioctl:0:0x5412:0': 'EPERM',
    'personality:0x40000': 'EPERM',
    'socket:40:1:0': 'EPERM',
    getppid: 'ok',
    'unshare:0x400': 'ok',
    'clone:17:0:0:0:0': 'ok',
  });
});

test.skipIf(!existsSync('/usr/bin/redis-server'))('redis serves under the default list', async () => {
  const port = await freePort();
  emperor.write(
    'redis.ini',
    vassalFile(`redis-server --port ${port} --bind 127.0.0.1 --save '' --dir /tmp`, `ready = tcp:${port}`),
  );
  await emperor.running('redis');

  expect(await ask(port, 'PING\r\nSAVE\r\n')).toContain('+PONG');
});

test.each([
  ['perl', 'perl -e "print qq(done\\n)"'],
  ['java', 'java -version'],
  ['php', 'php -r "echo 1;"'],
  ['ruby', 'ruby -e "Thread.new { puts 1 }.join"'],
  ['python3', 'python3 -c "import multiprocessing as m; m.Pool(2).map(abs, [1])"'],
  ['node', 'node -e "new (require(`worker_threads`).Worker)(``, { eval: true })"'],
])('%s, where it is, runs to its end under the default list', async (program, command) => {
  if (!existsSync(`/usr/bin/${program}`)) return;
  emperor.write('blog.ini', vassalFile(command, 'restart = never'));

  const { lastExit } = await emperor.waitFor('blog', (seen) => seen.lastExit !== null);
  expect(`${program} ${JSON.stringify(lastExit)}\n${emperor.log('blog').join('\n')}`).toContain('"code":0');
});

test('hooks as the user run under a narrow list', async () => {
  emperor.write(
    'blog.ini',
    vassalFile(
      'sleep 100',
      'seccomp = @default, @basic-io, @file-system',
      'hook-as-user = exec:/bin/echo hooked',
    ),
  );

  await emperor.running('blog');
  expect(await emperor.printed('blog', 'hooked')).toEqual(['hooked']);
});

test('seccomp = none loads no filter', async () => {
  const facts = await emperor.facts('blog', [call(`unshare:${NEW_USER}`)], 'seccomp = none');

  expect(facts.get('status', 'Seccomp')).toBe('0');
  expect(facts.all('call').get(`${numbers.get('unshare')}:${NEW_USER}`)).toBe('ok');
});

test('without no-new-privs the default falls away', async () => {
  const facts = await emperor.facts('blog', [], 'no-new-privs = no');

  expect(facts.get('status', 'Seccomp')).toBe('0');
});

test('a list adds to the default and takes from it', async () => {
  expect(
    await outcomes(['sync', 'ptrace:0', 'mount:0:0:0:0:0'], 'seccomp = default, ptrace', 'seccomp = ~@sync'),
  ).toEqual({ sync: 'EPERM', 'ptrace:0': 'ok', 'mount:0:0:0:0:0': 'EPERM' });
});

test('a capability brings its calls along', async () => {
  const seen = await outcomes(['mount:0:0:0:0:0', 'ptrace:16:999999'], 'cap = sys_ptrace');

  expect(seen).toEqual({ 'mount:0:0:0:0:0': 'EPERM', 'ptrace:16:999999': 'ESRCH' });
});

test('a file of words of root is a list; one that others may write is refused', async () => {
  const list = join(emperor.appDir, 'list.seccomp');
  writeFileSync(list, '# for the tests\ndefault\n~sync\n', { mode: 0o644 });
  expect(await outcomes(['sync'], `seccomp = ${list}`)).toEqual({ sync: 'EPERM' });

  chmodSync(list, 0o666);
  emperor.write('loose.ini', vassalFile('sleep 100', `seccomp = ${list}`));
  const { diagnostics } = await emperor.waitFor('loose', ({ state }) => state === 'failed');
  expect(diagnostics[0]).toMatchObject({ key: 'seccomp', line: 3 });
  expect(diagnostics[0]?.message).toBe(`${list} is writable by its group or by others`);
});

test('Landlock lists close everything else, and what programs need stays open', async () => {
  const at = (name: string): string => join(emperor.outDir, name);
  for (const name of ['ro', 'rw', 'run', 'shut']) {
    mkdirSync(at(name), { recursive: true, mode: 0o777 });
    chmodSync(at(name), 0o777);
    writeFileSync(at(`${name}/script`), '#!/bin/sh\nexit 0\n');
    chmodSync(at(`${name}/script`), 0o777);
  }
  const attempts = ['ro', 'rw', 'run', 'shut'].flatMap((name) => [
    `list:${at(name)}`,
    `write:${at(name)}`,
    `read:${at(name)}/script`,
    `exec:${at(name)}/script`,
  ]);
  const facts = await emperor.facts(
    'blog',
    [
      ...attempts,
      'write:/tmp',
      'read:/etc/hostname',
      'exec:/bin/true',
      'open-write:/dev/null',
      'read:/proc/self/stat',
    ],
    `landlock-ro = ${at('ro')}`,
    `landlock-rw = ${at('rw')}`,
    `landlock-exec = ${at('run')}`,
  );

  const rights = (name: string): readonly (string | undefined)[] => [
    facts.get('list', at(name)),
    facts.get('write', at(name)),
    facts.get('read', at(`${name}/script`)),
    facts.get('exec', at(`${name}/script`)),
  ];
  expect(rights('ro')).toEqual(['ok', 'EACCES', 'ok', 'EACCES']);
  expect(rights('rw')).toEqual(['ok', 'ok', 'ok', 'EACCES']);
  expect(rights('run')).toEqual(['ok', 'EACCES', 'ok', 'ok']);
  expect(rights('shut')).toEqual(['EACCES', 'EACCES', 'EACCES', 'EACCES']);
  expect(facts.get('write', '/tmp')).toBe('ok');
  expect(facts.get('read', '/etc/hostname')).toBe('ok');
  expect(facts.get('exec', '/bin/true')).toBe('ok');
  expect(facts.get('open-write', '/dev/null')).toBe('ok');
  expect(facts.get('read', '/proc/self/stat')).toBe('ok');
});

test('an interpreter with its libraries runs under Landlock lists, becomes ready and notifies', async () => {
  emperor.write(
    'python.ini',
    vassalFile(
      `python3 -c "import json, socket, os; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.sendto(b'READY=1', os.environ['NOTIFY_SOCKET']); print('told', flush=True); import time; time.sleep(100)"`,
      `landlock-rw = ${emperor.outDir}`,
      'ready = notify',
    ),
  );

  expect((await emperor.running('python')).ready).toBe(true);
});

test('a path of a list that is not there fails the launch and is named', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause', 'landlock-ro = /srv/no/such', 'restart-max = 1'));

  await emperor.waitFor('blog', ({ state }) => state === 'failed' || state === 'backing-off');
  const { stdout } = await emperor.cli(['why', 'blog']);
  expect(stdout).toContain('there is no /srv/no/such inside the jail, which a landlock list names');
});

test('TCP ports outside the lists can neither be bound nor reached', async () => {
  const [open, shut] = [await listening(), await listening()];
  const [mine, other] = [await freePort(), await freePort()];
  const facts = await emperor.facts(
    'blog',
    [`bind:${mine}`, `bind:${other}`, `tcp:${open}`, `tcp:${shut}`],
    `tcp-bind = ${mine}`,
    `tcp-connect = ${open}`,
  );

  expect([facts.get('bind', String(mine)), facts.get('bind', String(other))]).toEqual(['ok', 'EACCES']);
  expect([facts.get('tcp', String(open)), facts.get('tcp', String(shut))]).toEqual(['ok', 'EACCES']);
});

test('tcp-connect = none leaves the probe of ready = tcp alone', async () => {
  const port = await freePort();
  emperor.write('blog.ini', emperor.probeFile(`listen ${port}`, `ready = tcp:${port}`, 'tcp-connect = none'));

  expect((await emperor.running('blog')).ready).toBe(true);
});

test.skipIf(hasAppArmor)(
  'a profile of a module that the kernel does not run is refused, said as asked and given',
  async () => {
    emperor.write('blog.ini', emperor.probeFile('pause', 'apparmor = web', 'selinux = a:b:c:d'));

    await emperor.waitFor('blog', ({ state }) => state === 'failed');
    expect(await emperor.diagnostics('blog')).toEqual([
      'blog.ini:3 apparmor asked apparmor=web, kernel gives none: AppArmor is not active',
      'blog.ini:4 selinux asked selinux=a:b:c:d, kernel gives none: SELinux is not active',
    ]);
  },
);

test.each([
  ['seccomp', 'none'],
  ['tcp-bind', '80'],
  ['tcp-connect', 'none'],
  ['apparmor', 'web'],
  ['selinux', 'a:b:c:d'],
])('a tenant is refused %s', async (key, value) => {
  writeAsTenant('theirs.ini', emperor.probeFile('pause', `${key} = ${value}`));

  const { diagnostics } = await emperor.waitFor('theirs', ({ state }) => state === 'failed');
  expect(diagnostics[0]).toMatchObject({ key, line: 3 });
  expect(diagnostics[0]?.message).toContain('only the operator may set this');
});

test('a tenant closes files to its own app', async () => {
  mkdirSync(join(emperor.outDir, 'shut'), { recursive: true, mode: 0o777 });
  writeAsTenant(
    'theirs.ini',
    emperor.probeFile(`facts list:${emperor.outDir}/shut list:/usr`, 'landlock-ro = /usr', 'chdir = /'),
  );

  const lines = (await emperor.printed('theirs', 'facts end')).join('\n');
  expect(lines).toContain(`"fact":"list","key":"${emperor.outDir}/shut","value":"EACCES"`);
  expect(lines).toContain('"fact":"list","key":"/usr","value":"ok"');
});
