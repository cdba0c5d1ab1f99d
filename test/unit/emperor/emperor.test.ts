import { EmperorError } from '@emperor/common/errors';
import { expect, test } from 'vitest';
import { FakeWorld } from '../../support/fake-world.ts';
import { specOf } from '../../support/spec-of.ts';

test('a file that appears runs, and one that disappears leaves nothing', async () => {
  const world = new FakeWorld();
  const held = world.write('blog', specOf('blog'));
  await world.settle();
  expect(held.state.is).toBe('running');

  world.write('blog', undefined);
  await world.settle();

  expect([...world.emperor.vassals.keys()]).toEqual([]);
  expect(world.keeperOf('blog').commands.at(-1)).toEqual({ do: 'quit' });
});

test('a touch replaces the generation', async () => {
  const world = new FakeWorld();
  const held = world.write('blog', specOf('blog'));
  await world.settle();
  world.write('blog', specOf('blog'), 'a', '2');
  await world.settle();

  expect(held.state).toMatchObject({ is: 'running', generation: 2 });
});

test('two edits in quick succession end in the last one, with no start in between wasted', async () => {
  const world = new FakeWorld();
  const held = world.write('blog', specOf('blog'));
  await world.settle();
  const { limits } = specOf('blog');
  world.write('blog', { ...specOf('blog'), limits }, 'b');
  world.write('blog', { ...specOf('blog'), limits }, 'c');
  await world.settle();

  expect(held.attempt?.revision).toBe('c');
});

test('a limit is changed without a new generation', async () => {
  const world = new FakeWorld();
  const spec = specOf('blog');
  const held = world.write('blog', spec);
  await world.settle();
  world.write('blog', { ...spec, limits: { ...spec.limits, pidsMax: 7 } }, 'b');
  await world.settle();

  expect(held.state).toMatchObject({ is: 'running', generation: 1 });
  expect(held.attempt?.revision).toBe('b');
});

test('while files are being read, those start that wait for nobody', async () => {
  const world = new FakeWorld();
  const app = world.read('app', specOf('app', { startAfter: [specOf('db').name] }));
  const other = world.read('other', specOf('other'));
  await world.settle();
  expect([app.state.is, other.state.is]).toEqual(['stopped', 'running']);

  world.emperor.reorder();
  await world.settle();
  expect(app.state.is).toBe('running');
});

test('an app that ends is replaced at once the first time and waits the second', async () => {
  const world = new FakeWorld();
  const held = world.write('blog', specOf('blog'));
  await world.settle();
  world.keeperOf('blog').exit(1);
  await world.settle();
  expect(held.state).toMatchObject({ is: 'running', generation: 2 });

  world.keeperOf('blog').exit(1);
  await world.settle();
  expect(held.state).toMatchObject({ is: 'backing-off', failures: 2 });

  world.clock.advance(100);
  await world.settle();
  expect(held.state).toMatchObject({ is: 'running', generation: 3 });
  expect(held.restarts).toBe(2);
});

test('an app that ignores its stop signal is killed when its time is over', async () => {
  const world = new FakeWorld();
  world.write('blog', specOf('blog', { stopTimeoutMs: 5_000 }));
  await world.settle();
  const keeper = world.keeperOf('blog');
  keeper.isStubborn = true;
  world.write('blog', undefined);
  await world.settle();
  expect(keeper.commands.some((command) => command.do === 'kill')).toBe(false);

  world.clock.advance(5_000);
  await world.settle();

  expect(keeper.commands.some((command) => command.do === 'kill')).toBe(true);
  expect(world.emperor.vassals.size).toBe(0);
});

test('a dead keeper is cleaned up after and replaced', async () => {
  const world = new FakeWorld();
  const held = world.write('blog', specOf('blog'));
  await world.settle();
  world.keeperOf('blog').die();
  await world.settle();

  expect(world.reaped).toEqual(['blog']);
  expect(held.state).toMatchObject({ is: 'running', generation: 2 });
  expect(world.keepers).toHaveLength(2);
});

test('what cannot be prepared backs off and says why', async () => {
  const world = new FakeWorld();
  world.unprepared = new EmperorError('state_unwritable', 'no space', { hint: 'make some' });
  const held = world.write('blog', specOf('blog'));
  await world.settle();
  world.clock.advance(10);
  await world.settle();

  expect(held.state).toMatchObject({
    is: 'backing-off',
    last: { by: 'prepare', message: 'no space', hint: 'make some' },
  });
});

test('a launch that fails is tried again at once, then later and later', async () => {
  const world = new FakeWorld();
  world.unprepared = new EmperorError('state_unwritable', 'no space');
  const held = world.write('blog', specOf('blog'));
  for (let turn = 0; turn < 4; turn += 1) {
    await world.settle();
    world.clock.advance(1);
  }
  expect(held.generation).toBe(2);

  world.clock.advance(1_000);
  await world.settle();
  expect(held.generation).toBeGreaterThan(2);
});

test('a vassal waits for what it starts after', async () => {
  const world = new FakeWorld();
  world.unprepared = new EmperorError('state_unwritable', 'not yet');
  const db = world.write('db', specOf('db'));
  const app = world.write('app', specOf('app', { startAfter: [db.name] }));
  await world.settle();
  expect([db.state.is, app.state.is]).toEqual(['backing-off', 'stopped']);

  world.unprepared = undefined;
  world.clock.advance(60_000);
  await world.settle();

  expect([db.state.is, app.state.is]).toEqual(['running', 'running']);
});

test("a tenant's vassal neither waits for another owner's nor holds up its end", async () => {
  const world = new FakeWorld();
  world.unprepared = new EmperorError('state_unwritable', 'not yet');
  const db = world.write('db', specOf('db', {}, 1002));
  world.unprepared = undefined;
  const spy = world.write('spy', specOf('spy', { startAfter: [db.name] }, 1001));
  await world.settle();
  expect(world.emperor.waitsFor(spy)).toEqual([]);
  expect(world.emperor.foreignBefores(spy)).toEqual([db.name]);

  world.clock.advance(60_000);
  await world.settle();
  world.keeperOf('spy').isStubborn = true;
  world.emperor.close();
  await world.settle();

  expect([db.state.is, spy.state.is]).toEqual(['stopped', 'stopping']);
});

test('launches that hang give their turns to others', async () => {
  const world = new FakeWorld();
  for (const name of ['a', 'b', 'c', 'd']) world.hung.add(name);
  for (const name of world.hung) world.write(name, specOf(name));
  await world.settle();
  const blog = world.write('blog', specOf('blog'));
  await world.settle();
  expect(blog.state.is).toBe('stopped');

  world.clock.advance(2_000);
  await world.settle();

  expect(blog.state.is).toBe('running');
});

test('an operator orders the vassals of several owners', async () => {
  const world = new FakeWorld();
  const db = world.write('db', specOf('db', {}, 1002));
  const app = world.write('app', specOf('app', { startAfter: [db.name] }));

  expect(world.emperor.waitsFor(app)).toEqual([db.name]);
});

test('closing stops in reverse order and keeps nothing', async () => {
  const world = new FakeWorld();
  const db = world.write('db', specOf('db'));
  world.write('app', specOf('app', { startAfter: [db.name] }));
  await world.settle();
  world.keeperOf('app').isStubborn = true;
  world.emperor.close();
  await world.settle();
  expect(db.state.is).toBe('running');

  world.keeperOf('app').exit(0);
  await world.settle();

  expect([...world.emperor.vassals.values()].map((held) => [held.state.is, held.keeper])).toEqual([
    ['stopped', undefined],
    ['stopped', undefined],
  ]);
});

test('a thousand vassals all come up, four at a time', async () => {
  const world = new FakeWorld();
  for (let index = 0; index < 1_000; index += 1) world.write(`v${index}`, specOf(`v${index}`));
  for (let round = 0; round < 400; round += 1) await world.settle();

  expect([...world.emperor.vassals.values()].every((held) => held.state.is === 'running')).toBe(true);
});

test('a vassal whose owner changed is killed, gets a new keeper and starts anew', async () => {
  const world = new FakeWorld();
  const held = world.write('blog', specOf('blog'));
  await world.settle();
  world.write('blog', specOf('blog', {}, 1_001), 'b');
  await world.settle();

  expect(world.keepers[0]?.commands.map((command) => command.do)).toContain('kill');
  expect(world.keepers).toHaveLength(2);
  expect(held.attempt?.ownerUid).toBe(1_001);
});

test('another owner of a name inherits nothing, also after the first one is long gone', async () => {
  const world = new FakeWorld();
  world.write('blog', specOf('blog'));
  await world.settle();
  world.write('blog', undefined);
  await world.settle();
  const held = world.write('blog', specOf('blog', {}, 1_001));
  await world.settle();

  expect(world.disinherited).toEqual(['blog']);
  expect(held.lastEnded).toBeUndefined();
});

test('what a keeper of another version runs goes on over edits, and is told about', async () => {
  const world = new FakeWorld();
  const held = world.adoptForeign('blog', 7);
  world.write('blog', specOf('blog'));
  world.write('blog', specOf('blog'), 'b', '2');
  await world.settle();

  expect(held.state).toMatchObject({ is: 'running', generation: 7, pids: { app: 56 } });
  expect([world.endedForeign, world.keepers]).toEqual([[], []]);
});

test('a vassal without autostart goes on in a keeper of another version', async () => {
  const world = new FakeWorld();
  const held = world.adoptForeign('blog', 7);
  const spec = specOf('blog');
  world.write('blog', { ...spec, app: { ...spec.app, autostart: false } });
  await world.settle();

  expect(held.state.is).toBe('running');
});

test('a keeper of another version is ended with the app’s own signal and time, and a fresh one starts', async () => {
  const world = new FakeWorld();
  const held = world.adoptForeign('blog', 7);
  world.write('blog', specOf('blog', { stopSignal: 3, stopTimeoutMs: 1_234 }));
  held.turns = { ...held.turns, restart: 1 };
  world.emperor.mark(held);
  await world.settle();

  expect(world.endedForeign).toEqual([{ path: '/keepers/blog', stop: { signal: 3, timeoutMs: 1_234 } }]);
  expect(world.reaped).toEqual(['blog']);
  expect(held).toMatchObject({ foreign: undefined, state: { is: 'running', generation: 8 } });
});

test('a keeper of another version in which nothing runs makes room at once', async () => {
  const world = new FakeWorld();
  const held = world.adoptForeign('blog', undefined);
  world.write('blog', specOf('blog'));
  await world.settle();

  expect(world.endedForeign).toHaveLength(1);
  expect(held).toMatchObject({ foreign: undefined, state: { is: 'running', generation: 1 } });
});

test('without its file a vassal in a keeper of another version is forgotten', async () => {
  const world = new FakeWorld();
  const held = world.adoptForeign('blog', 7);
  world.write('blog', specOf('blog'));
  await world.settle();

  world.write('blog', undefined);
  await world.settle();

  expect(world.endedForeign).toHaveLength(1);
  expect(world.emperor.vassals.has(held.name)).toBe(false);
  expect(world.keepers).toEqual([]);
});

test('an owner who lost the right gets no time in a keeper of another version', async () => {
  const world = new FakeWorld();
  const held = world.adoptForeign('blog', 7);
  world.write('blog', specOf('blog'));
  if (held.file !== undefined) held.file = { ...held.file, good: undefined, revoked: true };
  world.emperor.mark(held);
  await world.settle();

  expect(world.endedForeign).toEqual([{ path: '/keepers/blog', stop: { signal: 9, timeoutMs: 0 } }]);
  expect(held.state.is).toBe('stopped');
});

test('a keeper of another version that does not end is tried again until it does', async () => {
  const world = new FakeWorld();
  world.undying = new EmperorError('keeper_failed', 'no end');
  const held = world.adoptForeign('blog', 7);
  world.write('blog', specOf('blog'));
  held.turns = { ...held.turns, restart: 1 };
  world.emperor.mark(held);
  await world.settle();
  expect(held).toMatchObject({ trouble: 'no end', state: { is: 'stopping' } });

  world.undying = undefined;
  world.clock.advance(1_000);
  await world.settle();

  expect(world.endedForeign).toHaveLength(2);
  expect(held).toMatchObject({ trouble: undefined, state: { is: 'running', generation: 8 } });
});

test('what was adopted goes on while nothing is known of its file, and ends once the file is proved gone', async () => {
  const world = new FakeWorld();
  const held = world.write('blog', specOf('blog'));
  await world.settle();
  held.file = undefined;
  held.gone = false;
  world.emperor.mark(held);
  await world.settle();
  expect(held.state.is).toBe('running');

  held.gone = true;
  world.emperor.mark(held);
  await world.settle();
  expect(world.emperor.vassals.size).toBe(0);
});

test('a keeper that comes after its launch could not be prepared is let go with its vassal', async () => {
  const world = new FakeWorld();
  world.unprepared = new EmperorError('state_unwritable', 'no space');
  world.slowKeepers = true;
  world.write('blog', specOf('blog'));
  await world.settle();
  world.write('blog', undefined);
  await world.settle();
  world.letKeepersCome();
  await world.settle();

  expect(world.keeperOf('blog').commands.at(-1)).toEqual({ do: 'quit' });
  expect(world.emperor.vassals.size).toBe(0);
});
