import { type FSWatcher, watch } from 'node:fs';
import { dirname, join } from 'node:path';

import type { Clock } from '@emperor/common/clock';

import {
  closeLogFiles,
  findLastLines,
  type LogFile,
  openLogFile,
  openLogFiles,
  readLines,
  readRest,
} from './log-files.ts';

/** Looked at this often even when the kernel hints nothing. */
const POLL_MS = 1_000;
/** A flood of output wakes us at most this often. */
const SHORTEST_WAIT_MS = 25;
const LISTING_TRIES = 3;
/** However many lines are asked for. */
const MOST_TAIL_BYTES = 8 * 1024 * 1024;

/**
 * Where somebody who follows a log is: a file, held open, and an offset in it. Rotation renames files and makes a
 * new `current`; which file comes next is told by identity, never by name.
 */
export class LogPosition {
  readonly #directory: string;
  #file: LogFile | undefined;
  #offset = 0;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Stand before the last `count` lines of what is written now. */
  async toLast(count: number): Promise<void> {
    await this.close();
    const files = await openLogFiles(this.#directory);
    try {
      await this.#seek(files, count);
    } finally {
      await closeLogFiles(files.filter((file) => file !== this.#file));
    }
  }

  /** The next lines; empty when there are none at present. */
  async next(): Promise<readonly string[]> {
    for (;;) {
      const lines = await this.#read();
      if (lines.length > 0) return lines;
      const current = await openLogFile(join(this.#directory, 'current'));
      if (current !== undefined) await current.handle.close();
      // Missing: between the two steps of a rotation, or there is no log (any more).
      if (current === undefined || current.identity === this.#file?.identity) return this.#afterTruncation();
      // Nothing is written to our file any more; what came before the rotation may still be unread.
      const rest = await this.#read();
      if (rest.length > 0) return rest;
      const last = this.#file === undefined ? [] : await readRest(this.#file, this.#offset);
      await this.#toNewer();
      if (last.length > 0) return last;
    }
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    if (file !== undefined) await closeLogFiles([file]);
  }

  async #seek(files: readonly LogFile[], count: number): Promise<void> {
    let missing = count;
    let budget = MOST_TAIL_BYTES;
    for (const file of files) {
      const { found, begin, bytes } = await findLastLines(file, missing, budget);
      this.#file = file;
      this.#offset = begin;
      missing -= found;
      budget -= bytes;
      if (missing <= 0 || budget <= 0) return;
    }
  }

  async #read(): Promise<readonly string[]> {
    if (this.#file === undefined) return [];
    const { lines, next } = await readLines(this.#file, this.#offset);
    this.#offset = next;
    return lines;
  }

  /** Somebody emptied the file in place: begin again. */
  async #afterTruncation(): Promise<readonly string[]> {
    if (this.#file === undefined) return [];
    const { size } = await this.#file.handle.stat();
    if (size >= this.#offset) return [];
    this.#offset = 0;
    return this.#read();
  }

  /** Go to the file that is one newer than ours; to the oldest when ours is gone. */
  async #toNewer(): Promise<void> {
    const ours = this.#file?.identity;
    for (let tries = 1; ; tries += 1) {
      const files = await openLogFiles(this.#directory);
      const at = files.findIndex((file) => file.identity === ours);
      // Not found: dropped, or renamed while we listed.
      if (at < 0 && ours !== undefined && tries < LISTING_TRIES) {
        await closeLogFiles(files);
        continue;
      }
      const newer = at < 0 ? files.at(-1) : files[at - 1];
      await closeLogFiles(files.filter((file) => file !== newer));
      if (newer === undefined) return;
      await this.close();
      this.#file = newer;
      this.#offset = 0;
      return;
    }
  }
}

/** Resolves when something may have happened in `directory`, after a while at the latest, or on abort. */
export function changeIn(
  directory: string,
  clock: Clock,
  signal: AbortSignal,
): { readonly happened: Promise<void>; readonly end: () => void } {
  let settle: () => void = () => undefined;
  const happened = new Promise<void>((resolve) => {
    settle = resolve;
  });
  const cancel = clock.after(POLL_MS, settle);
  const close = watchOnce(directory, settle);
  signal.addEventListener('abort', settle);
  return {
    happened,
    end: () => {
      cancel();
      close();
      signal.removeEventListener('abort', settle);
    },
  };
}

/** Every line from `position` on, until `signal` aborts. */
export async function* followFrom(
  position: LogPosition,
  directory: string,
  clock: Clock,
  signal: AbortSignal,
): AsyncIterable<string> {
  while (!signal.aborted) {
    // Watching begins before reading, so that nothing falls between.
    const change = changeIn(directory, clock, signal);
    try {
      yield* linesNow(position, signal);
      await change.happened;
    } finally {
      change.end();
    }
    await new Promise<void>((resolve) => clock.after(SHORTEST_WAIT_MS, resolve));
  }
}

async function* linesNow(position: LogPosition, signal: AbortSignal): AsyncIterable<string> {
  while (!signal.aborted) {
    const lines = await position.next();
    if (lines.length === 0) return;
    yield* lines;
  }
}

/** The first event only: a flood of output must not become a flood of events. */
function watchOnce(directory: string, onEvent: () => void): () => void {
  // A log is made with its first line: until then somebody else's beginning is worth a look too.
  const watcher = watcherOf(directory) ?? watcherOf(dirname(directory));
  // No watches left: the timer looks.
  if (watcher === undefined) return () => undefined;
  const end = (): void => watcher.close();
  watcher.once('change', () => {
    end();
    onEvent();
  });
  watcher.once('error', end);
  return end;
}

function watcherOf(directory: string): FSWatcher | undefined {
  try {
    return watch(directory, { persistent: false });
  } catch {
    return undefined;
  }
}
