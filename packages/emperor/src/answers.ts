import type { Clock } from '@emperor/common/clock';
import type { StatusJson, VassalJson, WhyJson } from '@emperor/common/control/api';
import { STATUS_FORMAT } from '@emperor/common/control/api';
import type { Diagnostic } from '@emperor/common/diagnostic';
import type { VassalName } from '@emperor/common/name';
import type { Rootless } from '@emperor/vassal/spec/host-facts';
import type { Ended } from './core/state.ts';
import type { Emperor } from './emperor.ts';
import { type Explained, type ExplainFailure, explainEnd } from './explain/ending.ts';
import { diagnosticJson, isoTime, liveCounters, statusOf } from './explain/status.ts';
import { answerWhy, historyJson } from './explain/why.ts';
import type { Held } from './held.ts';
import type { LogReader, Sampler, Usage, UsageTarget } from './ports.ts';

const PATIENCE_MS = 40;
const LAST_LINES = 10;

export type AnswerParts = {
  readonly emperor: Emperor;
  readonly clock: Clock;
  readonly version: string;
  readonly pid: number;
  readonly sampler: Sampler;
  readonly logs: LogReader;
  readonly sourceDiagnostics: () => readonly Diagnostic[];
  readonly hostDiagnostics: () => readonly Diagnostic[];
  readonly ownerName: (uid: number) => string;
  readonly privateUid: (name: VassalName, ownerUid: number) => number | undefined;
  readonly idRange: (name: VassalName, ownerUid: number) => number | undefined;
  readonly rootless: Rootless | undefined;
  readonly usageTarget: (held: Held) => UsageTarget | undefined;
  readonly explainFailure: (held: Held) => ExplainFailure;
};

/** What the emperor tells about itself and its vassals. */
export type Answers = {
  readonly status: () => Promise<StatusJson>;
  readonly vassal: (name: VassalName) => Promise<VassalJson | undefined>;
  readonly why: (name: VassalName) => Promise<WhyJson | undefined>;
  /** Without usage, at once. */
  readonly describe: (held: Held) => VassalJson;
  readonly explain: (held: Held) => Explained;
};

export function answersOf(parts: AnswerParts): Answers {
  const since = isoTime(parts.clock.wall());
  const usageOf = async (helds: readonly Held[]) => {
    const targets = helds.flatMap((held) => parts.usageTarget(held) ?? []);
    return parts.sampler.sample(targets, PATIENCE_MS);
  };
  return {
    status: async () => {
      const helds = [...parts.emperor.vassals.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
      const usage = await usageOf(helds);
      const vassals = helds.map((held) => jsonOf(parts, held, usage.get(held.name)));
      const diagnostics = [...parts.sourceDiagnostics(), ...parts.hostDiagnostics()].map(diagnosticJson);
      const emperor = { version: parts.version, pid: parts.pid, since, vassals: vassals.length, diagnostics };
      return { format: STATUS_FORMAT, emperor, vassals };
    },
    vassal: async (name) => {
      const held = parts.emperor.vassals.get(name);
      return held === undefined ? undefined : jsonOf(parts, held, (await usageOf([held])).get(name));
    },
    why: async (name) => {
      const held = parts.emperor.vassals.get(name);
      return held === undefined ? undefined : whyOf(parts, held, (await usageOf([held])).get(name));
    },
    describe: (held) => jsonOf(parts, held, undefined),
    explain: (held) => answerOf(parts, held, undefined),
  };
}

async function whyOf(parts: AnswerParts, held: Held, usage: Usage | undefined): Promise<WhyJson> {
  const { what, hint } = answerOf(parts, held, usage);
  return {
    format: STATUS_FORMAT,
    vassal: jsonOf(parts, held, usage),
    answer: what,
    hint: hint ?? null,
    history: historyJson(held.history.entries, explainer(parts, held)),
    output: await parts.logs.tail(held.name, LAST_LINES),
  };
}

function answerOf(parts: AnswerParts, held: Held, usage: Usage | undefined): Explained {
  return answerWhy(held, {
    live: liveCounters(held, usage),
    now: parts.clock.now(),
    explain: explainer(parts, held),
    waitsFor: parts.emperor.waitsFor(held),
    sourceTrouble: parts.sourceDiagnostics()[0]?.message,
  });
}

function jsonOf(parts: AnswerParts, held: Held, usage: Usage | undefined): VassalJson {
  const ownerUid = held.file?.ownerUid ?? held.attempt?.ownerUid ?? 0;
  const { state } = held;
  const last = 'last' in state ? state.last : held.lastEnded;
  const ignored = [
    ...(parts.emperor.cyclic.has(held.name) ? [cycleDiagnostic(held)] : []),
    ...foreignDiagnostics(held, parts.emperor.foreignBefores(held)),
  ];
  const json = statusOf(held, {
    now: parts.clock.now(),
    wall: parts.clock.wall(),
    usage,
    privateUid: parts.privateUid(held.name, ownerUid),
    idRange: parts.idRange(held.name, ownerUid),
    rootless: parts.rootless,
    ownerName: parts.ownerName(ownerUid),
    waitsFor: parts.emperor.waitsFor(held),
    lastEnd: last === undefined ? undefined : explainer(parts, held)(last).what,
  });
  return ignored.length === 0
    ? json
    : { ...json, diagnostics: [...json.diagnostics, ...ignored.map(diagnosticJson)] };
}

function foreignDiagnostics(held: Held, names: readonly VassalName[]): readonly Diagnostic[] {
  const [first] = names;
  if (first === undefined) return [];
  const others = names.length > 1 ? ` and ${names.length - 1} more` : '';
  return [
    {
      severity: 'warning',
      file: held.file?.path ?? held.name,
      line: undefined,
      key: 'start-after',
      message: `${first}${others}: no vassal of the same owner, ignored`,
      hint: 'only an operator may order the vassals of several owners',
    },
  ];
}

function cycleDiagnostic(held: Held): Diagnostic {
  return {
    severity: 'warning',
    file: held.file?.path ?? held.name,
    line: undefined,
    key: 'start-after',
    message: 'waits for itself by way of others: ignored',
    hint: 'take one vassal out of the circle',
  };
}

function explainer(parts: AnswerParts, held: Held): (ended: Ended) => Explained {
  const limits = (held.attempt?.spec ?? held.file?.good?.spec)?.limits;
  return (ended) => explainEnd(ended, { limits, launch: parts.explainFailure(held) });
}
