import { constants } from 'node:os';
import { HOOK_PHASES, type HookPhase } from '../options/hook.ts';
import type { LaunchFailure } from './facts.ts';
import type { Stage } from './stages.ts';

const { errno: E } = constants;

/** What to do about a hook that failed, by errno. */
const HINTS: ReadonlyMap<number, string> = new Map([
  [E.ETIMEDOUT, 'make it quicker, or raise hook-timeout'],
  [E.ENOENT, 'in that phase there is no such program or path: see which files are there, and what #! names'],
  [E.EACCES, 'that user may not do it; a program needs the x bit'],
  [E.ELOOP, 'a symlink stands at or on the way to it, and hooks follow none: name the real path'],
  [E.EMLINK, 'the file has a second name, which may be anywhere: hooks leave such files alone'],
  [E.EPERM, 'that phase has not the right to do it; what needs root belongs into hook-as-root or before'],
  [E.EBUSY, 'something still uses it; umount with detach waits for nobody'],
]);
const HINT = 'correct the hook; all that it printed is in the log of the vassal';

export type HookStage = `hook-${HookPhase}`;

/** Is it a hook that failed there? */
export function isHookStage(stage: Stage): stage is HookStage {
  return HOOK_PHASES.some((phase) => stage === `hook-${phase}`);
}

/** Message and hint for a failed hook; `what` already says what became of a program, and its last words. */
export function hookFailure(
  { stage, errno, what }: LaunchFailure,
  errorText: string,
): { readonly message: string; readonly hint: string } {
  const isTold = errno === E.ECANCELED || errno === E.ETIMEDOUT;
  return {
    message: `${stage} failed: ${what}${isTold ? '' : `: ${errorText}`}`,
    hint: HINTS.get(errno) ?? HINT,
  };
}
