import { unlink } from 'node:fs/promises';
import { createConnection, type Socket } from 'node:net';
import type { Clock } from '@emperor/common/clock';
import { describeError, EmperorError, isErrno } from '@emperor/common/errors';
import type { Log } from '@emperor/common/log/log';
import { Acks } from './acks.ts';
import type { KeeperCommand, KeeperFact } from './facts.ts';
import type { Keeper, KeeperListener } from './keeper.ts';
import { Lines } from './lines.ts';
import { decodeFact, encodeCommand, KEEPER_PROTOCOL, LONGEST_LINE } from './protocol.ts';

/** How long a keeper may take to answer a command, or to replay its state. */
export const KEEPER_PATIENCE_MS = 5_000;

/** A keeper that does not read must not make us hold more than this for it. */
const MOST_UNSENT_BYTES = 4 * 1024 ** 2;

export type AttachOptions = {
  readonly path: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Asked once the name is known. */
  readonly listen: (name: string) => KeeperListener;
};

export type Attached =
  | { readonly is: 'attached'; readonly keeper: Keeper }
  /** It speaks another version of the protocol: to be seen, stopped and replaced. */
  | { readonly is: 'foreign'; readonly version: number; readonly name: string; readonly pid: number }
  /** Nobody listens on its socket any more; the socket is removed. */
  | { readonly is: 'dead' }
  | { readonly is: 'unreachable'; readonly reason: string };

/** Connect to a keeper and hear its whole state: the one path of starting, reconnecting and adopting. */
export async function attachKeeper(options: AttachOptions): Promise<Attached> {
  const attachment = new Attachment(options);
  const result = await attachment.connect();
  if (result.is !== 'ready') return result;
  return {
    is: 'attached',
    keeper: {
      pid: result.pid,
      name: result.name,
      send: (command) => attachment.send(command),
      detach: () => attachment.detach(),
    },
  };
}

type Ready = { readonly is: 'ready'; readonly pid: number; readonly name: string };
type Connected = Ready | Exclude<Attached, { is: 'attached' }>;
type Hello = Extract<KeeperFact, { type: 'hello' }>;

/** One keeper over all connections to it. */
class Attachment {
  readonly #options: AttachOptions;
  #socket: Socket | undefined;
  #acks: Acks;
  #listener: KeeperListener | undefined;
  #pid: number | undefined;
  #over = false;
  /** It said that it ends: nobody will answer at its socket, which it takes along. */
  #quits = false;

  constructor(options: AttachOptions) {
    this.#options = options;
    this.#acks = new Acks(options.clock, KEEPER_PATIENCE_MS);
  }

  /** Resolves when the replay is complete, or with why it is not. */
  async connect(): Promise<Connected> {
    const result = await this.#connect();
    if (result.is === 'dead') await removeSocket(this.#options.path);
    return result;
  }

  #connect(): Promise<Connected> {
    return new Promise((resolve) => {
      const socket = createConnection(this.#options.path);
      const lines = new Lines(2 * LONGEST_LINE);
      let hello: Hello | undefined;
      let settled: Connected | undefined;
      const settle = (result: Connected): void => {
        if (settled !== undefined) return;
        settled = result;
        cancel();
        if (result.is !== 'ready') socket.destroy();
        resolve(result);
      };
      const late = () => settle({ is: 'unreachable', reason: `no answer within ${KEEPER_PATIENCE_MS} ms` });
      const cancel = this.#options.clock.after(KEEPER_PATIENCE_MS, late);
      const hear = (line: string): void => {
        if (socket.destroyed) return;
        const fact = decodeFact(line);
        if (fact === undefined) return this.#options.log.debug('keeper said what we do not know', { line });
        if (hello === undefined) {
          if (fact.type !== 'hello') return settle({ is: 'unreachable', reason: 'it did not say hello' });
          const refused = this.#refusal(fact);
          if (refused !== undefined) return settle(refused);
          hello = fact;
          this.#begin(fact, socket);
        }
        this.#pass(fact);
        if (fact.type === 'replayed') settle({ is: 'ready', pid: hello.pid, name: hello.name });
      };
      socket.on('data', (chunk: Buffer) => {
        for (const line of lines.take(chunk)) hear(line);
        if (lines.overflowed) socket.destroy(new Error('it sent a line without end'));
      });
      // Without a listener an error would end the emperor; `close` follows and tells.
      socket.on('error', (error) =>
        settle(isGone(error) ? { is: 'dead' } : { is: 'unreachable', reason: describeError(error) }),
      );
      socket.on('close', () => {
        settle({ is: 'unreachable', reason: 'it closed the connection' });
        if (settled?.is === 'ready') this.#lost();
      });
    });
  }

  // oxlint-disable-next-line require-await -- what goes wrong here rejects like what goes wrong later
  async send(command: KeeperCommand): Promise<number> {
    const socket = this.#socket;
    if (this.#over || socket === undefined || socket.destroyed) {
      throw new EmperorError('keeper_failed', `no connection to the keeper for ${command.do}`);
    }
    if (socket.writableLength > MOST_UNSENT_BYTES)
      throw new EmperorError('keeper_failed', 'the keeper does not read');
    const bytes = encodeCommand(command);
    const answer = this.#acks.expect(command.do);
    this.#write(socket, bytes);
    return answer;
  }

  /** What is said in one turn goes out as one write: each wakes the keeper. */
  #write(socket: Socket, bytes: Uint8Array): void {
    if (socket.writableCorked === 0) {
      socket.cork();
      process.nextTick(() => socket.uncork());
    }
    socket.write(bytes);
  }

  detach(): void {
    this.#over = true;
    this.#acks.abandon('detached');
    this.#socket?.destroy();
  }

  #refusal({ version, name, pid }: Hello): Connected | undefined {
    if (version !== KEEPER_PROTOCOL) return { is: 'foreign', version, name, pid };
    // The same path, another process: not the keeper that we knew.
    if (this.#pid !== undefined && this.#pid !== pid)
      return { is: 'unreachable', reason: `now it is pid ${pid}` };
    return undefined;
  }

  #begin({ name, pid }: Hello, socket: Socket): void {
    this.#pid = pid;
    this.#listener ??= this.#options.listen(name);
    this.#acks = new Acks(this.#options.clock, KEEPER_PATIENCE_MS);
    this.#socket = socket;
  }

  #pass(fact: KeeperFact): void {
    if (this.#over) return;
    this.#listener?.onFact(fact);
    if (fact.type !== 'ack') return;
    if (this.#acks.answer(fact.command, fact.errno)) {
      this.#quits ||= fact.command === 'quit' && fact.errno === 0;
      return;
    }
    this.#socket?.destroy(new Error(`it acknowledged ${fact.command}, which was not asked`));
  }

  /**
   * End-of-file is the keeper's death notice; but a keeper also drops a client that was too slow to read, and then
   * a new connection tells what was missed.
   */
  #lost(): void {
    this.#acks.abandon('the connection was lost');
    if (this.#over) return;
    if (this.#quits) {
      this.#over = true;
      this.#listener?.onGone();
      return;
    }
    const again = async (): Promise<void> => {
      let result = await this.connect();
      // A connection that was waiting when the keeper died is closed with it: only the next one is refused.
      if (result.is === 'unreachable' && !this.#over) result = await this.connect();
      if (this.#over) this.#socket?.destroy();
      if (result.is === 'ready' || this.#over) return;
      this.#over = true;
      this.#listener?.onGone();
    };
    void again();
  }
}

function isGone(error: Error): boolean {
  return isErrno(error, 'ECONNREFUSED', 'ENOENT');
}

/** A keeper that died leaves its socket behind; one that quit took it along. */
export async function removeSocket(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}
