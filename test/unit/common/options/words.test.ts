import { quoteWords, splitWords } from '@emperor/common/options/words';
import { expect, test } from 'vitest';

test.each([
  ['gunicorn -w 4 app:app', ['gunicorn', '-w', '4', 'app:app']],
  ['  a \t b  ', ['a', 'b']],
  [`sh -c 'a; b # c'`, ['sh', '-c', 'a; b # c']],
  [`echo "it's"`, ['echo', "it's"]],
  [`echo 'say "hi"'`, ['echo', 'say "hi"']],
  ['a\\ b c', ['a b', 'c']],
  [`"a\\"b" "a\\\\b" "a\\nb" "\\$HOME"`, ['a"b', 'a\\b', 'a\\nb', '$HOME']],
  [`'a\\'b`, ['a\\b']],
  [`pre'mid'"post"`, ['premidpost']],
  [`a '' ""`, ['a', '', '']],
  ['$HOME `id` * ~', ['$HOME', '`id`', '*', '~']],
  ['', []],
])('splits %j', (text, words) => {
  expect(splitWords(text)).toEqual({ ok: true, value: words });
});

test.each([
  [`echo 'open`, 'a single quote is not closed'],
  ['echo "open', 'a double quote is not closed'],
  ['echo "open\\"', 'a double quote is not closed'],
  ['echo \\', 'a backslash at the end escapes nothing'],
])('refuses %j', (text, message) => {
  expect(splitWords(text)).toEqual({ ok: false, message });
});

test('quotes only where a shell would need it', () => {
  expect(quoteWords(['/usr/bin/env', 'A=b c', "it's", '', 'x'])).toBe(`/usr/bin/env 'A=b c' 'it'\\''s' '' x`);
});
