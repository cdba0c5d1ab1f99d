import { expect, test } from 'vitest';
import { sharedEmperor } from '../support/emperor-under-test.ts';
import { freePort } from '../support/free-port.ts';
import { httpGet } from '../support/http-get.ts';
import { isAlive, processFacts } from '../support/processes.ts';
import { pauseMs, waitUntil } from '../support/wait-until.ts';

const emperor = sharedEmperor();

test('kill -9 of the emperor leaves every app serving and the next one adopts them with the same pids', async () => {
  const port = await freePort();
  emperor.write('web.ini', emperor.probeFile(`listen ${port}`, `ready = tcp:127.0.0.1:${port}`));
  emperor.write('work.ini', emperor.probeFile('daemons 2'));
  const web = await emperor.running('web');
  const work = await emperor.running('work');

  await emperor.kill9();
  expect(await httpGet(port)).toMatchObject({ status: 200, body: 'web\n' });
  await emperor.start();

  const adopted = { web: await emperor.running('web'), work: await emperor.running('work') };
  expect(await httpGet(port)).toMatchObject({ status: 200 });
  for (const [before, after] of [
    [web, adopted.web],
    [work, adopted.work],
  ] as const) {
    const { pid, keeperPid, generation, revision, uid, restarts } = before;
    expect(after).toMatchObject({ pid, keeperPid, generation, revision, uid, restarts });
    expect(Math.abs(Date.parse(after.since) - Date.parse(before.since))).toBeLessThan(20);
  }
  expect(isAlive(web.pid)).toBe(true);
});

test('no duplicate runs after an adoption', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause'));
  await emperor.running('blog');

  for (let i = 0; i < 3; i++) {
    await emperor.kill9();
    await emperor.start();
  }
  await emperor.running('blog');
  await pauseMs(200);

  const probes = emperor.cgroup
    .pids()
    .filter((pid) => processFacts(pid)?.cmdline[0]?.includes(emperor.probe) === true);
  expect(probes).toHaveLength(1);
  expect(emperor.log('blog')).toEqual(['up']);
});

test('an exit while no emperor ran is seen and acted on', async () => {
  emperor.write('blog.ini', emperor.probeFile('say 0 hello'));
  const before = await emperor.running('blog');
  await emperor.kill9();

  process.kill(before.pid, 'SIGKILL');
  await waitUntil('the app to end', () => (isAlive(before.pid) ? undefined : true));
  await emperor.start();

  const after = await emperor.running('blog', before.pid);
  expect(after).toMatchObject({
    keeperPid: before.keeperPid,
    restarts: 1,
    lastExit: { by: 'signal', signal: 'SIGKILL' },
  });
  await emperor.printed('blog', 'hello', 2);
});

test('an edit while no emperor ran is applied', async () => {
  emperor.write('blog.ini', emperor.probeFile('say 0 old'));
  const before = await emperor.running('blog');
  await emperor.kill9();

  emperor.write('blog.ini', emperor.probeFile('say 0 new'));
  await emperor.start();

  await emperor.printed('blog', 'new');
  const after = await emperor.running('blog', before.pid);
  expect(after.keeperPid).toBe(before.keeperPid);
});

test('a live edit while no emperor ran is applied without a restart', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause', 'pids-max = 50'));
  const before = await emperor.running('blog');
  // What the file said is on disk a moment after the launch.
  await pauseMs(1_000);
  await emperor.kill9();

  emperor.write('blog.ini', emperor.probeFile('pause', 'pids-max = 60'));
  await emperor.start();

  const after = await emperor.waitFor(
    'blog',
    (seen) => seen.revision !== before.revision && seen.state === 'running',
  );
  expect(after.pid).toBe(before.pid);
});

test('a file removed while no emperor ran ends its vassal', async () => {
  emperor.write('stays.ini', emperor.probeFile('pause'));
  emperor.write('goes.ini', emperor.probeFile('pause'));
  const stays = await emperor.running('stays');
  const goes = await emperor.running('goes');
  await emperor.kill9();

  emperor.remove('goes.ini');
  await emperor.start();

  await waitUntil('the vassal to end', () => (isAlive(goes.pid) ? undefined : true), 30_000);
  await emperor.forgotten('goes');
  expect((await emperor.running('stays')).pid).toBe(stays.pid);
});

test('a file added while no emperor ran starts', async () => {
  emperor.write('old.ini', emperor.probeFile('pause'));
  const old = await emperor.running('old');
  await emperor.kill9();

  emperor.write('new.ini', emperor.probeFile('pause'));
  await emperor.start();

  await emperor.running('new');
  expect((await emperor.running('old')).pid).toBe(old.pid);
});

test('a keeper killed while no emperor ran costs its vassal alone, and its jail is ended', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause', 'unshare = mnt,ipc,uts,cgroup'));
  emperor.write('other.ini', emperor.probeFile('pause'));
  const before = await emperor.running('blog');
  const other = await emperor.running('other');
  await emperor.kill9();

  process.kill(before.keeperPid, 'SIGKILL');
  await emperor.start();

  const after = await emperor.running('blog', before.pid);
  expect(after.keeperPid).not.toBe(before.keeperPid);
  expect(isAlive(before.pid)).toBe(false);
  expect((await emperor.running('other')).pid).toBe(other.pid);
});

test('output of the time without an emperor is in the log', async () => {
  emperor.write('blog.ini', emperor.probeFile('say 1500 said-alone'));
  await emperor.running('blog');

  await emperor.kill9();
  await emperor.printed('blog', 'said-alone').catch(() => undefined);
  await waitUntil('the line', () => (emperor.log('blog').includes('said-alone') ? true : undefined));
  await emperor.start();

  const shown = await emperor.cli(['logs', 'blog']);
  expect(shown.stdout).toContain('said-alone');
});

test('a vassal that was starting when the emperor died becomes ready under the next one', async () => {
  emperor.write('slow.ini', emperor.probeFile('notify 2000', 'ready = notify'));
  const starting = await emperor.waitFor('slow', (seen) => seen.state === 'starting' && seen.pid !== null);

  await emperor.kill9();
  await emperor.start();

  expect((await emperor.running('slow')).pid).toBe(starting.pid);
});

test('a vassal that was stopping when the emperor died is stopped by the next one', async () => {
  emperor.write('slow.ini', emperor.probeFile('ignore 15', 'stop-timeout = 2s'));
  const { pid } = await emperor.running('slow');
  await emperor.printed('slow', 'ignoring');
  const stop = emperor.cli(['stop', 'slow']);
  await emperor.waitFor('slow', (seen) => seen.state === 'stopping');

  await emperor.kill9();
  await emperor.start();

  await emperor.waitFor('slow', (seen) => seen.state === 'stopped');
  expect(isAlive(pid)).toBe(false);
  expect((await stop).code).not.toBe(0);
});

test('backing off goes on where it was: a restart of the emperor does not forget the failures', async () => {
  emperor.write('loop.ini', emperor.probeFile('exit 1', 'restart-delay = 100ms', 'restart-max = 6'));
  const before = await emperor.waitFor('loop', (seen) => seen.restarts >= 3);

  await emperor.kill9();
  await emperor.start();

  const after = await emperor.waitFor('loop', (seen) => seen.state === 'failed');
  expect(after.restarts).toBeGreaterThanOrEqual(before.restarts);
  expect(emperor.log('loop').filter((line) => line === 'exiting with 1').length).toBeLessThanOrEqual(9);
});
