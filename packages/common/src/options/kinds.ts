import { decodeBytes, formatBytes } from '../bytes.ts';
import { decodeDuration, formatDuration } from '../duration.ts';
import { decodeSignal, signalName } from '../signals.ts';
import type { Decoded, Kind } from './option.ts';
import { quoteWords, splitWords } from './words.ts';

/** What one text becomes, how it is written, and how it is called: everything but the repeating. */
type Scalar<T> = {
  readonly name: string;
  readonly hint: string;
  /** The failure's phrase: `expected a size such as 512M`. */
  readonly expected: string;
  readonly decode: (text: string) => T | undefined;
  readonly format: (value: T) => string;
  readonly schema?: Readonly<Record<string, unknown>>;
};

/** How a derived kind differs from the one it is made of. */
export type Derived<T> = {
  readonly name?: string;
  readonly hint?: string;
  readonly schema?: Readonly<Record<string, unknown>>;
  readonly format?: (value: T) => readonly string[];
};

/** Any text but none. */
export const text: Kind<string> = scalar({
  name: 'text',
  hint: 'text',
  expected: 'expected some text',
  decode: (value) => (value === '' ? undefined : value),
  format: (value) => value,
  schema: { type: 'string', minLength: 1 },
});

const TRUE: readonly string[] = ['true', 'yes', 'on', '1'];
const FALSE: readonly string[] = ['false', 'no', 'off', '0'];

/** `true yes on 1` or `false no off 0`, in any case. */
export const flag: Kind<boolean> = scalar({
  name: 'flag',
  hint: 'true or false',
  expected: 'expected true or false (also yes/no, on/off, 1/0)',
  decode: (value) => {
    const word = value.toLowerCase();
    return TRUE.includes(word) ? true : FALSE.includes(word) ? false : undefined;
  },
  format: String,
  schema: { type: 'string', enum: [...TRUE, ...FALSE] },
});

/** A whole number in decimal digits, both bounds allowed. */
export function integer(min = 0, max: number = Number.MAX_SAFE_INTEGER): Kind<number> {
  const hint = withRange('integer', String(min), max === Number.MAX_SAFE_INTEGER ? undefined : String(max));
  return scalar({
    name: 'integer',
    hint,
    expected: `expected an ${hint}`,
    decode: (value) => (/^-?\d{1,16}$/.test(value) ? within(Number(value), min, max) : undefined),
    format: String,
    schema: { type: 'string', pattern: '^-?[0-9]+$' },
  });
}

/** Milliseconds, written `500ms 10s 5m 1h 2d`; both bounds allowed. */
export function duration(min = 0, max: number = Number.MAX_SAFE_INTEGER): Kind<number> {
  const hint = withRange(
    'duration such as 10s',
    min === 0 ? undefined : formatDuration(min),
    upper(max, formatDuration),
  );
  return scalar({
    name: 'duration',
    hint,
    expected: `expected a ${hint}`,
    decode: (value) => within(decodeDuration(value), min, max),
    format: formatDuration,
    schema: { type: 'string', pattern: '^([0-9]+(ms|s|m|h|d)|0)$' },
  });
}

/** Bytes, written `16K 512M 2G`; both bounds allowed. */
export function size(min = 0, max: number = Number.MAX_SAFE_INTEGER): Kind<number> {
  const hint = withRange(
    'size such as 512M',
    min === 0 ? undefined : formatBytes(min),
    upper(max, formatBytes),
  );
  return scalar({
    name: 'size',
    hint,
    expected: `expected a ${hint}`,
    decode: (value) => within(decodeBytes(value), min, max),
    format: formatBytes,
    schema: { type: 'string', pattern: '^[0-9]+[BKMGT]?$' },
  });
}

/** Permission bits in octal: `022`, `644`. */
export function mode(max = 0o7777): Kind<number> {
  const hint = `octal mode such as 022`;
  return scalar({
    name: 'mode',
    hint,
    expected: `expected an ${hint}`,
    decode: (value) => (/^[0-7]{1,5}$/.test(value) ? within(Number.parseInt(value, 8), 0, max) : undefined),
    format: (value) => value.toString(8).padStart(3, '0'),
    schema: { type: 'string', pattern: '^[0-7]{1,5}$' },
  });
}

const LONGEST_PATH_BYTES = 4095;

/** An absolute path, as written. */
export const path: Kind<string> = scalar({
  name: 'path',
  hint: 'absolute path',
  expected: 'expected an absolute path',
  decode: (value) =>
    value.startsWith('/') && Buffer.byteLength(value) <= LONGEST_PATH_BYTES ? value : undefined,
  format: (value) => value,
  schema: { type: 'string', pattern: '^/' },
});

/** One of these words, exactly. */
export function oneOf<const W extends string>(...words: readonly W[]): Kind<W> {
  const hint = enumerate(words);
  return scalar({
    name: 'word',
    hint,
    expected: `expected ${hint}`,
    decode: (value) => words.find((word) => word === value),
    format: (value) => value,
    schema: { type: 'string', enum: words },
  });
}

/** A signal number, written `TERM`, `SIGTERM` or `15`. */
export const signal: Kind<number> = scalar({
  name: 'signal',
  hint: 'signal such as TERM',
  expected: 'expected a signal such as TERM',
  decode: decodeSignal,
  format: (value) => signalName(value).slice('SIG'.length),
});

/** A command line split at blanks, quotes and backslash as in a shell, nothing expanded; at least one word. */
export const words: Kind<readonly string[]> = {
  name: 'words',
  hint: 'command with its arguments',
  repeat: false,
  decodeAll: ([value = '']) => {
    const split = splitWords(value);
    if (!split.ok || (split.value[0] ?? '') !== '') return split;
    return { ok: false, message: 'expected a command with its arguments' };
  },
  schema: { type: 'string', minLength: 1 },
  format: (value) => [quoteWords(value)],
};

/** Names separated by commas; the key may also stand several times. An empty value is the empty list. */
export const nameList: Kind<readonly string[]> = commaList(
  scalar({
    name: 'name',
    hint: 'name',
    expected: 'expected names separated by commas',
    decode: (value) => (/^[^\s,]+$/.test(value) ? value : undefined),
    format: (value) => value,
  }),
);

/** Like `nameList`, each name decoded by `kind`; a value that stands twice counts once. */
export function commaList<T>(kind: Kind<T>): Kind<readonly T[]> {
  const all = repeated(kind);
  return {
    name: `${kind.name} list`,
    hint: `${kind.hint}, several separated by commas`,
    repeat: true,
    decodeAll: (values) => {
      if (isEmptyList(values)) return { ok: true, value: [] };
      const firstIndex = new Map<string, number>();
      for (const [index, value] of values.entries()) {
        for (const item of value.split(',').map((part) => part.trim())) {
          if (!firstIndex.has(item)) firstIndex.set(item, index);
        }
      }
      const items = [...firstIndex];
      const decoded = all.decodeAll(items.map(([item]) => item));
      return decoded.ok ? decoded : { ...decoded, index: items[decoded.index ?? 0]?.[1] ?? 0 };
    },
    schema: { type: 'string' },
    format: (value) => [value.flatMap((item) => formatValue(kind, item)).join(',')],
  };
}

/** A list that only repeats: one item for each time the key stands. One empty value is the empty list. */
export function repeated<T>(kind: Kind<T>): Kind<readonly T[]> {
  return {
    name: `${kind.name} list`,
    hint: `${kind.hint}, may be repeated`,
    repeat: true,
    decodeAll: (values) => {
      if (isEmptyList(values)) return { ok: true, value: [] };
      const items: T[] = [];
      for (const [index, value] of values.entries()) {
        const decoded = kind.decodeAll([value]);
        if (!decoded.ok) return { ...decoded, index };
        items.push(decoded.value);
      }
      return { ok: true, value: items };
    },
    schema: kind.schema,
    format: (value) => value.flatMap((item) => formatValue(kind, item)),
  };
}

/** `kind`, or undefined when the key is absent or says `none` (any word of the caller's choice; none by default). */
export function optional<T>(kind: Kind<T>, none?: string): Kind<T | undefined> {
  return {
    ...kind,
    hint: none === undefined ? kind.hint : `${kind.hint}, or ${none}`,
    decodeAll: (values) =>
      none !== undefined && values.length === 1 && values[0] === none
        ? { ok: true, value: undefined }
        : kind.decodeAll(values),
    format: (value) => (value === undefined ? (none === undefined ? [] : [none]) : formatValue(kind, value)),
  };
}

/** A domain's own kind: what `kind` decodes, given to `refine`, which may refuse it. */
export function parsed<A, B>(
  kind: Kind<A>,
  refine: (value: A) => Decoded<B>,
  derived: Derived<B> = {},
): Kind<B> {
  return {
    name: kind.name,
    hint: kind.hint,
    schema: kind.schema,
    ...derived,
    repeat: kind.repeat,
    decodeAll: (values) => {
      const decoded = kind.decodeAll(values);
      return decoded.ok ? refine(decoded.value) : decoded;
    },
  };
}

/** The text form of `value`, one item for each time its key would stand; empty when the key would not stand. */
export function formatValue<T>(kind: Kind<T>, value: T): readonly string[] {
  if (kind.format !== undefined) return kind.format(value);
  if (value === undefined) return [];
  return Array.isArray(value) ? value.map(String) : [String(value)];
}

function scalar<T>({
  name,
  hint,
  expected,
  decode,
  format,
  schema = { type: 'string' },
}: Scalar<T>): Kind<T> {
  return {
    name,
    hint,
    repeat: false,
    decodeAll: ([value = '']) => {
      const decoded = decode(value);
      return decoded === undefined ? { ok: false, message: expected } : { ok: true, value: decoded };
    },
    schema,
    format: (value) => [format(value)],
  };
}

function isEmptyList(values: readonly string[]): boolean {
  return values.length === 1 && values[0] === '';
}

function within(value: number | undefined, min: number, max: number): number | undefined {
  return value !== undefined && value >= min && value <= max ? value : undefined;
}

function upper(max: number, format: (value: number) => string): string | undefined {
  return max === Number.MAX_SAFE_INTEGER ? undefined : format(max);
}

function withRange(noun: string, min: string | undefined, max: string | undefined): string {
  if (min === undefined) return max === undefined ? noun : `${noun}, at most ${max}`;
  return max === undefined ? `${noun}, at least ${min}` : `${noun}, from ${min} to ${max}`;
}

function enumerate(items: readonly string[]): string {
  return items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} or ${items.at(-1)}`;
}
