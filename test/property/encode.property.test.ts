import { DIRECTIVES, type DirectiveWord } from '@emperor/vassal/jail/directive';
import { encodeDirectives } from '@emperor/vassal/jail/encode';
import fc from 'fast-check';
import { expect, test } from 'vitest';

const WORDS = Object.keys(DIRECTIVES).filter((word): word is DirectiveWord =>
  Object.hasOwn(DIRECTIVES, word),
);
const argument = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0'));
const directive = fc
  .constantFrom(...WORDS)
  .chain((word) =>
    fc
      .array(argument, { minLength: DIRECTIVES[word], maxLength: DIRECTIVES[word] })
      .map((args) => ({ word, args })),
  );

/** Reads a blob as the keeper does: a word, then as many arguments as its table says. */
function decode(blob: Uint8Array): unknown {
  const words = Buffer.from(blob).toString('utf8').split('\0').slice(0, -1);
  const directives: unknown[] = [];
  while (words.length > 0) {
    const word = WORDS.find((known) => known === words[0]);
    if (word === undefined) return `no word: ${words[0]}`;
    directives.push({ word, args: words.splice(0, 1 + DIRECTIVES[word]).slice(1) });
  }
  return directives;
}

test('what is encoded is decoded to the same directives, whatever the arguments say', () => {
  fc.assert(
    fc.property(fc.array(directive), (directives) => {
      expect(decode(encodeDirectives(directives))).toEqual(directives);
    }),
  );
});
