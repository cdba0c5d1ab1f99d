import { linkSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EmperorError, isErrno } from '@emperor/common/errors';

/** A held lock; `release` removes it. */
export type Lock = { readonly release: () => void };

/**
 * Claim a directory for this emperor: a file `lock` with pid and start time, made by link(2), which never replaces.
 * A lock whose process is gone is stale and is moved away first.
 * @throws EmperorError('emperor_already_running')
 */
export function lockDirectory(directory: string): Lock {
  const path = join(directory, 'lock');
  const mine = identity(process.pid);
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, `${mine}\n`, { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < 10; attempt += 1) {
      if (tryLink(temporary, path)) return { release: () => release(path, mine) };
      moveAwayIfStale(path, directory);
    }
  } finally {
    unlinkSync(temporary);
  }
  throw new EmperorError('emperor_already_running', `cannot lock ${directory}`);
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false;
    throw error;
  }
}

function moveAwayIfStale(path: string, directory: string): void {
  const holder = read(path);
  if (holder === undefined) return;
  const pid = Number(holder.split(' ')[0]);
  if (Number.isInteger(pid) && pid > 0 && identity(pid) === holder) {
    throw new EmperorError('emperor_already_running', `another emperor (pid ${pid}) uses ${directory}`, {
      hint: 'look at it with emperor status, or give this one --runtime-dir and --state-dir of its own',
    });
  }
  const aside = `${path}.stale.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return;
    throw error;
  }
  // Somebody else may have taken the lock between our look and our rename: then it goes back.
  if (read(aside) !== holder) tryLink(aside, path);
  unlinkSync(aside);
}

function release(path: string, mine: string): void {
  if (read(path) === mine) unlinkSync(path);
}

/** pid and start time (field 22 of /proc/PID/stat): a pid alone is used again. */
function identity(pid: number): string {
  const stat = read(`/proc/${pid}/stat`);
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  return `${pid} ${fields?.[19] ?? 'gone'}`;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}
