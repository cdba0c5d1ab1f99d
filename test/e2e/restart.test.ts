import { systemClock } from '@emperor/common/clock';
import { expect, test } from 'vitest';
import { sharedEmperor } from '../support/emperor-under-test.ts';
import { pauseMs, waitUntil } from '../support/wait-until.ts';

const emperor = sharedEmperor();

test('an app that exits is replaced by a fresh jail and the exit is told', async () => {
  emperor.write('blog.ini', emperor.probeFile('exit 7 1500'));
  const before = await emperor.running('blog');

  const after = await emperor.running('blog', before.pid);

  expect(after).toMatchObject({
    restarts: 1,
    lastExit: { by: 'code', code: 7 },
    keeperPid: before.keeperPid,
  });
  expect(after.generation).toBe((before.generation ?? 0) + 1);
});

test('a crash loop backs off with growing delays and says so', async () => {
  emperor.write('loop.ini', emperor.probeFile('exit 1', 'restart-delay = 100ms', 'restart-max-delay = 2s'));

  const backing = await emperor.waitFor('loop', (seen) => seen.state === 'backing-off' && seen.restarts >= 3);

  expect(backing).toMatchObject({ pid: null, lastExit: { by: 'code', code: 1 } });
  const why = await emperor.why('loop');
  expect(why.answer).toMatch(/code 1/);
  expect(why.output.join('\n')).toContain('exiting with 1');
  const before = (await emperor.waitFor('loop', (seen) => seen.restarts >= 5)).restarts;
  await pauseMs(1_000);
  const after = (await emperor.vassal('loop'))?.restarts ?? 0;
  expect(after - before).toBeLessThanOrEqual(3);
});

test('a first exit is replaced without delay', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause', 'restart-delay = 30s'));
  const { pid } = await emperor.running('blog');
  const since = systemClock.now();

  process.kill(pid, 'SIGKILL');
  await emperor.running('blog', pid);

  expect(systemClock.now() - since).toBeLessThan(10_000);
});

test('a crash loop does not disturb a neighbour', async () => {
  emperor.write('good.ini', emperor.probeFile('pause'));
  const good = await emperor.running('good');
  for (const name of ['l1', 'l2', 'l3']) {
    emperor.write(
      `${name}.ini`,
      emperor.probeFile('crash', 'restart-delay = 100ms', 'restart-max-delay = 100ms'),
    );
  }
  for (const name of ['l1', 'l2', 'l3']) await emperor.waitFor(name, (seen) => seen.restarts >= 4);

  process.kill(good.pid, 'SIGKILL');
  const replaced = await emperor.running('good', good.pid);

  expect(replaced.restarts).toBe(1);
});

test('an edit resets the backoff: the fixed app starts at once', async () => {
  emperor.write('blog.ini', emperor.probeFile('exit 1', 'restart-delay = 1m'));
  await emperor.waitFor('blog', (seen) => seen.state === 'backing-off');

  emperor.write('blog.ini', emperor.probeFile('pause'));

  await emperor.running('blog');
});

test('restart-max gives up and says so, and a touch tries again', async () => {
  emperor.write('blog.ini', emperor.probeFile('exit 4', 'restart-max = 2', 'restart-delay = 100ms'));
  const failed = await emperor.waitFor('blog', (seen) => seen.state === 'failed');
  expect(failed).toMatchObject({ pid: null, lastExit: { by: 'code', code: 4 } });
  const runs = emperor.log('blog').filter((line) => line === 'exiting with 4').length;
  expect(runs).toBeGreaterThanOrEqual(2);
  expect(runs).toBeLessThanOrEqual(3);

  emperor.touch('blog.ini');

  await emperor.printed('blog', 'exiting with 4', runs + 1);
});

test('restart = on-failure leaves a clean exit alone and replaces a failure', async () => {
  emperor.write('clean.ini', emperor.probeFile('exit 0', 'restart = on-failure'));
  emperor.write(
    'dirty.ini',
    emperor.probeFile('exit 9 300', 'restart = on-failure', 'restart-delay = 100ms'),
  );

  expect(await emperor.waitFor('clean', (seen) => seen.state === 'stopped')).toMatchObject({ restarts: 0 });
  await emperor.waitFor('dirty', (seen) => seen.restarts >= 2);
  expect((await emperor.vassal('clean'))?.restarts).toBe(0);
});

test('autostart = no waits for a start by hand', async () => {
  emperor.write('later.ini', emperor.probeFile('pause', 'autostart = no'));
  await emperor.waitFor('later', (seen) => seen.state === 'stopped');

  const started = await emperor.cli(['start', 'later']);

  expect(started.code).toBe(0);
  await emperor.running('later');
});

test('a signal that ended the app is named', async () => {
  emperor.write('blog.ini', emperor.probeFile('crash'));

  const seen = await emperor.waitFor('blog', (vassal) => vassal.state === 'backing-off');

  expect(seen.lastExit).toEqual({ by: 'signal', signal: 'SIGSEGV' });
  expect((await emperor.why('blog')).answer).toContain('SIGSEGV');
});

test('output of every run before the crash is in the log', async () => {
  emperor.write('blog.ini', emperor.probeFile('exit 1', 'restart-max = 3', 'restart-delay = 100ms'));
  const vassal = await emperor.waitFor('blog', (seen) => seen.state === 'failed');

  const runs = (vassal.restarts ?? 0) + 1;
  await waitUntil('every run in the log', () =>
    emperor.log('blog').filter((line) => line === 'exiting with 1').length === runs ? true : undefined,
  );
});
