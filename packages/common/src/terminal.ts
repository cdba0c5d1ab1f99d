/**
 * Everything that a terminal obeys instead of showing: controls (C0, DEL, C1), line and paragraph separators, and
 * invisible characters that reorder or hide text (marks, bidi overrides and isolates, annotations, tags).
 */
const HARMFUL =
  /[\p{Cc}\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;

/** `text` as one line that is safe to show: harmful characters become `\x1b` or `\u202e`; a tab stays. */
export function neutralise(text: string): string {
  return text.replace(HARMFUL, (character) => (character === '\t' ? character : escapeOf(character)));
}

function escapeOf(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code <= 0xff) return `\\x${code.toString(16).padStart(2, '0')}`;
  return code <= 0xffff ? `\\u${code.toString(16).padStart(4, '0')}` : `\\u{${code.toString(16)}}`;
}
