import { decodeFact, unescapeText } from '@emperor/vassal/keeper/protocol';
import fc from 'fast-check';
import { expect, test } from 'vitest';

const WORDS = [
  'hello',
  'launched',
  'fail',
  'exited',
  'ack',
  'notify',
  '1',
  '7',
  '-',
  'exec',
  'code',
  'a=1',
  '',
  '99999999999999999999',
];

test('any line is a fact or is none; nothing is thrown', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (line) => void decodeFact(line)));
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...WORDS)), (words) => {
      const fact = decodeFact(words.join(' '));

      if (fact !== undefined) expect(fact.type).toBe(words[0]);
    }),
  );
});

test('a text survives the wire and never breaks the line', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(unescapeText(escapeText(text))).toBe(text);
      expect(escapeText(text)).not.toMatch(/[\x00-\x1f\x7f]/);
      expect(decodeFact(`launched 1 2 3 4 ${escapeText(text)}`)).toMatchObject({ tag: text });
    }),
  );
});

/** As the keeper escapes the last field of a fact. */
function escapeText(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what this is about
  return text.replace(
    /[\x00-\x1f\x7f\\]/g,
    (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}
