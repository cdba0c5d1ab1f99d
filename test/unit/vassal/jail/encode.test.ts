import { existsSync, readFileSync } from 'node:fs';
import { DIRECTIVES } from '@emperor/vassal/jail/directive';
import { encodeDirectives } from '@emperor/vassal/jail/encode';
import { STAGES } from '@emperor/vassal/keeper/stages';
import { expect, test } from 'vitest';

const NATIVE = new URL('../../../../packages/vassal/native/', import.meta.url);

test('words and arguments are ended by NUL, in order, empty ones too', () => {
  const blob = encodeDirectives([
    { word: 'tmp', args: [] },
    { word: 'counter', args: ['n', '/p', ''] },
    { word: 'arg', args: ['é'] },
  ]);

  expect(Buffer.from(blob).toString('utf8')).toBe('tmp\0counter\0n\0/p\0\0arg\0é\0');
});

test('an argument that would become two, and a wrong count, are refused', () => {
  expect(() => encodeDirectives([{ word: 'arg', args: ['a\0uid\x000'] }])).toThrow(
    'an argument of arg holds a NUL byte',
  );
  expect(() => encodeDirectives([{ word: 'bind', args: ['/a', '/b'] }])).toThrow(
    'bind takes 3 arguments, not 2',
  );
});

test('more than the keeper reads is refused with what to do', () => {
  const huge = Array.from({ length: 200 }, () => ({ word: 'arg', args: ['x'.repeat(1000)] }) as const);

  expect(() => encodeDirectives(huge)).toThrow('the jail takes 201000 bytes to describe, at most 131072');
});

test.skipIf(!existsSync(new URL('directives.def', NATIVE)))(
  'the keeper knows the same words with the same counts',
  () => {
    const native = [
      ...readFileSync(new URL('directives.def', NATIVE), 'utf8').matchAll(/^DIRECTIVE\("([^"]+)", (\d+)/gm),
    ];

    expect(Object.fromEntries(native.map(([, word, count]) => [word, Number(count)]))).toEqual({
      ...DIRECTIVES,
    });
  },
);

test.skipIf(!existsSync(new URL('report.h', NATIVE)))(
  'the keeper knows the same stages in the same order',
  () => {
    const native = [
      ...readFileSync(new URL('report.h', NATIVE), 'utf8').matchAll(/X\([A-Z_]+, "([^"]+)"\)/g),
    ];

    expect(native.map(([, stage]) => stage)).toEqual([...STAGES]);
  },
);
