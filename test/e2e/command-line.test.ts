import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { sharedEmperor } from '../support/emperor-under-test.ts';
import { isAlive } from '../support/processes.ts';

const emperor = sharedEmperor();

test('status prints one line per vassal with the promised columns', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause'));
  emperor.write('shop.ini', emperor.probeFile('pause', 'uid = nobody'));
  const { pid } = await emperor.running('blog');
  await emperor.running('shop');

  const { code, stdout } = await emperor.cli(['status']);

  const lines = stdout.trimEnd().split('\n');
  expect(code).toBe(0);
  expect(lines[0]?.trim().split(/\s+/)).toEqual([
    'NAME',
    'STATE',
    'SINCE',
    'PID',
    'USER',
    'MEM',
    'CPU',
    'RESTARTS',
    'NOTE',
  ]);
  expect(lines.find((line) => line.startsWith('blog'))).toMatch(
    new RegExp(`^blog\\s+running\\b.*\\b${pid}\\b`),
  );
  expect(lines.find((line) => line.startsWith('shop'))).toMatch(/\bnobody\b/);
  expect(stdout).not.toContain('\u001b');
});

test('status --json is the documented, versioned form', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause'));
  const vassal = await emperor.running('blog');

  const { code, stdout } = await emperor.cli(['status', '--json']);

  const status = JSON.parse(stdout);
  expect(code).toBe(0);
  expect(status).toMatchObject({
    format: 1,
    emperor: { pid: emperor.pid, vassals: 1, version: expect.any(String) },
  });
  expect(Object.keys(status.vassals[0]).toSorted()).toEqual(
    [
      ...[
        'name',
        'file',
        'owner',
        'state',
        'ready',
        'since',
        'pid',
        'keeperPid',
        'generation',
        'revision',
        'user',
        'uid',
      ],
      ...[
        'gid',
        'restarts',
        'lastExit',
        'oomKills',
        'pidsMaxHits',
        'memoryHighHits',
        'throttledMs',
        'throttledPercent',
        'daemons',
        'sockets',
        'namespaces',
        'memoryBytes',
        'cpuPercent',
      ],
      ...['tasks', 'note', 'diagnostics'],
    ].toSorted(),
  );
  expect(status.vassals[0]).toMatchObject({
    name: 'blog',
    pid: vassal.pid,
    user: null,
    namespaces: ['mnt', 'pid', 'ipc', 'uts', 'cgroup'],
    daemons: [],
    sockets: [],
    lastExit: null,
    oomKills: 0,
  });
  expect(new Date(status.vassals[0].since).getTime()).toBeGreaterThan(0);
});

test('status NAME is a page with the last log lines; exit 3 when it does not run, 4 when there is none', async () => {
  emperor.write('blog.ini', emperor.probeFile('say 0 the-last-line'));
  await emperor.running('blog');
  await emperor.printed('blog', 'the-last-line');

  const page = await emperor.cli(['status', 'blog']);
  await emperor.cli(['stop', 'blog']);
  const stopped = await emperor.cli(['status', 'blog']);
  const unknown = await emperor.cli(['status', 'nobody']);

  expect(page.code).toBe(0);
  expect(page.stdout).toContain('the-last-line');
  expect(page.stdout).toContain('running');
  expect(stopped.code).toBe(3);
  expect(stopped.stdout).toContain('stopped');
  expect(unknown.code).toBe(4);
  expect(unknown.stderr).toContain('nobody');
});

test('stop, start, restart and reload wait for their outcome and report it', async () => {
  emperor.write('blog.ini', emperor.probeFile('slow 200'));
  const first = await emperor.running('blog');

  const stop = await emperor.cli(['stop', 'blog']);
  expect(stop).toMatchObject({ code: 0, stderr: '' });
  expect(isAlive(first.pid)).toBe(false);

  const start = await emperor.cli(['start', 'blog']);
  const second = await emperor.vassal('blog');
  expect(start.code).toBe(0);
  expect(start.stdout).toContain(String(second?.pid));
  expect(second).toMatchObject({ state: 'running' });

  const restart = await emperor.cli(['restart', 'blog']);
  const third = await emperor.vassal('blog');
  expect(restart.code).toBe(0);
  expect(third?.pid).not.toBe(second?.pid);

  const reload = await emperor.cli(['reload', 'blog']);
  const fourth = await emperor.vassal('blog');
  expect(reload.code).toBe(0);
  expect(fourth?.pid).not.toBe(third?.pid);
});

test('restart starts a stopped one, reload of a stopped one exits 3', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause'));
  await emperor.running('blog');
  await emperor.cli(['stop', 'blog']);

  expect((await emperor.cli(['reload', 'blog'])).code).toBe(3);
  expect(await emperor.vassal('blog')).toMatchObject({ state: 'stopped' });
  expect((await emperor.cli(['restart', 'blog'])).code).toBe(0);
  expect(await emperor.vassal('blog')).toMatchObject({ state: 'running' });
});

test('start of what cannot start reports why and exits 1', async () => {
  emperor.write('blog.ini', `[vassal]\ncommand = /srv/no/such/program\nautostart = no\n`);
  await emperor.waitFor('blog', (seen) => seen.state === 'stopped');

  const { code, stderr } = await emperor.cli(['start', 'blog']);

  expect(code).toBe(1);
  expect(stderr).toContain('/srv/no/such/program');
  expect(stderr).toMatch(/hint: /);
});

test('a glob and --all mean several vassals', async () => {
  for (const name of ['web-a', 'web-b', 'db']) emperor.write(`${name}.ini`, emperor.probeFile('pause'));
  for (const name of ['web-a', 'web-b', 'db']) await emperor.running(name);

  expect((await emperor.cli(['stop', 'web-*'])).code).toBe(0);
  const states = async () =>
    (await emperor.status()).vassals.map(({ name, state }) => `${name} ${state}`).toSorted();
  expect(await states()).toEqual(['db running', 'web-a stopped', 'web-b stopped']);

  expect((await emperor.cli(['stop', '--all'])).code).toBe(0);
  expect(await states()).toEqual(['db stopped', 'web-a stopped', 'web-b stopped']);

  expect((await emperor.cli(['start', '--all'])).code).toBe(0);
  expect(await states()).toEqual(['db running', 'web-a running', 'web-b running']);
});

test.each([
  [[], 2],
  [['frobnicate'], 2],
  [['stop'], 2],
  [['status', '--colour'], 2],
  [['stop', 'nobody'], 4],
  [['why', 'nobody'], 4],
  [['logs', 'nobody'], 4],
  [['--version'], 0],
  [['--help'], 0],
] as const)('emperor %j exits %i', async (args, code) => {
  const result = await emperor.cli([...args]);

  expect(result.code).toBe(code);
  expect(code === 0 ? result.stdout : result.stderr).not.toBe('');
});

test('an emperor that is not there is exit 69 with a hint', async () => {
  const { code, stderr } = await emperor.cli(['status', '--runtime-dir', '/srv/no-emperor-here']);

  expect(code).toBe(69);
  expect(stderr).toContain('/srv/no-emperor-here');
  expect(stderr).toMatch(/hint: /);
});

test('a user without the right is exit 77', async () => {
  const { code, stderr } = await emperor.cli(['status'], { uid: 5, gid: 60, cwd: '/' });

  expect(code).toBe(77);
  expect(stderr).toMatch(/may not|permission/);
});

test('check says yes to a good file and tells every problem of a bad one with exit 78', async () => {
  writeFileSync(`${emperor.base}/good.ini`, emperor.probeFile('pause', 'memory-max = 10M'));
  writeFileSync(`${emperor.base}/bad.ini`, emperor.probeFile('pause', 'memory-max = big', 'colour = blue'));

  const good = await emperor.cli(['check', `${emperor.base}/good.ini`]);
  const bad = await emperor.cli(['check', `${emperor.base}/bad.ini`]);

  expect(good.code).toBe(0);
  expect(bad.code).toBe(78);
  const told = bad.stdout + bad.stderr;
  expect(told).toMatch(/bad\.ini:3: memory-max: /);
  expect(told).toMatch(/bad\.ini:4: colour: /);
});

test('check of a directory checks every vassal file in it', async () => {
  emperor.write('good.ini', emperor.probeFile('pause'));
  emperor.write('bad.ini', '[vassal]\n');
  await emperor.running('good');

  const { code, stdout, stderr } = await emperor.cli(['check', emperor.vassals]);

  expect(code).toBe(78);
  expect(stdout + stderr).toContain('bad.ini');
  expect((await emperor.cli(['check', '/srv/not-there.ini'])).code).not.toBe(0);
});

test('why explains a crash: exit, output, history with durations, next action; and exits 0', async () => {
  emperor.write('blog.ini', emperor.probeFile('exit 5 200', 'restart-delay = 2s', 'restart-max-delay = 20s'));
  await emperor.waitFor('blog', (seen) => seen.state === 'backing-off');

  const { code, stdout } = await emperor.cli(['why', 'blog']);
  const json = JSON.parse((await emperor.cli(['why', 'blog', '--json'])).stdout);

  expect(code).toBe(0);
  expect(stdout).toMatch(/code 5/);
  expect(stdout).toContain('exiting with 5');
  expect(json).toMatchObject({ format: 1, vassal: { name: 'blog' } });
  expect(json.history.length).toBeGreaterThan(2);
  expect(json.history.some((entry: { afterMs: number | null }) => (entry.afterMs ?? 0) >= 100)).toBe(true);
  expect(json.hint).not.toBeNull();
});

test('why of a healthy vassal and of a stopped one exits 0 too', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause'));
  await emperor.running('blog');
  const healthy = await emperor.cli(['why', 'blog']);
  await emperor.cli(['stop', 'blog']);
  const stopped = await emperor.cli(['why', 'blog']);

  expect(healthy).toMatchObject({ code: 0 });
  expect(healthy.stdout).toMatch(/running/);
  expect(stopped).toMatchObject({ code: 0 });
  expect(stopped.stdout).toMatch(/emperor stop|stopped/);
  expect(stopped.stdout).toMatch(/emperor start/);
});

test('control characters of an app never reach the terminal', async () => {
  writeFileSync(
    `${emperor.appDir}/evil`,
    '#!/bin/sh\nprintf "a\\033[31mred\\007\\rb\\n"\nexec sleep 1000\n',
    { mode: 0o755 },
  );
  emperor.write('evil.ini', `[vassal]\ncommand = ${emperor.appDir}/evil\n`);
  await emperor.running('evil');
  await emperor.printed('evil', 'red');

  for (const args of [
    ['logs', 'evil'],
    ['status', 'evil'],
    ['why', 'evil'],
  ]) {
    const { stdout } = await emperor.cli(args);
    expect(stdout).toContain('red');
    // oxlint-disable-next-line no-control-regex -- looking for exactly these
    expect(stdout).not.toMatch(/[\u001b\u0007\r]/);
  }
});
