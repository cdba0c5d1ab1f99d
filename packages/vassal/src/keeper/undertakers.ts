import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { isErrno } from '@emperor/common/errors';

/** What ps shows of them, before the vassal's name (native/undertaker.c). */
const TITLE = 'undertaker ';
const MOST_ANCESTORS = 64;

/** Those of `pids` that run the post-stop hooks of this vassal; they go on when their keeper is gone. */
export async function undertakersOf(name: string, pids: readonly number[]): Promise<readonly number[]> {
  const found: number[] = [];
  for (const pid of pids) {
    const title = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(goneAsEmpty);
    if (title.startsWith(TITLE) && title.replaceAll('\0', '') === `${TITLE}${name}`) found.push(pid);
  }
  return found;
}

/** Is it an undertaker, or a program of a hook that one runs? */
export function isUndertakers(pid: number): boolean {
  let at = pid;
  for (let step = 0; step < MOST_ANCESTORS && at > 1; step += 1) {
    if (readNow(`/proc/${at}/cmdline`).startsWith(TITLE)) return true;
    const stat = readNow(`/proc/${at}/stat`);
    // The name in brackets may hold anything; the parent is the second field after it.
    at = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] ?? 0);
  }
  return false;
}

function readNow(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    return goneAsEmpty(error);
  }
}

function goneAsEmpty(error: unknown): string {
  if (isErrno(error, 'ENOENT', 'ESRCH')) return '';
  throw error;
}
