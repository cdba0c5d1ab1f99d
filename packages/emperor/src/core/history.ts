import type { VassalEvent } from './event.ts';
import type { VassalState } from './state.ts';

const KEPT = 30;

/** One transition, for `why`: when (wall clock, ms), what happened, and how long the state before it had lasted. */
export type HistoryEntry = {
  readonly wallMs: number;
  readonly event: VassalEvent;
  readonly from: VassalState;
  readonly to: VassalState;
  readonly lastedMs: number;
};

/** The newest transitions of one vassal, oldest first. */
export class History {
  #entries: HistoryEntry[] = [];

  add(entry: HistoryEntry): void {
    this.#entries.push(entry);
    if (this.#entries.length > KEPT) this.#entries.shift();
  }

  clear(): void {
    this.#entries = [];
  }

  get entries(): readonly HistoryEntry[] {
    return this.#entries;
  }
}
