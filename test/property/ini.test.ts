import { type IniFile, type IniSection } from '@emperor/common/ini/ini-file';
import { parseIni } from '@emperor/common/ini/parse';
import { decodeVassalName } from '@emperor/common/name';
import { readVassalFile } from '@emperor/vassal/file/check';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';

const key = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9.-]{0,20}$/).filter((text) => !isForbidden(text));
const sectionName = fc
  .stringMatching(/^[A-Za-z0-9][A-Za-z0-9.:@-]{0,20}$/)
  .filter((text) => !isForbidden(text));
const tricky = fc.constantFrom(
  ';',
  '#',
  '=',
  '"',
  "'",
  '[',
  ']',
  '\\',
  '%(',
  ' ',
  '\t',
  'true',
  'null',
  '0123',
  '1e9',
  '__proto__',
  '\u2028',
  '\u00a0',
  '\ufeff',
  '\\u0041',
  '日本',
  '👩‍💻',
  '\r',
  '\u001b',
  '\ud800',
);
const value = fc
  .array(fc.oneof(tricky, fc.string({ unit: 'binary', maxLength: 8 })), { maxLength: 8 })
  .map((parts) =>
    parts
      .join('')
      .replaceAll(/[\n\0]/g, '')
      .replaceAll(/^[ \t\r]+|[ \t\r]+$/g, ''),
  );
const filler = fc.constantFrom('', '; comment', '  # a = b', '\t;[x]', ' ');
const entries = fc.array(fc.tuple(key, value, filler), { maxLength: 8 });
const sections = fc.uniqueArray(fc.tuple(sectionName, entries), { maxLength: 5, selector: ([name]) => name });

function write(pairs: readonly (readonly [string, string])[]): string {
  return pairs.map(([k, v]) => `${k}=${v}`).join('\n');
}

function isForbidden(text: string): boolean {
  return ['constructor', 'prototype', '__proto__'].includes(text);
}

function withoutLines(file: IniFile): unknown {
  return file.sections.map(({ name, entries: read }: IniSection) => [
    name,
    read.map((entry) => [entry.key, entry.value]),
  ]);
}

test('the reader never throws, whatever the bytes, and every diagnostic names a line of the file', () => {
  const bytes = fc.uint8Array({ maxLength: 400 }).map((array) => Buffer.from(array).toString('utf8'));
  const lines = fc.array(fc.oneof(value, filler, tricky, fc.constant('\0'), bytes), { maxLength: 30 });
  const texts = fc.oneof(
    bytes,
    fc.string({ unit: 'binary' }),
    lines.map((parts) => parts.join('\n')),
  );

  fc.assert(
    fc.property(texts, (text) => {
      const { sections: read, diagnostics } = parseIni(text, 'x.ini');
      const count = text.split('\n').length;
      const numbers = [
        ...diagnostics.map(({ line }) => line ?? 1),
        ...read.flatMap((section) => [section.line, ...section.entries.map(({ line }) => line)]),
      ];
      expect(numbers.every((line) => line >= 1 && line <= count)).toBe(true);
      expect(diagnostics.length).toBeLessThanOrEqual(51);
    }),
    { numRuns: 500 },
  );
});

test('a written file reads back as the same sections, keys, values and lines', () => {
  const eol = fc.constantFrom('\n', '\r\n');
  const blanks = fc.constantFrom('', ' ', '\t ');

  fc.assert(
    fc.property(sections, eol, blanks, fc.boolean(), (written, newline, blank, bom) => {
      const lines = written.flatMap(([name, pairs]) => [
        `[${name}]`,
        ...pairs.flatMap(([k, v, comment]) => [`${blank}${k}${blank}=${blank}${v}${blank}`, comment]),
      ]);
      const text = (bom ? '\ufeff' : '') + lines.join(newline);

      const file = parseIni(text, 'x.ini');

      expect(file.diagnostics).toEqual([]);
      expect(withoutLines(file)).toEqual(
        written.map(([name, pairs]) => [name, pairs.map(([k, v]) => [k, v])]),
      );
      for (const section of file.sections) {
        for (const entry of section.entries) expect(lines[entry.line - 1]).toContain(entry.key);
      }
    }),
    { numRuns: 500 },
  );
});

test('a vassal file of any text gives values or diagnostics and never throws', () => {
  const name = decodeVassalName('blog');
  if (name === undefined) throw new Error('blog is a name');
  const body = fc.array(fc.tuple(key, value), { maxLength: 10 });

  fc.assert(
    fc.property(body, body, fc.string({ unit: 'binary' }), (vars, own, rest) => {
      const source = readVassalFile({
        text: `[vars]\n${write(vars)}\n[vassal]\n${write(own)}\n${rest}`,
        file: 'blog.ini',
        name,
        owner: { uid: 0, name: 'root', powers: 'operator' },
        home: undefined,
        hostname: 'h',
        dir: '/v',
        defaults: undefined,
        force: undefined,
        table: {},
      });

      expect([...source.raw.values()].every((raw) => raw.length > 0)).toBe(true);
      for (const { message } of source.diagnostics) expect(message).not.toMatch(/[\n\0]/);
    }),
    { numRuns: 300 },
  );
});
