import { expect, test } from 'vitest';
import { judgeAbsence } from '../../../../packages/emperor/src/core/absence.ts';
import { named } from '../../../support/spec-of.ts';

const names = (count: number) => new Set(Array.from({ length: count }, (_, index) => named(`v${index}`)));
const at = (now: number) => ({ now, first: false });

test('a few missing files are gone at once', () => {
  expect(judgeAbsence(names(10), names(5), undefined, at(0)).gone).toHaveLength(5);
});

test('many at once are believed only when they are still missing ten seconds later', () => {
  const first = judgeAbsence(names(100), names(50), undefined, at(0));
  const early = judgeAbsence(names(100), names(50), first.suspicion, at(9_999));
  const late = judgeAbsence(names(100), names(50), first.suspicion, at(10_000));

  expect(first.gone).toEqual([]);
  expect(early.gone).toEqual([]);
  expect(late.gone).toHaveLength(50);
});

test('files that came back are not gone', () => {
  const first = judgeAbsence(names(100), names(50), undefined, at(0));

  expect(judgeAbsence(names(100), names(100), first.suspicion, at(10_000))).toEqual({
    gone: [],
    suspicion: undefined,
  });
});

test('one fifth of many is believed, a little more is not', () => {
  expect(judgeAbsence(names(100), names(80), undefined, at(0)).gone).toHaveLength(20);
  expect(judgeAbsence(names(100), names(79), undefined, at(0)).gone).toHaveLength(0);
});

test('an empty source at the first look is not believed, however few are known', () => {
  expect(judgeAbsence(names(2), new Set(), undefined, { now: 0, first: true }).gone).toEqual([]);
});
