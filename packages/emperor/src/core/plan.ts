import type { SpecChange } from '@emperor/vassal/spec/diff';
import type { VassalSpec } from '@emperor/vassal/spec/spec';
import { type Attempt, NO_TURNS, type Wanted } from './desired.ts';
import type { StopCause, VassalState } from './state.ts';

/** What is, for one vassal. */
export type Seen = {
  readonly state: VassalState;
  /** What the newest generation was started with; undefined before the first start. */
  readonly attempt: Attempt | undefined;
  /**
   * Is there a keeper process? `lost`: it died and what it held has to be cleaned up. `foreign`: it speaks another
   * version of the protocol, so that it can be ended and nothing else.
   */
  readonly keeper: 'none' | 'held' | 'lost' | 'foreign';
};

/** What other vassals say about this one. */
export type Neighbours = {
  /** A start has to wait for these (start-after). */
  readonly startBlocked: boolean;
  /** While the emperor closes down: a vassal that was started after this one still runs. */
  readonly stopBlocked: boolean;
};

/**
 * One thing to do for one vassal. `abandon` = give up a keeper whose jail does not end; `adjust` = apply what can change live; `release` = end the keeper of a stopped
 * vassal; `reap` = clean up after a dead keeper; `replace` = end a keeper of another version and all it holds; `forget` = the file is gone and so is everything else.
 */
export type Step =
  | { readonly do: 'start'; readonly fresh: boolean }
  | { readonly do: 'stop'; readonly cause: StopCause }
  | { readonly do: 'kill'; readonly cause: StopCause }
  | { readonly do: 'abandon' }
  | { readonly do: 'reload' }
  | { readonly do: 'adjust' }
  | { readonly do: 'reap' }
  | { readonly do: 'replace'; readonly cause: StopCause }
  | { readonly do: 'release' }
  | { readonly do: 'settle' }
  | { readonly do: 'forget' };

/** Compares two specs; passed in so that the rows of the option table stay the only source. */
export type Diff = (from: VassalSpec, to: VassalSpec) => SpecChange;

export type Situation = {
  readonly wanted: Wanted | undefined;
  readonly seen: Seen;
  readonly neighbours: Neighbours;
  readonly diff: Diff;
};

type Up = Extract<VassalState, { is: 'starting' | 'running' }>;

/** The next step of one vassal, or undefined when it is where it should be. Level-based: what happened does not matter. */
export function nextStep(situation: Situation, now: number): Step | undefined {
  const { wanted, seen } = situation;
  if (seen.keeper === 'lost') return { do: 'reap' };
  if (seen.keeper === 'foreign') return whileForeign(situation);
  const { state } = seen;
  switch (state.is) {
    case 'starting':
    case 'running':
      return whileUp(situation, state, now);
    case 'stopping':
      if (now < state.killAt) return undefined;
      return state.killed ? { do: 'abandon' } : { do: 'kill', cause: state.cause };
    case 'stopped':
      return atRest(situation, !state.finished || isNew(wanted, seen.attempt));
    case 'backing-off':
      return atRest(situation, now >= state.until || isNew(wanted, seen.attempt));
    case 'failed':
      return atRest(situation, isNew(wanted, seen.attempt));
  }
}

/** What a keeper of another version runs goes on until it has to end; then, or when nothing runs, the keeper goes. */
function whileForeign({ wanted, seen, neighbours }: Situation): Step | undefined {
  if (wanted?.revoked === true) return { do: 'replace', cause: 'rights' };
  if (seen.state.is !== 'running') return { do: 'replace', cause: 'asked' };
  if (wanted?.run !== true) return neighbours.stopBlocked ? undefined : { do: 'replace', cause: 'asked' };
  const before = seen.attempt?.turns ?? NO_TURNS;
  return wanted.turns.restart === before.restart ? undefined : { do: 'replace', cause: 'restart' };
}

function whileUp(situation: Situation, state: Up, now: number): Step | undefined {
  const { wanted, seen, neighbours } = situation;
  if (isRevoked(wanted, seen.attempt)) return { do: 'kill', cause: 'rights' };
  if (wanted?.run !== true) return neighbours.stopBlocked ? undefined : end(state, 'asked');
  if (state.is === 'starting' && now >= state.readyBy) return end(state, 'not-ready');
  if (isSilent(situation, state, now)) return { do: 'kill', cause: 'watchdog' };
  return seen.attempt === undefined ? undefined : toward(wanted, seen.attempt, state, situation.diff);
}

/** Another owner, or powers that are gone: what runs has no right to, and gets no time to say good-bye. */
function isRevoked(wanted: Wanted | undefined, attempt: Attempt | undefined): boolean {
  return wanted?.revoked === true || isOfAnother(wanted, attempt);
}

function isOfAnother(wanted: Wanted | undefined, attempt: Attempt | undefined): boolean {
  return wanted?.ownerUid !== undefined && attempt !== undefined && wanted.ownerUid !== attempt.ownerUid;
}

/** Before the app exists there is nobody to ask. */
function end(state: Up, cause: StopCause): Step {
  return state.pids === undefined ? { do: 'kill', cause } : { do: 'stop', cause };
}

function isSilent({ seen }: Situation, state: Up, now: number): boolean {
  const watchdogMs = seen.attempt?.spec?.lifecycle.watchdogMs;
  return (
    state.is === 'running' && watchdogMs !== undefined && now >= (state.heardAt ?? state.since) + watchdogMs
  );
}

function toward(wanted: Wanted, attempt: Attempt, state: Up, diff: Diff): Step | undefined {
  if (wanted.spec === undefined) return undefined;
  const restart = end(state, 'restart');
  if (wanted.turns.restart !== attempt.turns.restart) return restart;
  if (wanted.revision !== attempt.revision) {
    const change = attempt.spec === undefined ? 'restart' : diff(attempt.spec, wanted.spec).kind;
    if (change === 'reload' || change === 'restart') return restart;
    return { do: 'adjust' };
  }
  if (wanted.stamp === attempt.stamp && wanted.turns.reload === attempt.turns.reload) return undefined;
  if (wanted.spec.lifecycle.reload !== 'signal') return restart;
  return state.is === 'running' ? { do: 'reload' } : undefined;
}

function atRest({ wanted, seen, neighbours }: Situation, due: boolean): Step | undefined {
  if (wanted === undefined) return seen.keeper === 'held' ? { do: 'release' } : { do: 'forget' };
  if (!wanted.run || wanted.spec === undefined) return idle(seen);
  if (seen.keeper === 'held' && isOfAnother(wanted, seen.attempt)) return { do: 'release' };
  if (due && !neighbours.startBlocked) return { do: 'start', fresh: isNew(wanted, seen.attempt) };
  // Its keeper stays also when it finished: it is how the next emperor knows.
  return undefined;
}

function idle(seen: Seen): Step | undefined {
  if (seen.state.is !== 'stopped') return { do: 'settle' };
  return seen.keeper === 'held' ? { do: 'release' } : undefined;
}

/** Did an edit, a touch or a command come since the last start? Such a start forgives earlier failures. */
export function isNew(wanted: Wanted | undefined, attempt: Attempt | undefined): boolean {
  if (wanted === undefined || attempt === undefined) return true;
  const { turns } = wanted;
  return (
    wanted.revision !== attempt.revision ||
    wanted.stamp !== attempt.stamp ||
    turns.start !== attempt.turns.start ||
    turns.restart !== attempt.turns.restart ||
    turns.reload !== attempt.turns.reload
  );
}

/** When this vassal must be looked at again though nothing happens; undefined = not before something does. */
export function nextWake({ wanted, seen }: Situation): number | undefined {
  const { state } = seen;
  if (seen.keeper === 'foreign') return undefined;
  switch (state.is) {
    case 'starting':
      return state.readyAt === undefined ? state.readyBy : Math.min(state.readyBy, state.readyAt);
    case 'running': {
      const watchdogMs = seen.attempt?.spec?.lifecycle.watchdogMs;
      return watchdogMs === undefined ? undefined : (state.heardAt ?? state.since) + watchdogMs;
    }
    case 'stopping':
      return state.killAt;
    case 'backing-off':
      return wanted?.run === true ? state.until : undefined;
    case 'stopped':
    case 'failed':
      return undefined;
  }
}
