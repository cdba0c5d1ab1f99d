import { assertNever } from '@emperor/common/assert';
import type { Exit } from '@emperor/vassal/keeper/facts';
import type { Ended } from '../core/state.ts';

/** What an operator reads about an end, and what to do about it. */
export type Explained = { readonly what: string; readonly hint: string | undefined };

export type ExplainFailure = (ended: Extract<Ended, { by: 'launch' }>) => Explained;

/** Why something ended, in one phrase. `memoryMax` is the limit in force, as written. */
export function explainEnd(
  ended: Ended,
  facts: { memoryMax: string | undefined; launch: ExplainFailure },
): Explained {
  switch (ended.by) {
    case 'launch':
      return facts.launch(ended);
    case 'prepare':
      return { what: `could not be started: ${ended.message}`, hint: ended.hint };
    case 'lost':
      return {
        what: 'its keeper died, and the jail with it',
        hint: 'a fresh jail replaces it; look into the log of the machine for who killed the keeper',
      };
    case 'exit':
      return explainExit(ended, facts.memoryMax);
    default:
      return assertNever(ended);
  }
}

function explainExit(ended: Extract<Ended, { by: 'exit' }>, memoryMax: string | undefined): Explained {
  const { exit, counters } = ended;
  const plain = describeExit(exit);
  if ((counters['oom_kill'] ?? 0) > 0) {
    const limit = memoryMax === undefined ? 'the memory of the machine' : `memory-max ${memoryMax}`;
    const killed = exit.by === 'signal' && exit.signal === 'SIGKILL';
    const what = killed
      ? `killed by the kernel: ${limit} reached`
      : `${plain}, after the kernel had killed part of it: ${limit} reached`;
    return { what, hint: 'raise memory-max in the vassal file, or make the app use less' };
  }
  if ((counters['pids_max'] ?? 0) > 0) {
    return {
      what: `${plain}, after pids-max refused it new processes`,
      hint: 'raise pids-max in the vassal file, or make the app fork less',
    };
  }
  return { what: plain, hint: exit.by === 'code' ? codeHint(exit.code) : undefined };
}

export function describeExit(exit: Exit): string {
  return exit.by === 'code' ? `exited with code ${exit.code}` : `killed by ${exit.signal}`;
}

function codeHint(code: number): string | undefined {
  if (code === 126) return 'code 126 of a shell means: found, but not executable';
  if (code === 127) return 'code 127 of a shell means: command not found inside the jail';
  return undefined;
}
