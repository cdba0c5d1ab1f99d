import {
  commaList,
  duration,
  flag,
  formatValue,
  integer,
  mode,
  nameList,
  oneOf,
  optional,
  parsed,
  path,
  repeated,
  signal,
  size,
  text,
  words,
} from '@emperor/common/options/kinds';
import type { Kind } from '@emperor/common/options/option';
import { expect, test } from 'vitest';

function valueOf<T>(kind: Kind<T>, ...values: readonly string[]): T | string {
  const decoded = kind.decodeAll(values);
  return decoded.ok ? decoded.value : `refused: ${decoded.message}`;
}

test('text is anything but nothing', () => {
  expect(valueOf(text, 'a; b # c')).toBe('a; b # c');
  expect(valueOf(text, '')).toBe('refused: expected some text');
});

test.each(['true', 'yes', 'on', '1', 'TRUE', 'Yes'])('%s is a set flag', (written) => {
  expect(valueOf(flag, written)).toBe(true);
});

test.each(['false', 'no', 'off', '0', 'OFF'])('%s is a cleared flag', (written) => {
  expect(valueOf(flag, written)).toBe(false);
});

test.each(['', 'maybe', '2', 'truee'])('%j is no flag', (written) => {
  expect(valueOf(flag, written)).toMatch(/^refused: expected true or false/);
});

test('an integer has decimal digits and lies between its bounds', () => {
  const percent = integer(-5, 100);

  expect(valueOf(percent, '100')).toBe(100);
  expect(valueOf(percent, '-5')).toBe(-5);
  for (const bad of ['101', '-6', '1e1', '0x1', '1.0', '', ' 1', '99999999999999999999']) {
    expect(valueOf(percent, bad)).toBe('refused: expected an integer, from -5 to 100');
  }
  expect(integer(1).hint).toBe('integer, at least 1');
});

test('a duration names its bounds when it refuses', () => {
  const wait = duration(100, 600_000);

  expect(valueOf(wait, '10s')).toBe(10_000);
  expect(valueOf(wait, '99ms')).toBe('refused: expected a duration such as 10s, from 100ms to 10m');
  expect(valueOf(wait, '11m')).toMatch(/^refused/);
  expect(valueOf(duration(), '10')).toBe('refused: expected a duration such as 10s');
  expect(valueOf(duration(0, 1_000), '2s')).toBe('refused: expected a duration such as 10s, at most 1s');
});

test('a size that is none is refused with an example', () => {
  expect(valueOf(size(), '512M')).toBe(536_870_912);
  expect(valueOf(size(), '12 parsecs')).toBe('refused: expected a size such as 512M');
  expect(valueOf(size(4096), '1K')).toBe('refused: expected a size such as 512M, at least 4K');
});

test('a mode is octal', () => {
  expect(valueOf(mode(), '022')).toBe(0o022);
  expect(valueOf(mode(), '1777')).toBe(0o1777);
  expect(valueOf(mode(0o777), '1777')).toMatch(/^refused/);
  expect(valueOf(mode(), '089')).toMatch(/^refused/);
  expect(formatValue(mode(), 0o022)).toEqual(['022']);
});

test('a path is absolute and fits into PATH_MAX', () => {
  expect(valueOf(path, '/srv/my app')).toBe('/srv/my app');
  expect(valueOf(path, 'srv')).toBe('refused: expected an absolute path');
  expect(valueOf(path, `/${'a'.repeat(4095)}`)).toMatch(/^refused/);
});

test('one of several words is exact and listed when refused', () => {
  const kind = oneOf('always', 'on-failure', 'never');

  expect(valueOf(kind, 'on-failure')).toBe('on-failure');
  expect(valueOf(kind, 'Always')).toBe('refused: expected always, on-failure or never');
});

test('a signal is a number however it is written', () => {
  expect(valueOf(signal, 'SIGQUIT')).toBe(3);
  expect(valueOf(signal, 'NOPE')).toBe('refused: expected a signal such as TERM');
  expect(formatValue(signal, 15)).toEqual(['TERM']);
});

test('words may not be empty, and say what is wrong with a quote', () => {
  expect(valueOf(words, `sh -c 'a; b'`)).toEqual(['sh', '-c', 'a; b']);
  expect(valueOf(words, '')).toBe('refused: expected a command with its arguments');
  expect(valueOf(words, `'' x`)).toBe('refused: expected a command with its arguments');
  expect(valueOf(words, `sh -c 'a`)).toBe('refused: a single quote is not closed');
});

test('a name list splits at commas and repeats', () => {
  expect(valueOf(nameList, 'a, b', 'c', 'a')).toEqual(['a', 'b', 'c']);
  expect(valueOf(nameList, '')).toEqual([]);
  expect(nameList.decodeAll(['a', 'b,,c'])).toEqual({
    ok: false,
    message: 'expected names separated by commas',
    index: 1,
  });
  expect(nameList.decodeAll(['a b'])).toMatchObject({ ok: false, index: 0 });
});

test('a comma list decodes every name by its kind and tells which line was wrong', () => {
  const kinds = commaList(integer(0, 9));

  expect(valueOf(kinds, '1,2', '3')).toEqual([1, 2, 3]);
  expect(kinds.decodeAll(['1', '2,3', '4,10'])).toMatchObject({ ok: false, index: 2 });
  expect(formatValue(kinds, [1, 2])).toEqual(['1,2']);
});

test('a repeated kind keeps order and repetition and does not split', () => {
  expect(valueOf(repeated(text), 'A=1,2', 'B=3', 'A=1,2')).toEqual(['A=1,2', 'B=3', 'A=1,2']);
  expect(valueOf(repeated(text), '')).toEqual([]);
  expect(repeated(size()).decodeAll(['1K', '', '2K'])).toMatchObject({ ok: false, index: 1 });
});

test('an optional kind may have a word for unset', () => {
  const limit = optional(size(), 'none');

  expect(valueOf(limit, 'none')).toBeUndefined();
  expect(valueOf(limit, '1K')).toBe(1024);
  expect(valueOf(optional(size()), 'none')).toMatch(/^refused/);
  expect(formatValue(limit, undefined)).toEqual(['none']);
  expect(formatValue(optional(size()), undefined)).toEqual([]);
  expect(formatValue(optional(size()), 2048)).toEqual(['2K']);
});

test('a domain kind refines another one and may refuse', () => {
  const even = parsed(integer(), (value) =>
    value % 2 === 0
      ? { ok: true, value: { even: value } }
      : { ok: false, message: 'expected an even number' },
  );

  expect(valueOf(even, '4')).toEqual({ even: 4 });
  expect(valueOf(even, '3')).toBe('refused: expected an even number');
  expect(valueOf(even, 'x')).toMatch(/^refused: expected an integer/);
});

test('a value of a kind without a format is written as JavaScript would', () => {
  const bare = parsed(text, (value) => ({ ok: true, value: value.length }));

  expect(formatValue(bare, 3)).toEqual(['3']);
});
