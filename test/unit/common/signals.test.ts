import { constants } from 'node:os';

import { decodeSignal, signalName } from '@emperor/common/signals';
import { expect, test } from 'vitest';

test.each([
  ['TERM', 15],
  ['SIGTERM', 15],
  ['sigterm', 15],
  ['15', 15],
  ['hup', 1],
  ['CLD', 17],
  ['SIG40', 40],
  ['RTMIN', 34],
  ['SIGRTMIN+3', 37],
  ['RTMAX-1', 63],
])('%s is signal %i', (text, number) => {
  expect(decodeSignal(text)).toBe(number);
});

test.each(['', 'SIG', 'TERMINATE', '0', '65', '-1', '1.5', 'RTMIN-1', 'RTMAX+1', 'SIGSIGTERM', ' TERM'])(
  'refuses %j as a signal',
  (text) => {
    expect(decodeSignal(text)).toBeUndefined();
  },
);

test('every signal that Node knows has the same number here', () => {
  for (const [name, number] of Object.entries(constants.signals)) {
    if (name !== 'SIGUNUSED') expect([name, decodeSignal(name)]).toEqual([name, number]);
  }
});

test('a number that has no name is called by its number, and the name decodes again', () => {
  expect(signalName(15)).toBe('SIGTERM');
  expect(signalName(34)).toBe('SIG34');
  for (let number = 1; number <= 64; number += 1) expect(decodeSignal(signalName(number))).toBe(number);
});
