import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { EmperorUnderTest } from '../support/emperor-under-test.ts';
import { pauseMs, waitUntil } from '../support/wait-until.ts';

/**
 * A keeper as a later version might be: it speaks the frozen core and words that nobody knows yet. Its app is a
 * `sleep` of this test.
 */
class LaterKeeper {
  readonly heard: string[] = [];
  readonly app: ChildProcess;
  readonly #server: Server;
  readonly #clients = new Set<Socket>();
  #isGone = false;

  constructor(path: string) {
    this.app = spawn('sleep', ['1000'], { stdio: 'ignore' });
    this.#server = createServer((socket) => this.#serve(socket));
    this.#server.listen(path);
  }

  close(): void {
    for (const socket of this.#clients) socket.destroy();
    this.#server.close();
    this.app.kill('SIGKILL');
  }

  #serve(socket: Socket): void {
    this.#clients.add(socket);
    socket.on('error', () => undefined);
    const ticks = readFileSync(`/proc/${process.pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[19];
    const { pid } = this.app;
    const life = this.#isGone
      ? ['exited 1 20 signal 9 -', 'gone 1']
      : [`launched 1 10 ${pid} ${pid} tag-of-the-future`, 'sparkle 1 unknown fact of version 99'];
    socket.write([`hello 99 ${process.pid} ${ticks} blog`, ...life, 'replayed', ''].join('\n'));
    socket.on('data', (piece) => {
      for (const line of piece.toString().split('\n').filter(Boolean)) this.#obey(socket, line);
    });
  }

  #obey(socket: Socket, line: string): void {
    this.heard.push(line);
    const [command = '', generation = '0'] = line.split(' ');
    socket.write(`ack ${command} ${/^\d+$/.test(generation) ? generation : 0} 0\n`);
    if (command === 'kill' || command === 'signal') {
      this.#isGone = true;
      this.app.kill('SIGKILL');
      socket.write('exited 1 20 signal 9 -\ngone 1\n');
    }
    if (command === 'quit') this.close();
  }
}

const emperor = new EmperorUnderTest();
let keeper: LaterKeeper;

beforeAll(() => mkdirSync(join(emperor.runDir, 'keepers'), { mode: 0o700 }));

beforeEach(async () => {
  keeper = new LaterKeeper(join(emperor.runDir, 'keepers', '0000decade99'));
  emperor.write('blog.ini', emperor.probeFile('pause'));
  emperor.write('other.ini', emperor.probeFile('pause'));
  await emperor.start();
});

afterEach(async () => {
  keeper.close();
  await emperor.end('SIGTERM');
});

afterAll(async () => {
  await emperor.dispose();
});

test('a keeper of another protocol version is seen and told, and its app is not started twice', async () => {
  await emperor.running('other');

  const told = await waitUntil(
    async () => `the version to be told: ${JSON.stringify(await emperor.status())}`,
    async () => {
      const text = JSON.stringify(await emperor.status());
      return /version/i.test(text) && text.includes('99') ? text : undefined;
    },
  );
  await pauseMs(500);

  expect(told).toContain('99');
  expect(emperor.log('blog')).toEqual([]);
  expect(keeper.heard.filter((line) => line.startsWith('launch'))).toEqual([]);
  expect(keeper.app.exitCode ?? keeper.app.signalCode).toBeNull();
});

test('it is stopped and replaced at its vassal’s next restart', async () => {
  await emperor.running('other');

  const restart = await emperor.cli(['restart', 'blog']);

  expect(restart).toMatchObject({ code: 0 });
  expect(keeper.heard.some((line) => /^(?:signal|kill) 1\b/.test(line))).toBe(true);
  expect(keeper.heard).toContain('quit');
  const vassal = await emperor.running('blog');
  expect(vassal.pid).not.toBe(keeper.app.pid);
  expect(emperor.log('blog')).toEqual(['up']);
});
