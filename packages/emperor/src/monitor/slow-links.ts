import type { Clock } from '@emperor/common/clock';
import type { VassalName } from '@emperor/common/name';

import { HangingCalls, patientDisk } from './disk.ts';
import { type Entry, type EntryPlace, followLink } from './entry.ts';
import { Walker } from './walk.ts';

/** How long one link may take before it is refused. */
const PATIENCE_MS = 2_000;

export type SlowLinksParts = {
  readonly clock: Clock;
  readonly maxBytes: number;
  readonly operators: ReadonlySet<number>;
  readonly onLate: () => void;
};

type Look = {
  readonly place: EntryPlace;
  entry: Entry | undefined;
  /** What the last pass was told. */
  told: Entry | undefined;
  running: Promise<void> | undefined;
  /** Asked for while it ran: what it saw may be old. */
  again: boolean;
};

/**
 * Links that lead to file systems that may hang. They are looked at beside the passes, so that a pass never waits
 * long for them; what comes later than that is told by `onLate`, and the next pass takes it.
 */
export class SlowLinks {
  readonly #parts: SlowLinksParts;
  readonly #calls = new HangingCalls();
  readonly #looks = new Map<VassalName, Look>();
  /** Passes that are waiting and will take what comes. */
  #settling = 0;

  constructor(parts: SlowLinksParts) {
    this.#parts = parts;
  }

  /** Begin to look at the link at `place`. */
  look(place: EntryPlace): void {
    const look = this.#looks.get(place.name) ?? {
      place,
      entry: undefined,
      told: undefined,
      running: undefined,
      again: false,
    };
    this.#looks.set(place.name, look);
    if (look.running === undefined) look.running = this.#run(look);
    else look.again = true;
  }

  /** Resolves when every look has ended, or after `ms`. */
  async settle(ms: number): Promise<void> {
    const running = [...this.#looks.values()].flatMap((look) => look.running ?? []);
    if (running.length === 0) return;
    this.#settling += 1;
    await new Promise<void>((resolve) => {
      const cancel = this.#parts.clock.after(ms, resolve);
      void Promise.all(running).then(() => {
        cancel();
        resolve();
      });
    });
    this.#settling -= 1;
  }

  /** What is known of it by now. */
  take(name: VassalName): Entry | undefined {
    const look = this.#looks.get(name);
    if (look === undefined) return undefined;
    look.told = look.entry;
    return look.entry;
  }

  /** Everything but these is no longer of interest. */
  keep(names: ReadonlySet<VassalName>): void {
    for (const name of this.#looks.keys()) {
      if (!names.has(name)) this.#looks.delete(name);
    }
  }

  async #run(look: Look): Promise<void> {
    look.again = false;
    const { clock, maxBytes, operators } = this.#parts;
    const disk = patientDisk(clock, this.#calls, PATIENCE_MS);
    const walker = new Walker(disk, () => false);
    const entry = await followLink(look.place, walker, disk, { entry: look.entry, maxBytes, operators });
    walker.release();
    look.entry = entry;
    if (look.again) return this.#run(look);
    look.running = undefined;
    if (this.#settling === 0 && differs(look.told, look.entry)) this.#parts.onLate();
    return undefined;
  }
}

function differs(told: Entry | undefined, now: Entry | undefined): boolean {
  if (told === now) return false;
  if (told?.fingerprint !== now?.fingerprint) return true;
  return now?.fingerprint === undefined && summaryOf(told) !== summaryOf(now);
}

function summaryOf(entry: Entry | undefined): string {
  if (entry === undefined) return '';
  return entry.outcome.is === 'file' ? entry.outcome.file.text : entry.outcome.refused.diagnostic.message;
}
