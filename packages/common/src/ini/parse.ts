import { parse as parsePackage } from 'ini';

import type { Diagnostic } from '../diagnostic.ts';
import type { IniEntry, IniFile, IniSection } from './ini-file.ts';

/** A binary or hostile file makes no more diagnostics than this; the last one counts the rest. */
const MOST_DIAGNOSTICS = 50;
/** What a file costs grows with its lines: no tenant's may hold up the others. */
const MOST_LINES = 2_000;
/** Names that mean something to JavaScript objects; never a key or a section. */
const FORBIDDEN: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

const COMMENT = /^[;#]/;
const SECTION = /^\[([A-Za-z0-9][A-Za-z0-9_.:@ -]{0,127})\]$/;
const KEY = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

const SECTION_HINT = 'a section is written [name], alone on its line';
const ENTRY_HINT =
  'write key = value, [section] or a comment line that starts with ; or #; keys are letters, digits and - _ .';

/**
 * Sections and entries of `text`, and everything that is wrong with it. A comment is a line that starts with `;` or
 * `#` after blanks and nothing else, so both may stand in values. Values are literal after trimming. Diagnostics
 * never quote a line that is not `key = value` or `[section]`: it may be another file's secret.
 */
export function parseIni(text: string, file: string): IniFile {
  const body = text.startsWith('\ufeff') ? text.slice(1) : text;
  const reader = new Reader(file);
  if (body.includes('\0')) {
    reader.problem(lineOfNul(body), 'contains a NUL byte: this is not a text file', undefined);
    return reader.finish();
  }
  const lines = body.split('\n');
  if (lines.length > MOST_LINES) {
    reader.problem(MOST_LINES + 1, `has more than ${MOST_LINES} lines`, 'split what is in it');
    return reader.finish();
  }
  for (const [index, line] of lines.entries()) reader.read(withoutBlanks(line), index + 1);
  return reader.finish();
}

/** The lines of one file so far. */
class Reader {
  readonly #file: string;
  readonly #sections = new Map<string, { readonly line: number; readonly entries: IniEntry[] }>();
  readonly #diagnostics: Diagnostic[] = [];
  #problems = 0;
  /** Where entries go: nowhere before the first section and below a refused one. */
  #entries: IniEntry[] | 'none-yet' | 'refused' = 'none-yet';

  constructor(file: string) {
    this.#file = file;
  }

  read(line: string, number: number): void {
    if (line === '' || COMMENT.test(line)) return;
    if (line.startsWith('[')) this.#readSection(line, number);
    else this.#readEntry(line, number);
  }

  finish(): IniFile {
    const rest = this.#problems - this.#diagnostics.length;
    if (rest > 0)
      this.#report(undefined, `and ${rest} more such ${rest === 1 ? 'line' : 'lines'}`, undefined);
    const sections = [...this.#sections].map(([name, { line, entries }]) => ({ name, line, entries }));
    return { sections: throughPackage(sections), diagnostics: this.#diagnostics };
  }

  problem(line: number, message: string, hint: string | undefined): void {
    this.#problems += 1;
    if (this.#problems <= MOST_DIAGNOSTICS) this.#report(line, message, hint);
  }

  #readSection(line: string, number: number): void {
    const name = SECTION.exec(`[${withoutBlanks(line.slice(1, -1))}${line.slice(-1)}`)?.[1];
    if (name === undefined || FORBIDDEN.has(name)) {
      this.#entries = 'refused';
      this.problem(number, 'not a legal section', SECTION_HINT);
      return;
    }
    const section = this.#sections.get(name) ?? { line: number, entries: [] };
    this.#sections.set(name, section);
    this.#entries = section.entries;
  }

  #readEntry(line: string, number: number): void {
    const equals = line.indexOf('=');
    const key = withoutBlanks(line.slice(0, Math.max(equals, 0)));
    if (FORBIDDEN.has(key)) {
      this.problem(number, 'this name is not allowed as a key', 'choose another name');
    } else if (!KEY.test(key)) {
      this.problem(number, 'neither a section, a comment nor key = value', ENTRY_HINT);
    } else if (this.#entries === 'none-yet') {
      this.problem(number, 'stands before the first section', 'begin the file with a [section] line');
    } else if (this.#entries !== 'refused') {
      const value = withoutBlanks(line.slice(equals + 1));
      this.#entries.push({ key: key.replaceAll('_', '-'), value, line: number });
    }
  }

  #report(line: number | undefined, message: string, hint: string | undefined): void {
    this.#diagnostics.push({ severity: 'error', file: this.#file, line, key: undefined, message, hint });
  }
}

/**
 * Hands every value to the `ini` package as a JSON string, the only form that it returns unchanged: it would cut a
 * bare `a; b` and read a bare number or quoted text as something else. One document for the whole file.
 */
function throughPackage(sections: readonly IniSection[]): readonly IniSection[] {
  const values = sections.flatMap(({ entries }) => entries.map(({ value }) => value));
  const document = values.map((value, index) => `v${index}=${jsonOf(value)}`).join('\n');
  const read: Readonly<Record<string, unknown>> = parsePackage(document);
  let next = 0;
  const throughOne = (entry: IniEntry): IniEntry => {
    const value = read[`v${next}`];
    next += 1;
    // The package turns "true", "false" and "null" into values even when they are quoted.
    return { ...entry, value: String(value) };
  };
  return sections.map((section) => ({ ...section, entries: section.entries.map(throughOne) }));
}

/** JSON on one line as the package understands lines: it does not match across U+2028 and U+2029 either. */
function jsonOf(value: string): string {
  return JSON.stringify(value).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029');
}

/** By hand: a regular expression for the end of a text looks at every blank in its middle again and again. */
function withoutBlanks(text: string): string {
  let start = 0;
  let end = text.endsWith('\r') ? text.length - 1 : text.length;
  while (start < end && isBlank(text.charAt(start))) start += 1;
  while (end > start && isBlank(text.charAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

function isBlank(character: string): boolean {
  return character === ' ' || character === '\t';
}

function lineOfNul(text: string): number {
  return text.slice(0, text.indexOf('\0')).split('\n').length;
}
