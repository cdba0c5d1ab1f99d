import { decodeBytes, formatBytes } from '@emperor/common/bytes';
import { decodeDuration, formatDuration } from '@emperor/common/duration';
import {
  commaList,
  duration,
  flag,
  formatValue,
  integer,
  mode,
  oneOf,
  optional,
  path,
  repeated,
  signal,
  size,
  text,
  words,
} from '@emperor/common/options/kinds';
import { nearestName } from '@emperor/common/options/nearest';
import type { Kind } from '@emperor/common/options/option';
import { quoteWords, splitWords } from '@emperor/common/options/words';
import { neutralise } from '@emperor/common/terminal';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';

const count = fc.oneof(
  fc.maxSafeNat(),
  fc.nat({ max: 100_000 }),
  fc.nat({ max: 1000 }).map((n) => n * 60_000),
  fc.nat({ max: 1000 }).map((n) => n * 1024 ** 2),
);

test('a formatted duration decodes to the same number of milliseconds', () => {
  fc.assert(fc.property(count, (ms) => decodeDuration(formatDuration(ms)) === ms));
});

test('a formatted size decodes to the same number of bytes', () => {
  fc.assert(fc.property(count, (bytes) => decodeBytes(formatBytes(bytes)) === bytes));
});

test('what decodes as a duration or a size never is negative, fractional or inexact', () => {
  const written = fc.stringMatching(/^[0-9]{0,18}\.?[0-9]{0,2}(ms|s|m|h|d|B|K|M|G|T)?$/);

  fc.assert(
    fc.property(written, (one) => {
      for (const value of [decodeDuration(one), decodeBytes(one)]) {
        expect(value === undefined || (Number.isSafeInteger(value) && value >= 0)).toBe(true);
      }
    }),
  );
});

test('quoted words split into the same words', () => {
  const word = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc
      .array(fc.constantFrom(`'`, `"`, '\\', ' ', '\t', '\n', '$', '`', 'a', ';'), { maxLength: 6 })
      .map((c) => c.join('')),
  );

  fc.assert(
    fc.property(fc.array(word), (list) => {
      expect(splitWords(quoteWords(list))).toEqual({ ok: true, value: list });
    }),
    { numRuns: 500 },
  );
});

test('splitting never throws and loses no character outside quotes and blanks', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (line) => {
      const split = splitWords(line);
      if (!split.ok) return;
      const kept = split.value.join('').replaceAll(/['"\\ \t\n]/g, '');
      expect(kept).toBe(line.replaceAll(/['"\\ \t\n]/g, ''));
    }),
  );
});

type Case<T> = { readonly kind: Kind<T>; readonly values: fc.Arbitrary<T> };

function holds<T>({ kind, values }: Case<T>): void {
  fc.assert(
    fc.property(values, (value) => {
      const texts = formatValue(kind, value);
      if (texts.length === 0) return;
      expect(kind.decodeAll(texts)).toEqual({ ok: true, value });
    }),
  );
}

test('every kind decodes its own text form', () => {
  holds({ kind: text, values: fc.string({ minLength: 1 }) });
  holds({ kind: flag, values: fc.boolean() });
  holds({ kind: integer(-1000, 1000), values: fc.integer({ min: -1000, max: 1000 }) });
  holds({ kind: duration(5), values: fc.integer({ min: 5 }) });
  holds({ kind: size(), values: fc.maxSafeNat() });
  holds({ kind: mode(), values: fc.nat({ max: 0o7777 }) });
  holds({ kind: path, values: fc.string().map((tail) => `/${tail}`) });
  holds({ kind: oneOf('a', 'b', 'c'), values: fc.constantFrom('a', 'b', 'c') });
  holds({ kind: signal, values: fc.integer({ min: 1, max: 64 }) });
  holds({ kind: words, values: fc.array(fc.string({ minLength: 1 }), { minLength: 1 }) });
  holds({ kind: commaList(integer()), values: fc.uniqueArray(fc.nat()) });
  holds({ kind: repeated(text), values: fc.array(fc.string({ minLength: 1 })) });
  holds({ kind: optional(size(), 'none'), values: fc.option(fc.maxSafeNat(), { nil: undefined }) });
});

test('no kind throws, whatever is written', () => {
  const kinds: readonly Kind<unknown>[] = [
    text,
    flag,
    integer(),
    duration(),
    size(),
    mode(),
    path,
    oneOf('a'),
    signal,
    words,
    commaList(size()),
    repeated(words),
    optional(signal),
  ];

  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' }), { maxLength: 4 }), (texts) => {
      for (const kind of kinds) expect(typeof kind.decodeAll(texts).ok).toBe('boolean');
    }),
  );
});

test('one wrong, missing, extra or swapped letter still finds the option', () => {
  const names = [
    'command',
    'memory-max',
    'stop-timeout',
    'private-tmp',
    'log-keep',
    'unshare',
    'no-new-privs',
  ];

  fc.assert(
    fc.property(
      fc.constantFrom(...names),
      fc.nat(),
      fc.constantFrom('drop', 'double', 'swap', 'change'),
      (name, at, how) => {
        const position = at % (name.length - 1);
        const [one, two] = [name.charAt(position), name.charAt(position + 1)];
        const middle = { drop: two, double: one + one + two, swap: two + one, change: `q${two}` }[how];
        expect(nearestName(name.slice(0, position) + middle + name.slice(position + 2), names)).toBe(name);
      },
    ),
  );
});

test('neutralised text holds nothing a terminal would obey, and is stable', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (line) => {
      const shown = neutralise(line);
      expect(shown.replaceAll('\t', '')).not.toMatch(/[\p{Cc}\u2028-\u202e\u2066-\u2069]/u);
      expect(neutralise(shown)).toBe(shown);
    }),
  );
});
