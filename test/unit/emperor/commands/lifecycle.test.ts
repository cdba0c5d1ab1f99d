import type { Action } from '@emperor/common/control/api';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseQuickly } from '../../../../packages/emperor/src/commands/arguments.ts';
import { FakeEmperor, RecordingIo, vassalJson } from './fake-emperor.ts';

let emperor: FakeEmperor;
let io: RecordingIo;

beforeEach(async () => {
  emperor = new FakeEmperor();
  emperor.vassals = ['blog', 'web-1', 'web-2'].map((name) => vassalJson({ name }));
  emperor.act = (action, name) => emperor.outcome(action, name);
  io = new RecordingIo();
  await emperor.listen();
});

afterEach(() => emperor.close());

async function run(action: Action, ...words: readonly string[]): Promise<number> {
  const invocation = parseQuickly([action, ...words, '--runtime-dir', emperor.runtimeDir]);
  if (invocation === undefined) throw new Error('not a plain command line');
  const command = await invocation.command.load();
  return command(invocation.args, io);
}

test.each(['start', 'stop', 'restart', 'reload'] as const)(
  '%s asks for it, waits and reports the outcome',
  async (action) => {
    expect(await run(action, 'blog')).toBe(0);

    expect(emperor.requests).toEqual([`POST /v1/vassals/blog/${action}?wait=true`]);
    expect(io.stdout).toBe('vassal blog: running (pid 4711)\n');
    expect(io.stderr).toBe('');
  },
);

test('--no-wait asks the emperor not to wait', async () => {
  await run('start', 'blog', '--no-wait');

  expect(emperor.requests).toEqual(['POST /v1/vassals/blog/start?wait=false']);
});

test('a pattern acts on every vassal that matches, --all on all', async () => {
  await run('restart', 'web-*');
  await run('stop', '--all');

  expect(emperor.requests.filter((line) => line.startsWith('POST'))).toEqual([
    'POST /v1/vassals/web-1/restart?wait=true',
    'POST /v1/vassals/web-2/restart?wait=true',
    'POST /v1/vassals/blog/stop?wait=true',
    'POST /v1/vassals/web-1/stop?wait=true',
    'POST /v1/vassals/web-2/stop?wait=true',
  ]);
});

test('a failure names the vassal, the reason and the next action, and the others go on', async () => {
  emperor.act = (action, name) =>
    name === 'web-1'
      ? emperor.outcome(action, name, {
          ok: false,
          message: 'exited with code 1\u0007',
          hint: 'emperor why web-1',
        })
      : emperor.outcome(action, name);

  expect(await run('start', 'web-1', 'web-2')).toBe(1);
  expect(io.stderr).toBe('vassal web-1 failed: exited with code 1\\x07\nhint: emperor why web-1\n');
  expect(io.stdout).toBe('vassal web-2: running (pid 4711)\n');
});

test('an unknown name exits 4 and is reported beside the outcomes of the others', async () => {
  expect(await run('stop', 'nobody', 'blog')).toBe(4);
  expect(io.stderr).toBe('vassal nobody failed: no such vassal: nobody\n');
  expect(io.stdout).toContain('vassal blog:');
});

test('failures of different kinds exit 1', async () => {
  emperor.act = (action, name) => emperor.outcome(action, name, { ok: false });

  expect(await run('stop', 'nobody', 'blog')).toBe(1);
});

test('reload of a stopped vassal exits 3, however the emperor says it', async () => {
  emperor.act = () => ({
    error: { code: 'vassal_not_running', message: 'vassal blog is stopped', hint: 'emperor start blog' },
  });
  expect(await run('reload', 'blog')).toBe(3);

  emperor.act = (action, name) =>
    emperor.outcome(action, name, {
      ok: false,
      message: 'stopped',
      vassal: vassalJson({ state: 'stopped' }),
    });
  expect(await run('reload', 'blog')).toBe(3);
});

test.each([[[]], [['blog', '--all']]])('%j is a usage error', async (words) => {
  await expect(run('stop', ...words)).rejects.toMatchObject({ exitCode: 2, hint: 'emperor stop --help' });
  expect(emperor.requests).toEqual([]);
});

test('--all without vassals succeeds and says that there are none', async () => {
  emperor.vassals = [];

  expect(await run('stop', '--all')).toBe(0);
  expect(io.stderr).toBe('no vassals\n');
});

test('--json prints all outcomes in the order of the names', async () => {
  await run('restart', 'web-2', 'blog', '--json');

  expect(JSON.parse(io.stdout)).toEqual({
    format: 1,
    outcomes: [emperor.outcome('restart', 'web-2'), emperor.outcome('restart', 'blog')],
  });
});

test('without an emperor every vassal is reported and the exit code is 69', async () => {
  await emperor.close();

  expect(await run('start', 'blog')).toBe(69);
  await expect(run('start', '--all')).rejects.toMatchObject({ exitCode: 69 });
});

test('a stop of many asks all of them before it waits for the first', async () => {
  const names = Array.from({ length: 200 }, (_, index) => `v${index}`);
  emperor.vassals = names.map((name) => vassalJson({ name }));

  expect(await run('stop', '--all')).toBe(0);

  const posts = emperor.requests.filter((line) => line.startsWith('POST'));
  expect(posts.slice(0, 200).every((line) => line.endsWith('?wait=false'))).toBe(true);
  expect(posts.slice(200).toSorted()).toEqual(
    names.map((name) => `POST /v1/vassals/${name}/stop?wait=true`).toSorted(),
  );
  expect(io.stdout.match(/^vassal v\d+: /gm)).toHaveLength(200);
});

test('an outcome that is good may still have a next action', async () => {
  emperor.act = (action, name) => emperor.outcome(action, name, { hint: 'emperor why blog' });

  expect(await run('reload', 'blog')).toBe(0);
  expect(io.stderr).toBe('hint: emperor why blog\n');
});
