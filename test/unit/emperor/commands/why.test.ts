import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseQuickly } from '../../../../packages/emperor/src/commands/arguments.ts';
import { runWhy } from '../../../../packages/emperor/src/commands/why.ts';
import { FakeEmperor, RecordingIo, vassalJson } from './fake-emperor.ts';

let emperor: FakeEmperor;
let io: RecordingIo;

beforeEach(async () => {
  const vassal = vassalJson({ state: 'backing-off' });
  emperor = new FakeEmperor();
  emperor.vassals = [vassal];
  emperor.why = {
    format: 1,
    vassal,
    answer: 'killed by the kernel: memory-max 64M reached',
    hint: 'raise memory-max in /etc/emperor/vassals/blog.ini, or look for a leak',
    history: [
      { at: '2026-11-20T10:00:00.000Z', what: 'started generation 3', afterMs: null },
      { at: '2026-11-20T10:04:00.000Z', what: 'killed by SIGKILL', afterMs: 240_000 },
    ],
    output: ['2026-11-20T10:03:59.999Z err|allocating \u001b[1m'],
  };
  io = new RecordingIo();
  await emperor.listen();
});

afterEach(() => emperor.close());

function why(...words: readonly string[]): Promise<number> {
  const invocation = parseQuickly(['why', ...words, '--runtime-dir', emperor.runtimeDir]);
  if (invocation === undefined) throw new Error('not a plain command line');
  return runWhy(invocation.args, io);
}

test('the answer comes first, then what to do, then the evidence; exit code 0 whatever the state', async () => {
  expect(await why('blog')).toBe(0);
  expect(io.stdout).toBe(`blog is backing-off: killed by the kernel: memory-max 64M reached
hint: raise memory-max in /etc/emperor/vassals/blog.ini, or look for a leak

history
  2026-11-20T10:00:00.000Z  started generation 3
  2026-11-20T10:04:00.000Z  killed by SIGKILL (after 4m)

last output
  2026-11-20T10:03:59.999Z err|allocating \\x1b[1m
`);
});

test('--json prints what the emperor gave', async () => {
  await why('blog', '--json');

  expect(JSON.parse(io.stdout)).toEqual(emperor.why);
});

test('an unknown vassal is refused with exit code 4', async () => {
  await expect(why('nobody')).rejects.toMatchObject({ exitCode: 4 });
});
