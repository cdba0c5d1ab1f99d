import { expect, test } from 'vitest';
import { Acks } from '../../../../packages/vassal/src/keeper/acks.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

test('answers go to the commands in the order in which they were sent', async () => {
  const acks = new Acks(new ManualClock(), 100);
  const [first, second] = [acks.expect('signal'), acks.expect('kill')];

  expect([acks.answer('signal', 3), acks.answer('kill', 0)]).toEqual([true, true]);
  expect(await Promise.all([first, second])).toEqual([3, 0]);
});

test('a command that is not answered in time fails, and its late answer is not taken for the next one', async () => {
  const clock = new ManualClock();
  const acks = new Acks(clock, 100);
  const first = acks.expect('signal');
  const failed = expect(first).rejects.toMatchObject({ code: 'keeper_failed' });
  clock.advance(101);
  await failed;
  const second = acks.expect('signal');

  acks.answer('signal', 1);
  acks.answer('signal', 2);

  expect(await second).toBe(2);
});

test('an answer that nobody asked for, or to another command, is refused', async () => {
  const acks = new Acks(new ManualClock(), 100);
  expect(acks.answer('kill', 0)).toBe(false);

  const waiting = acks.expect('signal');
  const failed = expect(waiting).rejects.toMatchObject({ code: 'keeper_failed' });

  expect(acks.answer('kill', 0)).toBe(false);
  await failed;
});

test('when the keeper is gone, all that wait are told', async () => {
  const acks = new Acks(new ManualClock(), 100);
  const waiting = [acks.expect('signal'), acks.expect('launch')];
  const failed = Promise.allSettled(waiting);

  acks.abandon('it died');

  expect((await failed).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
});
