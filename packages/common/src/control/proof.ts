import type { DiagnosticJson, STATUS_FORMAT } from './api.ts';

/** One option of a vassal: what counts, what was asked, where it stands, and what an edit of it does. */
export type PlanOptionJson = {
  readonly key: string;
  /** The value that counts, as it would be written; empty = none. */
  readonly granted: string;
  /** As written; null when nobody wrote it. */
  readonly asked: string | null;
  readonly layer: 'built-in' | 'defaults' | 'file' | 'force';
  readonly file: string | null;
  readonly line: number | null;
  /** Why granted is not what was asked or preset. */
  readonly reason: string | null;
  readonly onChange: 'live' | 'reload' | 'restart';
};

/** One step of building the jail, in the order in which the keeper takes them. */
export type PlanStepJson = {
  readonly stage: string;
  /** For people. */
  readonly text: string;
  /** As the keeper is told: the word and its arguments. */
  readonly words: readonly string[];
};

/** What runs now beside what the file says. */
export type PlanRunningJson = {
  readonly generation: number;
  readonly revision: string;
  /** What applying the file does to it. */
  readonly change: 'nothing' | 'live' | 'reload' | 'restart' | 'unknown';
  readonly changed: readonly string[];
};

export type PlanJson = {
  readonly format: typeof STATUS_FORMAT;
  readonly name: string;
  readonly file: string;
  readonly owner: string;
  /** null when the file is not valid. */
  readonly revision: string | null;
  readonly running: PlanRunningJson | null;
  readonly options: readonly PlanOptionJson[];
  readonly jail: readonly PlanStepJson[];
  readonly notes: readonly string[];
  readonly diagnostics: readonly DiagnosticJson[];
};

/** `cannot-tell` does not hold; what nothing was promised about is a `note`. */
export type AuditVerdict = 'ok' | 'violated' | 'cannot-tell' | 'note';

export type AuditFindingJson = {
  readonly group: string;
  /** What was looked at: `uid`, `mount /usr`. */
  readonly what: string;
  readonly promised: string;
  readonly found: string;
  readonly verdict: AuditVerdict;
  readonly reason: string | null;
  /** Of which process, as the host numbers it; null: of the jail as a whole. */
  readonly pid: number | null;
};

export type AuditJson = {
  readonly format: typeof STATUS_FORMAT;
  readonly name: string;
  readonly generation: number;
  readonly revision: string;
  /** Processes that were looked at, and how many there were. */
  readonly processes: { readonly seen: number; readonly all: number };
  readonly holds: boolean;
  readonly findings: readonly AuditFindingJson[];
};

export type DrillVerdict = 'denied' | 'allowed' | 'skipped';

export type DrillAttemptJson = {
  readonly name: string;
  /** What was tried, for people. */
  readonly what: string;
  readonly verdict: DrillVerdict;
  /** `either`: not for the jail to decide, see the reason. */
  readonly expected: 'denied' | 'either';
  /** Why it is expected to be so. */
  readonly reason: string;
  /** Name of the error that denied it. */
  readonly errno: string | null;
  readonly detail: string;
  readonly ok: boolean;
};

export type DrillJson = {
  readonly format: typeof STATUS_FORMAT;
  readonly name: string;
  readonly revision: string;
  readonly holds: boolean;
  /** Why there is no answer or not the whole one: the copy could not be built, or the prober died. */
  readonly failure: string | null;
  /** What is different in the copy. */
  readonly notes: readonly string[];
  readonly attempts: readonly DrillAttemptJson[];
};
