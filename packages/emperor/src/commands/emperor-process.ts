import { readFileSync } from 'node:fs';
import type { EmperorJson } from '@emperor/common/control/api';
import { EmperorError, isErrno } from '@emperor/common/errors';
import type { CommandIo } from './command.ts';

/** Send the running emperor a signal; that it has gone meanwhile is fine. */
export function askEmperor({ pid }: EmperorJson, signal: 'SIGUSR1' | 'SIGTERM'): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (isErrno(error, 'ESRCH')) return;
    throw new EmperorError('not_permitted', `cannot signal the emperor (pid ${pid})`, {
      cause: error,
      hint: 'run the command as the user that runs the emperor',
    });
  }
}

/** Does a process of this pid run? A zombie that its parent did not collect yet is gone for us. */
export function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return !stat.slice(stat.lastIndexOf(')')).startsWith(') Z');
  } catch {
    return false;
  }
}

/** Wait a moment before looking again. */
export function pause({ clock }: CommandIo, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(ms, resolve);
  });
}
