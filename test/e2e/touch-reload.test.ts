import { chmodSync, statSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { sharedEmperor } from '../support/emperor-under-test.ts';
import { isAlive } from '../support/processes.ts';
import { pauseMs } from '../support/wait-until.ts';

const emperor = sharedEmperor();

test('touching the file starts a fresh jail with the same command', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause'));
  const before = await emperor.running('blog');

  emperor.touch('blog.ini');

  const after = await emperor.running('blog', before.pid);
  expect(isAlive(before.pid)).toBe(false);
  expect(after.generation).toBeGreaterThan(before.generation ?? 0);
  expect(after.revision).toBe(before.revision);
  expect(after.keeperPid).toBe(before.keeperPid);
  expect(after.uid).toBe(before.uid);
});

test('with reload = signal a touch sends the signal and the app lives on', async () => {
  emperor.write('blog.ini', emperor.probeFile('signals 1', 'reload = signal', 'reload-signal = HUP'));
  const before = await emperor.running('blog');
  await emperor.printed('blog', 'signals up');

  emperor.touch('blog.ini');

  await emperor.printed('blog', 'signal 1');
  expect((await emperor.running('blog')).pid).toBe(before.pid);
});

test('a new ctime alone does nothing', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause'));
  emperor.write('witness.ini', emperor.probeFile('pause'));
  const before = await emperor.running('blog');
  const witness = await emperor.running('witness');
  const ctime = statSync(emperor.path('blog.ini')).ctimeMs;

  chmodSync(emperor.path('blog.ini'), 0o640);
  chmodSync(emperor.path('blog.ini'), 0o644);
  expect(statSync(emperor.path('blog.ini')).ctimeMs).toBeGreaterThan(ctime);

  emperor.touch('witness.ini');
  await emperor.running('witness', witness.pid);
  emperor.signal('SIGHUP');
  await pauseMs(300);
  expect(await emperor.running('blog')).toMatchObject({ pid: before.pid, generation: before.generation });
});

test('a touch of a path in touch-reload reloads the vassal', async () => {
  const watched = `${emperor.outDir}/deployed`;
  writeFileSync(watched, '1');
  emperor.write('blog.ini', emperor.probeFile('pause', `touch-reload = ${watched}`));
  const before = await emperor.running('blog');

  writeFileSync(watched, '2');

  const after = await emperor.running('blog', before.pid);
  expect(after.revision).toBe(before.revision);
});

test('a burst of touches ends in one running app', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause'));
  const before = await emperor.running('blog');

  for (let i = 0; i < 20; i++) {
    emperor.touch('blog.ini');
    await pauseMs(5);
  }

  const after = await emperor.running('blog', before.pid);
  await pauseMs(500);
  const settled = await emperor.running('blog');
  expect((settled.generation ?? 99) - (before.generation ?? 0)).toBeLessThanOrEqual(20);
  expect(isAlive(settled.pid)).toBe(true);
  expect(after.restarts).toBe(before.restarts);
});

test('a touch brings back a vassal whose app had ended for good', async () => {
  emperor.write('once.ini', emperor.probeFile('exit 0', 'restart = never'));
  await emperor.waitFor('once', (seen) => seen.state === 'stopped');

  emperor.touch('once.ini');

  await emperor.printed('once', 'exiting with 0', 2);
});
