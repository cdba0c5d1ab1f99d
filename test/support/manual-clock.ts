import type { Cancel, Clock } from '@emperor/common/clock';

type Timer = { readonly at: number; readonly run: () => void };

/** Time that moves only when the test says so. */
export class ManualClock implements Clock {
  #now: number;
  readonly #timers = new Set<Timer>();

  constructor(now = 1_000_000) {
    this.#now = now;
  }

  readonly now = (): number => this.#now;

  readonly wall = (): number => 1_790_000_000_000 + this.#now;

  readonly after = (ms: number, run: () => void): Cancel => {
    const timer = { at: this.#now + ms, run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };

  /** Let `ms` pass; timers run in order at their own time. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const due = [...this.#timers].filter((timer) => timer.at <= end).toSorted((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers.delete(due);
      this.#now = Math.max(this.#now, due.at);
      due.run();
    }
    this.#now = end;
  }

  /** When the next timer is due, or undefined when nothing waits. */
  nextAt(): number | undefined {
    return [...this.#timers].map((timer) => timer.at).toSorted((a, b) => a - b)[0];
  }
}
