import { assertNever } from '@emperor/common/assert';
import type { Action, OutcomeJson } from '@emperor/common/control/api';
import { STATUS_FORMAT } from '@emperor/common/control/api';
import { EmperorError } from '@emperor/common/errors';
import type { Log } from '@emperor/common/log/log';
import type { Answers } from './answers.ts';
import { generationOf } from './core/state.ts';
import { memoryOf } from './effects/record.ts';
import type { Emperor } from './emperor.ts';
import { describeForeign } from './explain/foreign.ts';
import { type Held, seenOf } from './held.ts';
import type { ActRequest } from './ports.ts';
import type { MemoryStore } from './store/memory.ts';

export type ActionParts = {
  readonly emperor: Emperor;
  readonly store: MemoryStore;
  readonly answers: Answers;
  readonly log: Log;
};

type Verdict = { readonly ok: boolean; readonly message: string; readonly hint: string | undefined };

/** What a command asks for: recorded as a wish, then watched until it came true or cannot. */
export async function act(parts: ActionParts, request: ActRequest): Promise<OutcomeJson | undefined> {
  const held = parts.emperor.vassals.get(request.name);
  if (held === undefined) return undefined;
  const { action } = request;
  if (action !== 'stop') requireRunnable(held, action);
  parts.log.info('asked by command', { vassal: held.name, action });
  await wish(parts, held, action);
  const watch = watcher(parts, held, action);
  parts.emperor.mark(held);
  const verdict = request.wait ? await settled(held, watch) : { ok: true, message: 'asked', hint: undefined };
  const vassal = parts.emperor.vassals.get(held.name) === held ? parts.answers.describe(held) : null;
  const { ok, message, hint } = verdict;
  return { format: STATUS_FORMAT, name: held.name, action, ok, message, hint: hint ?? null, vassal };
}

function requireRunnable(held: Held, action: Action): void {
  if (held.foreign !== undefined && action !== 'restart') {
    const { what, hint } = describeForeign(held.name, held.foreign);
    throw new EmperorError('keeper_failed', `vassal ${held.name} is ${what}`, { hint });
  }
  const isUp = generationOf(held.state) !== undefined || held.state.is === 'backing-off';
  if (action === 'reload' && !isUp) {
    throw new EmperorError('vassal_not_running', `vassal ${held.name} is not running`, {
      hint: `emperor start ${held.name}`,
    });
  }
  if (held.file?.good !== undefined) return;
  const first = held.file?.diagnostics.find(({ severity }) => severity === 'error');
  const where = first?.line === undefined ? '' : ` (line ${first.line})`;
  throw new EmperorError(
    'config_invalid',
    `vassal ${held.name} has no valid file: ${first?.message ?? 'it is gone'}${where}`,
    {
      hint: `emperor why ${held.name}`,
    },
  );
}

async function wish(parts: ActionParts, held: Held, action: Action): Promise<void> {
  const { turns } = held;
  switch (action) {
    case 'start':
      if (generationOf(held.state) === undefined) held.turns = { ...turns, start: turns.start + 1 };
      return setStopMark(parts, held, false);
    case 'restart':
      held.turns = { ...turns, restart: turns.restart + 1 };
      return setStopMark(parts, held, false);
    case 'reload':
      held.turns = { ...turns, reload: turns.reload + 1 };
      return;
    case 'stop':
      return setStopMark(parts, held, true);
    default:
      assertNever(action);
  }
}

/** The mark is durable before the command is answered. */
async function setStopMark(parts: ActionParts, held: Held, stopped: boolean): Promise<void> {
  if (held.stopMark === stopped) return;
  held.stopMark = stopped;
  const memory = memoryOf(held);
  if (memory === undefined) return;
  held.memory = memory;
  await parts.store.saveNow(held.name, memory);
}

/** Looks at the vassal after every change; undefined = not decided yet. */
function watcher(parts: ActionParts, held: Held, action: Action): () => Verdict | undefined {
  const { turns } = held;
  const failed = (): Verdict => {
    const { what, hint } = parts.answers.explain(held);
    return { ok: false, message: what, hint: hint ?? `emperor why ${held.name}` };
  };
  const isThere = () => parts.emperor.vassals.get(held.name) === held;
  if (action === 'stop') {
    return () =>
      !isThere() || isAtRest(held) ? { ok: true, message: 'stopped', hint: undefined } : foreignTrouble(held);
  }
  const reached = () => {
    const tried = held.attempt?.turns;
    if (tried === undefined) return false;
    if (action === 'start') return held.state.is === 'running' || tried.start === turns.start;
    return tried[action] === turns[action];
  };
  return () => {
    if (!isThere()) return { ok: false, message: 'its file is gone', hint: undefined };
    if (held.stopMark) return { ok: false, message: 'stopped by another command', hint: undefined };
    if (!reached() || held.busy) return foreignTrouble(held);
    switch (held.state.is) {
      case 'running':
        return { ok: true, message: describeRunning(held), hint: brokenHint(held) };
      case 'backing-off':
      case 'failed':
        return failed();
      case 'stopped':
        return held.state.finished
          ? { ok: true, message: parts.answers.explain(held).what, hint: undefined }
          : undefined;
      case 'starting':
      case 'stopping':
        return undefined;
    }
  };
}

function isAtRest(held: Held): boolean {
  return held.state.is === 'stopped' && seenOf(held).keeper === 'none' && !held.busy;
}

/** A keeper of another version that does not end: it is tried again, but nobody waits for that. */
function foreignTrouble({ foreign, trouble, busy }: Held): Verdict | undefined {
  if (foreign === undefined || trouble === undefined || busy) return undefined;
  return { ok: false, message: trouble, hint: `kill -KILL ${foreign.pid} ends it` };
}

function describeRunning(held: Held): string {
  const { state } = held;
  return state.is === 'running'
    ? `running (pid ${state.pids.app}, generation ${state.generation})`
    : state.is;
}

function brokenHint(held: Held): string | undefined {
  const broken = held.file?.diagnostics.some(({ severity }) => severity === 'error') === true;
  return broken ? `its file has errors, so the last good revision runs: emperor why ${held.name}` : undefined;
}

function settled(held: Held, watch: () => Verdict | undefined): Promise<Verdict> {
  return new Promise((resolve) => {
    const look = () => {
      const verdict = watch();
      if (verdict === undefined) return;
      held.waiters.delete(look);
      resolve(verdict);
    };
    held.waiters.add(look);
  });
}
