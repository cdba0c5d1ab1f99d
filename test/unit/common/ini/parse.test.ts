import { systemClock } from '@emperor/common/clock';
import type { IniFile } from '@emperor/common/ini/ini-file';
import { parseIni } from '@emperor/common/ini/parse';
import { expect, test } from 'vitest';

function problems(file: IniFile): readonly string[] {
  return file.diagnostics.map(({ line, message }) => `${line ?? '-'}: ${message}`);
}

function valuesOf(text: string): readonly string[] {
  return parseIni(text, 'x.ini').sections.flatMap(({ entries }) => entries.map(({ value }) => value));
}

test('finds sections, keys, values and their lines', () => {
  const text =
    '; a comment\n[vassal]\ncommand = true\n\n  # another\n  env = A=1\nenv=B=2\n[vars]\nport = 80\n';

  expect(parseIni(text, 'x.ini')).toEqual({
    sections: [
      {
        name: 'vassal',
        line: 2,
        entries: [
          { key: 'command', value: 'true', line: 3 },
          { key: 'env', value: 'A=1', line: 6 },
          { key: 'env', value: 'B=2', line: 7 },
        ],
      },
      { name: 'vars', line: 8, entries: [{ key: 'port', value: '80', line: 9 }] },
    ],
    diagnostics: [],
  });
});

test.each([
  `sh -c 'a; b'`,
  'http://x/#y',
  'a ; b # c',
  ';x',
  '#x',
  '= =',
  '[x]',
  'true',
  'false',
  'null',
  'undefined',
  '0123',
  '1e3',
  `"quoted"`,
  `'single'`,
  `"`,
  '\\;\\#\\\\',
  '\\u0041\\n',
  'a\u2028b\u2029c',
  'a\rb',
  '\u00a0x\u00a0',
  '日本 👩‍💻',
  '\ud800',
  '__proto__',
  '%(name) %%(x) date +%Y',
])('the value %j is literal', (value) => {
  expect(valuesOf(`[s]\nk = ${value}\n`)).toEqual([value]);
});

test('blanks around a value go, those inside stay', () => {
  expect(valuesOf('[s]\nk = \t a  b\t \nempty =\nnone=')).toEqual(['a  b', '', '']);
});

test('underscores in keys are hyphens', () => {
  expect(
    parseIni('[s]\nmemory_max = 1\nLIMIT_a-b.c = 2', 'x').sections[0]?.entries.map(({ key }) => key),
  ).toEqual(['memory-max', 'LIMIT-a-b.c']);
});

test('a byte order mark and carriage returns are accepted', () => {
  expect(parseIni('\ufeff[s]\r\nk = v \r\n\r\n', 'x')).toEqual({
    sections: [{ name: 's', line: 1, entries: [{ key: 'k', value: 'v', line: 2 }] }],
    diagnostics: [],
  });
});

test('a header written twice is one section', () => {
  const { sections } = parseIni('[a]\nx = 1\n[b]\nx = 2\n[ a ]\nx = 3', 'x');

  expect(sections).toMatchObject([
    {
      name: 'a',
      line: 1,
      entries: [
        { value: '1', line: 2 },
        { value: '3', line: 6 },
      ],
    },
    { name: 'b', line: 3, entries: [{ value: '2', line: 4 }] },
  ]);
});

test('all problems are told at once, and what is right is kept', () => {
  const file = parseIni(
    'early = 1\n[s]\nword\nk = v\n= v\n[open\nlost = 1\nbad key = 2\n[t] ; no comment\n[]',
    'x.ini',
  );

  expect(problems(file)).toEqual([
    '1: stands before the first section',
    '3: neither a section, a comment nor key = value',
    '5: neither a section, a comment nor key = value',
    '6: not a legal section',
    '8: neither a section, a comment nor key = value',
    '9: not a legal section',
    '10: not a legal section',
  ]);
  expect(file.sections).toEqual([{ name: 's', line: 2, entries: [{ key: 'k', value: 'v', line: 4 }] }]);
});

test.each(['__proto__', 'constructor', 'prototype'])('%s is neither a key nor a section', (name) => {
  const file = parseIni(`[s]\n${name} = 1\n[${name}]\nk = 1`, 'x.ini');

  expect(file.diagnostics.map(({ line }) => line)).toEqual([2, 3]);
  expect(file.sections).toEqual([{ name: 's', line: 1, entries: [] }]);
});

test('a line that is not key = value is never quoted', () => {
  const secret = 'root:$6$salt$hash:19000:0:99999:7:::';
  const { diagnostics } = parseIni(`${secret}\n[${secret}]\nroot:hunter2=x`, 'x.ini');

  expect(diagnostics).toHaveLength(3);
  expect(JSON.stringify(diagnostics)).not.toMatch(/root:|hunter2|salt/);
});

test('a NUL makes the whole file one diagnostic', () => {
  const file = parseIni('[s]\nk = v\nx\0y = 1\n', 'x.ini');

  expect(file.sections).toEqual([]);
  expect(problems(file)).toEqual(['3: contains a NUL byte: this is not a text file']);
});

test('a file of nonsense makes a bounded number of diagnostics, the last one counting the rest', () => {
  const { diagnostics } = parseIni('nonsense\n'.repeat(1_000), 'x.ini');

  expect(diagnostics).toHaveLength(51);
  expect(diagnostics.at(-1)?.message).toBe('and 950 more such lines');
});

test('an empty text has no sections and no problem of syntax', () => {
  expect(parseIni('', 'x.ini')).toEqual({ sections: [], diagnostics: [] });
});

test.each([
  ' \t'.repeat(32_000),
  '%('.repeat(32_000),
  '='.repeat(64_000),
  '['.repeat(64_000),
  '\\'.repeat(64_000),
])('a line made to be slow is not (%#)', (filling) => {
  const began = systemClock.now();

  parseIni(`[s]\nk = a${filling}b\n${filling}c\n[${filling}]\n`, 'x.ini');

  expect(systemClock.now() - began).toBeLessThan(200);
});

test('a file of too many lines is one problem and nothing else', () => {
  const { sections, diagnostics } = parseIni(`[vassal]\n${'env = A\n'.repeat(2_000)}`, 'blog.ini');

  expect(sections).toEqual([]);
  expect(diagnostics).toMatchObject([
    { severity: 'error', line: 2_001, message: 'has more than 2000 lines' },
  ]);
});
