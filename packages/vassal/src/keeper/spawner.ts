import { type ChildProcess, spawn } from 'node:child_process';
import type { Cancel, Clock } from '@emperor/common/clock';
import { EmperorError } from '@emperor/common/errors';
import type { Log } from '@emperor/common/log/log';
import { errorName } from './failure.ts';
import type { KeeperStart } from './keeper.ts';
import { Lines } from './lines.ts';
import { LONGEST_LINE } from './protocol.ts';

const PATIENCE_MS = 5_000;
/** A keeper shows its vassal's name in `ps` by writing over these arguments: room for the longest. */
const TITLE_ROOM = ' '.repeat(80);

export type SpawnerOptions = {
  readonly keeperBinary: string;
  readonly keepersDir: string;
  /** A v2 directory in which keepers are born; undefined = ours. */
  readonly cgroupLeaf: string | undefined;
  readonly clock: Clock;
  readonly log: Log;
};

type Waiting = {
  readonly resolve: (pid: number) => void;
  readonly reject: (error: EmperorError) => void;
  readonly cancel: Cancel;
};

/**
 * The keeper binary in spawner mode: started once, asked for every keeper, since a fork of ours would block the loop
 * for milliseconds each. Started again when it died.
 */
export class Spawner {
  readonly #options: SpawnerOptions;
  readonly #waiting = new Map<string, Waiting>();
  #child: ChildProcess | undefined;

  constructor(options: SpawnerOptions) {
    this.#options = options;
  }

  /** A new keeper listening on `KEEPERS_DIR/id`; resolves with its pid. */
  spawnKeeper(id: string, { name, logDir }: KeeperStart): Promise<number> {
    if (/[\s\0]/.test(name) || /[\n\0]/.test(logDir))
      throw new EmperorError('keeper_failed', `cannot say ${name} ${logDir} in one line`);
    const child = this.#running();
    return new Promise((resolve, reject) => {
      const late = () =>
        this.#settle(id)?.reject(failed(`the spawner did not answer within ${PATIENCE_MS} ms`));
      this.#waiting.set(id, { resolve, reject, cancel: this.#options.clock.after(PATIENCE_MS, late) });
      child.stdin?.write(`spawn ${id} ${name} ${logDir}\n`);
    });
  }

  /** Resolves when the spawner is gone; keepers live on. */
  close(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = this.#options.clock.after(PATIENCE_MS, () => child.kill('SIGKILL'));
      child.once('close', () => {
        cancel();
        resolve();
      });
      child.stdin?.end();
    });
  }

  #running(): ChildProcess {
    this.#child ??= this.#start();
    return this.#child;
  }

  #start(): ChildProcess {
    const { keeperBinary, keepersDir, cgroupLeaf } = this.#options;
    // Detached: the terminal's Ctrl-C is for the emperor alone. No environment: keepers need none.
    const child = spawn(keeperBinary, ['spawner', keepersDir, cgroupLeaf ?? '-', TITLE_ROOM], {
      stdio: ['pipe', 'pipe', 'ignore'],
      cwd: '/',
      env: {},
      detached: true,
    });
    const lines = new Lines(LONGEST_LINE);
    let reason = 'it ended';
    child.on('error', (error) => {
      reason = error.message;
    });
    // Writing to a spawner that just died; `close` follows.
    child.stdin.on('error', (error) => {
      reason = error.message;
    });
    child.stdout.on('data', (chunk: Buffer) => {
      for (const line of lines.take(chunk)) this.#hear(line);
    });
    child.once('close', () => this.#ended(child, reason));
    return child;
  }

  #hear(line: string): void {
    const [, what, id = '', digits] = /^(spawned|failed) (\S+) (\d+)$/.exec(line) ?? [];
    const waiting = this.#settle(id);
    if (waiting === undefined) return this.#options.log.warn('the spawner said what nobody asked', { line });
    if (what === 'spawned') waiting.resolve(Number(digits));
    else
      waiting.reject(
        failed(`the spawner could not start it (${errorName(Number(digits))})`, startHint(Number(digits))),
      );
  }

  #ended(child: ChildProcess, reason: string): void {
    if (this.#child === child) this.#child = undefined;
    for (const id of this.#waiting.keys()) this.#settle(id)?.reject(failed(`no spawner: ${reason}`));
  }

  #settle(id: string): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    waiting?.cancel();
    return waiting;
  }
}

const HINTS: Readonly<Record<string, string>> = {
  EAGAIN:
    'the machine or the control group of the emperor allows no more processes: see pids.max, kernel.pid_max',
  ENOMEM: 'the machine is out of memory',
  ENOSPC: 'make room in the runtime directory',
};

function startHint(errno: number): string | undefined {
  return HINTS[errorName(errno)];
}

function failed(message: string, hint?: string): EmperorError {
  return new EmperorError('keeper_failed', `no keeper: ${message}`, hint === undefined ? {} : { hint });
}
