import { EmperorError } from '@emperor/common/errors';
import { expect, test } from 'vitest';
import { act } from '../../../packages/emperor/src/actions.ts';
import { answersOf } from '../../../packages/emperor/src/answers.ts';
import { FakeWorld } from '../../support/fake-world.ts';
import { specOf } from '../../support/spec-of.ts';

const quiet = () => undefined;
const log = { error: quiet, warn: quiet, info: quiet, debug: quiet };

/** `blog`, whose app runs in a keeper of protocol version 99. */
async function foreignBlog() {
  const world = new FakeWorld();
  const { emperor, clock } = world;
  const held = world.adoptForeign('blog', 7);
  world.write('blog', specOf('blog'));
  await world.settle();
  const answers = answersOf({
    emperor,
    clock,
    version: '0',
    pid: 1,
    sampler: { sample: async () => new Map(), forget: quiet },
    logs: { tail: async () => [], async *follow() {} },
    sourceDiagnostics: () => [],
    hostDiagnostics: () => [],
    ownerName: String,
    privateUid: quiet,
    idRange: () => undefined,
    rootless: undefined,
    usageTarget: quiet,
    explainFailure: () => () => ({ what: '', hint: undefined }),
  });
  const parts = { emperor, store: world.store, answers, log };
  const ask = (action: 'start' | 'stop' | 'restart' | 'reload') =>
    act(parts, { name: held.name, action, wait: true, caller: { rank: 'operator' } });
  return { world, held, answers, ask };
}

test('a vassal in a keeper of another version is shown as it is, with what to do', async () => {
  const { answers, held } = await foreignBlog();

  expect(answers.describe(held)).toMatchObject({
    state: 'running',
    pid: 56,
    keeperPid: 54,
    generation: 7,
    note: 'held by a keeper of protocol version 99; emperor restart blog replaces it',
  });
  expect(answers.explain(held)).toMatchObject({
    what: expect.stringMatching(/^running since .* held by a keeper of protocol version 99$/),
    hint: 'emperor restart blog replaces it',
  });
});

test.each(['start', 'reload'] as const)('%s is refused there at once', async (action) => {
  const { ask, world } = await foreignBlog();

  await expect(ask(action)).rejects.toMatchObject({
    code: 'keeper_failed',
    message: 'vassal blog is held by a keeper of protocol version 99',
    hint: 'emperor restart blog replaces it',
  });
  expect(world.endedForeign).toEqual([]);
});

test('restart replaces it', async () => {
  const { ask } = await foreignBlog();

  expect(await ask('restart')).toMatchObject({ ok: true, vassal: { state: 'running', generation: 8 } });
});

test('stop ends it, and it stays stopped', async () => {
  const { ask, world } = await foreignBlog();

  expect(await ask('stop')).toMatchObject({ ok: true, vassal: { state: 'stopped', keeperPid: null } });
  expect([world.endedForeign.length, world.keepers.length]).toEqual([1, 0]);
});

test.each(['stop', 'restart'] as const)('%s has an outcome when it does not end', async (action) => {
  const { ask, world } = await foreignBlog();
  world.undying = new EmperorError('keeper_failed', 'no end');

  expect(await ask(action)).toMatchObject({ ok: false, message: 'no end', hint: 'kill -KILL 54 ends it' });
});
