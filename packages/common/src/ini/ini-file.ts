import type { Diagnostic } from '../diagnostic.ts';

/** `key = value` on one line. Keys are normalised: `_` is `-`, lower case is not forced. */
export type IniEntry = { readonly key: string; readonly value: string; readonly line: number };

/** One `[section]`; the same header written twice is one section in order of appearance. */
export type IniSection = {
  readonly name: string;
  readonly line: number;
  readonly entries: readonly IniEntry[];
};

export type IniFile = {
  readonly sections: readonly IniSection[];
  readonly diagnostics: readonly Diagnostic[];
};
