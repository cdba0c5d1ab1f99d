import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseQuickly } from '../../../../packages/emperor/src/commands/arguments.ts';
import { runCheck } from '../../../../packages/emperor/src/commands/check.ts';
import { RecordingIo } from './fake-emperor.ts';

let directory: string;
let io: RecordingIo;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'check-'));
  io = new RecordingIo();
});

afterEach(() => rmSync(directory, { recursive: true }));

function write(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text, { mode: 0o644 });
  return path;
}

function check(...words: readonly string[]): Promise<number> {
  const invocation = parseQuickly(['check', ...words]);
  if (invocation === undefined) throw new Error('not a plain command line');
  return runCheck(invocation.args, io);
}

const GOOD = '[vassal]\ncommand = true\n';

test('a good file is good', async () => {
  const path = write('blog.ini', GOOD);

  expect(await check(path)).toBe(0);
  expect(io.stdout).toBe('1 file checked: 0 errors, 0 warnings\n');
});

test('every problem of every file is told at once, with line, key and hint; exit code 78', async () => {
  write('blog.ini', '[vassal]\nmemory-max = 12 parsecs\ncomand = true\n');
  write('shop.ini', `${GOOD}umask = 999\n`);
  write('fine.ini', GOOD);
  write('notes.txt', 'not a vassal file');

  expect(await check(directory)).toBe(78);
  expect(io.stdout).toContain(`${directory}/blog.ini:2: memory-max: expected a size such as 512M`);
  expect(io.stdout).toContain(`${directory}/blog.ini:3: comand: unknown option\nhint: did you mean command?`);
  expect(io.stdout).toContain(`${directory}/shop.ini:3: umask:`);
  expect(io.stdout).toMatch(/\n3 files checked: \d+ errors, 0 warnings\n$/);
});

test('[defaults] and [force] of --config count, and their own problems are told', async () => {
  const config = write('emperor.ini', '[defaults]\nmemory-max = lots\n[force]\ncommand = true\n');
  const vassals = join(directory, 'v');
  mkdirSync(vassals);
  writeFileSync(join(vassals, 'blog.ini'), '[vassal]\n', { mode: 0o644 });

  expect(await check(vassals, '--config', config)).toBe(78);
  expect(io.stdout).toContain(`${config}:2: memory-max: expected a size`);
  expect(io.stdout).not.toContain('command');
});

test('a wrong emperor.ini is an error of its own', async () => {
  const config = write('emperor.ini', '[emperor]\nlog-level = loud\n');
  const path = write('blog.ini', GOOD);

  expect(await check(path, '--config', config)).toBe(78);
  expect(io.stdout).toContain(`${config}:2: log-level:`);
});

test.each([
  ['missing.ini', 'there is no such file'],
  ['open.ini', 'is writable by its group or by others'],
  ['nul.ini', 'is not UTF-8 text'],
  ['bad name.ini', 'its name makes no vassal name'],
  ['blog.ini~', 'its name makes no vassal name'],
  ['circle.ini', 'its link leads in a circle'],
])('%s: %s', async (name, message) => {
  write('open.ini', GOOD);
  chmodSync(join(directory, 'open.ini'), 0o666);
  write('nul.ini', 'a\0b');
  write('bad name.ini', GOOD);
  write('blog.ini~', GOOD);
  symlinkSync('circle.ini', join(directory, 'circle.ini'));

  expect(await check(join(directory, name))).toBe(78);
  expect(io.stdout).toContain(`${join(directory, name)}: ${message}`);
});

test('a link is checked under its own name', async () => {
  const template = write('template', '[vassal]\ncommand = echo %(name) %(nothing)\n');
  symlinkSync(template, join(directory, 'blog.ini'));

  expect(await check(join(directory, 'blog.ini'))).toBe(78);
  expect(io.stdout).toContain(`${directory}/blog.ini:2: command:`);
});

test('--json tells for each file whether it may run', async () => {
  write('a.ini', GOOD);
  write('b.ini', '[vassal]\n');

  expect(await check(directory, '--json')).toBe(78);
  expect(JSON.parse(io.stdout)).toMatchObject({
    format: 1,
    files: [
      { file: join(directory, 'a.ini'), ok: true, diagnostics: [] },
      { file: join(directory, 'b.ini'), ok: false, diagnostics: [{ severity: 'error', key: 'command' }] },
    ],
  });
});
