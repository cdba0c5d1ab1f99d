import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@emperor/common/clock';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runCheck } from '../../../../packages/vassal/src/commands/check.ts';
import type { CommandIo } from '../../../../packages/vassal/src/commands/command.ts';
import { runPlan } from '../../../../packages/vassal/src/commands/plan.ts';

let directory = '';
let out = '';
let err = '';
const io: CommandIo = {
  out: (text) => {
    out += text;
  },
  err: (text) => {
    err += text;
  },
  clock: systemClock,
  onSignal: () => () => undefined,
};

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'check-'));
  [out, err] = ['', ''];
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function file(name: string, text: string): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, text, { mode: 0o644 });
  return path;
}

test('a file that can be used is 0 and silent, also through a link', async () => {
  const path = await file('app.template', '[vassal]\ncommand = true\n');
  await symlink(path, join(directory, 'blog.ini'));

  expect(await runCheck([join(directory, 'blog.ini')], io)).toBe(0);
  expect(out + err).toBe('');
});

test('everything that is wrong is told with its line, of all files, and makes 78', async () => {
  const good = await file('good.ini', '[vassal]\ncommand = true\n');
  const bad = await file('bad.ini', '[vassal]\ncommand = true\ncolour = red\numask = 9\n');

  expect(await runCheck([bad, good], io)).toBe(78);
  expect(err.split('\n').filter((line) => !line.startsWith('hint'))).toEqual([
    `${bad}:3: colour: unknown option`,
    `${bad}:4: umask: expected an octal mode such as 022`,
    '',
  ]);
});

test.each([
  ['none.ini', 'there is no such file'],
  ['.ini', 'its name makes no vassal name: call it NAME.ini'],
])('%s cannot be checked: %s', async (name, message) => {
  expect(await runCheck([join(directory, name)], io)).toBe(78);
  expect(err).toBe(`${join(directory, name)}: ${message}\n`);
});

test('a plan shows where every value came from, and the jail, on lines of their own', async () => {
  const path = await file('blog.ini', '[vassal]\ncommand = echo "\u001b[31m"\nunshare = pid\n');

  expect(await runPlan(path, io)).toBe(0);
  expect(out).toMatch(/^unshare = pid +restart +file /m);
  expect(out).toContain(`file ${path}:3\n`);
  expect(out).toMatch(/^private-tmp = false +restart +built-in; because: needs mnt in unshare$/m);
  expect(out).toContain('\n  command word "echo"\n');
  expect(out).not.toContain('\u001b');
});
