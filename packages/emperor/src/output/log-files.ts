import { constants } from 'node:fs';
import { type FileHandle, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { isErrno } from '@emperor/common/errors';

/** One of a vassal's log files, held open: its name may change, its identity does not. */
export type LogFile = { readonly handle: FileHandle; readonly identity: string };

const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const LOG_NAME = /^current(?:\.([1-9]\d{0,5}))?$/;
const CHUNK_BYTES = 64 * 1024;
const NEWLINE = 0x0a;

/** The log files in `directory`, newest first, none twice; empty when there is no log. Close each. */
export async function openLogFiles(directory: string): Promise<LogFile[]> {
  const files: LogFile[] = [];
  // Newest first: a rotation that goes on meanwhile moves files towards us, so that none is missed.
  for (const name of await logNames(directory)) {
    const file = await openLogFile(join(directory, name));
    if (file === undefined) continue;
    if (files.some((earlier) => earlier.identity === file.identity)) await file.handle.close();
    else files.push(file);
  }
  return files;
}

/** undefined when it is not there. */
export async function openLogFile(path: string): Promise<LogFile | undefined> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, READ_FLAGS);
    const { dev, ino } = await handle.stat({ bigint: true });
    return { handle, identity: `${dev}:${ino}` };
  } catch (error) {
    await handle?.close();
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return undefined;
    throw error;
  }
}

/** Close all of them; none is missed when one fails. */
export async function closeLogFiles(files: readonly LogFile[]): Promise<void> {
  await Promise.allSettled(files.map(async (file) => file.handle.close()));
}

/** Whole lines from the byte `offset` on, and where the next read begins. */
export async function readLines(
  { handle }: LogFile,
  offset: number,
): Promise<{ readonly lines: readonly string[]; readonly next: number }> {
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  const { bytesRead } = await handle.read(buffer, 0, CHUNK_BYTES, offset);
  const bytes = buffer.subarray(0, bytesRead);
  const newline = bytes.lastIndexOf(NEWLINE);
  // No keeper writes a line as long as this.
  if (newline < 0 && bytesRead === CHUNK_BYTES)
    return { lines: [bytes.toString('utf8')], next: offset + bytesRead };
  if (newline < 0) return { lines: [], next: offset };
  return { lines: bytes.toString('utf8', 0, newline).split('\n'), next: offset + newline + 1 };
}

/** What follows the last whole line, as one line; for a file that nobody writes to any more. */
export async function readRest({ handle }: LogFile, offset: number): Promise<readonly string[]> {
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  const { bytesRead } = await handle.read(buffer, 0, CHUNK_BYTES, offset);
  return bytesRead === 0 ? [] : buffer.toString('utf8', 0, bytesRead).split('\n');
}

/**
 * Where the last `count` whole lines begin, looking at no more than `mostBytes` from the end; `found` is how many
 * they are. With a `count` of 0: where the last whole line ends.
 */
export async function findLastLines(
  { handle }: LogFile,
  count: number,
  mostBytes: number,
): Promise<{ readonly found: number; readonly begin: number; readonly bytes: number }> {
  const { size } = await handle.stat();
  let start = size;
  let found = -1;
  let begin = 0;
  while (start > 0 && size - start < mostBytes) {
    const length = Math.min(CHUNK_BYTES, start);
    const chunk = await readFully(handle, start - length, length);
    start -= length;
    for (
      let at = chunk.lastIndexOf(NEWLINE);
      at >= 0;
      at = at === 0 ? -1 : chunk.lastIndexOf(NEWLINE, at - 1)
    ) {
      found += 1;
      begin = start + at + 1;
      if (found === count) return { found, begin, bytes: size - start };
    }
  }
  if (start > 0) return { found: Math.max(found, 0), begin, bytes: size - start };
  // The first line of the file has no newline before it.
  return { found: found + 1, begin: 0, bytes: size };
}

async function readFully(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  let read = 0;
  while (read < length) {
    const { bytesRead } = await handle.read(buffer, read, length - read, position + read);
    if (bytesRead === 0) break;
    read += bytesRead;
  }
  return buffer.subarray(0, read);
}

async function logNames(directory: string): Promise<string[]> {
  let names: string[];
  try {
    names = await readdir(directory);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
  return names.filter((name) => LOG_NAME.test(name)).toSorted((a, b) => numberOf(a) - numberOf(b));
}

function numberOf(name: string): number {
  return Number(LOG_NAME.exec(name)?.[1] ?? 0);
}
