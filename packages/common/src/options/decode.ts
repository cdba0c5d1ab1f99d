import type { Diagnostic } from '../diagnostic.ts';
import { formatValue } from './kinds.ts';
import { nearestName } from './nearest.ts';
import type { Option, RawValue, Table, Values } from './option.ts';

export type DecodedTable<T extends Table> = {
  readonly values: Values<T>;
  readonly diagnostics: readonly Diagnostic[];
};

/** A hostile file makes no more diagnostics of one sort than this. */
const MOST_DIAGNOSTICS = 50;

/**
 * The values of all options, and everything that is wrong with what was written. An absent key has its default; so
 * has one with an error, which is then among the diagnostics.
 */
export function decodeTable<T extends Table>(
  table: T,
  raw: ReadonlyMap<string, readonly RawValue[]>,
): DecodedTable<T> {
  const { rows, defaults } = knownOf(table);
  // A file costs what it says, not what could be said.
  const values = { ...defaults };
  const diagnostics: Diagnostic[] = [...unknownKeys(table, raw)];
  for (const [key, row] of raw.size === 0 ? [] : rows) {
    const written = raw.get(key);
    if (written === undefined) continue;
    const decoded = decodeRow(key, row, written);
    values[key] = decoded.value;
    diagnostics.push(...decoded.diagnostics);
  }
  return {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the one cast: `table`'s rows, decoded by `table`
    values: values as Values<T>,
    diagnostics,
  };
}

type Known = {
  readonly rows: readonly (readonly [string, Option<unknown>])[];
  readonly defaults: Readonly<Record<string, unknown>>;
};

const known = new WeakMap<Table, Known>();

function knownOf(table: Table): Known {
  const before = known.get(table);
  if (before !== undefined) return before;
  const rows = Object.entries(table);
  const found = { rows, defaults: Object.fromEntries(rows.map(([key, row]) => [key, row.default])) };
  known.set(table, found);
  return found;
}

type DecodedRow = { readonly value: unknown; readonly diagnostics: readonly Diagnostic[] };

function decodeRow(key: string, row: Option<unknown>, written: readonly RawValue[]): DecodedRow {
  const [first, second] = written;
  if (first === undefined) return { value: row.default, diagnostics: [] };
  if (second !== undefined && !row.kind.repeat) {
    return {
      value: row.default,
      diagnostics: written.slice(1, MOST_DIAGNOSTICS).map((again) => writtenTwice(key, first, again)),
    };
  }
  const decoded = row.kind.decodeAll(written.map(({ value }) => value));
  if (decoded.ok) return { value: decoded.value, diagnostics: [] };
  const { file, line } = written[decoded.index ?? 0] ?? first;
  const hint = hintOf(key, row);
  return {
    value: row.default,
    diagnostics: [{ severity: 'error', file, line, key, message: decoded.message, hint }],
  };
}

function unknownKeys(table: Table, raw: ReadonlyMap<string, readonly RawValue[]>): readonly Diagnostic[] {
  const unknown = [...raw].filter(([key]) => !Object.hasOwn(table, key));
  return unknown.slice(0, MOST_DIAGNOSTICS).map(([key, [first]]) => {
    const nearest = nearestName(key, Object.keys(table));
    return {
      severity: 'error',
      file: first?.file ?? '',
      line: first?.line,
      key,
      message: 'unknown option',
      hint: nearest === undefined ? undefined : `did you mean ${nearest}?`,
    };
  });
}

function writtenTwice(key: string, first: RawValue, again: RawValue): Diagnostic {
  const where =
    first.file === again.file ? `line ${first.line ?? '?'}` : `${first.file}:${first.line ?? '?'}`;
  return {
    severity: 'error',
    file: again.file,
    line: again.line,
    key,
    message: `already set in ${where}, and it is not a list`,
    hint: 'keep one of the two lines',
  };
}

function hintOf(key: string, row: Option<unknown>): string {
  const preset = formatValue(row.kind, row.default);
  const without = preset.length === 0 ? 'unset' : preset.join(', ') || 'empty';
  return `${key} takes: ${row.kind.hint}; without the line it is ${without}`;
}
