/**
 * Runs `task` for many who ask for the same: at most one runs and one waits. Who asks while one runs gets the next
 * one's result, never something that was looked at before the question.
 */
export class SharedRun<T> {
  readonly #task: () => Promise<T>;
  #running: Promise<unknown> = Promise.resolve();
  #next: Promise<T> | undefined;

  constructor(task: () => Promise<T>) {
    this.#task = task;
  }

  /** A result that is not older than this call. */
  async run(): Promise<T> {
    this.#next ??= this.#running.then(async () => {
      const result = this.#task();
      this.#next = undefined;
      this.#running = result.catch(() => undefined);
      return result;
    });
    return this.#next;
  }
}
