import { type FileHandle, open, opendir, readlink } from 'node:fs/promises';
import type { Clock } from '@emperor/common/clock';
import { describeError } from '@emperor/common/errors';
import type { Readable } from '@emperor/vassal/audit/found';

/** A file of /proc or of a control group, at most `mostBytes` of it; a longer one is not read. */
export async function readText(path: string, mostBytes: number): Promise<Readable<string>> {
  try {
    const file = await open(path, 'r');
    try {
      const text = await readAll(file, mostBytes);
      return text === undefined
        ? { ok: false, why: `${path} is longer than ${mostBytes} bytes` }
        : { ok: true, value: text };
    } finally {
      await file.close();
    }
  } catch (error) {
    return { ok: false, why: describeError(error) };
  }
}

/** undefined when there is more. A first page is enough for most files. */
async function readAll(file: FileHandle, mostBytes: number): Promise<string | undefined> {
  let buffer = Buffer.allocUnsafe(FIRST_BYTES);
  let length = 0;
  for (;;) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length, null);
    length += bytesRead;
    if (length > mostBytes) return undefined;
    if (bytesRead === 0) return buffer.toString('utf8', 0, length);
    if (length === buffer.length) buffer = Buffer.concat([buffer, Buffer.allocUnsafe(3 * length)]);
  }
}

const FIRST_BYTES = 4_096;

/** Names in a directory, at most `most`; empty when it is gone. */
export async function someNames(path: string, most: number): Promise<readonly string[]> {
  const names: string[] = [];
  try {
    for await (const { name } of await opendir(path)) {
      names.push(name);
      if (names.length >= most) break;
    }
  } catch {
    return names;
  }
  return names;
}

/** Where a link of /proc leads; undefined when it is gone. */
export async function linkOf(path: string): Promise<string | undefined> {
  try {
    return await readlink(path);
  } catch {
    return undefined;
  }
}

/** `value`, or `late` when it takes longer than `ms`. */
export function within<T>(clock: Clock, ms: number, value: Promise<T>, late: T): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(ms, () => resolve(late));
    value.then(
      (result) => {
        cancel();
        resolve(result);
      },
      (error: unknown) => {
        cancel();
        reject(error);
      },
    );
  });
}

/**
 * Reads of a process's memory (environ) wait for its locks, and a tenant may hold those for ever: such a read keeps one
 * of the few threads. One is all that may be lost at a time.
 */
export class MemoryReader {
  readonly #clock: Clock;
  #hanging = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async read(path: string, mostBytes: number): Promise<Readable<string>> {
    if (this.#hanging > 0) return { ok: false, why: 'an earlier read of a process still hangs' };
    this.#hanging += 1;
    const reading = readText(path, mostBytes).finally(() => {
      this.#hanging -= 1;
    });
    return within(this.#clock, MEMORY_PATIENCE_MS, reading, { ok: false, why: `reading ${path} hangs` });
  }
}

const MEMORY_PATIENCE_MS = 2_000;
