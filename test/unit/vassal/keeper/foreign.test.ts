import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { endForeignKeeper, seeForeignKeeper } from '../../../../packages/vassal/src/keeper/foreign.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

const quiet = () => {};
const log = { error: quiet, warn: quiet, info: quiet, debug: quiet };
const HELLO = 'hello 99 42 1000 blog\n';
const LAUNCHED = 'launched 3 5 6 7 tag of the future\n';
const NO_END = {
  code: 'keeper_failed',
  message: 'keeper 42 of another protocol version: no end within 15000 ms',
  hint: 'kill -KILL 42 ends it',
};

let directory = '';
let path = '';
let server: Server | undefined;
let sockets: Socket[] = [];
let heard: string[] = [];
let wake = quiet;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'foreign-'));
  path = join(directory, 'k');
  [sockets, heard] = [[], []];
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  if (server !== undefined) await new Promise((resolve) => server?.close(resolve));
  server = undefined;
  await rm(directory, { recursive: true, force: true });
});

/** A keeper that replays `replay` and answers each line that it hears; it closes the connection after `quit`. */
async function serve(replay: string, answer: (line: string) => string = () => ''): Promise<void> {
  const serving = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', quiet);
    socket.write(replay);
    socket.on('data', (chunk: Buffer) => {
      for (const line of chunk.toString().split('\n').slice(0, -1)) {
        heard.push(line);
        socket.write(answer(line));
        if (line === 'quit') socket.end();
      }
      wake();
    });
  });
  server = serving;
  await new Promise<void>((resolve) => serving.listen(path, resolve));
}

async function untilHeard(line: string): Promise<void> {
  while (!heard.includes(line)) await new Promise<void>((resolve) => (wake = resolve));
}

function end(clock = new ManualClock()): Promise<void> {
  return endForeignKeeper({ path, clock, log, stop: { signal: 3, timeoutMs: 5_000 } });
}

test('what runs in it is asked to stop and forgotten, then it quits', async () => {
  await serve(`${HELLO}sparkle 3 brightly\n${LAUNCHED}replayed\n`, (line) =>
    line.startsWith('signal') ? 'exited 3 20 signal 3 new=1 field=2\ngone 3\n' : '',
  );

  await end();

  expect(heard).toEqual(['signal 3 3', 'forget 3', 'quit']);
});

test('without other words it is SIGTERM that asks', async () => {
  await serve(`${HELLO}${LAUNCHED}replayed\n`, (line) => (line.startsWith('signal') ? 'gone 3\n' : ''));

  await endForeignKeeper({ path, clock: new ManualClock(), log });

  expect(heard[0]).toBe('signal 3 15');
});

test('what ignores its signal is killed when its time is over', async () => {
  const clock = new ManualClock();
  await serve(`${HELLO}${LAUNCHED}replayed\n`, (line) =>
    line === 'kill 3' ? 'exited 3 20 signal 9 -\ngone 3\n' : '',
  );
  const ended = end(clock);
  await untilHeard('signal 3 3');
  clock.advance(4_999);
  expect(heard).toEqual(['signal 3 3']);

  clock.advance(1);
  await ended;

  expect(heard).toEqual(['signal 3 3', 'kill 3', 'forget 3', 'quit']);
});

test('each generation gets what it needs: one runs, one ends, one is over', async () => {
  const over = 'launched 1 5 6 7 t\nexited 1 8 code 0 -\ngone 1\n';
  const ends = 'launched 2 5 6 7 t\nexited 2 8 code 0 -\n';
  await serve(`${HELLO}${over}${ends}${LAUNCHED}replayed\n`, (line) =>
    line.startsWith('signal') ? 'gone 2\ngone 3\n' : '',
  );

  await end();

  expect(heard.toSorted()).toEqual(['forget 1', 'forget 2', 'forget 3', 'quit', 'signal 3 3']);
  expect(heard.at(-1)).toBe('quit');
});

test('one that holds nothing only quits', async () => {
  await serve(`${HELLO}replayed\n`);

  await end();

  expect(heard).toEqual(['quit']);
});

test('one that is not there any more has ended', async () => {
  await expect(end()).resolves.toBeUndefined();
});

test('it is told with its pid when what it holds does not end', async () => {
  const clock = new ManualClock();
  await serve(`${HELLO}${LAUNCHED}replayed\n`);
  const told = expect(end(clock)).rejects.toMatchObject(NO_END);
  await untilHeard('signal 3 3');
  clock.advance(5_000);
  await untilHeard('kill 3');

  clock.advance(10_000);

  await told;
  expect(heard).toEqual(['signal 3 3', 'kill 3']);
});

test('nothing is said to one that does not finish its replay', async () => {
  const clock = new ManualClock();
  await serve(`${HELLO}${LAUNCHED}sparkle\n`);
  const said = new Promise<void>((resolve) => (log.debug = resolve));
  const told = expect(end(clock)).rejects.toMatchObject(NO_END);
  await said;

  clock.advance(4_999);
  clock.advance(10_001);

  await told;
  expect(heard).toEqual([]);
});

test('one that goes away before it was told to quit has not ended', async () => {
  await serve(`${HELLO}${LAUNCHED}replayed\n`);
  const ended = expect(end()).rejects.toMatchObject({ code: 'keeper_failed' });
  await untilHeard('signal 3 3');

  sockets[0]?.destroy();

  await ended;
});

test('a line without end is no keeper', async () => {
  await serve(`${HELLO}${'x'.repeat(10_000)}`);

  await expect(end()).rejects.toMatchObject({ code: 'keeper_failed' });
});

test('the newest generation that runs is seen, and nothing is said', async () => {
  const older = 'launched 1 5 6 7 t\nlaunched 2 5 6 7 t\nexited 2 8 code 0 -\n';
  await serve(`${HELLO}${older}${LAUNCHED}launched 4 5 6 7 t\ngone 4\nreplayed\n`);

  const seen = await seeForeignKeeper({ path, clock: new ManualClock(), log });

  expect(seen).toMatchObject({ generation: 3, at: 5, initPid: 6, appPid: 7 });
  expect(heard).toEqual([]);
});

test('one in which nothing runs is seen as such', async () => {
  await serve(`${HELLO}launched 1 5 6 7 t\nexited 1 8 code 0 -\nreplayed\n`);

  expect(await seeForeignKeeper({ path, clock: new ManualClock(), log })).toBeUndefined();
});
