import { expect, test } from 'vitest';

import { SharedRun } from '../../../../packages/emperor/src/control/shared-run.ts';

test('one runs and one waits; nobody gets a result that began before the question', async () => {
  const ends: ((value: number) => void)[] = [];
  const shared = new SharedRun(() => new Promise<number>((resolve) => ends.push(resolve)));

  const first = shared.run();
  await Promise.resolve();
  await Promise.resolve();
  const second = shared.run();
  const third = shared.run();
  expect(ends).toHaveLength(1);
  ends[0]?.(1);
  expect(await first).toBe(1);
  await new Promise((resolve) => setImmediate(resolve));
  ends[1]?.(2);

  expect(await Promise.all([second, third])).toEqual([2, 2]);
  expect(ends).toHaveLength(2);
});

test('a failure is told to those who asked and forgotten', async () => {
  let fail = true;
  const shared = new SharedRun(async () => {
    if (fail) throw new Error('once');
    return 1;
  });

  await expect(shared.run()).rejects.toThrow('once');
  fail = false;

  expect(await shared.run()).toBe(1);
});
