import { expect, test } from 'vitest';
import { sharedEmperor } from '../support/emperor-under-test.ts';
import { freePort } from '../support/free-port.ts';
import { isAlive } from '../support/processes.ts';
import { pauseMs } from '../support/wait-until.ts';

const emperor = sharedEmperor();

test.each(['auto', 'spawn'])('ready = %s: running as soon as its program was started', async (mode) => {
  emperor.write('blog.ini', emperor.probeFile('pause', `ready = ${mode}`));

  expect(await emperor.running('blog')).toMatchObject({ state: 'running', ready: true });
});

test('ready = notify: starting until READY=1, and its STATUS is shown', async () => {
  emperor.write('blog.ini', emperor.probeFile('notify 600', 'ready = notify'));

  const starting = await emperor.waitFor('blog', (seen) => seen.state === 'starting' && seen.pid !== null);
  expect(starting.ready).toBe(false);

  const running = await emperor.running('blog');
  expect(running.pid).toBe(starting.pid);
  expect(emperor.log('blog').join('\n')).not.toMatch(/notify:/);
  await emperor.waitFor('blog', (seen) => seen.note?.includes('serving nicely') === true);
});

test('ready = tcp: starting until a connection works', async () => {
  const port = await freePort();
  emperor.write('blog.ini', emperor.probeFile(`listen ${port} 700`, `ready = tcp:127.0.0.1:${port}`));

  await emperor.waitFor('blog', (seen) => seen.state === 'starting' && seen.pid !== null);
  expect(emperor.log('blog')).not.toContain('listening');

  await emperor.running('blog');
  expect(emperor.log('blog')).toContain('listening');
});

test('ready = tcp works inside a network namespace', async () => {
  emperor.write(
    'blog.ini',
    emperor.probeFile('listen 47100', 'ready = tcp:127.0.0.1:47100', 'unshare = mnt,pid,ipc,uts,net,cgroup'),
  );

  await emperor.running('blog');
});

test('ready = log: starting until the text is printed', async () => {
  emperor.write(
    'blog.ini',
    emperor.probeFile('say 600 warming-up "now it serves"', 'ready = log:now it serves'),
  );

  await emperor.waitFor('blog', (seen) => seen.state === 'starting' && seen.pid !== null);

  await emperor.running('blog');
  expect(emperor.log('blog')).toContain('now it serves');
});

test('the text of ready = log is literal, no pattern', async () => {
  emperor.write(
    'blog.ini',
    emperor.probeFile('say 0 abc', 'ready = log:a.c', 'ready-timeout = 700ms', 'restart-max = 1'),
  );

  const vassal = await emperor.waitFor('blog', (seen) => seen.state === 'failed');

  expect(vassal.ready).toBe(false);
});

test('ready = delay: running after it stayed up so long', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause', 'ready = delay:500ms'));

  await emperor.waitFor('blog', (seen) => seen.state === 'starting' && seen.pid !== null);
  await emperor.running('blog');
});

test('an app that does not become ready in its time is ended, told and backed off', async () => {
  emperor.write(
    'blog.ini',
    emperor.probeFile(
      'pause',
      'ready = notify',
      'ready-timeout = 500ms',
      'restart-delay = 30s',
      'stop-timeout = 1s',
    ),
  );
  const starting = await emperor.waitFor('blog', (seen) => seen.state === 'starting' && seen.pid !== null);

  await emperor.waitFor('blog', (seen) => seen.pid !== starting.pid);

  expect(isAlive(starting.pid ?? 0)).toBe(false);
  const why = await emperor.why('blog');
  expect(`${why.answer} ${JSON.stringify(why.history)}`).toMatch(/ready/);
});

test('an app that ends before it is ready was never ready', async () => {
  emperor.write(
    'blog.ini',
    emperor.probeFile('exit 3 200', 'ready = notify', 'restart-max = 1', 'restart-delay = 100ms'),
  );

  const vassal = await emperor.waitFor('blog', (seen) => seen.state === 'failed');

  expect(vassal).toMatchObject({ ready: false, lastExit: { by: 'code', code: 3 } });
});

test('watchdog: an app that stops proving its life is replaced', async () => {
  emperor.write(
    'blog.ini',
    emperor.probeFile('notify 0 5 200', 'ready = notify', 'watchdog = 1s', 'stop-timeout = 1s'),
  );
  const before = await emperor.running('blog');

  const after = await emperor.running('blog', before.pid);

  expect(after.restarts).toBe(1);
  const why = await emperor.why('blog');
  expect(JSON.stringify(why)).toMatch(/watchdog/i);
});

test('watchdog: an app that goes on proving its life is left alone', async () => {
  emperor.write('blog.ini', emperor.probeFile('notify 0 1000 100', 'ready = notify', 'watchdog = 1s'));
  const before = await emperor.running('blog');

  await pauseMs(2_500);

  expect(await emperor.running('blog')).toMatchObject({ pid: before.pid, restarts: 0 });
});

test('start-after: a vassal starts when the one before it is ready', async () => {
  emperor.write('db.ini', emperor.probeFile('notify 1200', 'ready = notify'));
  await emperor.waitFor('db', (seen) => seen.state === 'starting' && seen.pid !== null);
  emperor.write('web.ini', emperor.probeFile('pause', 'start-after = db'));
  const waiting = await emperor.waitFor('web', (seen) => seen.note !== null);
  expect(waiting).toMatchObject({ pid: null });
  expect(`${waiting.note} ${(await emperor.why('web')).answer}`).toMatch(/\bdb\b/);

  const db = await emperor.running('db');
  const web = await emperor.running('web');
  expect(new Date(web.since).getTime()).toBeGreaterThanOrEqual(new Date(db.since).getTime());
});

test('start-after: a name that does not exist holds nothing up', async () => {
  emperor.write('web.ini', emperor.probeFile('pause', 'start-after = nobody'));

  await emperor.running('web');
});

test('start-after: at the end they stop in reverse order', async () => {
  emperor.write('db.ini', emperor.probeFile('slow 1'));
  emperor.write('web.ini', emperor.probeFile('slow 700', 'start-after = db'));
  await emperor.printed('db', 'slow up');
  await emperor.printed('web', 'slow up');
  await emperor.running('db');
  await emperor.running('web');

  await emperor.end('SIGTERM');

  const stamp = (name: string, text: string) =>
    emperor
      .rawLog(name)
      .find((line) => line.endsWith(text))
      ?.split(' ')[0] ?? '';
  expect(stamp('db', 'stopping') >= stamp('web', 'stopped')).toBe(true);
  expect(stamp('web', 'stopped')).not.toBe('');
});

test('start-after in a circle is told and neither hangs the others', async () => {
  emperor.write('a.ini', emperor.probeFile('pause', 'start-after = b'));
  emperor.write('b.ini', emperor.probeFile('pause', 'start-after = a'));
  emperor.write('c.ini', emperor.probeFile('pause'));

  await emperor.running('c');
  const a = await emperor.waitFor('a', (seen) => seen.diagnostics.length > 0 || seen.note !== null);

  expect(`${JSON.stringify(a.diagnostics)} ${a.note}`).toMatch(/circle|cycle|each other/i);
});
