import type { Stage } from './stages.ts';

/** How a run of the app ended. Signals by name (`SIGSEGV`). */
export type Exit =
  | { readonly by: 'code'; readonly code: number }
  | { readonly by: 'signal'; readonly signal: string };

/** A launch that failed: where, errno and object. No tenant code has run. */
export type LaunchFailure = { readonly stage: Stage; readonly errno: number; readonly what: string };

/**
 * What a keeper reports. The same facts arrive live and, after `hello`, as the replay of its whole state, closed
 * by `replayed`; so connecting to a new keeper, reconnecting and adopting are one path. `at` is CLOCK_MONOTONIC ms.
 * Contract: docs/reference/keeper-protocol.md.
 */
export type KeeperFact =
  | {
      readonly type: 'hello';
      readonly version: number;
      readonly pid: number;
      readonly startTicks: number;
      readonly name: string;
    }
  | { readonly type: 'launching'; readonly generation: number; readonly at: number; readonly tag: string }
  | {
      readonly type: 'launched';
      readonly generation: number;
      readonly at: number;
      readonly initPid: number;
      readonly appPid: number;
      readonly tag: string;
    }
  | { readonly type: 'fail'; readonly generation: number; readonly failure: LaunchFailure }
  | { readonly type: 'ready'; readonly generation: number; readonly at: number }
  | { readonly type: 'notify'; readonly generation: number; readonly key: NotifyKey; readonly value: string }
  | { readonly type: 'touched'; readonly generation: number }
  | {
      readonly type: 'exited';
      readonly generation: number;
      readonly at: number;
      readonly exit: Exit;
      /** Counters read from the control group before it went, e.g. oom_kill, pids_max. */
      readonly counters: Readonly<Record<string, number>>;
    }
  | { readonly type: 'gone'; readonly generation: number }
  | { readonly type: 'dropped'; readonly lines: number; readonly bytes: number }
  | { readonly type: 'trouble'; readonly failure: LaunchFailure }
  | {
      readonly type: 'ack';
      readonly command: KeeperCommandName;
      readonly generation: number;
      readonly errno: number;
    }
  | { readonly type: 'replayed' };

export type NotifyKey =
  | 'STOPPING'
  | 'RELOADING'
  | 'STATUS'
  | 'ERRNO'
  | 'WATCHDOG'
  | 'WATCHDOG_USEC'
  | 'EXTEND_TIMEOUT_USEC';

export type KeeperCommandName = 'launch' | 'signal' | 'signal-all' | 'kill' | 'forget' | 'log' | 'quit';

export type LogLimits = { readonly maxBytes: number; readonly keep: number; readonly linesPerSecond: number };

export type KeeperCommand =
  /** Build the jail that `blob` describes and run its app. `tag` comes back in the replay, ≤ 512 bytes. */
  | { readonly do: 'launch'; readonly generation: number; readonly tag: string; readonly blob: Uint8Array }
  /** Signal number to the app alone. */
  | { readonly do: 'signal'; readonly generation: number; readonly signal: number }
  /** Signal number to every process of the jail. */
  | { readonly do: 'signal-all'; readonly generation: number; readonly signal: number }
  /** SIGKILL to everything in the jail. */
  | { readonly do: 'kill'; readonly generation: number }
  /** The emperor has seen the end of this generation. */
  | { readonly do: 'forget'; readonly generation: number }
  | { readonly do: 'log'; readonly limits: LogLimits }
  /** End the keeper; EBUSY while a generation lives. */
  | { readonly do: 'quit' };
