import { nearestName } from '@emperor/common/options/nearest';
import type { Decoded } from '@emperor/common/options/option';
import { allCallNames, isCallName } from './architecture.ts';
import { GROUPS } from './groups.ts';

/** The word that stands for the list every vassal has. */
export const DEFAULT_WORD = 'default';

/** What is wrong with one word of a list, or the word. */
export function decodeWord(word: string): Decoded<string> {
  if (word === DEFAULT_WORD) return { ok: true, value: word };
  const name = word.startsWith('~') ? word.slice(1) : word;
  if (name.startsWith('@') ? GROUPS.has(name) : isCallName(name)) return { ok: true, value: word };
  if (word === `~${DEFAULT_WORD}`) return { ok: false, message: '~default denies nothing that has a name' };
  const what = name.startsWith('@') ? 'group of system calls' : 'system call';
  const nearest = nearestName(name, name.startsWith('@') ? [...GROUPS.keys()] : allCallNames());
  const guess = nearest === undefined ? '' : `, did you mean ${nearest}?`;
  return { ok: false, message: `there is no ${what} ${JSON.stringify(name)}${guess}` };
}

/** The words of a text, separated by blanks or commas. */
export function splitList(text: string): readonly string[] {
  return text.split(/[\s,]+/).filter((word) => word !== '');
}
