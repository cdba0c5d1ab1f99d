import { systemClock } from '@emperor/common/clock';
import { expect, test } from 'vitest';
import { sharedEmperor } from '../support/emperor-under-test.ts';
import { isAlive } from '../support/processes.ts';
import { waitUntil } from '../support/wait-until.ts';

const emperor = sharedEmperor();

test('an app gets its stop signal and the time to finish', async () => {
  emperor.write('blog.ini', emperor.probeFile('slow 700'));
  await emperor.running('blog');
  await emperor.printed('blog', 'slow up');

  const stopped = await emperor.cli(['stop', 'blog']);

  expect(stopped).toMatchObject({ code: 0 });
  expect(emperor.log('blog').slice(-2)).toEqual(['stopping', 'stopped']);
  expect(await emperor.vassal('blog')).toMatchObject({
    state: 'stopped',
    pid: null,
    lastExit: { by: 'code', code: 0 },
  });
});

test('stop-signal chooses the signal', async () => {
  emperor.write('blog.ini', emperor.probeFile('signals 15 1', 'stop-signal = USR1', 'stop-timeout = 20s'));
  await emperor.running('blog');
  await emperor.printed('blog', 'signals up');

  const stopped = await emperor.cli(['stop', 'blog']);

  expect(stopped.code).toBe(0);
  expect(await emperor.vassal('blog')).toMatchObject({ lastExit: { by: 'signal', signal: 'SIGUSR1' } });
  expect(emperor.log('blog')).toEqual(['signals up']);
});

test('an app that ignores the stop signal is killed after stop-timeout', async () => {
  emperor.write('blog.ini', emperor.probeFile('ignore 15', 'stop-timeout = 1s'));
  const { pid } = await emperor.running('blog');
  await emperor.printed('blog', 'ignoring');
  const since = systemClock.now();

  const stopped = await emperor.cli(['stop', 'blog']);

  expect(stopped.code).toBe(0);
  expect(systemClock.now() - since).toBeGreaterThan(950);
  expect(isAlive(pid)).toBe(false);
  expect(await emperor.vassal('blog')).toMatchObject({ lastExit: { by: 'signal', signal: 'SIGKILL' } });
});

test.each([
  ['with a pid namespace', []],
  ['without a pid namespace', ['unshare = mnt,ipc,uts,cgroup']],
  ['without any namespace', ['unshare = none']],
])('double-forked daemons that ignore the signal die with the jail %s', async (_how, lines) => {
  emperor.write('blog.ini', emperor.probeFile('daemons 4', ...lines));
  await emperor.running('blog');
  await emperor.printed('blog', 'daemons up');
  const probes = () => emperor.cgroup.pids().filter((pid) => isAlive(pid));
  const during = probes().length;

  expect((await emperor.cli(['stop', 'blog'])).code).toBe(0);

  await waitUntil('the daemons to end', () => (during - probes().length >= 5 ? true : undefined));
});

test('kill-mode = control-group sends the stop signal to every process', async () => {
  emperor.write(
    'blog.ini',
    `[vassal]\ncommand = sh -c "trap : TERM; ${emperor.probe} slow 10 & ${emperor.probe} slow 10 & wait; wait"\nkill-mode = control-group\n`,
  );
  await emperor.running('blog');
  await emperor.printed('blog', 'slow up', 2);

  expect((await emperor.cli(['stop', 'blog'])).code).toBe(0);

  expect(emperor.log('blog').filter((line) => line === 'stopping')).toHaveLength(2);
});

test('a stopped vassal stays stopped over edits and restarts of the emperor, until start', async () => {
  emperor.write('blog.ini', emperor.probeFile('say 0 one'));
  await emperor.running('blog');
  expect((await emperor.cli(['stop', 'blog'])).code).toBe(0);

  emperor.write('blog.ini', emperor.probeFile('say 0 two'));
  await emperor.end('SIGTERM');
  await emperor.start();
  const vassal = await emperor.waitFor('blog', (seen) => seen.state === 'stopped');
  expect(vassal.pid).toBeNull();
  expect(emperor.log('blog')).not.toContain('two');

  expect((await emperor.cli(['start', 'blog'])).code).toBe(0);
  await emperor.printed('blog', 'two');
});

test('a vassal whose file goes while it is slowly stopping is gone in the end', async () => {
  emperor.write('blog.ini', emperor.probeFile('slow 1000'));
  await emperor.printed('blog', 'slow up');
  await emperor.running('blog');

  emperor.remove('blog.ini');

  await emperor.waitFor('blog', (seen) => seen.state === 'stopping');
  await emperor.forgotten('blog');
  expect(emperor.log('blog').at(-1)).toBe('stopped');
});

test('a file that comes back while its vassal is stopping runs again', async () => {
  const text = emperor.probeFile('slow 800');
  emperor.write('blog.ini', text);
  const { pid } = await emperor.running('blog');
  await emperor.printed('blog', 'slow up');
  emperor.remove('blog.ini');
  await emperor.waitFor('blog', (seen) => seen.state === 'stopping');

  emperor.write('blog.ini', text);

  await emperor.running('blog', pid);
  expect(isAlive(pid)).toBe(false);
});
