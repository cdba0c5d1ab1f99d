import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

/** Why a file may not be used. `missing` is the only one that says nothing is there. */
export type RefusedRead =
  | 'missing'
  | 'link'
  | 'not-regular'
  | 'hard-links'
  | 'writable-by-others'
  | 'too-large'
  | 'not-text'
  | 'unreadable';

/** Owner, identity and content of one file, all from one descriptor. `mode` is the permission bits. */
export type OwnedFile = {
  readonly ok: true;
  readonly text: string;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
  readonly dev: bigint;
  readonly ino: bigint;
  readonly nlink: number;
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
};

/** `errno`: the name such as `EACCES`, where the kernel refused. */
export type RefusedFileRead = {
  readonly ok: false;
  readonly reason: RefusedRead;
  readonly errno: string | undefined;
};

export type ReadOwned = OwnedFile | RefusedFileRead;

export type ReadOwnedOptions = { readonly maxBytes: number };

/** Never through a link, never waiting for a FIFO's writer, never a controlling terminal; Node adds O_CLOEXEC. */
const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;
const WRITABLE_BY_OTHERS = 0o022;
const PERMISSION_BITS = 0o7777;

/**
 * Read the regular file at `path` when it is safe to believe: not a link, one name, writable by its owner alone, UTF-8
 * text of at most `maxBytes`. Never throws for what is on disk.
 */
export function readOwnedSync(path: string, { maxBytes }: ReadOwnedOptions): ReadOwned {
  let fd: number | undefined;
  try {
    fd = openSync(path, READ_FLAGS);
    // Before the read: a write in between leaves an old time, so that the next look reads again.
    const stat = fstatSync(fd, { bigint: true });
    const refused = judge(stat, maxBytes);
    if (refused !== undefined) return refused;
    const buffer = Buffer.allocUnsafe(maxBytes + 1);
    let length = 0;
    let count: number;
    do {
      count = readSync(fd, buffer, length, buffer.length - length, null);
      length += count;
    } while (count > 0 && length < buffer.length);
    return decode(stat, buffer.subarray(0, length), maxBytes);
  } catch (error) {
    return refusedBy(error);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** `readOwnedSync` without holding up the loop. */
export async function readOwned(path: string, { maxBytes }: ReadOwnedOptions): Promise<ReadOwned> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, READ_FLAGS);
    const stat = await handle.stat({ bigint: true });
    const refused = judge(stat, maxBytes);
    if (refused !== undefined) return refused;
    const buffer = Buffer.allocUnsafe(maxBytes + 1);
    let length = 0;
    let count: number;
    do {
      ({ bytesRead: count } = await handle.read(buffer, length, buffer.length - length, null));
      length += count;
    } while (count > 0 && length < buffer.length);
    return decode(stat, buffer.subarray(0, length), maxBytes);
  } catch (error) {
    return refusedBy(error);
  } finally {
    await handle?.close();
  }
}

/** The path of the entry `name` in the directory held open as `directoryFd`, whatever happens to the directory's name. */
export function pathIn(directoryFd: number, name: string): string {
  if (name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0')) {
    throw new Error(`not the name of a directory entry: ${JSON.stringify(name)}`);
  }
  return `/proc/self/fd/${directoryFd}/${name}`;
}

function judge(stat: BigIntStats, maxBytes: number): RefusedFileRead | undefined {
  if (!stat.isFile()) return refuse('not-regular');
  if (stat.nlink === 0n) return refuse('missing');
  if (stat.nlink > 1n) return refuse('hard-links');
  if ((Number(stat.mode) & WRITABLE_BY_OTHERS) !== 0) return refuse('writable-by-others');
  if (stat.size > BigInt(maxBytes)) return refuse('too-large');
  return undefined;
}

function decode(stat: BigIntStats, bytes: Buffer, maxBytes: number): ReadOwned {
  if (bytes.length > maxBytes) return refuse('too-large');
  if (bytes.includes(0)) return refuse('not-text');
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return refuse('not-text');
  }
  return {
    ok: true,
    text,
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    mode: Number(stat.mode) & PERMISSION_BITS,
    dev: stat.dev,
    ino: stat.ino,
    nlink: Number(stat.nlink),
    size: bytes.length,
    mtimeNs: stat.mtimeNs,
    ctimeNs: stat.ctimeNs,
  };
}

function refuse(reason: RefusedRead): RefusedFileRead {
  return { ok: false, reason, errno: undefined };
}

function refusedBy(error: unknown): RefusedFileRead {
  const errno = errnoOf(error);
  return { ok: false, reason: reasonOf(errno), errno };
}

function reasonOf(errno: string): 'missing' | 'link' | 'not-regular' | 'unreadable' {
  switch (errno) {
    case 'ENOENT':
    case 'ENOTDIR':
      return 'missing';
    case 'ELOOP':
      return 'link';
    // A socket, or a device without a driver.
    case 'ENXIO':
    case 'ENODEV':
      return 'not-regular';
    default:
      return 'unreadable';
  }
}

/** The errno's name; anything that is not a system error is a bug and goes on up. */
function errnoOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  throw error;
}
