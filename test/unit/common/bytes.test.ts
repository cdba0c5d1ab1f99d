import { decodeBytes, formatBytes } from '@emperor/common/bytes';
import { expect, test } from 'vitest';

test.each([
  ['100B', 100],
  ['100', 100],
  ['16K', 16_384],
  ['512M', 536_870_912],
  ['2G', 2_147_483_648],
  ['1T', 1_099_511_627_776],
  ['0', 0],
])('%s is %i bytes', (text, bytes) => {
  expect(decodeBytes(text)).toBe(bytes);
});

test.each(['', '12 parsecs', '512m', '512MB', '1.5G', '-1', 'M', '0x10', '9007199254740992', '9999999999T'])(
  'refuses %j as a size',
  (text) => {
    expect(decodeBytes(text)).toBeUndefined();
  },
);

test.each([
  [0, '0'],
  [1000, '1000B'],
  [16_384, '16K'],
  [536_870_912, '512M'],
  [1025 * 1024, '1025K'],
])('%i bytes are written %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});
