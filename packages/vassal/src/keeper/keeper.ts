import type { KeeperCommand, KeeperFact } from './facts.ts';

/**
 * The process that holds one vassal, as the emperor sees it: commands in, facts out. `send` resolves when the
 * keeper acknowledged, with the errno it gave (0 = done), and rejects with EmperorError('keeper_failed') when the
 * keeper went away or did not answer in time. Implementations: nativeKeepers; FakeKeepers in test/support.
 */
export type Keeper = {
  readonly pid: number;
  readonly name: string;
  readonly send: (command: KeeperCommand) => Promise<number>;
  /** Close our end only: the keeper and its vassal live on. */
  readonly detach: () => void;
};

/** Who hears a keeper. `onGone`: the connection ended; the keeper is dead unless we detached. */
export type KeeperListener = {
  readonly onFact: (fact: KeeperFact) => void;
  readonly onGone: () => void;
};

export type KeeperStart = { readonly name: string; readonly logDir: string };

/** Starts keepers and finds those that run. Connecting always reads the whole state first: one path. */
export type Keepers = {
  /** A new keeper process, connected. Facts of the replay reach `listen` before the promise resolves. */
  readonly start: (start: KeeperStart, listen: KeeperListener) => Promise<Keeper>;
  /**
   * Connect to every keeper that an earlier emperor left. `listen` is asked for the listener once the name is
   * known from `hello`. Dead sockets are removed; a keeper of another protocol version is reported in `foreign`.
   */
  readonly adopt: (listen: (name: string) => KeeperListener) => Promise<AdoptResult>;
  /**
   * Stop what a keeper of another protocol version holds, then the keeper itself. Resolves when it has ended or was not
   * there any more; rejects with EmperorError('keeper_failed') when it does not end.
   */
  readonly endForeign: (path: string, stop?: GracefulStop) => Promise<void>;
  /** Stop the spawner and detach from all keepers; they live on. */
  readonly close: () => Promise<void>;
};

export type AdoptResult = {
  readonly keepers: readonly Keeper[];
  readonly foreign: readonly ForeignFound[];
  readonly unreachable: readonly { readonly path: string; readonly reason: string }[];
};

/** A keeper of another protocol version; `launched`: the newest generation that runs in it. */
export type ForeignFound = {
  readonly path: string;
  readonly version: number;
  readonly name: string;
  readonly pid: number;
  readonly launched: Extract<KeeperFact, { type: 'launched' }> | undefined;
};

/** A signal to the app, and how long after it SIGKILL follows. */
export type GracefulStop = { readonly signal: number; readonly timeoutMs: number };
