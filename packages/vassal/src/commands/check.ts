import { EXIT } from '@emperor/common/errors';
import type { CommandIo } from './command.ts';
import { loadVassal, showDiagnostics } from './load.ts';

/** `vassal check FILE…`: everything that is wrong with the files; 78 when one cannot be used. */
export async function runCheck(files: readonly string[], io: CommandIo): Promise<number> {
  let areGood = true;
  for (const file of files) {
    if (!showDiagnostics(await loadVassal(file), io)) areGood = false;
  }
  return areGood ? EXIT.ok : EXIT.config;
}
