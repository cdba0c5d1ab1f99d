import { assertNever } from '@emperor/common/assert';
import type { HistoryJson } from '@emperor/common/control/api';
import type { Counters } from '../core/counted.ts';
import type { HistoryEntry } from '../core/history.ts';
import type { Ended, StopCause, VassalState } from '../core/state.ts';
import type { Held } from '../held.ts';
import type { Explained } from './ending.ts';
import { describeForeign } from './foreign.ts';
import { livePressure } from './pressure.ts';
import { isoTime } from './status.ts';

export type WhyFacts = {
  readonly now: number;
  readonly explain: (ended: Ended) => Explained;
  readonly waitsFor: readonly string[];
  /** What the kernel counts of the run that goes on. */
  readonly live: Counters;
  /** Does the source itself have a problem? Its first line. */
  readonly sourceTrouble: string | undefined;
};

/** Why is this vassal as it is: one sentence, and the next action. */
export function answerWhy(held: Held, facts: WhyFacts): Explained {
  const broken = held.file?.diagnostics.find(({ severity }) => severity === 'error');
  const state = answerState(held, facts);
  if (held.trouble !== undefined) {
    return {
      what: `${state.what}; the emperor has trouble with it: ${held.trouble}`,
      hint: state.hint ?? 'it is tried again; the log of the emperor has more',
    };
  }
  if (broken === undefined) return state;
  const where = broken.line === undefined ? broken.file : `${broken.file}:${broken.line}`;
  const key = broken.key === undefined ? '' : `${broken.key}: `;
  return {
    what: `${state.what}; its file has errors: ${where}: ${key}${broken.message}`,
    hint: broken.hint ?? 'mend the file; it applies as soon as it is valid',
  };
}

function answerState(held: Held, facts: WhyFacts): Explained {
  const { state } = held;
  if (held.foreign !== undefined && state.is === 'running') {
    const { what, hint } = describeForeign(held.name, held.foreign);
    return { what: `running since ${duration(facts.now - state.since)}, ${what}`, hint };
  }
  switch (state.is) {
    case 'running':
      return answerRunning(held, facts, state);
    case 'starting':
      return answerStarting(held, facts);
    case 'stopping':
      return {
        what: `stopping for ${duration(facts.now - state.since)}: ${describeCause(state.cause)}`,
        hint: state.killed ? undefined : `SIGKILL follows in ${duration(state.killAt - facts.now)}`,
      };
    case 'backing-off': {
      const { what, hint } = facts.explain(state.last);
      return {
        what: `${what}, ${state.failures} times in a row; next start in ${duration(state.until - facts.now)}`,
        hint: hint ?? 'read its last output below; an edit or a touch of its file starts it at once',
      };
    }
    case 'failed': {
      const { what, hint } = facts.explain(state.last);
      return {
        what: `given up after ${state.failures} ends in a row (restart-max): ${what}`,
        hint: hint ?? `mend it, then: emperor start ${held.name}`,
      };
    }
    case 'stopped':
      return answerStopped(held, facts);
  }
}

function answerRunning(
  held: Held,
  facts: WhyFacts,
  { since, generation }: Extract<VassalState, { is: 'running' }>,
): Explained {
  const pressure = livePressure(facts.live, held.attempt?.spec?.limits);
  const limits = [...pressure.map(({ what }) => what), ...held.refused].map((what) => `; ${what}`).join('');
  return {
    what: `running since ${duration(facts.now - since)}, generation ${generation}${limits}${lastWords(held, facts)}`,
    hint: pressure[0]?.hint,
  };
}

function answerStarting(held: Held, facts: WhyFacts): Explained {
  const { state } = held;
  if (state.is !== 'starting') return { what: state.is, hint: undefined };
  const left = duration(state.readyBy - facts.now);
  if (state.pids === undefined)
    return { what: `its jail is being built (generation ${state.generation})`, hint: undefined };
  const ready = held.attempt?.spec?.lifecycle.ready.by ?? 'auto';
  return {
    what: `started, not ready yet: waits for ready = ${ready}, at most ${left} more`,
    hint: 'read its last output below',
  };
}

function answerStopped(held: Held, facts: WhyFacts): Explained {
  const { file, state } = held;
  const start = `emperor start ${held.name}`;
  if (file === undefined) return { what: 'its file is gone', hint: undefined };
  if (file.revoked)
    return {
      what: 'stopped: the owner of its file changed, and may not run what the last good file said',
      hint: 'mend the file so that it is valid for its new owner',
    };
  if (file.good === undefined) return { what: 'never started: its file was never valid', hint: undefined };
  if (held.stopMark) return { what: 'stopped by command', hint: start };
  if (facts.waitsFor.length > 0)
    return {
      what: `waits for ${facts.waitsFor.join(', ')} (start-after)`,
      hint: `emperor why ${facts.waitsFor[0] ?? ''}`,
    };
  if (state.is === 'stopped' && state.finished && held.lastEnded !== undefined) {
    return {
      what: `${facts.explain(held.lastEnded).what}, and its restart option leaves it at that`,
      hint: start,
    };
  }
  if (!file.good.spec.app.autostart) return { what: 'not started: autostart = no', hint: start };
  return { what: 'about to start', hint: undefined };
}

function lastWords(held: Held, facts: WhyFacts): string {
  return held.lastEnded === undefined ? '' : `; the one before ${facts.explain(held.lastEnded).what}`;
}

/** The transitions of one vassal, oldest first, with how long each state lasted. */
export function historyJson(
  entries: readonly HistoryEntry[],
  explain: (ended: Ended) => Explained,
): readonly HistoryJson[] {
  return entries.map((entry) => ({
    at: isoTime(entry.wallMs),
    what: describeEntry(entry, explain),
    afterMs: Math.round(entry.lastedMs),
  }));
}

function describeEntry({ event, to, from }: HistoryEntry, explain: (ended: Ended) => Explained): string {
  switch (event.type) {
    case 'start-sent':
      return `start of generation ${event.generation}`;
    case 'launched':
      return `launched generation ${event.generation} (pid ${event.pids.app})${to.is === 'running' ? ', ready' : ''}`;
    case 'ready':
    case 'tick':
      return 'ready';
    case 'stop-sent':
      return `stop signal sent: ${describeCause(event.cause)}`;
    case 'kill-sent':
      return `SIGKILL sent: ${describeCause(event.cause)}`;
    case 'exited':
      return explain({ by: 'exit', exit: event.exit, counters: event.counters }).what;
    case 'launch-failed':
      return explain({ by: 'launch', failure: event.failure }).what;
    case 'prepare-failed':
      return `could not be started: ${event.message}`;
    case 'keeper-lost':
      return 'its keeper died';
    case 'gone':
      return from.is === 'stopping' && to.is === 'backing-off'
        ? 'nothing left of it; next start follows'
        : 'nothing left of it';
    case 'unwanted':
      return 'not wanted any more';
    case 'heard':
    case 'extend':
      return event.type;
    default:
      return assertNever(event);
  }
}

/** Why a generation is being ended, for people. */
export function describeCause(cause: StopCause): string {
  switch (cause) {
    case 'asked':
      return 'it is not wanted any more';
    case 'restart':
      return 'a new revision, a touch or a command replaces it';
    case 'rights':
      return 'its owner or powers changed';
    case 'exit':
      return 'the app ended by itself';
    case 'not-ready':
      return 'it was not ready within ready-timeout';
    case 'watchdog':
      return 'the watchdog heard nothing from it';
    case 'launch':
      return 'the launch failed';
    case 'lost':
      return 'its keeper died';
    default:
      return assertNever(cause);
  }
}

function duration(ms: number): string {
  const total = Math.max(Math.round(ms / 100) / 10, 0);
  if (total < 60) return `${total} s`;
  const minutes = Math.floor(total / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(total % 60)} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}
