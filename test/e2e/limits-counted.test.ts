import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { sharedEmperor } from '../support/emperor-under-test.ts';

const emperor = sharedEmperor();

test('a worker that the kernel killed is counted while its main lives on, and why says so', async () => {
  emperor.write('blog.ini', emperor.probeFile('worker-eat 200000000', 'memory-max = 32M'));
  await emperor.printed('blog', 'worker ended by 9');

  const vassal = await emperor.waitFor('blog', ({ oomKills }) => oomKills > 0);

  expect(vassal).toMatchObject({
    state: 'running',
    restarts: 0,
    lastExit: null,
    oomKills: 1,
    note: 'the kernel killed one of its processes: memory-max 32M reached',
  });
  expect(await emperor.why('blog')).toMatchObject({
    answer: expect.stringContaining('the kernel killed one of its processes: memory-max 32M reached'),
    hint: 'raise memory-max in the vassal file, or make the app use less',
  });
  const { text } = await emperor.ask('GET', '/metrics');
  expect(text).toContain('emperor_vassal_oom_kills_total{vassal="blog",owner="root"} 1\n');

  process.kill(vassal.pid ?? 0, 'SIGKILL');
  const next = await emperor.running('blog', vassal.pid ?? 0);
  expect(next.lastExit?.because).toBe('killed by the kernel: memory-max 32M reached');
});

test('refused forks are counted on a running vassal, in status, metrics and why', async () => {
  emperor.write('bomb.ini', emperor.probeFile('forks 100', 'pids-max = 20'));
  await emperor.printed('bomb', 'EAGAIN');

  const vassal = await emperor.waitFor('bomb', ({ pidsMaxHits }) => pidsMaxHits > 0);

  expect(vassal).toMatchObject({ state: 'running', pidsMaxHits: 1 });
  expect(await emperor.why('bomb')).toMatchObject({
    answer: expect.stringContaining('fork refused: pids-max 20 reached once'),
    hint: 'raise pids-max in the vassal file, or make the app fork less',
  });
  const page = await emperor.cli(['status', 'bomb']);
  expect(page.stdout).toMatch(/pids-max +refused a process 1 times/);
  const { text } = await emperor.ask('GET', '/metrics');
  expect(text).toContain('emperor_vassal_pids_max_hits_total{vassal="bomb",owner="root"} 1\n');
});

test('what cpu-max took is counted and told', async () => {
  emperor.write('hot.ini', emperor.probeFile('burn 1500', 'cpu-max = 20%'));
  const printed = (await emperor.printed('hot', 'burnt')).join('\n');

  const vassal = await emperor.waitFor('hot', ({ throttledMs }) => throttledMs > 0);

  const burnt = Number(/burnt (\d+) ms/.exec(printed)?.[1]);
  expect(burnt).toBeLessThan(600);
  expect(vassal.throttledPercent).toBeGreaterThan(50);
  const { answer, hint } = await emperor.why('hot');
  expect(answer).toMatch(/throttled \d+ % of the time by cpu-max 20%/);
  expect(hint).toBe('raise cpu-max in the vassal file, if it needs to be faster');
});

test('the counts of a run that is over are kept, and its end names the limit', async () => {
  emperor.write('bomb.ini', emperor.probeFile('forks 100', 'pids-max = 20'));
  await emperor.printed('bomb', 'EAGAIN');
  const { pid } = await emperor.running('bomb');

  process.kill(pid, 'SIGKILL');
  await emperor.running('bomb', pid);
  await emperor.printed('bomb', 'EAGAIN', 2);
  const vassal = await emperor.waitFor('bomb', ({ pidsMaxHits }) => pidsMaxHits === 2);

  expect(vassal.lastExit).toEqual({
    by: 'signal',
    signal: 'SIGKILL',
    because: 'fork refused: pids-max 20 reached once',
  });
  expect(existsSync(`/proc/${pid}`)).toBe(false);
});
