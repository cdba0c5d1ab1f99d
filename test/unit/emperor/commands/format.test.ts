import { expect, test } from 'vitest';
import {
  diagnosticLines,
  shortAge,
  shortBytes,
  shortDuration,
  shortPercent,
} from '../../../../packages/emperor/src/commands/format.ts';

test.each([
  [0, '0B'],
  [999, '999B'],
  [1_000, '1.0K'],
  [1_536, '1.5K'],
  [10 * 1024 - 1, '10K'],
  [1_023_000, '999K'],
  [12_582_912, '12M'],
  [3.2 * 1024 ** 3, '3.2G'],
  [5_000 * 1024 ** 4, '5000T'],
])('%d bytes are shown as %s', (bytes, shown) => {
  expect(shortBytes(bytes)).toBe(shown);
});

test.each([
  [0, '0ms'],
  [120.4, '120ms'],
  [1_000, '1s'],
  [59_999, '59s'],
  [60_000, '1m'],
  [3_600_000, '1h'],
  [86_400_000 * 12.9, '12d'],
])('%d ms are shown as %s', (ms, shown) => {
  expect(shortDuration(ms)).toBe(shown);
});

test('an age is never below zero and never finer than a second', () => {
  const since = '2026-11-20T10:00:00.000Z';
  const at = Date.parse(since);

  expect([shortAge(since, at + 400), shortAge(since, at - 5_000), shortAge(since, at + 42_999)]).toEqual([
    '0s',
    '0s',
    '42s',
  ]);
  expect(shortAge('never', at)).toBe('-');
});

test('percents have a digit after the point only when small', () => {
  expect([0, 0.04, 9.94, 9.96, 150.4].map(shortPercent)).toEqual(['0.0%', '0.0%', '9.9%', '10%', '150%']);
});

test('what a tenant wrote cannot command the terminal from a diagnostic', () => {
  const lines = diagnosticLines({
    severity: 'error',
    file: 'blog.ini',
    line: 3,
    key: 'memory-max',
    message: 'not \u001b[2Ja size\nfaked line',
    hint: 'a size\u202e',
  });

  expect(lines).toEqual(['blog.ini:3: memory-max: not \\x1b[2Ja size\\x0afaked line', 'hint: a size\\u202e']);
});
