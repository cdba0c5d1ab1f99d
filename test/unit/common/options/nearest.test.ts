import { nearestName } from '@emperor/common/options/nearest';
import { expect, test } from 'vitest';

const NAMES = ['command', 'memory-max', 'cpu-max', 'pids-max', 'uid', 'gid', 'restart', 'restart-max'];

test.each([
  ['comand', 'command'],
  ['commnad', 'command'],
  ['memorymax', 'memory-max'],
  ['memory-mx', 'memory-max'],
  ['Restart', 'restart'],
  ['restart-mxa', 'restart-max'],
  ['uidd', 'uid'],
])('%s means %s', (word, name) => {
  expect(nearestName(word, NAMES)).toBe(name);
});

test.each(['x', 'zzz', 'completely-else', '', 'm'.repeat(100_000)])(
  'a far word has no nearest name',
  (word) => {
    expect(nearestName(word, NAMES)).toBeUndefined();
  },
);

test('the nearest of several wins, the first one among equals', () => {
  expect(nearestName('max-c', ['max-a', 'max-b'])).toBe('max-a');
  expect(nearestName('restat', ['restart-max', 'restart'])).toBe('restart');
});
