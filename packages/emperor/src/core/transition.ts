import { assertNever } from '@emperor/common/assert';
import { backoffMs } from './backoff.ts';
import type { VassalEvent } from './event.ts';
import type { RestartRule } from './rule.ts';
import { type Ended, failuresOf, generationOf, type StopCause, type VassalState } from './state.ts';

/** A stop may be extended by the app (EXTEND_TIMEOUT_USEC) up to this long in all. */
const LONGEST_EXTENSION_MS = 600_000;

/** A jail that is not empty this long after SIGKILL is stuck: its keeper is given up and cleaned up after. */
const STUCK_AFTER_MS = 10_000;

type Stopping = Extract<VassalState, { is: 'stopping' }>;
type Of<T extends VassalEvent['type']> = Extract<VassalEvent, { type: T }>;

/** What the vassal is after `event`. Pure: no clock, no I/O, no log line. An event that does not apply changes nothing. */
export function transition(
  state: VassalState,
  event: VassalEvent,
  rule: RestartRule,
  now: number,
): VassalState {
  switch (event.type) {
    case 'start-sent':
      return startSent(state, event, rule, now);
    case 'launched':
      return launched(state, event, rule);
    case 'ready':
      return state.is === 'starting' && state.generation === event.generation
        ? running(state, event.at)
        : state;
    case 'heard':
      return state.is === 'running' && state.generation === event.generation
        ? { ...state, heardAt: now }
        : state;
    case 'extend':
      return extend(state, event, now);
    case 'stop-sent':
      return stopSent(state, event, rule, now);
    case 'kill-sent':
      return killSent(state, event, rule, now);
    case 'launch-failed':
      return launchFailed(state, event, rule, now);
    case 'exited':
      return exited(state, event, rule);
    case 'gone':
      return state.is === 'stopping' && state.generation === event.generation
        ? afterEnd(state, rule, now, event.jitter)
        : state;
    case 'prepare-failed':
      return prepareFailed(state, event, rule, now);
    case 'keeper-lost':
      return keeperLost(state, now);
    case 'unwanted':
      return state.is === 'backing-off' || state.is === 'failed' || state.is === 'stopped'
        ? { is: 'stopped', since: state.is === 'stopped' ? state.since : now, finished: false }
        : state;
    case 'tick':
      return state.is === 'starting' && state.readyAt !== undefined && now >= state.readyAt
        ? running(state, state.readyAt)
        : state;
    default:
      return assertNever(event);
  }
}

/** `fresh`: an edit, touch or command asked for it, which forgives earlier failures. */
function startSent(state: VassalState, event: Of<'start-sent'>, rule: RestartRule, now: number): VassalState {
  if (generationOf(state) !== undefined) return state;
  return {
    is: 'starting',
    since: now,
    generation: event.generation,
    failures: event.failures ?? (event.fresh ? 0 : failuresOf(state)),
    readyBy: now + rule.launchHooksMs + rule.readyTimeoutMs,
    readyAt: undefined,
    pids: undefined,
  };
}

/** Also how an adopted vassal comes to life: then no start was sent by us. */
function launched(state: VassalState, event: Of<'launched'>, rule: RestartRule): VassalState {
  const known = generationOf(state);
  if (known !== undefined && known !== event.generation) return state;
  if (state.is === 'stopping') return { ...state, pids: event.pids };
  if (state.is === 'running') return state;
  const starting = {
    is: 'starting' as const,
    since: state.is === 'starting' ? state.since : event.at,
    generation: event.generation,
    failures: state.is === 'starting' ? state.failures : event.failures,
    readyBy: event.at + rule.readyTimeoutMs,
    readyAt: event.readyAfterMs === undefined ? undefined : event.at + event.readyAfterMs,
    pids: event.pids,
  };
  return event.readyAfterMs === 0 ? running(starting, event.at) : starting;
}

function running(state: Extract<VassalState, { is: 'starting' }>, at: number): VassalState {
  if (state.pids === undefined) return state;
  const { generation, failures, pids } = state;
  return { is: 'running', since: at, generation, failures, pids, heardAt: undefined };
}

function extend(state: VassalState, event: Of<'extend'>, now: number): VassalState {
  if (generationOf(state) !== event.generation) return state;
  if (state.is === 'starting') {
    const latest = state.since + LONGEST_EXTENSION_MS;
    return { ...state, readyBy: Math.max(state.readyBy, Math.min(now + event.byMs, latest)) };
  }
  if (state.is === 'stopping' && !state.killed) {
    const latest = state.since + LONGEST_EXTENSION_MS;
    return { ...state, killAt: Math.max(state.killAt, Math.min(now + event.byMs, latest)) };
  }
  return state;
}

function stopSent(state: VassalState, event: Of<'stop-sent'>, rule: RestartRule, now: number): VassalState {
  if (state.is !== 'starting' && state.is !== 'running') return state;
  return { ...stopping(state, event.cause, now), killAt: now + rule.stopTimeoutMs };
}

/** From here on `killAt` is when the keeper itself counts as dead. */
function killSent(state: VassalState, event: Of<'kill-sent'>, rule: RestartRule, now: number): VassalState {
  const killAt = now + rule.stopHooksMs + STUCK_AFTER_MS;
  if (state.is === 'stopping') return { ...state, killed: true, killAt };
  if (state.is !== 'starting' && state.is !== 'running') return state;
  const failures = isStable(state, rule, now) ? 0 : state.failures;
  return { ...stopping(state, event.cause, now), failures, killed: true, killAt };
}

/** The app ended by itself, or as we asked; the keeper kills what is left and says `gone`. */
function exited(state: VassalState, event: Of<'exited'>, rule: RestartRule): VassalState {
  if (generationOf(state) !== event.generation) return state;
  const ended: Ended = { by: 'exit', exit: event.exit, counters: event.counters };
  if (state.is === 'stopping') return { ...state, ended: state.ended ?? ended };
  if (state.is !== 'starting' && state.is !== 'running') return state;
  const failures = isStable(state, rule, event.at) ? 0 : state.failures;
  return {
    ...stopping(state, 'exit', event.at),
    failures,
    killed: true,
    killAt: event.at + rule.stopHooksMs + STUCK_AFTER_MS,
    ended,
  };
}

function isStable(state: VassalState, rule: RestartRule, at: number): boolean {
  return state.is === 'running' && at - state.since >= rule.stableMs;
}

function stopping(
  state: Extract<VassalState, { is: 'starting' | 'running' }>,
  cause: StopCause,
  now: number,
): Stopping {
  const { generation, failures, pids } = state;
  return {
    is: 'stopping',
    since: now,
    generation,
    failures,
    cause,
    killAt: now,
    killed: false,
    ended: undefined,
    pids,
  };
}

/** The keeper sends `fail` when everything half-built is gone: there is nothing left to wait for. */
function launchFailed(
  state: VassalState,
  event: Of<'launch-failed'>,
  rule: RestartRule,
  now: number,
): VassalState {
  if (generationOf(state) !== event.generation) return state;
  if (state.is === 'stopping' && isWanted(state.cause)) return { is: 'stopped', since: now, finished: false };
  const last: Ended = { by: 'launch', failure: event.failure };
  return again({ failures: failuresOf(state), last, jitter: event.jitter }, rule, now);
}

function prepareFailed(
  state: VassalState,
  event: Of<'prepare-failed'>,
  rule: RestartRule,
  now: number,
): VassalState {
  if (state.is !== 'starting') return state;
  const last: Ended = { by: 'prepare', message: event.message, hint: event.hint };
  return again({ failures: state.failures, last, jitter: event.jitter }, rule, now);
}

function keeperLost(state: VassalState, now: number): VassalState {
  if (state.is === 'stopping') return { ...state, killed: true, ended: state.ended ?? { by: 'lost' } };
  if (state.is !== 'starting' && state.is !== 'running') return state;
  return { ...stopping(state, 'lost', now), killed: true, ended: { by: 'lost' } };
}

function afterEnd(state: Stopping, rule: RestartRule, now: number, jitter: number): VassalState {
  if (isWanted(state.cause)) return { is: 'stopped', since: now, finished: false };
  const last = state.ended ?? { by: 'lost' };
  const clean =
    state.cause === 'exit' && last.by === 'exit' && last.exit.by === 'code' && last.exit.code === 0;
  const finished = rule.restart === 'never' || (rule.restart === 'on-failure' && clean);
  return finished
    ? { is: 'stopped', since: now, finished }
    : again({ failures: state.failures, last, jitter }, rule, now);
}

/** Ends that we brought about for a reason outside the app: they are nobody's failure. */
function isWanted(cause: StopCause): boolean {
  return cause === 'asked' || cause === 'restart' || cause === 'rights';
}

type Failure = { readonly failures: number; readonly last: Ended; readonly jitter: number };

function again(failure: Failure, rule: RestartRule, now: number): VassalState {
  const failures = failure.failures + 1;
  if (rule.restartMax > 0 && failures > rule.restartMax) {
    return { is: 'failed', since: now, failures, last: failure.last };
  }
  const until = now + backoffMs(failures, rule, failure.jitter);
  return { is: 'backing-off', since: now, until, failures, last: failure.last };
}
