import { chmodSync, chownSync, lstatSync, mkdtempSync, renameSync, rmSync, unlinkSync } from 'node:fs';
import type { Server } from 'node:net';
import { dirname, join } from 'node:path';

import { EmperorError, isErrno } from '@emperor/common/errors';

/** sun_path of Linux, without the final zero; a longer path would be cut off in silence. */
const LONGEST_PATH = 107;

/**
 * Serve `server` at `path` for the owner and, when there is one, `group`: made in a closed directory, opened up
 * there, and then moved into place, so that at no time anybody else can connect. Returns how to remove it.
 */
export async function listenAt(server: Server, path: string, group: number | undefined): Promise<() => void> {
  let closed: string | undefined;
  try {
    closed = mkdtempSync(join(dirname(path), '.control-'));
    const made = join(closed, 's');
    if (Buffer.byteLength(made) > LONGEST_PATH) {
      throw new EmperorError('usage', `the path is too long for a socket: ${made}`, {
        hint: 'use a shorter runtime directory',
      });
    }
    await listen(server, made);
    if (group !== undefined) chownSync(made, process.geteuid?.() ?? 0, group);
    chmodSync(made, group === undefined ? 0o600 : 0o660);
    const { dev, ino } = lstatSync(made);
    renameSync(made, path);
    return () => removeIf(path, { dev, ino });
  } catch (error) {
    server.close();
    throw new EmperorError('state_unwritable', `cannot make the control socket ${path}`, { cause: error });
  } finally {
    if (closed !== undefined) rmSync(closed, { recursive: true, force: true });
  }
}

async function listen(server: Server, path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** Only ours: another emperor may have put its own there. */
function removeIf(path: string, ours: { readonly dev: number; readonly ino: number }): void {
  try {
    const { dev, ino } = lstatSync(path);
    if (dev === ours.dev && ino === ours.ino) unlinkSync(path);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}
