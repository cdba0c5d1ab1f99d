import type { Cancel } from '@emperor/common/clock';
import type { VassalName } from '@emperor/common/name';
import type { KeeperFact } from '@emperor/vassal/keeper/facts';
import type { Keeper, KeeperListener } from '@emperor/vassal/keeper/keeper';
import type { LifecycleSpec } from '@emperor/vassal/spec/spec';
import type { Counters } from './core/counted.ts';
import { type Attempt, NO_TURNS, type Turns, type Wanted } from './core/desired.ts';
import type { FileState, Remembered } from './core/file-state.ts';
import { History } from './core/history.ts';
import type { Seen } from './core/plan.ts';
import { type Ended, STOPPED, type VassalState } from './core/state.ts';
import type { Memory } from './store/memory.ts';

/** Everything the emperor holds about one vassal. Changed by the loop and its executors only. */
export type Held = {
  readonly name: VassalName;
  file: FileState | undefined;
  /** A complete read proved that there is no file; without it and without a file we only do not know. */
  gone: boolean;
  memory: Memory | undefined;
  state: VassalState;
  attempt: Attempt | undefined;
  keeper: Keeper | undefined;
  /** Who hears `keeper`. */
  listener: KeeperListener | undefined;
  /** The keeper while it is being told to quit. */
  leaving: Keeper | undefined;
  /** The keeper died, or an earlier one left a jail behind: clean up before anything else. */
  lost: boolean;
  turns: Turns;
  /** `emperor stop`: holds until `start`, over restarts of the emperor. */
  stopMark: boolean;
  /** The file as the adopted generation was launched with it; undefined for those that we launched. */
  launchedWith: Remembered | undefined;
  /** Whose the things are that are kept under this name (its log): whoever launched it last. */
  keptFor: number | undefined;
  /** The number of the newest generation. */
  generation: number;
  /** Held by a keeper of another protocol version: left alone until it has to end. */
  foreign: Foreign | undefined;
  /** A step is being executed. */
  busy: boolean;
  /** After a step that failed: not before then. */
  holdUntil: number;
  wake: Cancel | undefined;
  readonly history: History;
  restarts: number;
  lastEnded: Ended | undefined;
  /** Counters of the runs that are over, since this emperor began. */
  counted: Counters;
  droppedLines: number;
  /** STATUS= of the app. */
  statusText: string | undefined;
  /** What the emperor itself has to say: a step that failed, a jail that does not end. */
  trouble: string | undefined;
  /** What the keeper replayed before the emperor began. */
  readonly replay: KeeperFact[];
  /** Generations that are over and whose record the keeper still keeps. */
  readonly unforgotten: number[];
  /** A live change may have made groups that the keeper does not know of. */
  adjusted: boolean;
  /** What the kernel refused of the last live change, one line each. */
  refused: readonly string[];
  readonly waiters: Set<() => void>;
};

/** What is known of a keeper of another protocol version. */
type Foreign = { readonly version: number; readonly path: string; readonly pid: number };

export function newHeld(name: VassalName, memory: Memory | undefined, now: number): Held {
  return {
    name,
    file: undefined,
    gone: false,
    memory,
    state: { ...STOPPED, since: now },
    attempt: undefined,
    keeper: undefined,
    listener: undefined,
    leaving: undefined,
    lost: false,
    turns: NO_TURNS,
    stopMark: memory?.stopped ?? false,
    launchedWith: undefined,
    keptFor: memory?.ownerUid,
    generation: 0,
    foreign: undefined,
    busy: false,
    holdUntil: 0,
    wake: undefined,
    history: new History(),
    restarts: 0,
    lastEnded: undefined,
    counted: {},
    droppedLines: 0,
    statusText: undefined,
    trouble: undefined,
    replay: [],
    unforgotten: [],
    adjusted: false,
    refused: [],
    waiters: new Set(),
  };
}

export function seenOf(held: Held): Seen {
  return { state: held.state, attempt: held.attempt, keeper: keeperOf(held) };
}

/** A foreign one first: to clean up after a lost one would end what the foreign one holds. */
function keeperOf({ foreign, lost, keeper }: Held): Seen['keeper'] {
  if (foreign !== undefined) return 'foreign';
  if (lost) return 'lost';
  return keeper === undefined ? 'none' : 'held';
}

/** Nothing is known of its file yet, or the source cannot be read: what runs goes on, nothing is started. */
function unknown(held: Held, closing: boolean): Wanted {
  return {
    spec: undefined,
    revision: undefined,
    ownerUid: undefined,
    stamp: '',
    revoked: false,
    run: !closing && !held.stopMark,
    turns: held.turns,
  };
}

/** What should be; undefined once the file is gone. `closing`: the emperor stops everything. */
export function wantedOf(held: Held, closing: boolean): Wanted | undefined {
  const { file } = held;
  if (file === undefined) return held.gone ? undefined : unknown(held, closing);
  const spec = file.good?.spec;
  const isThere = held.attempt !== undefined || held.foreign !== undefined;
  const asked = held.turns.start + held.turns.restart > 0 || isThere;
  const autostart = spec?.app.autostart ?? true;
  return {
    spec,
    revision: file.good?.revision,
    ownerUid: file.ownerUid,
    stamp: file.stamp,
    revoked: file.revoked,
    run: !closing && !held.stopMark && (autostart || asked),
    turns: held.turns,
  };
}

/** The lifecycle rules that apply to what runs, or else to what would. */
export function ruleOf(held: Held, fallback: LifecycleSpec): LifecycleSpec {
  return held.attempt?.spec?.lifecycle ?? held.file?.good?.spec.lifecycle ?? fallback;
}
