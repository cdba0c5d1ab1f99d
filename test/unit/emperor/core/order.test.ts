import { expect, test } from 'vitest';
import { cyclic, dependents } from '../../../../packages/emperor/src/core/order.ts';
import { named } from '../../../support/spec-of.ts';

const edges = (pairs: readonly (readonly [string, ...string[]])[]) =>
  new Map(pairs.map(([name, ...befores]) => [named(name), befores.map(named)] as const));

test('a chain has no cycle', () => {
  expect([
    ...cyclic(
      edges([
        ['c', 'b'],
        ['b', 'a'],
      ]),
    ),
  ]).toEqual([]);
});

test('a ring is found, and those who only wait for it are not on it', () => {
  const found = cyclic(
    edges([
      ['a', 'b', 'e'],
      ['b', 'c'],
      ['c', 'a'],
      ['d', 'a'],
    ]),
  );

  expect([...found].toSorted()).toEqual(['a', 'b', 'c']);
});

test('waiting for oneself is a ring of one', () => {
  expect([...cyclic(edges([['a', 'a']]))]).toEqual(['a']);
});

test('dependents are the edges the other way round', () => {
  expect(
    dependents(
      edges([
        ['c', 'a'],
        ['b', 'a'],
      ]),
    ).get(named('a')),
  ).toEqual(['c', 'b']);
});
