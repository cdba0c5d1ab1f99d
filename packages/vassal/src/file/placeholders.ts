import { nearestName } from '@emperor/common/options/nearest';

/** What `%(name)` … `%(hostname)` stand for in one vassal's values. */
export const BUILT_INS = ['name', 'dir', 'file', 'owner', 'home', 'hostname'] as const;
export type BuiltIn = (typeof BUILT_INS)[number];
/** undefined: there is no such thing for this vassal, and a value that asks for it is an error. */
export type BuiltInValues = { readonly [name in BuiltIn]: string | undefined };

export type Expanded =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly message: string; readonly hint: string | undefined };

/** A value never becomes longer than a vassal file may be. */
const LONGEST_VALUE = 64 * 1024;
/** All values of one file together, so that a chain of variables cannot fill the memory. */
const MOST_CHARACTERS = 512 * 1024;

/** A search for the nearest name costs something; a file with more mistakes gets no more guesses. */
const MOST_GUESSES = 8;

const PLACEHOLDER = /%%\(|%\(([^()]*)(\)?)/g;

type Refused = Extract<Expanded, { readonly ok: false }>;
type Lookup = (name: string) => Expanded;

/**
 * Expands the values of one vassal, in the order of its file. One pass over each value: what a placeholder stands for
 * is never looked at again. `%%(` is a literal `%(`; nothing else is special.
 */
export class Placeholders {
  readonly #builtIns: BuiltInValues;
  readonly #options: ReadonlySet<string>;
  readonly #keys = new Map<string, string>();
  #left = MOST_CHARACTERS;
  #guesses = 0;

  /** `options`: names that could be set earlier, for a better hint. */
  constructor(builtIns: BuiltInValues, options: Iterable<string>) {
    this.#builtIns = builtIns;
    this.#options = new Set(options);
  }

  /** `key` stands for `value` in every later value. A built-in placeholder keeps its own meaning. */
  define(key: string, value: string): void {
    this.#keys.set(key, value);
  }

  /** A value of the vassal file: built-ins and every key defined so far. */
  expand(text: string): Expanded {
    return this.#bounded(text, (name) => this.#lookUp(name));
  }

  /**
   * A value of the operator ([defaults], [force], hooks): built-ins only, and only such as are one path component, so that
   * what a tenant may choose can never turn the operator's path into another one.
   */
  expandOperators(text: string): Expanded {
    return this.#bounded(text, (name) => this.#lookUpComponent(name));
  }

  #bounded(text: string, lookUp: Lookup): Expanded {
    const expanded = expandOnce(text, lookUp);
    if (!expanded.ok) return expanded;
    this.#left -= expanded.text.length;
    return this.#left < 0 ? tooLong('all values together became', MOST_CHARACTERS) : expanded;
  }

  #lookUp(name: string): Expanded {
    if (isBuiltIn(name)) return this.#lookUpBuiltIn(name);
    const key = name.replaceAll('_', '-');
    const text = this.#keys.get(key);
    if (text !== undefined) return { ok: true, text };
    if (this.#options.has(key))
      return refuse(`%(${name}) is not set above this line`, `set ${key} earlier in the section`);
    return this.#unknown(name, [...BUILT_INS, ...this.#keys.keys()]);
  }

  #lookUpComponent(name: string): Expanded {
    if (!isBuiltIn(name)) return this.#unknown(name, BUILT_INS);
    const found = this.#lookUpBuiltIn(name);
    if (!found.ok || isComponent(found.text)) return found;
    return refuse(
      `%(${name}) is a path here, and [defaults], [force] and hooks take single names only`,
      'use %(name), %(owner) or %(hostname)',
    );
  }

  #lookUpBuiltIn(name: BuiltIn): Expanded {
    const text = this.#builtIns[name];
    if (text !== undefined) return { ok: true, text };
    return refuse(`there is no %(${name}) for this vassal`, 'write the value itself');
  }

  #unknown(name: string, known: readonly string[]): Expanded {
    this.#guesses += 1;
    const nearest = this.#guesses > MOST_GUESSES ? undefined : nearestName(name, known);
    return refuse(
      isShowable(name) ? `unknown placeholder %(${name})` : 'unknown placeholder',
      nearest === undefined ? 'write %%( for a literal %(' : `did you mean %(${nearest})?`,
    );
  }
}

/** Is `name` one that the emperor defines? */
export function isBuiltIn(name: string): name is BuiltIn {
  return BUILT_INS.some((builtIn) => builtIn === name);
}

function expandOnce(text: string, lookUp: Lookup): Expanded {
  let result = '';
  let from = 0;
  for (const match of text.matchAll(PLACEHOLDER)) {
    const found = standsFor(match, lookUp);
    if (!found.ok) return found;
    result += text.slice(from, match.index) + found.text;
    from = match.index + match[0].length;
    if (result.length > LONGEST_VALUE) return tooLong('the value became', LONGEST_VALUE);
  }
  result += text.slice(from);
  return result.length > LONGEST_VALUE
    ? tooLong('the value became', LONGEST_VALUE)
    : { ok: true, text: result };
}

function standsFor([written, name, end]: RegExpExecArray, lookUp: Lookup): Expanded {
  if (name === undefined) return { ok: true, text: written.slice(1) };
  if (end !== ')') return refuse('%( is not closed by )', 'write %%( for a literal %(');
  return lookUp(name);
}

function isComponent(text: string): boolean {
  return text !== '' && text !== '.' && !text.includes('..') && !text.includes('/') && !text.includes('\0');
}

/** A name that a diagnostic may repeat. */
function isShowable(name: string): boolean {
  return /^[A-Za-z0-9_.-]{1,64}$/.test(name);
}

function tooLong(what: string, most: number): Refused {
  return refuse(`${what} longer than ${most / 1024} KiB by placeholders`, 'expand less text');
}

function refuse(message: string, hint: string): Refused {
  return { ok: false, message, hint };
}
