import { assertNever } from '@emperor/common/assert';
import type { Exit } from '@emperor/vassal/keeper/facts';
import type { LimitsSpec } from '@emperor/vassal/spec/limits';
import type { Ended } from '../core/state.ts';
import { MEMORY_HINT, outOfMemory, pressureOf } from './pressure.ts';

/** What an operator reads about an end, and what to do about it. */
export type Explained = { readonly what: string; readonly hint: string | undefined };

export type ExplainFailure = (ended: Extract<Ended, { by: 'launch' }>) => Explained;

/** Why something ended, in one phrase. `limits` are those in force. */
export function explainEnd(
  ended: Ended,
  facts: { limits: LimitsSpec | undefined; launch: ExplainFailure },
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
      return explainExit(ended, facts.limits);
    default:
      return assertNever(ended);
  }
}

function explainExit(ended: Extract<Ended, { by: 'exit' }>, limits: LimitsSpec | undefined): Explained {
  const { exit, counters } = ended;
  const memory = outOfMemory(counters, limits);
  const others = pressureOf(counters, limits);
  const [first] = others;
  const what = [describeEnd(exit, memory), ...others.map((each) => each.what)].join('; ');
  if (memory !== undefined) return { what, hint: MEMORY_HINT };
  return { what, hint: first?.hint ?? (exit.by === 'code' ? codeHint(exit.code) : signalHint(exit.signal)) };
}

function describeEnd(exit: Exit, memory: string | undefined): string {
  if (memory === undefined) return describeExit(exit);
  const isKilled = exit.by === 'signal' && exit.signal === 'SIGKILL';
  return isKilled
    ? `killed by the kernel: ${memory}`
    : `${describeExit(exit)}, after the kernel had killed part of it: ${memory}`;
}

/** The limit behind an end, in one phrase; undefined when none was met. */
export function limitBehind(
  { exit, counters }: Extract<Ended, { by: 'exit' }>,
  limits: LimitsSpec | undefined,
): string | undefined {
  const memory = outOfMemory(counters, limits);
  if (memory !== undefined) return describeEnd(exit, memory);
  return (counters['pids_max'] ?? 0) > 0 ? pressureOf(counters, limits)[0]?.what : undefined;
}

export function describeExit(exit: Exit): string {
  return exit.by === 'code' ? `exited with code ${exit.code}` : `killed by ${exit.signal}`;
}

function signalHint(signal: string): string | undefined {
  if (signal !== 'SIGSYS') return undefined;
  return 'it called the kernel as a 32-bit program does, which no seccomp list knows: seccomp = none lets it';
}

function codeHint(code: number): string | undefined {
  if (code === 126) return 'code 126 of a shell means: found, but not executable';
  if (code === 127) return 'code 127 of a shell means: command not found inside the jail';
  return undefined;
}
