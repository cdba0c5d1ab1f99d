import { spawn } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { REPOSITORY, sharedEmperor } from '../support/emperor-under-test.ts';
import { peekDir } from '../support/processes.ts';
import { waitUntil } from '../support/wait-until.ts';

const emperor = sharedEmperor();
const STAMPED = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (out|err) /;

test('each line is stamped with time and stream', async () => {
  emperor.write('blog.ini', '[vassal]\ncommand = sh -c "echo to-out; echo to-err >&2; exec sleep 1000"\n');
  await emperor.printed('blog', 'to-out');
  await emperor.printed('blog', 'to-err');

  const lines = emperor.rawLog('blog');

  expect(lines).toHaveLength(2);
  for (const line of lines) expect(line).toMatch(STAMPED);
  expect(lines.find((line) => line.endsWith('to-err'))).toMatch(/ err to-err$/);
  expect(lines.find((line) => line.endsWith('to-out'))).toMatch(/ out to-out$/);
});

test('logs prints the last lines and -n chooses how many', async () => {
  emperor.write('blog.ini', emperor.probeFile('print 50'));
  await emperor.printed('blog', 'line 50');

  const few = await emperor.cli(['logs', 'blog', '-n', '3']);

  expect(few.code).toBe(0);
  expect(
    few.stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.replace(/^.* line/, 'line').trim()),
  ).toEqual(['line 48', 'line 49', 'line 50']);
});

test('logs -f follows over rotations and restarts without losing a line', async () => {
  emperor.write(
    'blog.ini',
    emperor.probeFile(
      'print 2000 xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx',
      'log-max-size = 64K',
      'log-keep = 20',
      'log-rate = 0',
    ),
  );
  await emperor.printed('blog', 'line 2000');
  let text = '';
  const follower = spawn(join(REPOSITORY, 'node_modules/.bin/emperor'), ['logs', 'blog', '-f', '-n', '1'], {
    env: { ...process.env, EMPEROR_RUNTIME_DIR: emperor.runDir },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  follower.stdout.on('data', (piece: Buffer) => {
    text += piece.toString();
  });
  await waitUntil('the follower to show the last line', () =>
    text.includes('line 2000') ? true : undefined,
  );
  text = '';

  await emperor.cli(['restart', 'blog']);

  await waitUntil(
    async () => `2,000 more lines; got ${text.split('\n').length}`,
    () => (text.includes('line 2000 ') ? true : undefined),
  );
  follower.kill('SIGKILL');
  const numbers = [...text.matchAll(/line (\d+) /g)].map((match) => Number(match[1]));
  expect(numbers).toEqual(Array.from({ length: 2_000 }, (_, i) => i + 1));
});

test('the log is rotated at its size and only so many are kept', async () => {
  emperor.write(
    'blog.ini',
    emperor.probeFile(
      'print 20000 xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx',
      'log-max-size = 64K',
      'log-keep = 3',
      'log-rate = 0',
    ),
  );
  await emperor.running('blog');
  await emperor.printed('blog', 'line 20000');

  const files = peekDir(join(emperor.logDir, 'blog'));

  expect(files).toContain('current');
  expect(files).toHaveLength(4);
  for (const file of files)
    expect(statSync(join(emperor.logDir, 'blog', file)).size).toBeLessThanOrEqual(70_000);
});

test('a flood beyond log-rate is dropped, counted and told, and the limit holds', async () => {
  emperor.write('blog.ini', emperor.probeFile('print 5000', 'log-rate = 100'));
  await emperor.running('blog');

  await waitUntil('the drop to be told', () =>
    /drop/i.test(emperor.rawLog('blog').join('\n')) ? true : undefined,
  );

  const lines = emperor.log('blog').filter((line) => line.startsWith('line '));
  expect(lines.length).toBeGreaterThanOrEqual(100);
  expect(lines.length).toBeLessThanOrEqual(1_000);
  await emperor.waitFor('blog', (seen) => /drop/i.test(seen.note ?? ''), 5_000);
});

test('log-rate is changed live', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause', 'log-rate = 100'));
  const before = await emperor.running('blog');

  emperor.write('blog.ini', emperor.probeFile('pause', 'log-rate = 200', 'log-max-size = 1M'));

  const after = await emperor.waitFor('blog', (seen) => seen.revision !== before.revision);
  expect(after.pid).toBe(before.pid);
});

test('a line without end is split, not lost', async () => {
  emperor.write('blog.ini', emperor.probeFile('long 100000'));
  await emperor.running('blog');

  await waitUntil('every byte in the log', () =>
    emperor.log('blog').join('').match(/a/g)?.length === 100_000 ? true : undefined,
  );

  expect(emperor.rawLog('blog').length).toBeGreaterThan(1);
  for (const line of emperor.rawLog('blog')) expect(line).toMatch(STAMPED);
});

test('the last words of an app that dies are in the log', async () => {
  emperor.write('blog.ini', emperor.probeFile('crash', 'restart = never'));
  await emperor.waitFor('blog', (seen) => seen.pid === null && seen.lastExit !== null);

  expect(emperor.log('blog')).toEqual(['about to crash']);
});

test('an app may open /dev/stderr and /dev/stdout', async () => {
  emperor.write(
    'blog.ini',
    '[vassal]\ncommand = sh -c "echo opened-out > /dev/stdout; echo opened-err > /dev/stderr; exec sleep 1000"\n',
  );

  await emperor.printed('blog', 'opened-out');
  await emperor.printed('blog', 'opened-err');
});

test('the log file belongs to root and the tenant cannot read or change it', async () => {
  const facts = await emperor.facts('blog', [
    `list:${emperor.logDir}`,
    `read:${emperor.logDir}/blog/current`,
  ]);

  expect(statSync(join(emperor.logDir, 'blog', 'current'))).toMatchObject({ uid: 0 });
  expect(statSync(join(emperor.logDir, 'blog', 'current')).mode & 0o022).toBe(0);
  expect(facts.get('read', `${emperor.logDir}/blog/current`)).toMatch(/^E(ACCES|NOENT|PERM)$/);
});

test('an endless flood of one vassal leaves another one quick', async () => {
  emperor.write('flood.ini', emperor.probeFile('flood', 'log-max-size = 1M', 'log-keep = 1'));
  await emperor.running('flood');

  emperor.write('calm.ini', emperor.probeFile('say 0 hello'));

  await emperor.printed('calm', 'hello');
  expect((await emperor.cli(['stop', 'flood'])).code).toBe(0);
});
