import { expect, test } from 'vitest';
import { sharedEmperor } from '../support/emperor-under-test.ts';
import { isAlive } from '../support/processes.ts';

const emperor = sharedEmperor();

test('an app beyond memory-max is killed by the kernel, counted, and why names the limit', async () => {
  emperor.write(
    'hog.ini',
    emperor.probeFile('eat 500000000', 'memory-max = 32M', 'restart-max = 1', 'restart-delay = 100ms'),
  );

  const vassal = await emperor.waitFor('hog', (seen) => seen.oomKills > 0 && seen.state === 'failed');

  expect(vassal.lastExit).toEqual({
    by: 'signal',
    signal: 'SIGKILL',
    because: 'killed by the kernel: memory-max 32M reached',
  });
  const { answer } = await emperor.why('hog');
  expect(answer).toMatch(/memory/);
  expect(answer).toContain('memory-max');
  expect(answer).toMatch(/32M|32 M/);
  expect(emperor.log('hog')).not.toContain('ate all');
});

test('a fork bomb stops at pids-max, harms nobody, and why names the limit', async () => {
  emperor.write('calm.ini', emperor.probeFile('pause'));
  const calm = await emperor.running('calm');
  emperor.write('bomb.ini', emperor.probeFile('forks 5000', 'pids-max = 40'));
  const lines = await emperor.printed('bomb', 'forked');

  const made = Number(/forked (\d+) EAGAIN/.exec(lines.join('\n'))?.[1]);
  expect(made).toBeGreaterThan(30);
  expect(made).toBeLessThan(41);
  const { pid, tasks } = await emperor.running('bomb');
  expect(tasks).toBeGreaterThan(30);

  process.kill(pid, 'SIGKILL');
  await emperor.waitFor('bomb', (seen) => seen.lastExit !== null);
  const why = await emperor.why('bomb');
  expect(`${why.answer} ${why.hint} ${JSON.stringify(why.history)}`).toMatch(/pids[.-]max/);
  expect((await emperor.running('calm')).pid).toBe(calm.pid);
});

test('512 processes are the limit when the file says none', async () => {
  emperor.write('bomb.ini', emperor.probeFile('forks 5000'));

  const lines = await emperor.printed('bomb', 'forked');

  const made = Number(/forked (\d+) EAGAIN/.exec(lines.join('\n'))?.[1]);
  expect(made).toBeGreaterThan(490);
  expect(made).toBeLessThan(513);
});

test('limit-nofile and its like are set for the app', async () => {
  const facts = await emperor.facts('blog', [], 'limit-nofile = 123', 'limit-core = 0', 'limit-fsize = 10M');

  expect(facts.get('rlimit', 'nofile')).toBe('123:123');
  expect(facts.get('rlimit', 'core')).toBe('0:0');
  expect(facts.get('rlimit', 'fsize')).toBe(`${10 * 1024 ** 2}:${10 * 1024 ** 2}`);
});

test('status shows memory, tasks and CPU of a running vassal', async () => {
  emperor.write('blog.ini', emperor.probeFile('forks 3'));
  await emperor.printed('blog', 'forked 3');

  const vassal = await emperor.waitFor(
    'blog',
    (seen) => seen.memoryBytes !== null && seen.tasks !== null && seen.tasks >= 4,
  );

  expect(vassal.memoryBytes).toBeGreaterThan(10_000);
  expect(vassal.memoryBytes).toBeLessThan(100_000_000);
  expect(vassal.tasks).toBeLessThanOrEqual(6);
  expect((await emperor.waitFor('blog', (seen) => seen.cpuPercent !== null)).cpuPercent).toBeLessThan(100);
});

test('usage is shown for a jail without limits too', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause', 'unshare = none'));
  await emperor.running('blog');

  const vassal = await emperor.waitFor(
    'blog',
    (seen) => seen.memoryBytes !== null && seen.cpuPercent !== null,
  );

  expect(vassal.memoryBytes).toBeGreaterThan(0);
  expect(isAlive(vassal.pid ?? 0)).toBe(true);
});
