import { neutralise } from '@emperor/common/terminal';
import { expect, test } from 'vitest';

test.each([
  ['escape sequence', '\x1b[2Jgone', '\\x1b[2Jgone'],
  ['title', '\x1b]0;root\x07', '\\x1b]0;root\\x07'],
  ['C1 control', 'a\x9b31m', 'a\\x9b31m'],
  ['delete', 'a\x7f', 'a\\x7f'],
  ['carriage return and newline', 'a\r\nb', 'a\\x0d\\x0ab'],
  ['bidi override', 'a\u202eb', 'a\\u202eb'],
  ['isolate', '\u2066x\u2069', '\\u2066x\\u2069'],
  ['line separator', 'a\u2028b', 'a\\u2028b'],
  ['zero width space', 'pay\u200bpal', 'pay\\u200bpal'],
  ['tag', 'x\u{e0041}', 'x\\u{e0041}'],
])('makes a %s visible', (_what, text, shown) => {
  expect(neutralise(text)).toBe(shown);
});

test('leaves a tab, letters of every script and emoji alone', () => {
  const text = 'a\tb äöü 漢字 עברית 👩‍💻';

  expect(neutralise(text)).toBe(text);
});
