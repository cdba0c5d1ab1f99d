import { expect, test } from 'vitest';
import { Throttle } from '../../../../packages/emperor/src/core/throttle.ts';
import { named } from '../../../support/spec-of.ts';

test('no more are under way than there are slots', () => {
  const throttle = new Throttle(2);
  for (const name of ['a', 'b', 'c']) throttle.ask(named(name), 0);

  expect(throttle.admit()).toEqual(['a', 'b']);
  expect(throttle.admit()).toEqual([]);
  throttle.done(named('a'));
  expect(throttle.admit()).toEqual(['c']);
});

test('a tenant with a thousand vassals does not keep another from its turn', () => {
  const throttle = new Throttle(2);
  for (let index = 0; index < 1_000; index += 1) throttle.ask(named(`bulk${index}`), 1);
  throttle.admit();
  throttle.ask(named('single'), 2);
  throttle.done(named('bulk0'));

  expect(throttle.admit()).toEqual(['single', 'bulk1']);
});

test('launches of one tenant that never end leave most of the slots to others', () => {
  const throttle = new Throttle(8);
  for (let index = 0; index < 20; index += 1) throttle.ask(named(`hung${index}`), 1);
  expect(throttle.admit()).toEqual(['hung0', 'hung1']);

  for (let index = 0; index < 20; index += 1) throttle.ask(named(`root${index}`), 0);
  expect(throttle.admit()).toHaveLength(6);
});

test('tenants take turns', () => {
  const throttle = new Throttle(1);
  for (const name of ['a1', 'a2', 'a3']) throttle.ask(named(name), 1);
  for (const name of ['b1', 'b2']) throttle.ask(named(name), 2);
  const order: string[] = [];
  for (;;) {
    const [next] = throttle.admit();
    if (next === undefined) break;
    order.push(next);
    throttle.done(next);
  }

  expect(order).toEqual(['a1', 'b1', 'a2', 'b2', 'a3']);
});

test('asking twice is asking once, and taking back is possible', () => {
  const throttle = new Throttle(4);
  throttle.ask(named('a'), 0);
  throttle.ask(named('a'), 0);
  throttle.ask(named('b'), 0);
  throttle.withdraw(named('b'));

  expect(throttle.admit()).toEqual(['a']);
});
