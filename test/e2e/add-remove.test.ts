import { existsSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { sharedEmperor, vassalFile } from '../support/emperor-under-test.ts';
import { isAlive } from '../support/processes.ts';
import { waitUntil } from '../support/wait-until.ts';

const emperor = sharedEmperor();

test('a file that appears starts its app', async () => {
  emperor.write('blog.ini', emperor.probeFile('say 0 hello-from-blog'));

  const vassal = await emperor.running('blog');
  await emperor.printed('blog', 'hello-from-blog');

  expect(vassal).toMatchObject({
    name: 'blog',
    owner: 'root',
    state: 'running',
    ready: true,
    generation: 1,
    restarts: 0,
  });
  expect(vassal.file).toBe(emperor.path('blog.ini'));
  expect(isAlive(vassal.pid)).toBe(true);
  expect(isAlive(vassal.keeperPid)).toBe(true);
});

test('a file that is written in place, not renamed, starts its app', async () => {
  writeFileSync(emperor.path('blog.ini'), emperor.probeFile('pause'));

  const vassal = await emperor.running('blog');

  expect(isAlive(vassal.pid)).toBe(true);
});

test('a file that disappears stops its app and its keeper and leaves nothing', async () => {
  emperor.write('blog.ini', emperor.probeFile('daemons 3'));
  const { pid, keeperPid } = await emperor.running('blog');
  await emperor.printed('blog', 'daemons up');
  const inside = emperor.cgroup.pids().length;

  emperor.remove('blog.ini');

  await emperor.forgotten('blog');
  await waitUntil('the keeper to end', () => (isAlive(keeperPid) ? undefined : true));
  expect(isAlive(pid)).toBe(false);
  expect(inside - emperor.cgroup.pids().length).toBe(6);
});

test('a file that appears again after its removal runs again', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause'));
  const first = await emperor.running('blog');
  emperor.remove('blog.ini');
  await emperor.forgotten('blog');

  emperor.write('blog.ini', emperor.probeFile('pause'));

  const second = await emperor.running('blog', first.pid);
  expect(second.keeperPid).not.toBe(first.keeperPid);
  expect(second.uid).toBe(first.uid);
});

test('a file that is removed and made again at once keeps its vassal running', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause'));
  await emperor.running('blog');

  emperor.remove('blog.ini');
  emperor.write('blog.ini', emperor.probeFile('say 0 second-life'));

  await emperor.printed('blog', 'second-life');
  await emperor.running('blog');
});

test('dot files, editor back-ups and other suffixes are no vassals', async () => {
  const text = emperor.probeFile('pause');
  for (const file of ['.hidden.ini', 'blog.ini~', 'blog.ini.bak', '#blog.ini#', 'blog.txt', '4913']) {
    writeFileSync(emperor.path(file), text);
  }
  emperor.write('real.ini', text);
  await emperor.running('real');

  const { vassals } = await emperor.status();

  expect(vassals.map((vassal) => vassal.name)).toEqual(['real']);
});

test('several vassals run side by side and one that goes disturbs none of the others', async () => {
  const names = ['one', 'two', 'three'];
  for (const name of names) emperor.write(`${name}.ini`, emperor.probeFile('pause'));
  const before = new Map<string, number>();
  for (const name of names) before.set(name, (await emperor.running(name)).pid);

  emperor.remove('two.ini');
  await emperor.forgotten('two');

  expect((await emperor.running('one')).pid).toBe(before.get('one'));
  expect((await emperor.running('three')).pid).toBe(before.get('three'));
});

test('a vassal whose app has ended by itself with restart = never stays in sight and can be removed', async () => {
  emperor.write('once.ini', emperor.probeFile('exit 0', 'restart = never'));
  const vassal = await emperor.waitFor('once', (seen) => seen.state === 'stopped');

  expect(vassal).toMatchObject({ pid: null, lastExit: { by: 'code', code: 0 } });

  emperor.remove('once.ini');
  await emperor.forgotten('once');
});

test('the log of a vassal that is gone is kept', async () => {
  emperor.write('blog.ini', vassalFile(`${emperor.probe} say 0 last-words`));
  await emperor.printed('blog', 'last-words');

  emperor.remove('blog.ini');
  await emperor.forgotten('blog');

  expect(existsSync(`${emperor.logDir}/blog/current`)).toBe(true);
  expect(emperor.log('blog')).toContain('last-words');
});
