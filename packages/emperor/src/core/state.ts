import type { Exit, LaunchFailure } from '@emperor/vassal/keeper/facts';

/**
 * The life of a vassal.
 *
 *   stopped ──start──▶ starting ──ready──▶ running
 *      ▲                  │ exit, fail        │ exit
 *      │                  ▼                   ▼
 *      ├──asked/finished─ stopping ◀──stop────┘
 *      │                  │ gone
 *      ├── backing-off ◀──┤   (a quick exit waits, a first one does not)
 *      └── failed      ◀──┘   (restart-max only)
 *
 * `stopping` covers everything from the first sign of the end (our signal, or the app's own exit) until the keeper
 * says that nothing of the generation is left; only then may another one start. So a vassal never has two jails
 * unless a reload overlaps them on purpose. `failures` counts ends in a row without the vassal having been up for
 * its `stable` time. Times are CLOCK_MONOTONIC milliseconds.
 */
export type VassalState =
  | { readonly is: 'stopped'; readonly since: number; readonly finished: boolean }
  | {
      readonly is: 'starting';
      readonly since: number;
      readonly generation: number;
      readonly failures: number;
      /** Not ready by then: it is stopped and counts as a failure. */
      readonly readyBy: number;
      /** `ready = delay:`: becomes running then; undefined until launched and for other proofs. */
      readonly readyAt: number | undefined;
      readonly pids: Pids | undefined;
    }
  | {
      readonly is: 'running';
      readonly since: number;
      readonly generation: number;
      readonly failures: number;
      readonly pids: Pids;
      /** The last sign of life a watchdog heard; undefined without one. */
      readonly heardAt: number | undefined;
    }
  | {
      readonly is: 'stopping';
      readonly since: number;
      readonly generation: number;
      readonly failures: number;
      readonly cause: StopCause;
      /** SIGKILL is due then. */
      readonly killAt: number;
      readonly killed: boolean;
      readonly ended: Ended | undefined;
      readonly pids: Pids | undefined;
    }
  | {
      readonly is: 'backing-off';
      readonly since: number;
      readonly until: number;
      readonly failures: number;
      readonly last: Ended;
    }
  | { readonly is: 'failed'; readonly since: number; readonly failures: number; readonly last: Ended };

export type Pids = { readonly app: number; readonly init: number };

/** Why a generation ends. `rights`: the owner or powers changed; `lost`: its keeper died. */
export type StopCause =
  | 'asked'
  | 'restart'
  | 'rights'
  | 'exit'
  | 'not-ready'
  | 'watchdog'
  | 'launch'
  | 'lost';

/** How it ended, for the next decision and for people. */
export type Ended =
  | { readonly by: 'exit'; readonly exit: Exit; readonly counters: Readonly<Record<string, number>> }
  | { readonly by: 'launch'; readonly failure: LaunchFailure }
  | { readonly by: 'prepare'; readonly message: string; readonly hint: string | undefined }
  | { readonly by: 'lost' };

export const STOPPED: VassalState = { is: 'stopped', since: 0, finished: false };

/** The generation that exists in this state, if one does. */
export function generationOf(state: VassalState): number | undefined {
  return 'generation' in state ? state.generation : undefined;
}

/** Failures in a row so far. */
export function failuresOf(state: VassalState): number {
  return 'failures' in state ? state.failures : 0;
}
