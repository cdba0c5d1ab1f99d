import type { Diagnostic } from '@emperor/common/diagnostic';
import type { Layer, RawValue } from '@emperor/common/options/option';
import type { VassalOptionName, VassalValues } from '../options/index.ts';
import type { Accounts } from './accounts.ts';
import type { HostFacts } from './host-facts.ts';
import type { SpecSource } from './source.ts';

/** What the rules see besides the values: where they were written, who there is, and what the kernel can give. */
export type RuleContext = {
  readonly source: SpecSource;
  readonly accounts: Accounts;
  readonly host: HostFacts;
  /** Reads a file that an operator's option names. */
  readonly readList: (path: string) => ListRead;
};

/** The text of such a file, or why it may not be used: `is a symlink`. */
export type ListRead =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly reason: string };

/** A spec in the making: values as granted so far, what was found wrong, and why a value is not what was asked. */
export type Draft = {
  readonly values: VassalValues;
  readonly diagnostics: readonly Diagnostic[];
  readonly reasons: ReadonlyMap<VassalOptionName, string>;
};

/** One cross-option rule: the draft it was given, with values cut down or diagnostics added. */
export type Rule = (draft: Draft, context: RuleContext) => Draft;

/** The draft with a diagnostic at the line of `key`. */
export function report(
  draft: Draft,
  { source }: RuleContext,
  problem: Pick<Diagnostic, 'severity' | 'message' | 'hint'> & { readonly key: VassalOptionName },
): Draft {
  const written = writtenOf(source, problem.key);
  const diagnostic = { ...problem, file: written?.file ?? source.file, line: written?.line };
  return { ...draft, diagnostics: [...draft.diagnostics, diagnostic] };
}

/** The draft with another value for `key`, and why. */
export function grant<K extends VassalOptionName>(
  draft: Draft,
  key: K,
  value: VassalValues[K],
  reason: string,
): Draft {
  return {
    ...draft,
    values: { ...draft.values, [key]: value },
    reasons: new Map([...draft.reasons, [key, reason]]),
  };
}

/** `asked memory-max=512M, kernel gives none: no memory controller`. */
export function unmet(key: string, asked: string, gives: string, because: string): string {
  return `asked ${key}=${asked}, kernel gives ${gives}: ${because}`;
}

/** The first value of `key` as written; undefined for a built-in one. */
export function writtenOf(
  source: SpecSource,
  key: string,
): (RawValue & { readonly layer: Layer }) | undefined {
  return source.raw.get(key)?.[0];
}

/** Written for this vassal or forced on it: not a default, which may fall away. */
export function isExplicit(source: SpecSource, key: string): boolean {
  const layer = writtenOf(source, key)?.layer;
  return layer === 'file' || layer === 'force';
}
