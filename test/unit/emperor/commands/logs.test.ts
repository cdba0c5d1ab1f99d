import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseQuickly } from '../../../../packages/emperor/src/commands/arguments.ts';
import { runLogs } from '../../../../packages/emperor/src/commands/logs.ts';
import { FakeEmperor, RecordingIo, vassalJson } from './fake-emperor.ts';

let emperor: FakeEmperor;
let io: RecordingIo;

beforeEach(async () => {
  emperor = new FakeEmperor();
  emperor.vassals = ['blog', 'shop'].map((name) => vassalJson({ name }));
  emperor.logs = { blog: ['one', 'two\u001b]0;title\u0007'], shop: ['three'] };
  io = new RecordingIo();
  await emperor.listen();
});

afterEach(() => emperor.close());

function logs(...words: readonly string[]): Promise<number> {
  const invocation = parseQuickly(['logs', ...words, '--runtime-dir', emperor.runtimeDir]);
  if (invocation === undefined) throw new Error('not a plain command line');
  return runLogs(invocation.args, io);
}

test('the last lines of one vassal are printed as they are, but harmless', async () => {
  expect(await logs('blog')).toBe(0);
  expect(io.stdout).toBe('one\ntwo\\x1b]0;title\\x07\n');
  expect(emperor.requests).toEqual(['GET /v1/vassals/blog/logs?lines=50&follow=false']);
});

test('with several vassals each line says whose it is', async () => {
  emperor.vassals = [vassalJson(), vassalJson({ name: 'webfrontend' })];
  emperor.logs = { blog: ['one'], webfrontend: ['two'] };

  await logs('blog', 'webfrontend');

  expect(io.stdout).toBe('blog        | one\nwebfrontend | two\n');
});

test('a pattern shows every vassal that matches', async () => {
  await logs('*');

  expect(io.stdout.split('\n')).toContain('shop | three');
});

test('-n and -f reach the emperor', async () => {
  await logs('-f', '-n', '7', 'blog');

  expect(emperor.requests).toEqual(['GET /v1/vassals/blog/logs?lines=7&follow=true']);
});

test('--json prints one object for each line', async () => {
  await logs('shop', '--json');

  expect(JSON.parse(io.stdout)).toEqual({ vassal: 'shop', line: 'three' });
});

test.each(['-1', 'ten', '1.5', '', '99999999'])('a count of %j is a usage error', async (count) => {
  await expect(runLogs({ names: ['blog'], flags: { lines: count } }, io)).rejects.toMatchObject({
    exitCode: 2,
  });
});

test('an unknown vassal is refused with exit code 4', async () => {
  await expect(logs('nobody')).rejects.toMatchObject({ exitCode: 4 });
});
