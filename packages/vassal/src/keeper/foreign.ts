import { createConnection, type Socket } from 'node:net';
import { constants } from 'node:os';
import type { Clock } from '@emperor/common/clock';
import { EmperorError, isErrno } from '@emperor/common/errors';
import type { Log } from '@emperor/common/log/log';
import { KEEPER_PATIENCE_MS } from './attach.ts';
import type { KeeperFact } from './facts.ts';
import type { GracefulStop } from './keeper.ts';
import { Lines } from './lines.ts';
import { decodeFact, LONGEST_LINE } from './protocol.ts';

const DEFAULT_STOP: GracefulStop = { signal: constants.signals.SIGTERM, timeoutMs: 10_000 };
/** After SIGKILL everything has to be gone within this time. */
const KILL_PATIENCE_MS = 10_000;

/** Of these lines only the first two words are read; the others may be whatever that version has there. */
const CORE = /^(launched|exited|gone) ([1-9]\d{0,14})(?: |$)/;

export type ForeignOptions = { readonly path: string; readonly clock: Clock; readonly log: Log };

type LaunchedFact = Extract<KeeperFact, { type: 'launched' }>;

/** The newest generation that runs in a keeper of another protocol version; undefined when none does. */
export async function seeForeignKeeper(options: ForeignOptions): Promise<LaunchedFact | undefined> {
  const keeper = new ForeignKeeper(options);
  await keeper.until(() => keeper.isReplayed, KEEPER_PATIENCE_MS);
  const running = [...keeper.generations.values()].filter(({ phase }) => phase === 'up');
  return running.findLast(({ launched }) => launched !== undefined)?.launched;
}

/**
 * Stop what a keeper of another protocol version holds, and then the keeper, by the frozen core alone. A keeper that is
 * not there any more has ended. Rejects with EmperorError('keeper_failed') when it does not end in time.
 */
export async function endForeignKeeper(
  options: ForeignOptions & { readonly stop?: GracefulStop | undefined },
): Promise<void> {
  const { clock, stop = DEFAULT_STOP } = options;
  const keeper = new ForeignKeeper(options);
  const ending = new Ending(keeper, stop.signal);
  const cancel = clock.after(stop.timeoutMs, () => ending.kill());
  try {
    await keeper.until(() => ending.advance(), stop.timeoutMs + KILL_PATIENCE_MS);
  } finally {
    cancel();
  }
}

/** What is still to be said to a keeper that shall end. Asked after every change: what was said is not said again. */
class Ending {
  readonly #keeper: ForeignKeeper;
  readonly #signal: number;
  readonly #signalled = new Set<number>();
  readonly #forgotten = new Set<number>();
  #isOverdue = false;
  #hasQuit = false;

  constructor(keeper: ForeignKeeper, signal: number) {
    this.#keeper = keeper;
    this.#signal = signal;
  }

  /** The time to end by itself is over. */
  kill(): void {
    this.#isOverdue = true;
    if (!this.#keeper.isReplayed) return;
    for (const [generation, { phase }] of this.#keeper.generations) {
      if (phase !== 'gone') this.#keeper.say('kill', generation);
    }
  }

  /** True once the keeper has ended. */
  advance(): boolean {
    const keeper = this.#keeper;
    if (keeper.isClosed) return keeper.isDead || this.#hasQuit;
    if (!keeper.isReplayed) return false;
    for (const [generation, { phase }] of keeper.generations) {
      if (phase === 'up') this.#stop(generation);
      if (phase === 'gone') this.#forget(generation);
    }
    if (!this.#hasQuit && this.#forgotten.size === keeper.generations.size) {
      this.#hasQuit = true;
      keeper.say('quit');
    }
    return false;
  }

  #stop(generation: number): void {
    if (this.#signalled.has(generation)) return;
    this.#signalled.add(generation);
    // One whose launch was under way when all others were gone: the keeper did not quit then.
    this.#hasQuit = false;
    if (this.#isOverdue) this.#keeper.say('kill', generation);
    else this.#keeper.say('signal', generation, this.#signal);
  }

  #forget(generation: number): void {
    if (this.#forgotten.has(generation)) return;
    this.#forgotten.add(generation);
    this.#keeper.say('forget', generation);
  }
}

type Generation = { phase: 'up' | 'exited' | 'gone'; launched: LaunchedFact | undefined };

/** One connection to a keeper of which we understand the frozen core only. */
class ForeignKeeper {
  readonly generations = new Map<number, Generation>();
  isReplayed = false;
  /** Nobody listens on its socket. */
  isDead = false;
  isClosed = false;
  #pid: number | undefined;
  readonly #socket: Socket;
  readonly #options: ForeignOptions;

  constructor(options: ForeignOptions) {
    this.#options = options;
    this.#socket = createConnection(options.path);
  }

  say(...words: readonly (string | number)[]): void {
    this.#socket.write(`${words.join(' ')}\n`);
  }

  /** Resolves when `holds`, which is asked after every change, and then closes our end. */
  async until(holds: () => boolean, patienceMs: number): Promise<void> {
    const { clock } = this.#options;
    let cancel = () => {};
    try {
      await new Promise<void>((resolve, reject) => {
        cancel = clock.after(patienceMs, () => reject(this.#failure(`no end within ${patienceMs} ms`)));
        this.#listen(() => {
          if (holds()) resolve();
          else if (this.isClosed) reject(this.#failure('closed the connection'));
        });
      });
    } finally {
      cancel();
      this.#socket.destroy();
    }
  }

  #listen(changed: () => void): void {
    const lines = new Lines(2 * LONGEST_LINE);
    this.#socket.on('data', (chunk: Buffer) => {
      for (const line of lines.take(chunk)) this.#hear(line);
      if (lines.overflowed) this.#socket.destroy();
      else changed();
    });
    // Without a listener an error would end the emperor; `close` follows.
    this.#socket.on('error', (error) => {
      this.isDead = isErrno(error, 'ECONNREFUSED', 'ENOENT');
    });
    this.#socket.on('close', () => {
      this.isClosed = true;
      changed();
    });
  }

  #hear(line: string): void {
    const fact = decodeFact(line);
    if (fact?.type === 'hello') this.#pid = fact.pid;
    if (line === 'replayed') this.isReplayed = true;
    const [, word, digits] = CORE.exec(line) ?? [];
    if (word === undefined) {
      if (fact === undefined) this.#options.log.debug('keeper said what we do not know', { line });
      return;
    }
    const generation = Number(digits);
    if (word === 'launched')
      this.generations.set(generation, {
        phase: 'up',
        launched: fact?.type === 'launched' ? fact : undefined,
      });
    const known = this.generations.get(generation);
    if (known !== undefined && word !== 'launched') known.phase = word === 'gone' ? 'gone' : 'exited';
  }

  #failure(why: string): EmperorError {
    const pid = this.#pid;
    const who = pid === undefined ? this.#options.path : `${pid}`;
    return new EmperorError('keeper_failed', `keeper ${who} of another protocol version: ${why}`, {
      hint:
        pid === undefined ? `find its pid: ss -xlp src ${this.#options.path}` : `kill -KILL ${pid} ends it`,
    });
  }
}
