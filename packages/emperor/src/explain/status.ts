import type { DiagnosticJson, ExitJson, StateName, VassalJson } from '@emperor/common/control/api';
import type { Diagnostic } from '@emperor/common/diagnostic';
import { idMapsOf, outsideId } from '@emperor/vassal/jail/id-maps';
import type { Rootless } from '@emperor/vassal/spec/host-facts';
import type { LimitsSpec } from '@emperor/vassal/spec/limits';
import type { VassalSpec } from '@emperor/vassal/spec/spec';
import type { Counters } from '../core/counted.ts';
import { generationOf, type VassalState } from '../core/state.ts';
import type { Held } from '../held.ts';
import type { Usage } from '../ports.ts';
import { limitBehind } from './ending.ts';
import { describeForeign } from './foreign.ts';
import { countsOf, livePressure } from './pressure.ts';

/** What of the world outside one vassal its status needs. */
export type StatusFacts = {
  readonly now: number;
  readonly wall: number;
  readonly usage: Usage | undefined;
  /** The private uid of this vassal, when it has one. */
  readonly privateUid: number | undefined;
  /** The first of its own 65,536 ids, when it has them. */
  readonly idRange: number | undefined;
  readonly rootless: Rootless | undefined;
  readonly ownerName: string;
  /** Names it waits for. */
  readonly waitsFor: readonly string[];
  readonly lastEnd: string | undefined;
};

/** The stable JSON of one vassal, design §10. */
export function statusOf(held: Held, facts: StatusFacts): VassalJson {
  const { state, file } = held;
  const spec = held.attempt?.spec ?? file?.good?.spec;
  return {
    name: held.name,
    ...fileOf(file),
    owner: facts.ownerName,
    state: shownState(held),
    ready: state.is === 'running',
    since: isoTime(facts.wall - Math.max(facts.now - state.since, 0)),
    ...processesOf(held),
    revision: orNull(held.attempt?.revision ?? file?.good?.revision),
    ...identityOf(spec, facts),
    restarts: held.restarts,
    lastExit: lastExit(held, spec?.limits),
    ...countsOf(held.counted, liveCounters(held, facts.usage)),
    daemons: [],
    sockets: [],
    namespaces: spec?.jail.namespaces ?? [],
    ...usageOf(facts.usage),
    note: noteOf(held, facts),
  };
}

function processesOf({ state, keeper, foreign }: Held): Pick<VassalJson, 'pid' | 'keeperPid' | 'generation'> {
  const pids = 'pids' in state ? state.pids : undefined;
  return {
    pid: orNull(pids?.app),
    keeperPid: orNull((keeper ?? foreign)?.pid),
    generation: orNull(generationOf(state)),
  };
}

function fileOf(file: Held['file']): Pick<VassalJson, 'file' | 'diagnostics'> {
  return { file: orNull(file?.path), diagnostics: (file?.diagnostics ?? []).map(diagnosticJson) };
}

function usageOf(usage: Usage | undefined): Pick<VassalJson, 'memoryBytes' | 'cpuPercent' | 'tasks'> {
  return {
    memoryBytes: orNull(usage?.memoryBytes),
    cpuPercent: orNull(usage?.cpuPercent),
    tasks: orNull(usage?.tasks),
  };
}

/** A file that means nothing valid has failed; `stopped` is for what somebody stopped or what is not to start. */
function shownState({ state, file, stopMark }: Held): StateName {
  return state.is === 'stopped' && file !== undefined && file.good === undefined && !stopMark
    ? 'failed'
    : state.is;
}

/** Absent is `null` in JSON and nowhere else. */
function orNull<T>(value: T | undefined): T | null {
  return value ?? null;
}

/** As the host sees them, whatever a user namespace makes of them inside. */
function identityOf(
  spec: VassalSpec | undefined,
  { privateUid, idRange, rootless }: StatusFacts,
): Pick<VassalJson, 'user' | 'uid' | 'gid'> {
  if (spec === undefined) return { user: null, uid: null, gid: null };
  const { user } = spec.identity;
  const uid = spec.identity.uid === 'auto' ? privateUid : spec.identity.uid;
  const gid = spec.identity.gid === 'auto' ? privateUid : spec.identity.gid;
  if (uid === undefined || gid === undefined)
    return { user: orNull(user), uid: orNull(uid), gid: orNull(gid) };
  const { uids, gids } = idMapsOf(spec, { uid, gid, idRange, rootless });
  const outside = outsideId(uids, uid);
  return {
    user: outside === uid ? orNull(user) : null,
    uid: orNull(outside),
    gid: orNull(outsideId(gids, gid)),
  };
}

function lastExit({ lastEnded }: Held, limits: LimitsSpec | undefined): ExitJson | null {
  if (lastEnded?.by !== 'exit') return null;
  const because = limitBehind(lastEnded, limits);
  return because === undefined ? lastEnded.exit : { ...lastEnded.exit, because };
}

/** Counters of the run that goes on; those of one that has ended are counted already. */
export function liveCounters({ state }: Held, usage: Usage | undefined): Counters {
  const isOn =
    state.is === 'starting' ||
    state.is === 'running' ||
    (state.is === 'stopping' && state.ended === undefined);
  return isOn ? (usage?.counters ?? {}) : {};
}

/** The one thing to know beside the state. */
function noteOf(held: Held, facts: StatusFacts): string | null {
  const errors = held.file?.diagnostics.filter(({ severity }) => severity === 'error') ?? [];
  const [first] = errors;
  if (held.trouble !== undefined) return held.trouble;
  if (held.foreign !== undefined) {
    const { what, hint } = describeForeign(held.name, held.foreign);
    return `${what}; ${hint}`;
  }
  if (held.file?.revoked === true) return 'not run: its owner may not run what the last good file said';
  if (first !== undefined) return noteOfBroken(held, first, errors.length);
  if (facts.waitsFor.length > 0 && held.state.is === 'stopped')
    return `waits for ${facts.waitsFor.join(', ')}`;
  return (
    noteOfState(held, held.state, facts) ??
    held.refused[0] ??
    killedNote(held, facts) ??
    held.statusText ??
    droppedNote(held) ??
    null
  );
}

function noteOfBroken(held: Held, first: Diagnostic, count: number): string {
  const where = first.line === undefined ? '' : ` (line ${first.line})`;
  const more = count > 1 ? `, and ${count - 1} more` : '';
  const what = first.key === undefined ? first.message : `${first.key}: ${first.message}`;
  const runs = generationOf(held.state) !== undefined ? 'last good revision runs; ' : '';
  return `${runs}file has errors: ${what}${where}${more}`;
}

function noteOfState(held: Held, state: VassalState, facts: StatusFacts): string | undefined {
  switch (state.is) {
    case 'backing-off':
      return `${facts.lastEnd ?? 'ended'}; next start in ${seconds(state.until - facts.now)}`;
    case 'failed':
      return `${facts.lastEnd ?? 'ended'}; gave up after ${state.failures} ends in a row`;
    case 'stopped':
      if (held.stopMark) return 'stopped by command';
      return state.finished ? facts.lastEnd : undefined;
    case 'stopping':
      return state.killed && facts.now - state.since > 10_000 ? 'stuck: its jail does not end' : undefined;
    case 'starting':
    case 'running':
      return undefined;
  }
}

/** A worker that the kernel killed: the app itself may not even know. */
function killedNote(held: Held, { usage }: StatusFacts): string | undefined {
  const counters = liveCounters(held, usage);
  const isKilled = (counters['oom_kill'] ?? 0) > 0;
  return isKilled ? livePressure(counters, held.attempt?.spec?.limits)[0]?.what : undefined;
}

function droppedNote({ droppedLines }: Held): string | undefined {
  return droppedLines === 0 ? undefined : `${droppedLines} lines of output dropped (log-rate, or no space)`;
}

function seconds(ms: number): string {
  return `${(Math.max(ms, 0) / 1_000).toFixed(1)} s`;
}

export function diagnosticJson({ severity, file, line, key, message, hint }: Diagnostic): DiagnosticJson {
  return { severity, file, line: line ?? null, key: key ?? null, message, hint: hint ?? null };
}

export function isoTime(wallMs: number): string {
  return new Date(wallMs).toISOString();
}
