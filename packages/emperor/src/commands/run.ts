import { resolve } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { hasErrors, renderDiagnostic } from '@emperor/common/diagnostic';
import { EmperorError } from '@emperor/common/errors';
import { neutralise } from '@emperor/common/terminal';
import { holdHandover } from '../early-handover.ts';
import type { RunFlags } from '../settings.ts';
import { loadSettings } from '../settings-load.ts';
import { type Arguments, type CommandIo, NOTIFY_FLAG, textOf } from './command.ts';

const PATH_FLAGS = ['vassals', 'runtime-dir', 'log-dir', 'state-dir'] as const;
const OTHER_FLAGS = ['log-level', 'log-format'] as const;

/**
 * The engine optimises what has run this long. By default its other threads spend 0.7 s of CPU on a boot of 1,000 on what is
 * soon over; later costs the main thread 0.2 s there (measured). What stays hot is optimised all the same.
 */
const LATE_OPTIMISING = '--interrupt-budget=600000';

/** `emperor run`: the daemon in the foreground; resolves with its exit code when it is over. */
export async function runRun(args: Arguments, io: CommandIo): Promise<number> {
  const letHandoverThrough = holdHandover();
  setFlagsFromString(LATE_OPTIMISING);
  const settings = await loadSettings({ ...flagsOf(args), places: io.places });
  for (const diagnostic of settings.diagnostics) io.err(`${linesOf(renderDiagnostic(diagnostic))}\n`);
  if (hasErrors(settings.diagnostics)) {
    throw new EmperorError('config_invalid', 'the emperor cannot run with this configuration');
  }
  const { runEmperor } = await import('../main.ts');
  return runEmperor(settings, { notifySocket: textOf(args, NOTIFY_FLAG), letHandoverThrough });
}

/** What `emperor run` was told, paths made absolute here, where the working directory still means something. */
export function flagsOf(args: Arguments): RunFlags {
  const options = new Map<string, string>();
  for (const flag of PATH_FLAGS) {
    const path = textOf(args, flag);
    if (path !== undefined) options.set(flag, resolve(path));
  }
  for (const flag of OTHER_FLAGS) {
    const text = textOf(args, flag);
    if (text !== undefined) options.set(flag, text);
  }
  const config = textOf(args, 'config');
  return { config: config === undefined ? undefined : resolve(config), options };
}

function linesOf(text: string): string {
  return text.split('\n').map(neutralise).join('\n');
}
