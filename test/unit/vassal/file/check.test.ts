import { systemClock } from '@emperor/common/clock';
import { renderDiagnostic } from '@emperor/common/diagnostic';
import { parseIni } from '@emperor/common/ini/parse';
import { decodeVassalName } from '@emperor/common/name';
import { optional, repeated, text as textKind, words } from '@emperor/common/options/kinds';
import { option } from '@emperor/common/options/option';
import {
  type OperatorLayer,
  readVassalFile,
  type VassalFileInput,
  type VassalSource,
} from '@emperor/vassal/file/check';
import { expect, test } from 'vitest';

const row = { since: '0.1', who: 'tenant', onChange: 'live', group: 'app', help: 'Help.' } as const;
const table = {
  command: option({ ...row, kind: optional(words), default: undefined }),
  env: option({ ...row, kind: repeated(textKind), default: [] }),
  chdir: option({ ...row, kind: optional(textKind), default: undefined }),
};

function read(text: string, changes: Partial<VassalFileInput> = {}): VassalSource {
  const name = decodeVassalName('blog');
  if (name === undefined) throw new Error('blog is a name');
  return readVassalFile({
    text,
    file: '/v/blog.ini',
    name,
    owner: { uid: 1001, name: 'alice', powers: 'tenant' },
    home: '/home/alice',
    hostname: 'web1',
    dir: '/v',
    defaults: undefined,
    force: undefined,
    table,
    ...changes,
  });
}

function operatorLayer(lines: string): OperatorLayer {
  const file = '/etc/emperor/emperor.ini';
  return { file, entries: parseIni(`[x]\n${lines}`, file).sections[0]?.entries ?? [] };
}

function values(source: VassalSource): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries([...source.raw].map(([key, raw]) => [key, raw.map(({ value }) => value)]));
}

function problems(source: VassalSource): readonly string[] {
  return source.diagnostics.map(renderDiagnostic);
}

test('a file becomes raw values with file, line and layer', () => {
  const source = read('[vassal]\ncommand = sh -c "a; b"\nenv = A=1\nenv = B=2\n');

  expect(source).toMatchObject({
    name: 'blog',
    file: '/v/blog.ini',
    owner: { uid: 1001 },
    sections: ['vassal'],
  });
  expect(source.diagnostics).toEqual([]);
  expect(source.raw.get('env')).toEqual([
    { value: 'A=1', file: '/v/blog.ini', line: 3, layer: 'file' },
    { value: 'B=2', file: '/v/blog.ini', line: 4, layer: 'file' },
  ]);
  expect(values(source)['command']).toEqual(['sh -c "a; b"']);
});

test('variables may use built-ins and earlier variables, wherever [vars] stands', () => {
  const source = read(
    '[vassal]\ncommand = %(base)/run --port %(port)\nchdir = %(command)\n[vars]\nport = 80\nbase = /srv/%(name)\n',
  );

  expect(problems(source)).toEqual([]);
  expect(values(source)).toEqual({
    command: ['/srv/blog/run --port 80'],
    chdir: ['/srv/blog/run --port 80'],
  });
});

test('a key earlier in the section stands in before a variable of the same name, the last one of a list', () => {
  const source = read(
    '[vars]\nenv = var\n[vassal]\nchdir = %(env)\nenv = A=1\nenv = B=2\ncommand = %(env)\n',
  );

  expect(values(source)).toMatchObject({ chdir: ['var'], command: ['B=2'] });
});

test('an owner without a name is its number', () => {
  const source = read('[vassal]\nchdir = /srv/%(owner)', {
    owner: { uid: 7, name: undefined, powers: 'tenant' },
  });

  expect(values(source)['chdir']).toEqual(['/srv/7']);
});

test('layers: [defaults] below the file, [force] above it, each with its own place', () => {
  const source = read('[vassal]\ncommand = true\nchdir = /mine\n', {
    defaults: operatorLayer('env = A=1\nchdir = /srv/%(owner)'),
    force: operatorLayer('command = wrap %(name)'),
  });

  expect(problems(source)).toEqual([]);
  expect(values(source)).toEqual({ env: ['A=1'], chdir: ['/mine'], command: ['wrap blog'] });
  expect(source.raw.get('command')).toEqual([
    { value: 'wrap blog', file: '/etc/emperor/emperor.ini', line: 2, layer: 'force' },
  ]);
});

test("nothing of a tenant's text gets into an operator's value", () => {
  const source = read('[vars]\nsub = ../../etc\n[vassal]\ncommand = evil\nchdir = /x\n', {
    defaults: operatorLayer('env = %(sub)'),
    force: operatorLayer('chdir = /srv/%(command)\nenv = A=%(home)'),
  });

  expect(problems(source)).toEqual([
    '/etc/emperor/emperor.ini:2: env: unknown placeholder %(sub)\nhint: write %%( for a literal %(',
    '/etc/emperor/emperor.ini:2: chdir: unknown placeholder %(command)\nhint: write %%( for a literal %(',
    '/etc/emperor/emperor.ini:3: env: %(home) is a path here, and [defaults], [force] and hooks take single names only\nhint: use %(name), %(owner) or %(hostname)',
  ]);
});

test('every problem of a file is told at once', () => {
  const source = read(
    'command = early\n[vassal]\nnonsense\ncommand = %(nmae)\nenv = %(x\n[daemon:worker]\ncommand = true\n[socket:http]\n[var]\na = 1\n[vars]\nname = me\nport = 1\nport = 2\n',
  );

  expect(problems(source).map((line) => line.replace('/v/blog.ini:', ''))).toEqual([
    '1: stands before the first section\nhint: begin the file with a [section] line',
    '3: neither a section, a comment nor key = value\nhint: write key = value, [section] or a comment line that starts with ; or #; keys are letters, digits and - _ .',
    '6: [daemon:worker] comes with a later release\nhint: remove the section for now',
    '8: [socket:http] comes with a later release\nhint: remove the section for now',
    '9: unknown section [var]\nhint: did you mean [vars]?',
    '12: name: is a built-in placeholder\nhint: choose another name for the variable',
    '14: port: already set in line 13\nhint: keep one of the two lines',
    '4: command: unknown placeholder %(nmae)\nhint: did you mean %(name)?',
    '5: env: %( is not closed by )\nhint: write %%( for a literal %(',
  ]);
  expect(source.sections).toEqual(['vassal', 'daemon:worker', 'socket:http', 'var', 'vars']);
});

test.each(['', '; only a comment\n', '[vars]\na = 1\n', '[daemon:x]\ncommand = true\n'])(
  'a file without [vassal] is refused (%j)',
  (text) => {
    expect(problems(read(text))).toContain(
      '/v/blog.ini: there is no [vassal] section\nhint: begin the file with a line [vassal], then command = …',
    );
  },
);

test.each(['[vasal]\ncommand = true', '[Vassal]\ncommand = true'])(
  'a misspelt [vassal] is one problem (%j)',
  (text) => {
    expect(problems(read(text))).toHaveLength(1);
    expect(read(text).diagnostics[0]?.hint).toBe('did you mean [vassal]?');
  },
);

test('a binary file is one problem', () => {
  expect(problems(read('\u007fELF\0\0\0'))).toEqual([
    '/v/blog.ini:1: contains a NUL byte: this is not a text file',
  ]);
});

test('a hostile file is bounded in diagnostics and in memory', () => {
  const bad = Array.from({ length: 1_900 }, (_, index) => `k${index} = %(nope${index})`).join('\n');
  const doubling = Array.from({ length: 40 }, (_, index) => `v${index + 1} = %(v${index})%(v${index})`).join(
    '\n',
  );

  expect(read(`[vassal]\n${bad}`).diagnostics).toHaveLength(50);
  expect(problems(read(`[vars]\nv0 = xxxxxxxx\n${doubling}\n[vassal]\ncommand = true\n`))[0]).toContain(
    'longer than 64 KiB',
  );
  expect(read('[s]\n'.concat('[x] \n'.repeat(5))).diagnostics.length).toBeLessThan(5);
  expect(
    read(Array.from({ length: 1_900 }, (_, index) => `[s${index}]`).join('\n')).diagnostics,
  ).toHaveLength(51);
});

test('a file made to be slow is not', () => {
  const near = 'a'.repeat(35);
  const vars = Array.from({ length: 700 }, (_, index) => `${near}${index} = 1`).join('\n');
  const uses = Array.from({ length: 700 }, (_, index) => `k${index} = %(${near}-${index})`).join('\n');
  const began = systemClock.now();

  const source = read(`[vars]\n${vars}\n[vassal]\n${uses}\n`);

  expect(source.diagnostics).toHaveLength(50);
  expect(systemClock.now() - began).toBeLessThan(1_000);
});
