import { canonical } from '@emperor/vassal/spec/option-values';
import { expect, test } from 'vitest';

// Revisions of running vassals were made of these texts: another one would launch them all again.
test.each([
  [undefined, 'undefined'],
  ['a"b', '"a\\"b"'],
  [[], '[]'],
  [[undefined, { b: [1, 'x'], a: undefined }], '[null,{"b":[1,"x"]}]'],
  [{ b: undefined, a: { 'd"': true, c: null } }, '{"a":{"c":null,"d\\"":true}}'],
  [{}, '{}'],
])('the text of %o stays what it is', (value, text) => {
  expect(canonical(value)).toBe(text);
});

test('the order of keys says nothing', () => {
  expect(canonical({ a: 1, b: { c: 2, d: 3 } })).toBe(canonical({ b: { d: 3, c: 2 }, a: 1 }));
});
