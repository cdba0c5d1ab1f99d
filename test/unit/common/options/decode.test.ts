import { renderDiagnostic } from '@emperor/common/diagnostic';
import { decodeTable } from '@emperor/common/options/decode';
import { flag, integer, oneOf, optional, repeated, size, text, words } from '@emperor/common/options/kinds';
import { option, type RawValue } from '@emperor/common/options/option';
import { expect, expectTypeOf, test } from 'vitest';

const common = { since: '0.1', who: 'tenant', onChange: 'live', group: 'app', help: 'Help.' } as const;
const table = {
  command: option({ ...common, kind: optional(words), default: undefined }),
  env: option({ ...common, kind: repeated(text), default: [] }),
  'memory-max': option({ ...common, kind: optional(size()), default: undefined }),
  restart: option({ ...common, kind: oneOf('always', 'never'), default: 'always' }),
  'restart-max': option({ ...common, kind: integer(0, 100), default: 0 }),
  autostart: option({ ...common, kind: flag, default: true }),
};

function rawOf(lines: readonly (readonly [string, string])[], file = 'blog.ini'): Map<string, RawValue[]> {
  const raw = new Map<string, RawValue[]>();
  for (const [index, [key, value]] of lines.entries()) {
    raw.set(key, [...(raw.get(key) ?? []), { value, file, line: index + 1 }]);
  }
  return raw;
}

test('absent options have their defaults', () => {
  const { values, diagnostics } = decodeTable(table, new Map());

  expect(diagnostics).toEqual([]);
  expect(values).toEqual({
    command: undefined,
    env: [],
    'memory-max': undefined,
    restart: 'always',
    'restart-max': 0,
    autostart: true,
  });
  expectTypeOf(values.restart).toEqualTypeOf<'always' | 'never'>();
  expectTypeOf(values['memory-max']).toEqualTypeOf<number | undefined>();
});

test('what was written is decoded, lists in their order', () => {
  const { values, diagnostics } = decodeTable(
    table,
    rawOf([
      ['command', 'sleep 9'],
      ['env', 'B=1'],
      ['memory-max', '512M'],
      ['env', 'A=2'],
    ]),
  );

  expect(diagnostics).toEqual([]);
  expect(values).toMatchObject({ command: ['sleep', '9'], env: ['B=1', 'A=2'], 'memory-max': 536_870_912 });
});

test('all problems are told at once, each with line, key and what to do', () => {
  const { values, diagnostics } = decodeTable(
    table,
    rawOf([
      ['comand', 'true'],
      ['memory-max', '12 parsecs'],
      ['restart', 'always'],
      ['restart', 'never'],
      ['zzzzzz', '1'],
      ['restart-max', '5'],
    ]),
  );

  expect(diagnostics.map(renderDiagnostic)).toEqual([
    'blog.ini:1: comand: unknown option\nhint: did you mean command?',
    'blog.ini:5: zzzzzz: unknown option',
    'blog.ini:2: memory-max: expected a size such as 512M\nhint: memory-max takes: size such as 512M; without the line it is unset',
    'blog.ini:4: restart: already set in line 3, and it is not a list\nhint: keep one of the two lines',
  ]);
  expect(values).toMatchObject({ 'memory-max': undefined, restart: 'always', 'restart-max': 5 });
});

test('a key written in two files names the other file', () => {
  const raw = new Map([
    [
      'restart',
      [
        { value: 'always', file: 'a.ini', line: 2 },
        { value: 'never', file: 'b.ini', line: 7 },
      ],
    ],
  ]);

  expect(decodeTable(table, raw).diagnostics).toMatchObject([
    { file: 'b.ini', line: 7, key: 'restart', message: 'already set in a.ini:2, and it is not a list' },
  ]);
});

test('a bad item of a list is told with its own line', () => {
  const sizes = { sizes: option({ ...common, kind: repeated(size()), default: [] }) };
  const { values, diagnostics } = decodeTable(
    sizes,
    rawOf([
      ['sizes', '1K'],
      ['sizes', 'x'],
      ['sizes', '2K'],
    ]),
  );

  expect(diagnostics).toMatchObject([{ line: 2, key: 'sizes' }]);
  expect(values.sizes).toEqual([]);
});

test('names that every object has are unknown options like any other', () => {
  const raw = new Map(
    ['toString', 'constructor', '__proto__', 'hasOwnProperty'].map((key) => [
      key,
      [{ value: '1', file: 'f', line: 1 }],
    ]),
  );

  expect(decodeTable(table, raw).diagnostics.map(({ message }) => message)).toEqual(
    Array(4).fill('unknown option'),
  );
});

test('a file of ten thousand unknown keys does not make ten thousand diagnostics', () => {
  const lines = Array.from({ length: 10_000 }, (_, index): [string, string] => [`key-${index}`, '1']);

  expect(decodeTable(table, rawOf(lines)).diagnostics).toHaveLength(50);
});
