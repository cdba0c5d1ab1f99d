import type { Diagnostic } from '@emperor/common/diagnostic';
import type { IniEntry, IniFile, IniSection } from '@emperor/common/ini/ini-file';
import { parseIni } from '@emperor/common/ini/parse';
import type { VassalName } from '@emperor/common/name';
import { nearestName } from '@emperor/common/options/nearest';
import type { RawValue, Table } from '@emperor/common/options/option';

import type { Owner } from '../spec/spec.ts';
import { type LayeredValue, mergeLayers, type RawLayer } from './layers.ts';
import { type Expanded, isBuiltIn, Placeholders } from './placeholders.ts';

/** The entries of [defaults] or [force], and the emperor.ini they stand in. */
export type OperatorLayer = { readonly file: string; readonly entries: readonly IniEntry[] };

export type VassalFileInput = {
  readonly text: string;
  /** Where the vassal file is, for diagnostics and `%(file)`. */
  readonly file: string;
  readonly name: VassalName;
  readonly owner: Owner;
  /** The owner's home directory. */
  readonly home: string | undefined;
  readonly hostname: string;
  /** The directory of the vassal file: `%(dir)`. */
  readonly dir: string;
  readonly defaults: OperatorLayer | undefined;
  readonly force: OperatorLayer | undefined;
  /** The options that [vassal] may set. */
  readonly table: Table;
};

/**
 * What one vassal file says, before decoding: the winning raw values with file, line and layer, placeholders expanded.
 * With an error among `diagnostics` the values are incomplete and nothing may be started from them.
 */
export type VassalSource = {
  readonly name: VassalName;
  readonly file: string;
  readonly owner: Owner;
  readonly raw: ReadonlyMap<string, readonly LayeredValue[]>;
  /** The names of all sections, in order of appearance. */
  readonly sections: readonly string[];
  readonly diagnostics: readonly Diagnostic[];
};

const KNOWN_SECTIONS: readonly string[] = ['vassal', 'vars'];
const LATER_SECTION = /^(daemon|socket):/;
/** A hostile file makes no more diagnostics of one sort than this. */
const MOST_DIAGNOSTICS = 50;

/** Parse the text of a vassal file, apply the rules about sections, expand placeholders and put the layers together. */
export function readVassalFile(input: VassalFileInput): VassalSource {
  const parsed = parseIni(input.text, input.file);
  const expansion = new Expansion(input);
  expansion.defineVars(input.file, entriesOf(parsed, 'vars'));
  const raw = mergeLayers({
    defaults: expansion.operatorLayer(input.defaults),
    file: expansion.fileLayer(input.file, entriesOf(parsed, 'vassal')),
    force: expansion.operatorLayer(input.force),
  });
  return {
    name: input.name,
    file: input.file,
    owner: input.owner,
    raw,
    sections: parsed.sections.map(({ name }) => name),
    diagnostics: [...parsed.diagnostics, ...checkSections(parsed, input.file), ...expansion.diagnostics],
  };
}

/** The values of one vassal becoming final, and what went wrong. */
class Expansion {
  readonly #placeholders: Placeholders;
  readonly #diagnostics: Diagnostic[] = [];

  constructor({ name, dir, file, owner, home, hostname, table }: VassalFileInput) {
    const builtIns = { name, dir, file, owner: owner.name ?? String(owner.uid), home, hostname };
    this.#placeholders = new Placeholders(builtIns, Object.keys(table));
  }

  get diagnostics(): readonly Diagnostic[] {
    return this.#diagnostics;
  }

  defineVars(file: string, entries: readonly IniEntry[]): void {
    const lines = new Map<string, number>();
    for (const { key, value, line } of entries) {
      const earlier = lines.get(key);
      if (isBuiltIn(key)) {
        this.#report(
          { file, line, key },
          'is a built-in placeholder',
          'choose another name for the variable',
        );
      } else if (earlier !== undefined) {
        this.#report({ file, line, key }, `already set in line ${earlier}`, 'keep one of the two lines');
      } else {
        lines.set(key, line);
        this.#defineExpanded(file, { key, value, line });
      }
    }
  }

  fileLayer(file: string, entries: readonly IniEntry[]): RawLayer {
    return byKey(entries.flatMap((entry) => this.#defineExpanded(file, entry)));
  }

  operatorLayer(layer: OperatorLayer | undefined): RawLayer {
    if (layer === undefined) return new Map();
    const { file, entries } = layer;
    return byKey(
      entries.flatMap((entry) => this.#accept(file, entry, this.#placeholders.expandOperators(entry.value))),
    );
  }

  /** With that many problems nothing is started from the file, and the rest of it costs no more. */
  #defineExpanded(file: string, entry: IniEntry): readonly KeyedValue[] {
    if (this.#diagnostics.length >= MOST_DIAGNOSTICS) return [];
    const isHook = entry.key.startsWith('hook-');
    const expanded = isHook
      ? this.#placeholders.expandOperators(entry.value)
      : this.#placeholders.expand(entry.value);
    const accepted = this.#accept(file, entry, expanded);
    for (const { key, raw } of accepted) this.#placeholders.define(key, raw.value);
    return accepted;
  }

  #accept(file: string, { key, line }: IniEntry, expanded: Expanded): readonly KeyedValue[] {
    if (expanded.ok) return [{ key, raw: { value: expanded.text, file, line } }];
    this.#report({ file, line, key }, expanded.message, expanded.hint);
    return [];
  }

  #report(where: Pick<Diagnostic, 'file' | 'line' | 'key'>, message: string, hint: string | undefined): void {
    if (this.#diagnostics.length < MOST_DIAGNOSTICS) {
      this.#diagnostics.push({ severity: 'error', ...where, message, hint });
    }
  }
}

type KeyedValue = { readonly key: string; readonly raw: RawValue };

function byKey(values: readonly KeyedValue[]): RawLayer {
  const grouped = new Map<string, RawValue[]>();
  for (const { key, raw } of values) {
    const earlier = grouped.get(key);
    if (earlier === undefined) grouped.set(key, [raw]);
    else earlier.push(raw);
  }
  return grouped;
}

function entriesOf(parsed: IniFile, section: string): readonly IniEntry[] {
  return parsed.sections.find(({ name }) => name === section)?.entries ?? [];
}

function checkSections(parsed: IniFile, file: string): readonly Diagnostic[] {
  const unknown = parsed.sections.filter(({ name }) => !KNOWN_SECTIONS.includes(name));
  const diagnostics = unknown.slice(0, MOST_DIAGNOSTICS).map((section) => refuseSection(section, file));
  const isExplained =
    parsed.sections.length === 0
      ? parsed.diagnostics.length > 0
      : unknown.slice(0, MOST_DIAGNOSTICS).some(isMisspelt);
  if (isExplained || parsed.sections.some(({ name }) => name === 'vassal')) return diagnostics;
  return [...diagnostics, missingVassal(file)];
}

function isMisspelt({ name }: IniSection): boolean {
  return nearestName(name, KNOWN_SECTIONS) === 'vassal';
}

function refuseSection({ name, line }: IniSection, file: string): Diagnostic {
  const at = { severity: 'error', file, line, key: undefined } as const;
  if (LATER_SECTION.test(name)) {
    return { ...at, message: `[${name}] comes with a later release`, hint: 'remove the section for now' };
  }
  const nearest = nearestName(name, KNOWN_SECTIONS);
  const hint = nearest === undefined ? 'a vassal file has [vassal] and [vars]' : `did you mean [${nearest}]?`;
  return { ...at, message: `unknown section [${name}]`, hint };
}

function missingVassal(file: string): Diagnostic {
  return {
    severity: 'error',
    file,
    line: undefined,
    key: undefined,
    message: 'there is no [vassal] section',
    hint: 'begin the file with a line [vassal], then command = …',
  };
}
