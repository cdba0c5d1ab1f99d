import type { Clock } from '@emperor/common/clock';
import type { Log } from '@emperor/common/log/log';
import type { VassalName } from '@emperor/common/name';
import type { Keeper, KeeperListener, Keepers } from '@emperor/vassal/keeper/keeper';
import type { LimitsSpec } from '@emperor/vassal/spec/limits';
import type { VassalSpec } from '@emperor/vassal/spec/spec';
import type { Emperor } from '../emperor.ts';
import type { Held } from '../held.ts';
import type { MemoryStore } from '../store/memory.ts';

/** What makes a spec launchable: numbers and bytes that only this host and this moment know. */
export type Launch = { readonly blob: Uint8Array };

/** The control groups of one vassal's generations. `below`: where else they may be than below the emperor's own base. */
export type Groups = {
  /** Write changed limits to a running generation; what the kernel refuses comes back as text, one line each. */
  readonly adjust: (spec: VassalSpec, generation: number, limits: LimitsSpec) => Promise<readonly string[]>;
  /** Remove groups of this vassal in which nothing runs. */
  readonly sweep: (name: VassalName, below: readonly string[]) => Promise<void>;
  /** The last vassal of this owner is gone. */
  readonly removeOwner: (ownerUid: number) => Promise<void>;
  /** Kill and remove whatever of this vassal is left without a keeper. Rejects while something does not die. */
  readonly reap: (name: VassalName, below: readonly string[]) => Promise<void>;
};

/** Everything the executors act on. */
export type World = {
  readonly emperor: Emperor;
  readonly clock: Clock;
  readonly log: Log;
  readonly store: MemoryStore;
  readonly random: () => number;
  readonly startKeeper: (name: VassalName, listener: KeeperListener) => Promise<Keeper>;
  /** Ends a keeper of another protocol version and what it holds. */
  readonly endForeign: Keepers['endForeign'];
  readonly listen: (held: Held) => KeeperListener;
  /** Resolves names and the private uid, plans and encodes the jail. Rejects with EmperorError when it cannot. */
  readonly prepare: (spec: VassalSpec, generation: number) => Promise<Launch>;
  readonly groups: Groups;
  readonly killProcess: (pid: number) => void;
  /** The vassal is gone: its private uid rests. */
  readonly freeUid: (name: VassalName) => void;
  /** Move what an earlier owner of this name left (its log) out of the way. */
  readonly disinherit: (name: VassalName) => Promise<void>;
};
