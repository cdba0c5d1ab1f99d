import { rmSync } from 'node:fs';
import { expect, test } from 'vitest';
import { sharedEmperor } from '../support/emperor-under-test.ts';
import { statusLine } from '../support/processes.ts';

const emperor = sharedEmperor();

test('a root-owned file without uid gets a private uid of the range, never root', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause'));

  const vassal = await emperor.running('blog');

  const [first, last] = emperor.scope.uids;
  expect(vassal.uid).toBeGreaterThanOrEqual(first);
  expect(vassal.uid).toBeLessThanOrEqual(last);
  expect(vassal).toMatchObject({ user: null, gid: vassal.uid });
  expect(statusLine(vassal.pid, 'Uid')).toBe(Array(4).fill(vassal.uid).join('\t'));
  expect(statusLine(vassal.pid, 'Gid')).toBe(Array(4).fill(vassal.gid).join('\t'));
});

test('private uids differ between vassals and are stable over restarts of app and emperor', async () => {
  emperor.write('a.ini', emperor.probeFile('pause'));
  emperor.write('b.ini', emperor.probeFile('pause'));
  const a = await emperor.running('a');
  const b = await emperor.running('b');
  expect(a.uid).not.toBe(b.uid);

  await emperor.cli(['restart', 'a']);
  await emperor.end('SIGTERM');
  await emperor.start();

  expect((await emperor.running('a')).uid).toBe(a.uid);
  expect((await emperor.running('b')).uid).toBe(b.uid);
});

test('a removed vassal that comes back gets its private uid again, and nobody else got it meanwhile', async () => {
  emperor.write('a.ini', emperor.probeFile('pause'));
  const first = await emperor.running('a');
  emperor.remove('a.ini');
  await emperor.forgotten('a');

  emperor.write('newcomer.ini', emperor.probeFile('pause'));
  expect((await emperor.running('newcomer')).uid).not.toBe(first.uid);
  emperor.write('a.ini', emperor.probeFile('pause'));

  expect((await emperor.running('a')).uid).toBe(first.uid);
});

test('private uids are claimed machine-wide: they survive the loss of the state directory', async () => {
  emperor.write('a.ini', emperor.probeFile('pause'));
  emperor.write('b.ini', emperor.probeFile('pause', 'autostart = no'));
  const a = await emperor.running('a');
  await emperor.kill9();
  rmSync(emperor.stateDir, { recursive: true });
  emperor.write('c.ini', emperor.probeFile('pause'));

  await emperor.start();

  expect((await emperor.running('c')).uid).not.toBe(a.uid);
});

test('a user by name brings its primary group, home and names', async () => {
  const facts = await emperor.facts('blog', [], 'uid = games');

  expect(facts.get('status', 'Uid')).toBe('5\t5\t5\t5');
  expect(facts.get('status', 'Gid')).toBe('60\t60\t60\t60');
  expect(facts.get('env', 'USER')).toBe('games');
  expect(facts.get('env', 'LOGNAME')).toBe('games');
  expect(facts.get('env', 'HOME')).toBe('/usr/games');
  expect(await emperor.running('blog')).toMatchObject({ user: 'games', uid: 5, gid: 60 });
});

test('a bare number that is no user brings the same number as group', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause', 'uid = 54321'));

  const vassal = await emperor.running('blog');

  expect(vassal).toMatchObject({ uid: 54_321, gid: 54_321, user: null });
  expect(statusLine(vassal.pid, 'Uid')).toBe('54321\t54321\t54321\t54321');
});

test('a private uid has a passwd and a group line inside its jail', async () => {
  emperor.write('blog.ini', '[vassal]\ncommand = sh -c "id -un; id -gn; exec sleep 1000"\n');
  const { uid } = await emperor.running('blog');

  const lines = await emperor.printed('blog', '', 2);

  expect(lines[0]).toMatch(/^[a-z]/);
  expect(lines[1]).toMatch(/^[a-z]/);
  expect(lines[0]).not.toContain(String(uid));
});
