/**
 * Runs tasks of one key one after another, in the order they were given; different keys run side by side. A task
 * that fails rejects its own promise and never holds up the next one. A key without tasks is not remembered.
 */
export class Serial {
  readonly #tails = new Map<string, Promise<void>>();

  /** Run `task` once every earlier task of `key` has ended; settles as the task does. */
  async run<T>(key: string, task: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key) ?? Promise.resolve();
    const result = before.then(task);
    const tail: Promise<void> = result.then(ignore, ignore).then(() => this.#forget(key, tail));
    this.#tails.set(key, tail);
    return result;
  }

  /** How many keys have tasks that have not ended. */
  get busyKeys(): number {
    return this.#tails.size;
  }

  #forget(key: string, tail: Promise<void>): void {
    if (this.#tails.get(key) === tail) this.#tails.delete(key);
  }
}

function ignore(): void {}
