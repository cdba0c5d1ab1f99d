import { readFileSync, readlinkSync, renameSync, symlinkSync, unlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { EmperorError, isErrno } from '@emperor/common/errors';

/** A held lock; `release` removes it. */
export type Lock = { readonly release: () => void };

/**
 * Claim a directory for this emperor: a symlink `lock` whose target is pid and start time. symlink(2) never replaces,
 * and needs no room for content on a full disk. A lock whose process is gone is stale and is moved away first.
 * @throws EmperorError('emperor_already_running')
 */
export function lockDirectory(directory: string): Lock {
  const path = join(directory, 'lock');
  const mine = identity(process.pid);
  for (let attempt = 0; attempt < 10; attempt += 1) {
    if (tryLink(mine, path)) return { release: () => release(path, mine) };
    moveAwayIfStale(path, directory);
  }
  throw new EmperorError('emperor_already_running', `cannot lock ${directory}`);
}

function tryLink(target: string, path: string): boolean {
  try {
    symlinkSync(target, path);
    return true;
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false;
    if (!isErrno(error, 'EACCES', 'EPERM')) throw error;
    throw new EmperorError('not_permitted', `cannot use ${dirname(path)}`, {
      cause: error,
      hint: 'run the emperor as root, or give it directories of its own',
    });
  }
}

function moveAwayIfStale(path: string, directory: string): void {
  const holder = readLink(path);
  if (holder === undefined) return;
  const pid = Number(holder.split('-')[0]);
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
  const moved = readLink(aside);
  if (moved !== undefined && moved !== holder) tryLink(moved, path);
  unlinkSync(aside);
}

function release(path: string, mine: string): void {
  if (readLink(path) === mine) unlinkSync(path);
}

/** pid and start time (field 22 of /proc/PID/stat): a pid alone is used again. */
function identity(pid: number): string {
  const stat = read(`/proc/${pid}/stat`);
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  return `${pid}-${fields?.[19] ?? 'gone'}`;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    // A file of an older kind of lock, or nothing: either way nobody whom we know holds it.
    if (isErrno(error, 'EINVAL')) return 'none';
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}
