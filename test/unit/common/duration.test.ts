import { decodeDuration, formatDuration } from '@emperor/common/duration';
import { expect, test } from 'vitest';

test.each([
  ['500ms', 500],
  ['10s', 10_000],
  ['5m', 300_000],
  ['1h', 3_600_000],
  ['2d', 172_800_000],
  ['0s', 0],
  ['0', 0],
])('%s is %i milliseconds', (text, ms) => {
  expect(decodeDuration(text)).toBe(ms);
});

test.each(['', '10', '1.5s', '-1s', '10 s', '10S', '1h30m', 's', ' 10s', '10s\n', '999999999999999d'])(
  'refuses %j as a duration',
  (text) => {
    expect(decodeDuration(text)).toBeUndefined();
  },
);

test.each([
  [0, '0'],
  [500, '500ms'],
  [90_000, '90s'],
  [3_600_000, '1h'],
  [86_400_000, '1d'],
  [1_500.4, '1500ms'],
])('%d milliseconds are written %s', (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});
