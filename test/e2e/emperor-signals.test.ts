import { expect, test } from 'vitest';
import { sharedEmperor } from '../support/emperor-under-test.ts';
import { isAlive } from '../support/processes.ts';
import { waitUntil } from '../support/wait-until.ts';

const emperor = sharedEmperor();

test.each(['SIGTERM', 'SIGINT'] as const)('%s stops all vassals gracefully and exits 0', async (signal) => {
  emperor.write('slow.ini', emperor.probeFile('slow 300'));
  emperor.write('daemons.ini', emperor.probeFile('daemons 3'));
  await emperor.printed('slow', 'slow up');
  await emperor.printed('daemons', 'daemons up');
  await emperor.running('slow');
  await emperor.running('daemons');

  const exit = await emperor.end(signal);

  expect(exit).toEqual({ code: 0, signal: null });
  expect(emperor.log('slow').slice(-2)).toEqual(['stopping', 'stopped']);
  expect(emperor.cgroup.pids()).toEqual([]);
});

test('after SIGTERM the next emperor starts everything again', async () => {
  emperor.write('blog.ini', emperor.probeFile('say 0 hello'));
  const before = await emperor.running('blog');

  await emperor.end('SIGTERM');
  await emperor.start();

  const after = await emperor.running('blog', before.pid);
  expect(after.uid).toBe(before.uid);
});

test('SIGTERM kills what does not stop in its time', async () => {
  emperor.write('stubborn.ini', emperor.probeFile('ignore 15', 'stop-timeout = 500ms'));
  await emperor.printed('stubborn', 'ignoring');
  await emperor.running('stubborn');

  expect(await emperor.end('SIGTERM')).toEqual({ code: 0, signal: null });

  expect(emperor.cgroup.pids()).toEqual([]);
});

test('a second SIGTERM while it stops changes nothing', async () => {
  emperor.write('slow.ini', emperor.probeFile('slow 800'));
  await emperor.printed('slow', 'slow up');
  await emperor.running('slow');

  emperor.signal('SIGTERM');
  const exit = await emperor.end('SIGTERM');

  expect(exit).toEqual({ code: 0, signal: null });
  expect(emperor.log('slow').at(-1)).toBe('stopped');
});

test('SIGUSR1 hands over: the emperor exits 0, all live on, and the next one adopts them', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause'));
  const before = await emperor.running('blog');

  expect(await emperor.end('SIGUSR1')).toEqual({ code: 0, signal: null });
  expect(isAlive(before.pid)).toBe(true);
  expect(isAlive(before.keeperPid)).toBe(true);
  await emperor.start();

  const after = await emperor.running('blog');
  expect(after).toMatchObject({
    pid: before.pid,
    keeperPid: before.keeperPid,
    restarts: 0,
  });
  expect(Math.abs(Date.parse(after.since) - Date.parse(before.since))).toBeLessThan(20);
});

test('the handover command does the same', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause'));
  const before = await emperor.running('blog');

  const [handover, exit] = await Promise.all([emperor.cli(['handover']), emperor.ended()]);

  expect(handover.code).toBe(0);
  expect(exit).toEqual({ code: 0, signal: null });
  await emperor.start();
  expect((await emperor.running('blog')).pid).toBe(before.pid);
});

test('SIGHUP looks again and reads emperor.ini again', async () => {
  emperor.write('blog.ini', emperor.probeFile('facts', 'restart = always'));
  const before = await emperor.running('blog');

  emperor.configure('\n[force]\nenv = FORCED=yes\n');
  emperor.signal('SIGHUP');

  const after = await emperor.running('blog', before.pid);
  await emperor.printed('blog', 'facts end', 2);
  expect(emperor.log('blog').join('\n')).toContain('"key":"FORCED","value":"yes"');
  expect(after.revision).not.toBe(before.revision);
  emperor.configure('');
  emperor.signal('SIGHUP');
});

test('a broken emperor.ini at SIGHUP is told and changes nothing', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause'));
  const before = await emperor.running('blog');

  emperor.configure('colour = blue');
  emperor.signal('SIGHUP');

  const diagnostics = await waitUntil('a diagnostic of the emperor', async () => {
    const { diagnostics: seen } = (await emperor.status()).emperor;
    return seen.length > 0 ? seen : undefined;
  });
  expect(diagnostics[0]).toMatchObject({ file: emperor.config, key: 'colour', line: 4 });
  expect((await emperor.running('blog')).pid).toBe(before.pid);

  emperor.configure('');
  emperor.signal('SIGHUP');
  await waitUntil('the diagnostic to go', async () =>
    (await emperor.status()).emperor.diagnostics.length === 0 ? true : undefined,
  );
});

test('an emperor with a broken emperor.ini does not start and exits 78', async () => {
  await emperor.end('SIGTERM');
  emperor.configure('colour = blue');

  const exit = await emperor.launch().ended;

  emperor.configure('');
  expect(exit).toEqual({ code: 78, signal: null });
  expect(emperor.said()).toMatch(/emperor\.ini:4: .*colour/);
});

test('a second emperor on the same directories is refused and harms nothing', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause'));
  const before = await emperor.running('blog');

  const exit = await emperor.launch().ended;

  expect(exit).toEqual({ code: 1, signal: null });
  expect(emperor.said()).toMatch(/already|another/);
  expect((await emperor.running('blog')).pid).toBe(before.pid);
  expect((await emperor.cli(['status'])).code).toBe(0);
});

test('after kill -9 no stale lock or socket keeps the next emperor out', async () => {
  await emperor.kill9();

  await emperor.start();

  expect((await emperor.cli(['status'])).code).toBe(0);
});
