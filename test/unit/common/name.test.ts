import { decodeVassalName, vassalNameOfFile } from '@emperor/common/name';
import { expect, test } from 'vitest';

test.each(['blog', 'a', 'Shop-2', '9.x_y', 'a'.repeat(63)])('%s is a name', (text) => {
  expect(decodeVassalName(text)).toBe(text);
});

test.each(['', '.', '..', 'a..b', '-a', '_a', 'a b', 'a/b', 'ä', 'a\n', 'a\0', 'alice@blog', 'a'.repeat(64)])(
  '%j is no name',
  (text) => {
    expect(decodeVassalName(text)).toBeUndefined();
  },
);

test.each([
  'blog.ini~',
  '.blog.ini',
  '#blog.ini#',
  'blog.ini.swp',
  'blog.conf',
  'blog',
  '.ini',
  'blog.INI',
  '4913',
])('the directory entry %j is no vassal file', (entry) => {
  expect(vassalNameOfFile(entry)).toBeUndefined();
});

test('a vassal is named by its file without the suffix', () => {
  expect(vassalNameOfFile('blog.ini')).toBe('blog');
  expect(vassalNameOfFile('blog.ini.ini')).toBe('blog.ini');
});
