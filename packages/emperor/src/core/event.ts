import type { Exit, LaunchFailure } from '@emperor/vassal/keeper/facts';
import type { Pids, StopCause } from './state.ts';

/**
 * What can happen to a vassal. Facts of the keeper and deeds of the executors, both live and replayed at adoption.
 * `jitter` is a number in [0, 1) drawn by the caller, so that the machine stays pure.
 */
export type VassalEvent =
  | {
      readonly type: 'start-sent';
      readonly generation: number;
      readonly fresh: boolean;
      /** Failures before it, where another emperor counted them. */
      readonly failures?: number;
    }
  | {
      readonly type: 'launched';
      readonly generation: number;
      readonly at: number;
      readonly pids: Pids;
      /** 0: exec is proof enough; a delay in ms; undefined: a `ready` fact will come. From the launch's tag. */
      readonly readyAfterMs: number | undefined;
      /** Failures before this launch, from its tag: how an adopted vassal remembers them. */
      readonly failures: number;
    }
  | { readonly type: 'ready'; readonly generation: number; readonly at: number }
  | { readonly type: 'heard'; readonly generation: number }
  | { readonly type: 'extend'; readonly generation: number; readonly byMs: number }
  | { readonly type: 'stop-sent'; readonly cause: StopCause }
  | { readonly type: 'kill-sent'; readonly cause: StopCause }
  | {
      readonly type: 'launch-failed';
      readonly generation: number;
      readonly failure: LaunchFailure;
      readonly jitter: number;
    }
  | {
      readonly type: 'exited';
      readonly generation: number;
      readonly at: number;
      readonly exit: Exit;
      readonly counters: Readonly<Record<string, number>>;
    }
  | { readonly type: 'gone'; readonly generation: number; readonly jitter: number }
  | {
      readonly type: 'prepare-failed';
      readonly message: string;
      readonly hint: string | undefined;
      readonly jitter: number;
    }
  | { readonly type: 'keeper-lost' }
  | { readonly type: 'unwanted' }
  | { readonly type: 'tick' };
