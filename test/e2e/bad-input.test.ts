import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { sharedEmperor, vassalFile } from '../support/emperor-under-test.ts';
import { pauseMs, waitUntil } from '../support/wait-until.ts';

const TENANT = { name: 'games', uid: 5, gid: 60 };
const emperor = sharedEmperor();

/** The first diagnostic of a vassal that must not run. */
async function refusal(name: string) {
  const vassal = await emperor.waitFor(name, (seen) =>
    seen.diagnostics.some(({ severity }) => severity === 'error'),
  );
  expect(vassal).toMatchObject({ name, state: 'failed', pid: null });
  return vassal.diagnostics[0];
}

test.each([
  { what: 'an unknown key', lines: ['colour = blue'], line: 3, key: 'colour', message: /unknown/ },
  {
    what: 'a key that is nearly right',
    lines: ['memory_maxx = 1M'],
    line: 3,
    key: 'memory-maxx',
    message: /unknown/,
  },
  {
    what: 'a repeated key that is no list',
    lines: ['umask = 022', 'umask = 027'],
    line: 4,
    key: 'umask',
    message: /repeat|twice|once|already/,
  },
  { what: 'a bad size', lines: ['memory-max = 12 parsecs'], line: 3, key: 'memory-max', message: /512M/ },
  {
    what: 'a bad duration',
    lines: ['stop-timeout = soon'],
    line: 3,
    key: 'stop-timeout',
    message: /10s|duration/,
  },
  {
    what: 'an unknown user',
    lines: ['uid = no-such-user-here'],
    line: 3,
    key: 'uid',
    message: /no-such-user-here|user/,
  },
  {
    what: 'an unknown capability',
    lines: ['cap = fly_to_moon'],
    line: 3,
    key: 'cap',
    message: /fly_to_moon|capabilit/,
  },
  {
    what: 'an unknown namespace',
    lines: ['unshare = mnt,moon'],
    line: 3,
    key: 'unshare',
    message: /moon|namespace|mnt, pid/,
  },
  {
    what: 'an option of an absent namespace',
    lines: ['unshare = none', 'hostname = blog'],
    line: 4,
    key: 'hostname',
    message: /uts/,
  },
  {
    what: 'an unknown signal',
    lines: ['stop-signal = SIGNOPE'],
    line: 3,
    key: 'stop-signal',
    message: /signal/,
  },
  { what: 'a relative chdir', lines: ['chdir = here'], line: 3, key: 'chdir', message: /absolute/ },
  {
    what: 'an unknown placeholder',
    lines: ['chdir = /srv/%(colour)'],
    line: 3,
    key: 'chdir',
    message: /colour|placeholder/,
  },
])('$what is refused with its line and key', async ({ lines, line, key, message }) => {
  emperor.write('blog.ini', emperor.probeFile('pause', ...lines));

  const diagnostic = await refusal('blog');

  expect(diagnostic).toMatchObject({ file: emperor.path('blog.ini'), line, key });
  expect(diagnostic?.message).toMatch(message);
});

test('the nearest known key is named', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause', 'memory-mx = 1M'));

  const diagnostic = await refusal('blog');

  expect(`${diagnostic?.message} ${diagnostic?.hint}`).toContain('memory-max');
});

test('an unknown section is refused with its line', async () => {
  emperor.write('blog.ini', `${emperor.probeFile('pause')}[vasal]\nx = 1\n`);

  const diagnostic = await refusal('blog');

  expect(diagnostic).toMatchObject({ line: 3 });
  expect(diagnostic?.message).toContain('vasal');
});

test('a missing command is refused', async () => {
  emperor.write('blog.ini', '[vassal]\numask = 022\n');

  const diagnostic = await refusal('blog');

  expect(diagnostic).toMatchObject({ key: 'command' });
  expect(diagnostic?.hint ?? diagnostic?.message).toMatch(/command/);
});

test.each([
  ['an empty file', ''],
  ['a file without a section', 'command = /bin/true\n'],
  ['a line that is neither key nor section', '[vassal]\nwhat is this\n'],
  ['a key named __proto__', '[vassal]\n__proto__ = x\ncommand = /bin/true\n'],
  ['an open quote', '[vassal]\ncommand = "/bin/true\n'],
])('%s is refused', async (_what, text) => {
  emperor.write('blog.ini', text);

  expect((await refusal('blog'))?.file).toBe(emperor.path('blog.ini'));
});

test('a diagnostic does not quote a line that is not key = value', async () => {
  emperor.write('blog.ini', '[vassal]\nroot:$6$secrethash:19000\n');

  expect(JSON.stringify(await refusal('blog'))).not.toContain('secrethash');
});

test('a FIFO is refused and blocks nothing', async () => {
  execFileSync('mkfifo', [emperor.path('blog.ini')]);

  expect((await refusal('blog'))?.message).toMatch(/regular/);

  emperor.write('other.ini', emperor.probeFile('pause'));
  await emperor.running('other');
});

test('a directory with the name of a vassal file is refused', async () => {
  mkdirSync(emperor.path('blog.ini'));

  expect((await refusal('blog'))?.message).toMatch(/regular/);
});

test('a file beyond 64 KiB is refused, however big', async () => {
  const staged = `${emperor.base}/staged`;
  writeFileSync(staged, '[vassal]\ncommand = /bin/true\n');
  execFileSync('truncate', ['-s', '8G', staged]);
  renameSync(staged, emperor.path('blog.ini'));

  expect((await refusal('blog'))?.message).toMatch(/64|big|large|size/i);
});

test('a binary file is refused', async () => {
  emperor.write('blog.ini', `[vassal]\ncommand = /bin/true\0\u0001\n`);

  expect((await refusal('blog'))?.message).toMatch(/NUL|binary|UTF-8|text/i);
});

test('a file that is not UTF-8 is refused', async () => {
  writeFileSync(emperor.path('blog.ini'), Buffer.from('[vassal]\ncommand = /bin/\xff\xfe\n', 'latin1'));

  expect((await refusal('blog'))?.message).toMatch(/UTF-8/i);
});

test.each([
  ['its group', 0o664],
  ['everybody', 0o646],
])('a file that %s may write is refused', async (_who, mode) => {
  emperor.write('blog.ini', emperor.probeFile('pause'));
  await emperor.running('blog');
  emperor.remove('blog.ini');
  await emperor.forgotten('blog');
  writeFileSync(`${emperor.base}/staged`, emperor.probeFile('pause'));
  chmodSync(`${emperor.base}/staged`, mode);
  renameSync(`${emperor.base}/staged`, emperor.path('blog.ini'));

  const diagnostic = await refusal('blog');

  expect(diagnostic?.message).toMatch(/writ/);
  expect(`${diagnostic?.message} ${diagnostic?.hint}`).toMatch(/chmod|group|other/);
});

test('a file with a second hard link is refused', async () => {
  const twin = `${emperor.base}/twin`;
  writeFileSync(twin, emperor.probeFile('pause'));
  linkSync(twin, emperor.path('blog.ini'));

  expect((await refusal('blog'))?.message).toMatch(/link/);

  rmSync(twin);
});

test('a symlink that a tenant made is refused', async () => {
  writeFileSync(`${emperor.base}/target`, emperor.probeFile('pause'));
  symlinkSync(`${emperor.base}/target`, `${emperor.base}/staged`);
  lchownSync(`${emperor.base}/staged`, TENANT.uid, TENANT.gid);
  renameSync(`${emperor.base}/staged`, emperor.path('blog.ini'));

  expect((await refusal('blog'))?.message).toMatch(/link|own/);
});

test.each([
  'uid = root',
  'cap = net_admin',
  'add-gid = shadow',
  'no-new-privs = no',
  'unshare = none',
  'protect-system = no',
])('a file owned by a tenant may not say %s', async (line) => {
  const staged = `${emperor.base}/staged`;
  writeFileSync(staged, emperor.probeFile('pause', line));
  chownSync(staged, TENANT.uid, TENANT.gid);
  renameSync(staged, emperor.path('blog.ini'));

  const diagnostic = await refusal('blog');

  expect(diagnostic).toMatchObject({ line: 3, key: line.split(' ')[0] });
  expect(diagnostic?.message).toMatch(/operator|tenant|not permitted|may/);
});

test('a file owned by a uid without an account is refused', async () => {
  const staged = `${emperor.base}/staged`;
  writeFileSync(staged, emperor.probeFile('pause'));
  chownSync(staged, 54_321, 54_321);
  renameSync(staged, emperor.path('blog.ini'));

  expect((await refusal('blog'))?.message).toMatch(/54321/);
});

test.each([
  {
    what: 'a missing executable',
    line: 'umask = 022',
    stage: 'exec',
    errno: 'ENOENT',
    object: '/srv/no/such/program',
  },
  { what: 'a file that is no program', line: 'umask = 022', stage: 'exec', errno: 'EACCES', object: '/data' },
  {
    what: 'a missing directory',
    line: 'chdir = /srv/not-there',
    stage: 'chdir',
    errno: 'ENOENT',
    object: '/srv/not-there',
  },
  {
    what: 'a missing env-file',
    line: 'env-file = /srv/none',
    stage: 'env-file',
    errno: 'ENOENT',
    object: '/srv/none',
  },
])('$what is told with stage, errno and object', async ({ line, stage, errno, object }) => {
  writeFileSync(`${emperor.appDir}/data`, 'x', { mode: 0o644 });
  const program = object === '/data' ? `${emperor.appDir}/data` : object;
  emperor.write('blog.ini', vassalFile(stage === 'exec' ? program : emperor.probe, line));
  await emperor.waitFor('blog', (seen) => seen.state === 'backing-off');

  const { answer, hint, history } = await emperor.why('blog');

  expect(answer).toContain(object);
  const told = `${answer} ${hint} ${JSON.stringify(history)}`;
  expect(told).toMatch(new RegExp(`\\b${stage}\\b`));
  expect(told).toContain(errno);
  expect(hint).not.toBeNull();
});

test('a launch that fails has run no tenant code', async () => {
  const proof = `${emperor.outDir}/ran`;
  emperor.write('blog.ini', emperor.probeFile(`facts touch:${proof}`, 'env-file = /srv/not-there.env'));
  await emperor.waitFor('blog', (seen) => seen.state === 'backing-off' || seen.state === 'failed');

  expect(existsSync(proof)).toBe(false);
  expect(emperor.log('blog')).toEqual([]);
});

/** Send bytes to the control socket, read what comes back until it closes or `quietMs` pass without a word. */
function sendRaw(bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let reply = '';
    const socket = connect(emperor.socket, () => socket.write(bytes));
    socket.setTimeout(3_000, () => socket.destroy());
    socket.on('data', (piece) => {
      reply += piece.toString();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(reply));
  });
}

test.each([
  ['bytes that are no HTTP', '\u0000\u0001\u0002 nonsense\r\n\r\n', /^HTTP\/1.1 4|^$/],
  ['an unknown path', 'GET /v1/nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', /^HTTP\/1.1 404/],
  [
    'an unknown action',
    'POST /v1/vassals/x/explode HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    /^HTTP\/1.1 4/,
  ],
  [
    'an illegal name',
    'GET /v1/vassals/..%2fetc HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    /^HTTP\/1.1 4/,
  ],
  ['a wrong method', 'DELETE /v1/vassals HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', /^HTTP\/1.1 4/],
  [
    'endless headers',
    `GET / HTTP/1.1\r\n${'X-Long: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n'.repeat(4_000)}\r\n`,
    /^HTTP\/1.1 4|^$/,
  ],
  [
    'a huge body',
    `POST /v1/vassals/x/stop HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 9999999\r\n\r\n${'x'.repeat(2_000_000)}`,
    /^HTTP\/1.1 4|^$/,
  ],
])('%s on the control socket gets a clear refusal and harms nobody', async (_what, bytes, expected) => {
  emperor.write('blog.ini', emperor.probeFile('pause'));
  const before = await emperor.running('blog');

  expect(await sendRaw(bytes)).toMatch(expected);

  expect((await emperor.running('blog')).pid).toBe(before.pid);
});

test('clients that never read and clients that never finish stop nobody', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause'));
  const { pid } = await emperor.running('blog');
  const stuck: Socket[] = [];
  for (let i = 0; i < 20; i++) {
    const socket = connect(emperor.socket);
    socket.on('error', () => undefined);
    socket.pause();
    socket.write(
      i % 2 === 0 ? 'GET /v1/vassals HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(200) : 'POST /v1/vassals/blog/st',
    );
    stuck.push(socket);
  }
  await pauseMs(100);

  emperor.touch('blog.ini');
  await emperor.running('blog', pid);
  const cli = await emperor.cli(['status']);

  for (const socket of stuck) socket.destroy();
  expect(cli.code).toBe(0);
  expect(cli.stdout).toMatch(/blog\s+running/);
});

test('a log follower that never reads does not stop the app', async () => {
  emperor.write('blog.ini', emperor.probeFile('flood', 'log-rate = 0'));
  await emperor.running('blog');
  const socket = connect(emperor.socket);
  socket.on('error', () => undefined);
  socket.pause();
  socket.write('GET /v1/vassals/blog/logs?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n');
  await pauseMs(300);

  const status = await emperor.cli(['status', '--json']);
  emperor.write('other.ini', emperor.probeFile('pause'));

  await emperor.running('other');
  expect(status.code).toBe(0);
  socket.destroy();
  await waitUntil('the follower to be gone', () => (socket.destroyed ? true : undefined));
});
