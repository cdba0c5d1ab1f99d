import { EmperorError } from '@emperor/common/errors';
import { expect, test } from 'vitest';
import { selectNames } from '../../../../packages/emperor/src/commands/select.ts';

const KNOWN = ['blog', 'web-1', 'web-2', 'web-10', 'shop.eu', 'a+b'.replace('+', '_')];

test('a pattern means every vassal whose whole name matches', () => {
  expect(selectNames(['web-*'], KNOWN)).toEqual(['web-1', 'web-2', 'web-10']);
  expect(selectNames(['web-?'], KNOWN)).toEqual(['web-1', 'web-2']);
  expect(selectNames(['web-[!1]'], KNOWN)).toEqual(['web-2']);
  expect(selectNames(['[a-b]*'], KNOWN)).toEqual(['blog', 'a_b']);
  expect(selectNames(['*'], KNOWN)).toEqual(KNOWN);
});

test('characters that mean something in a regular expression mean themselves', () => {
  expect(selectNames(['shop.*'], KNOWN)).toEqual(['shop.eu']);
  expect(() => selectNames(['w.b*'], KNOWN)).toThrow('no vassal matches w.b*');
  expect(() => selectNames(['web-[1'], KNOWN)).toThrow('no vassal matches web-[1');
  expect(() => selectNames(['[]^-\\]*'], KNOWN)).toThrow(EmperorError);
});

test('each vassal is meant once, in the order of the operands', () => {
  expect(selectNames(['web-2', 'blog', 'web-*'], KNOWN)).toEqual(['web-2', 'blog', 'web-1', 'web-10']);
});

test('an unknown name is refused with the nearest one', () => {
  const refused = (): unknown => selectNames(['blgo'], KNOWN);

  expect(refused).toThrow(expect.objectContaining({ code: 'vassal_unknown', hint: 'did you mean blog?' }));
});
