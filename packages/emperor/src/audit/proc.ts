import { type FileHandle, open, opendir, readlink } from 'node:fs/promises';
import type { Clock } from '@emperor/common/clock';
import { describeError } from '@emperor/common/errors';
import type { Readable } from '@emperor/vassal/audit/found';

/** A value read, or why not; the code is that of the kernel. */
export type Seen<T> =
  | Extract<Readable<T>, { ok: true }>
  | (Extract<Readable<T>, { ok: false }> & { readonly code: string | undefined });

type Unseen = Extract<Seen<unknown>, { ok: false }>;

/** What the kernel says of a process, a group or a file that is not there, or not any more. */
const GONE = ['ENOENT', 'ESRCH', 'ENODEV'] as const;

/** Is it not there, rather than not to be read? */
export function isGone({ code }: Unseen): boolean {
  return GONE.some((name) => name === code);
}

function unseen(error: unknown): Unseen {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return { ok: false, why: describeError(error), code: typeof code === 'string' ? code : undefined };
}

/** A file of /proc or of a control group, at most `mostBytes` of it; a longer one is not read. */
export async function readText(path: string, mostBytes: number): Promise<Seen<string>> {
  try {
    const file = await open(path, 'r');
    try {
      const text = await readAll(file, mostBytes);
      return text === undefined
        ? { ok: false, why: `${path} is longer than ${mostBytes} bytes`, code: undefined }
        : { ok: true, value: text };
    } finally {
      await file.close();
    }
  } catch (error) {
    return unseen(error);
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

/** Names in a directory, at most `most`; why those are not all. A directory that is gone has none. */
export async function someNames(
  path: string,
  most: number,
): Promise<{ readonly names: readonly string[]; readonly why: string | undefined }> {
  const names: string[] = [];
  try {
    for await (const { name } of await opendir(path)) {
      if (names.length >= most) return { names, why: `looked at ${most}, and ${path} holds more` };
      names.push(name);
    }
  } catch (error) {
    const missed = unseen(error);
    return { names, why: isGone(missed) ? undefined : missed.why };
  }
  return { names, why: undefined };
}

/** Where a link of /proc leads. */
export async function linkOf(path: string): Promise<Seen<string>> {
  try {
    return { ok: true, value: await readlink(path) };
  } catch (error) {
    return unseen(error);
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
    return within<Readable<string>>(this.#clock, MEMORY_PATIENCE_MS, reading, {
      ok: false,
      why: `reading ${path} hangs`,
    });
  }
}

const MEMORY_PATIENCE_MS = 2_000;
