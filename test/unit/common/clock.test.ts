import { systemClock } from '@emperor/common/clock';
import { expect, test } from 'vitest';

test('the monotonic clock counts milliseconds since boot, as the keeper does', () => {
  const before = Number(process.hrtime.bigint()) / 1e6;

  const now = systemClock.now();

  expect(now).toBeGreaterThanOrEqual(before - 0.001);
  expect(now).toBeLessThan(before + 1_000);
});

test('a wait ends once, and not at all when it was cancelled', async () => {
  const seen: string[] = [];

  const cancel = systemClock.after(1, () => seen.push('cancelled'));
  cancel();
  await new Promise<void>((resolve) => systemClock.after(20, resolve));

  expect(seen).toEqual([]);
});

test('a wait longer than a timer can count does not end at once', async () => {
  const seen: string[] = [];

  const cancel = systemClock.after(2 ** 40, () => seen.push('ended'));
  await new Promise<void>((resolve) => systemClock.after(20, resolve));
  cancel();

  expect(seen).toEqual([]);
});
