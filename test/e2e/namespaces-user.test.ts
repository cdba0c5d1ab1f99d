import { readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sharedEmperor } from '../support/emperor-under-test.ts';
import { statusLine } from '../support/processes.ts';

const emperor = sharedEmperor();
const ALL = ['mnt', 'pid', 'ipc', 'uts', 'net', 'cgroup', 'user', 'time'] as const;
const EVERYTHING = `unshare = ${ALL.join(',')}`;
const IDS = 65_536;
const FIRST = 0x7000_0000;

const idOf = (text: string | undefined) => Number(text?.split(/\s+/)[0]);

test('all eight namespaces are its own, and status names them', async () => {
  const facts = await emperor.facts('blog', [], EVERYTHING);

  expect(ALL.filter((kind) => facts.get('ns', kind) !== readlinkSync(`/proc/self/ns/${kind}`))).toEqual(ALL);
  expect((await emperor.running('blog')).namespaces).toEqual(ALL);
});

test.each([
  ['user', ['user']],
  ['time', ['time']],
  ['mnt,user', ['mnt', 'user']],
  ['net,user', ['net', 'user']],
  ['pid,time', ['pid', 'time']],
])('unshare = %s means exactly these namespaces', async (value, kinds) => {
  const facts = await emperor.facts('blog', [], `unshare = ${value}`);

  expect(ALL.filter((kind) => facts.get('ns', kind) !== readlinkSync(`/proc/self/ns/${kind}`))).toEqual(
    kinds,
  );
});

test('the app keeps its uid inside and outside, and its files are its own', async () => {
  const file = join(emperor.outDir, 'mine');
  const facts = await emperor.facts('blog', [`touch:${file}`, 'stat:/proc/self'], EVERYTHING);
  const { pid, uid } = await emperor.running('blog');

  expect(facts.get('status', 'Uid')).toBe(statusLine(pid, 'Uid'));
  expect(idOf(statusLine(pid, 'Uid'))).toBe(uid);
  expect(statSync(file).uid).toBe(uid);
});

test('root inside is nobody outside: the first of 65,536 ids that no other vassal has', async () => {
  const root = [EVERYTHING, 'uid = root'];
  const one = await emperor.facts('one', ['stat:/etc/shadow', 'read:/etc/shadow'], ...root);
  await emperor.facts('two', [], ...root);
  const [first, second] = [await emperor.running('one'), await emperor.running('two')];

  expect(idOf(one.get('status', 'Uid'))).toBe(0);
  expect(idOf(statusLine(first.pid, 'Uid'))).toBe(first.uid);
  expect(idOf(statusLine(first.pid, 'Gid'))).toBe(first.gid);
  expect(statusLine(first.pid, 'Groups')?.trim()).toBe('');
  for (const { uid } of [first, second]) {
    expect(uid).toBeGreaterThanOrEqual(FIRST);
    expect((uid ?? 0) % IDS).toBe(0);
  }
  expect(first.uid).not.toBe(second.uid);
  expect(first.user).toBeNull();
  expect(one.get('read', '/etc/shadow')).toBe('EACCES');
});

test('the ids of a vassal stay the same over restarts of the vassal and of the emperor', async () => {
  await emperor.facts('one', [], EVERYTHING, 'uid = root');
  const before = await emperor.running('one');
  await emperor.end('SIGTERM');
  await emperor.start();

  expect((await emperor.running('one')).uid).toBe(before.uid);
});

test.each(['full', 'strict', 'no'])('protect-system = %s goes with it', async (value) => {
  const facts = await emperor.facts(
    'blog',
    ['write:/etc/x'],
    EVERYTHING,
    `protect-system = ${value}`,
    'uid = root',
  );

  expect(facts.get('write', '/etc/x')).not.toBe('ok');
});

test('groups stay themselves, and exactly these', async () => {
  await emperor.facts('blog', [], EVERYTHING, 'uid = 4711', 'gid = 29', 'add-gid = 33,44');
  const { pid } = await emperor.running('blog');

  expect(idOf(statusLine(pid, 'Uid'))).toBe(4711);
  expect(idOf(statusLine(pid, 'Gid'))).toBe(29);
  expect(statusLine(pid, 'Groups')?.trim()).toBe('33 44');
});

test('maps of the file are the maps', async () => {
  const maps = ['uid-map = 0 3000000000 1', 'uid-map = 5 3000000010 20', 'gid-map = 0 3000000500 100'];
  const facts = await emperor.facts('blog', ['read:/proc/self/uid_map'], EVERYTHING, 'uid = 7', ...maps);
  const { pid, uid, gid } = await emperor.running('blog');

  expect(readFileSync(`/proc/${pid}/uid_map`, 'utf8').trim().split(/\s+/).map(Number)).toEqual([
    0, 3_000_000_000, 1, 5, 3_000_000_010, 20,
  ]);
  expect(idOf(facts.get('status', 'Uid'))).toBe(7);
  expect([uid, gid]).toEqual([3_000_000_012, 3_000_000_507]);
  expect(idOf(statusLine(pid, 'Uid'))).toBe(uid);
});

test.each([
  [['uid-map = 0 100000 10'], 'blog.ini:3 uid-map needs user in unshare'],
  [
    [EVERYTHING, 'uid = 3', 'uid-map = 0 100000 10', 'uid-map = 9 200000 1'],
    'blog.ini:5 uid-map maps an id of inside twice',
  ],
  [
    [EVERYTHING, 'uid-map = 0 100000 10'],
    'blog.ini:4 uid-map needs a uid that is known: a private one is given at the first launch',
  ],
])('%j is refused with its line', async (lines, wanted) => {
  emperor.write('blog.ini', emperor.probeFile('pause', ...lines));
  await emperor.waitFor('blog', ({ state }) => state === 'failed');

  expect(await emperor.diagnostics('blog')).toContain(wanted);
});

test('a uid that the maps leave out fails the launch, and nothing has run', async () => {
  const maps = ['uid-map = 0 3000000000 10', 'gid-map = 0 3000000000 10'];
  emperor.write('blog.ini', emperor.probeFile('say 0 ran', EVERYTHING, 'uid = 4711', ...maps));

  const { note } = await emperor.waitFor('blog', (seen) => seen.note?.includes('uid-map') === true);
  expect(note).toContain('uid-map');
  expect(emperor.log('blog')).toEqual([]);
});

test('with net there is a loopback of its own that is up, and nothing of the host’s network is seen', async () => {
  const facts = await emperor.facts(
    'blog',
    ['bind:47113', 'list:/sys/class/net', 'list:/sys/devices/virtual/net'],
    EVERYTHING,
  );

  expect(facts.get('bind', '47113')).toBe('ok');
  expect(facts.entries('/sys/class/net')).toEqual([]);
  expect(facts.entries('/sys/devices/virtual/net')).toEqual([]);
});

test('the host name is its own, and root inside with the capability may change it', async () => {
  const facts = await emperor.facts('blog', [], EVERYTHING, 'hostname = inner.example');

  expect(facts.get('hostname')).toBe('inner.example');
});

test('its streams can be opened again by name', async () => {
  emperor.write(
    'blog.ini',
    `[vassal]\ncommand = sh -c "echo again > /dev/stdout; sleep 60"\n${EVERYTHING}\nuid = root\n`,
  );

  expect(await emperor.printed('blog', 'again')).toContain('again');
});

test.each([
  'unshare = user',
  'uid-map = 0 1 1',
  'gid-map = 0 1 1',
  'securebits = noroot',
  'setns = /proc/1/ns',
  'setns-socket = /run/x',
  'setns-socket-skip = net',
  'setns-preopen = yes',
  'when-unsupported = warn',
])('a tenant may not say %s', async (line) => {
  emperor.write('blog.ini', emperor.probeFile('pause', line));
  const { chownSync } = await import('node:fs');
  chownSync(emperor.path('blog.ini'), 65_534, 65_534);
  const key = line.split(' ')[0];

  await emperor.waitFor('blog', ({ state, owner }) => state === 'failed' && owner === 'nobody');
  expect(
    (await emperor.diagnostics('blog')).some((text) =>
      text.startsWith(`blog.ini:3 ${key} only the operator`),
    ),
  ).toBe(true);
});
