import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DIRECTIVES } from '@emperor/vassal/jail/directive';
import { STAGES } from '@emperor/vassal/keeper/stages';
import { expect, test } from 'vitest';
import { NATIVE } from './support.ts';

test('the stages of the keeper are those of the emperor, in the same order', () => {
  const header = readFileSync(join(NATIVE, 'report.h'), 'utf8');

  const stages = [...header.matchAll(/^ +X\([A-Z_]+, "([a-z-]+)"\)/gm)].map((match) => match[1]);

  expect(stages).toEqual(STAGES);
});

test('the words of the blob and their counts are those of the emperor', () => {
  const table = readFileSync(join(NATIVE, 'directives.def'), 'utf8');

  const words = [...table.matchAll(/^DIRECTIVE\("([a-z0-9-]+)", (\d), \w+\)$/gm)].map((match) => [
    match[1],
    Number(match[2]),
  ]);

  expect(Object.fromEntries(words)).toEqual(DIRECTIVES);
  expect(words.length).toBe(Object.keys(DIRECTIVES).length);
});
