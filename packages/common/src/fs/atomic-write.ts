import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { EmperorError } from '../errors.ts';

export type AtomicWriteOptions = {
  /** Permission bits of the new file, whatever the umask. */
  readonly mode: number;
  /** Whether the content must survive a power cut once the promise resolves. */
  readonly durable: boolean;
};

const NEW_FILE_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/**
 * Replace the file at `path` with `text` in one step: readers see the old content or the new, never a part. Rejects
 * with EmperorError('state_unwritable') and leaves no temporary file behind.
 */
export async function atomicWrite(path: string, text: string, options: AtomicWriteOptions): Promise<void> {
  const directory = dirname(path);
  const temporary = join(
    directory,
    `.${basename(path)}.${process.pid}.${randomBytes(6).toString('hex')}.tmp`,
  );
  try {
    await writeNew(temporary, text, options);
    await rename(temporary, path);
    if (options.durable) await syncDirectory(directory);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw new EmperorError('state_unwritable', `cannot write ${path}`, { cause: error });
  }
}

async function writeNew(path: string, text: string, { mode, durable }: AtomicWriteOptions): Promise<void> {
  const handle = await open(path, NEW_FILE_FLAGS, 0o600);
  await closing(handle, async () => {
    await handle.writeFile(text);
    await handle.chmod(mode);
    if (durable) await handle.sync();
  });
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  await closing(handle, async () => handle.sync());
}

async function closing(handle: FileHandle, use: () => Promise<void>): Promise<void> {
  try {
    await use();
  } finally {
    await handle.close();
  }
}
