import type { Decoded } from './option.ts';

const PLAIN = /^[\w@%+=:,./-]+$/;
/** What a backslash takes the meaning from between double quotes; before anything else it is a backslash. */
const ESCAPED_IN_DOUBLE_QUOTES = '"\\$`';

type Quote = 'none' | 'single' | 'double';

/** The words of a command line, quotes `'` `"` and backslash as in a shell; nothing is expanded. */
export function splitWords(text: string): Decoded<readonly string[]> {
  const words: string[] = [];
  let word: string | undefined;
  let quote: Quote = 'none';
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (toggles(character, quote)) {
      quote = afterQuote(character, quote);
      word ??= '';
    } else if (quote === 'none' && isBlank(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (escapes(character, text.charAt(at + 1), quote)) {
      at += 1;
      if (at === text.length) return { ok: false, message: 'a backslash at the end escapes nothing' };
      word = (word ?? '') + text.charAt(at);
    } else {
      word = (word ?? '') + character;
    }
  }
  if (quote !== 'none') return { ok: false, message: `a ${quote} quote is not closed` };
  if (word !== undefined) words.push(word);
  return { ok: true, value: words };
}

/** One line that `splitWords` splits into exactly `words` again. */
export function quoteWords(words: readonly string[]): string {
  return words.map((word) => (PLAIN.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(' ');
}

function toggles(character: string, quote: Quote): boolean {
  if (character === "'") return quote !== 'double';
  return character === '"' && quote !== 'single';
}

function afterQuote(character: string, quote: Quote): Quote {
  if (quote !== 'none') return 'none';
  return character === "'" ? 'single' : 'double';
}

function escapes(character: string, next: string, quote: Quote): boolean {
  if (character !== '\\' || quote === 'single') return false;
  return quote === 'none' || (next !== '' && ESCAPED_IN_DOUBLE_QUOTES.includes(next));
}

function isBlank(character: string): boolean {
  return character === ' ' || character === '\t' || character === '\n';
}
