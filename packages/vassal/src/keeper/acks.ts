import type { Cancel, Clock } from '@emperor/common/clock';
import { EmperorError } from '@emperor/common/errors';
import type { KeeperCommandName } from './facts.ts';

type Waiting = {
  readonly command: KeeperCommandName;
  readonly resolve: (errno: number) => void;
  readonly reject: (error: EmperorError) => void;
  readonly cancel: Cancel;
};

/**
 * The commands that wait for their acknowledgement, oldest first: a keeper answers in order. One that is not answered
 * in time is given up, but keeps its place, so that its late answer is not taken for the next one's.
 */
export class Acks {
  readonly #clock: Clock;
  readonly #patienceMs: number;
  readonly #waiting: Waiting[] = [];

  constructor(clock: Clock, patienceMs: number) {
    this.#clock = clock;
    this.#patienceMs = patienceMs;
  }

  /** Resolves with the errno of the acknowledgement. */
  expect(command: KeeperCommandName): Promise<number> {
    return new Promise((resolve, reject) => {
      const late = () =>
        reject(
          new EmperorError('keeper_failed', `keeper did not answer ${command} within ${this.#patienceMs} ms`),
        );
      this.#waiting.push({ command, resolve, reject, cancel: this.#clock.after(this.#patienceMs, late) });
    });
  }

  /** False when nobody waits for this answer: the peer does not speak our protocol. */
  answer(command: KeeperCommandName, errno: number): boolean {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) return false;
    waiting.cancel();
    if (waiting.command !== command) {
      waiting.reject(new EmperorError('keeper_failed', `keeper answered ${command} to ${waiting.command}`));
      return false;
    }
    waiting.resolve(errno);
    return true;
  }

  /** Nobody answers any more. */
  abandon(reason: string): void {
    for (const { command, reject, cancel } of this.#waiting.splice(0)) {
      cancel();
      reject(new EmperorError('keeper_failed', `${command} was not acknowledged: ${reason}`));
    }
  }
}
