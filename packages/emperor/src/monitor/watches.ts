import type { Cancel, Clock } from '@emperor/common/clock';
import { describeError } from '@emperor/common/errors';
import type { Log } from '@emperor/common/log/log';
import { pacedBy } from '@emperor/common/pace';

import type { Spot } from './entry.ts';

/** What a watched directory tells. `name`: of the entry, where the kernel said it. */
export type WatchEvents = {
  readonly onEvent: (name: string | undefined) => void;
  readonly onReady: () => void;
  readonly onError: (error: unknown) => void;
};

/** Watches one directory, not what lies below it; returns how to end that at once. */
export type OpenWatch = (directory: string, events: WatchEvents) => Cancel;

/** A directory to watch. */
export type Wish = {
  readonly identity: string;
  readonly trusted: boolean;
  /** The entries that matter; undefined: all. */
  readonly names: ReadonlySet<string> | undefined;
};

type Watch = {
  wish: Wish;
  is: 'waiting' | 'opening' | 'open' | 'closed';
  close: Cancel;
  /** Events in the window that began at `windowAt`. */
  count: number;
  windowAt: number;
  muteMs: number;
};

/** A directory where others may make things happen is muted after this many events in a second. */
const MOST_EVENTS = 32;
const WINDOW_MS = 1_000;
const FIRST_MUTE_MS = 1_000;
const LONGEST_MUTE_MS = 60_000;
/** A watch that could not be opened is tried again after this. */
const RETRY_MS = 60_000;
const REOPEN_MS = 1_000;
/**
 * When the kernel's queue is full it drops events of all directories, and libuv says nothing of it: after a flood
 * look again, once what was in the queue is gone.
 */
const AFTER_FLOOD_MS = 100;
/** The loop is given back this often while watches are opened. */
const TURN_MS = 4;

/**
 * The set of watched directories. Every hint means "look again" and nothing else.
 *
 * A tenant can make events as fast as Node takes them (600,000 a second, measured), and each may hint: one tenant
 * with a loop of renames would keep the emperor busy for good. So the watch of a directory that is not root's alone
 * is closed as soon as it says too much, in the very callback, and opened again after a pause that grows as long as
 * this goes on.
 */
export class Watches {
  readonly #open: OpenWatch;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #onHint: () => void;
  readonly #watches = new Map<string, Watch>();
  #queue: [string, Watch][] = [];
  #isOpening = false;
  #opened: Promise<void> = Promise.resolve();
  /** Watches that are not ready yet. */
  #unready = 0;
  /** Some became ready since the last hint. */
  #owesHint = false;
  #cancelAfterFlood: Cancel | undefined;

  constructor(open: OpenWatch, clock: Clock, log: Log, onHint: () => void) {
    this.#open = open;
    this.#clock = clock;
    this.#log = log;
    this.#onHint = onHint;
  }

  /**
   * From now on watch exactly these. When what begins now is all watched there is a hint, since something may have
   * been missed.
   */
  want(wishes: ReadonlyMap<string, Wish>): void {
    for (const [directory, watch] of this.#watches) {
      if (wishes.get(directory)?.identity !== watch.wish.identity) this.#drop(directory, watch);
    }
    for (const [directory, wish] of wishes) {
      const watch = this.#watches.get(directory);
      if (watch === undefined) this.#begin(directory, wish);
      else watch.wish = wish;
    }
    if (!this.#isOpening) this.#opened = this.#openAll();
  }

  /** Resolves when everything that is wanted is watched, or could not be. */
  async settled(): Promise<void> {
    await this.#opened;
    while (this.#unready > 0) await new Promise<void>((resolve) => this.#clock.after(1, resolve));
  }

  close(): void {
    this.#owesHint = false;
    this.#queue = [];
    for (const [directory, watch] of this.#watches) this.#drop(directory, watch);
    this.#cancelAfterFlood?.();
    this.#cancelAfterFlood = undefined;
  }

  #begin(directory: string, wish: Wish): void {
    const watch: Watch = {
      wish,
      is: 'waiting',
      close: () => undefined,
      count: 0,
      windowAt: this.#clock.now(),
      muteMs: FIRST_MUTE_MS,
    };
    this.#watches.set(directory, watch);
    this.#queue.push([directory, watch]);
  }

  async #openAll(): Promise<void> {
    this.#isOpening = true;
    const pace = pacedBy(this.#clock, TURN_MS);
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      const [directory, watch] = next;
      if (watch.is === 'waiting') this.#openNow(directory, watch);
      const turn = pace();
      if (turn !== undefined) await turn;
    }
    this.#isOpening = false;
  }

  #openNow(directory: string, watch: Watch): void {
    watch.is = 'opening';
    this.#unready += 1;
    watch.close = this.#open(directory, {
      onEvent: (name) => this.#onEvent(directory, watch, name),
      onReady: () => {
        if (watch.is !== 'opening') return;
        watch.is = 'open';
        this.#owesHint = true;
        this.#oneLessToWaitFor();
      },
      onError: (error) => this.#onError(directory, watch, error),
    });
  }

  #onEvent(directory: string, watch: Watch, name: string | undefined): void {
    if (watch.is === 'closed') return;
    // The directory itself: it may have been removed or renamed, and then this watch is dead.
    const itself = name === undefined || directory.endsWith(`/${name}`);
    if (!watch.wish.trusted && this.#isTooMuch(watch)) this.#mute(directory, watch);
    else if (itself && watch.wish.trusted) this.#drop(directory, watch);
    else if (itself) this.#pause(directory, watch, REOPEN_MS);
    if (itself || watch.wish.names?.has(name) !== false) this.#onHint();
  }

  #isTooMuch(watch: Watch): boolean {
    const now = this.#clock.now();
    if (now - watch.windowAt >= WINDOW_MS) {
      // Quiet for as long as it was muted: forgiven.
      if (now - watch.windowAt >= 2 * watch.muteMs) watch.muteMs = FIRST_MUTE_MS;
      watch.windowAt = now;
      watch.count = 0;
    }
    watch.count += 1;
    return watch.count > MOST_EVENTS;
  }

  #mute(directory: string, watch: Watch): void {
    const { muteMs } = watch;
    watch.muteMs = Math.min(2 * muteMs, LONGEST_MUTE_MS);
    this.#log.debug('too much happens in a watched directory', { directory, mutedMs: muteMs });
    this.#pause(directory, watch, muteMs);
    this.#cancelAfterFlood ??= this.#clock.after(AFTER_FLOOD_MS, () => {
      this.#cancelAfterFlood = undefined;
      this.#onHint();
    });
  }

  #onError(directory: string, watch: Watch, error: unknown): void {
    if (watch.is === 'closed') return;
    const wasOpen = watch.is === 'open';
    this.#log.warn('a directory cannot be watched', { directory, error: describeError(error) });
    this.#pause(directory, watch, wasOpen ? REOPEN_MS : RETRY_MS);
    this.#onHint();
  }

  #pause(directory: string, watch: Watch, ms: number): void {
    this.#shut(watch);
    watch.close = this.#clock.after(ms, () => {
      watch.count = 0;
      watch.windowAt = this.#clock.now();
      this.#openNow(directory, watch);
    });
  }

  #drop(directory: string, watch: Watch): void {
    this.#shut(watch);
    this.#watches.delete(directory);
  }

  #shut(watch: Watch): void {
    watch.close();
    const wasOpening = watch.is === 'opening';
    watch.is = 'closed';
    if (wasOpening) this.#oneLessToWaitFor();
  }

  #oneLessToWaitFor(): void {
    this.#unready -= 1;
    if (!this.#owesHint || this.#unready > 0 || this.#queue.length > 0) return;
    this.#owesHint = false;
    this.#onHint();
  }
}

/** What to watch so that a change at any of `spots`, or of anything in the directory `whole`, is hinted. */
export function wishesFor(
  spots: readonly Spot[],
  whole: { readonly path: string; readonly identity: string } | undefined,
): ReadonlyMap<string, Wish> {
  const names = new Map<string, Set<string>>();
  const wishes = new Map<string, Wish>();
  for (const { directory, name, identity, trusted } of spots) {
    const known = names.get(directory);
    if (known === undefined) {
      const set = new Set([name]);
      names.set(directory, set);
      wishes.set(directory, { identity, trusted, names: set });
    } else {
      known.add(name);
    }
  }
  if (whole !== undefined) {
    wishes.set(whole.path, { identity: whole.identity, trusted: true, names: undefined });
  }
  return wishes;
}
