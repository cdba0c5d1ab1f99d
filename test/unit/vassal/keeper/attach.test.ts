import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@emperor/common/clock';
import type { KeeperFact } from '@emperor/vassal/keeper/facts';
import { nativeKeepers } from '@emperor/vassal/keeper/native-keepers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { attachKeeper } from '../../../../packages/vassal/src/keeper/attach.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

const quiet = () => {};
const log = { error: quiet, warn: quiet, info: quiet, debug: quiet };
const HELLO = 'hello 1 42 1000 blog\n';

let directory = '';
let path = '';
let server: Server | undefined;
let connections: Socket[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'attach-'));
  path = join(directory, 'k');
  connections = [];
});
afterEach(async () => {
  await stopServing();
  await rm(directory, { recursive: true, force: true });
});

/** A peer that says `lines` to the n-th connection, then what its replies say to each line it hears. */
async function serve(lines: readonly string[], reply: (line: string) => string = () => ''): Promise<void> {
  let count = 0;
  const serving = createServer((socket) => {
    connections.push(socket);
    socket.on('error', quiet);
    socket.write(lines[Math.min(count, lines.length - 1)] ?? '');
    count += 1;
    socket.on('data', (chunk: Buffer) => {
      for (const line of chunk.toString().split('\n').slice(0, -1)) socket.write(reply(line));
    });
  });
  server = serving;
  await new Promise<void>((resolve) => serving.listen(path, resolve));
}

/** The socket stays on disk, as that of a killed keeper does. */
async function stopServing(): Promise<void> {
  for (const socket of connections) socket.destroy();
  const closing = server;
  server = undefined;
  if (closing !== undefined) await new Promise((resolve) => closing.close(resolve));
}

function attach(clock = new ManualClock()) {
  const facts: KeeperFact[] = [];
  const names: string[] = [];
  const gone = { count: 0 };
  const heard = { wake: quiet };
  const listener = {
    onFact: (fact: KeeperFact) => {
      facts.push(fact);
      heard.wake();
    },
    onGone: () => {
      gone.count += 1;
      heard.wake();
    },
  };
  const listen = (name: string) => {
    names.push(name);
    return listener;
  };
  const until = async (holds: () => boolean): Promise<void> => {
    while (!holds()) await new Promise<void>((resolve) => (heard.wake = resolve));
  };
  return { attached: attachKeeper({ path, clock, log, listen }), facts, names, gone, until };
}

test('the whole state is heard before the keeper is had', async () => {
  await serve([`${HELLO}launched 3 5 6 7 tag\nready 3 8\nreplayed\n`]);
  const { attached, facts, names } = attach();

  expect(await attached).toMatchObject({ is: 'attached', keeper: { pid: 42, name: 'blog' } });
  expect(facts.map(({ type }) => type)).toEqual(['hello', 'launched', 'ready', 'replayed']);
  expect(names).toEqual(['blog']);
});

test.each([
  ['another version', 'hello 2 42 1000 blog\n', { is: 'foreign', version: 2, name: 'blog', pid: 42 }],
  ['no hello', 'ready 3 8\n', { is: 'unreachable', reason: 'it did not say hello' }],
  [
    'a line without end',
    `${HELLO}${'x'.repeat(10_000)}`,
    { is: 'unreachable', reason: 'it sent a line without end' },
  ],
])('%s is no keeper of ours', async (_, text, expected) => {
  await serve([text]);

  expect(await attach().attached).toEqual(expected);
});

test('facts that we do not know are passed over', async () => {
  await serve([`${HELLO}sings 3 loudly\n\nlaunched 3\nreplayed\n`]);
  const { attached, facts } = attach();

  expect(await attached).toMatchObject({ is: 'attached' });
  expect(facts.map(({ type }) => type)).toEqual(['hello', 'replayed']);
});

test('a keeper that does not finish its replay in time is unreachable', async () => {
  await serve([HELLO]);
  const clock = new ManualClock();
  const { attached, until, facts } = attach(clock);
  await until(() => facts.length === 1);

  clock.advance(5001);

  expect(await attached).toEqual({ is: 'unreachable', reason: 'no answer within 5000 ms' });
});

test('a socket on which nobody listens is dead, and removed', async () => {
  await writeFile(join(directory, 'other'), '');
  await serve([HELLO]);
  const keeperSocket = `${path}-left`;
  const { rename } = await import('node:fs/promises');
  await rename(path, keeperSocket);
  await stopServing();
  path = keeperSocket;

  expect(await attach().attached).toEqual({ is: 'dead' });
  expect(existsSync(keeperSocket)).toBe(false);
});

test('commands are answered in order, by their errno', async () => {
  await serve(
    [`${HELLO}replayed\n`],
    (line) => `ack ${line.split(' ').slice(0, 2).join(' ')} ${line.startsWith('kill') ? 0 : 3}\n`,
  );
  const result = await attach().attached;
  if (result.is !== 'attached') throw new Error(result.is);
  const { keeper } = result;

  expect(
    await Promise.all([
      keeper.send({ do: 'kill', generation: 1 }),
      keeper.send({ do: 'signal', generation: 2, signal: 15 }),
    ]),
  ).toEqual([0, 3]);
});

test('a connection that is dropped is made again, and the replay tells what was missed', async () => {
  await serve([
    `${HELLO}launched 3 5 6 7 t\nreplayed\n`,
    `${HELLO}launched 3 5 6 7 t\nexited 3 9 code 0 -\nreplayed\n`,
  ]);
  const { attached, facts, gone, until } = attach();
  const result = await attached;
  const waiting = result.is === 'attached' ? result.keeper.send({ do: 'kill', generation: 3 }) : undefined;
  const failed = expect(waiting).rejects.toMatchObject({ code: 'keeper_failed' });

  connections[0]?.destroy();
  await until(() => facts.filter(({ type }) => type === 'replayed').length === 2);

  await failed;
  expect(facts.at(-2)).toMatchObject({ type: 'exited' });
  expect(gone.count).toBe(0);
});

test('a keeper that is not there any more is gone, once', async () => {
  await serve([`${HELLO}replayed\n`]);
  const { attached, gone, until } = attach();
  const result = await attached;

  await stopServing();
  await until(() => gone.count > 0);

  expect(gone.count).toBe(1);
  const sent = result.is === 'attached' ? result.keeper.send({ do: 'quit' }) : undefined;
  await expect(sent).rejects.toMatchObject({ code: 'keeper_failed' });
});

test('a keeper that said it quits is gone with its connection, and not looked for again', async () => {
  await serve([`${HELLO}replayed\n`], () => 'ack quit 0 0\n');
  const { attached, gone, until } = attach();
  const result = await attached;
  if (result.is !== 'attached') throw new Error('not attached');
  expect(await result.keeper.send({ do: 'quit' })).toBe(0);

  for (const socket of connections) socket.destroy();
  await until(() => gone.count > 0);
  expect(connections).toHaveLength(1);
});

test('a keeper that may not quit yet is looked for again when the connection drops', async () => {
  await serve([`${HELLO}replayed\n`], () => 'ack quit 0 16\n');
  const { attached, facts, gone, until } = attach();
  const result = await attached;
  if (result.is !== 'attached') throw new Error('not attached');
  expect(await result.keeper.send({ do: 'quit' })).toBe(16);

  connections[0]?.destroy();
  await until(() => facts.filter(({ type }) => type === 'replayed').length === 2);
  expect(gone.count).toBe(0);
});

test('another process on the same path is not the keeper that we knew', async () => {
  await serve([`${HELLO}replayed\n`, 'hello 1 43 2000 blog\nreplayed\n']);
  const { attached, gone, until } = attach();
  await attached;

  connections[0]?.destroy();
  await until(() => gone.count > 0);

  expect(gone.count).toBe(1);
});

test('after detaching nothing is heard, and nobody is called gone', async () => {
  await serve([`${HELLO}replayed\n`]);
  const { attached, facts, gone } = attach();
  const result = await attached;
  if (result.is !== 'attached') throw new Error(result.is);

  result.keeper.detach();
  const closed = new Promise((resolve) => connections[0]?.once('close', resolve));
  connections[0]?.write('ready 3 8\n');
  await closed;

  expect([facts.length, gone.count]).toEqual([2, 0]);
});

test('an acknowledgement that nobody waits for ends the connection', async () => {
  await serve([`${HELLO}replayed\nack kill 1 0\n`, `${HELLO}replayed\n`]);
  const { attached, facts, until } = attach();
  await attached;

  await until(() => facts.filter(({ type }) => type === 'replayed').length === 2);

  expect(connections).toHaveLength(2);
});

test('a keeper program that is missing or does not answer is an error of the start, each time', async () => {
  const options = { keepersDir: directory, cgroupLeaf: undefined, clock: systemClock, log };
  const listener = { onFact: quiet, onGone: quiet };
  for (const keeperBinary of ['/nonexistent/keeper', '/bin/true']) {
    const keepers = nativeKeepers({ ...options, keeperBinary });
    for (const name of ['blog', 'shop']) {
      await expect(keepers.start({ name, logDir: '/tmp' }, listener)).rejects.toMatchObject({
        code: 'keeper_failed',
      });
    }
    await keepers.close();
  }
});
