import { mergeLayers, type RawLayer } from '@emperor/vassal/file/layers';
import { expect, test } from 'vitest';

function layer(file: string, values: Readonly<Record<string, readonly string[]>>): RawLayer {
  return new Map(
    Object.entries(values).map(([key, texts]) => [
      key,
      texts.map((value, index) => ({ value, file, line: index + 1 })),
    ]),
  );
}

test('a later layer wins and every value knows where it came from', () => {
  const merged = mergeLayers({
    defaults: layer('emperor.ini', { 'memory-max': ['1G'], restart: ['never'], umask: ['077'] }),
    file: layer('blog.ini', { command: ['true'], restart: ['always'], umask: ['022'] }),
    force: layer('emperor.ini', { umask: ['027'] }),
  });

  expect(Object.fromEntries(merged)).toEqual({
    'memory-max': [{ value: '1G', file: 'emperor.ini', line: 1, layer: 'defaults' }],
    command: [{ value: 'true', file: 'blog.ini', line: 1, layer: 'file' }],
    restart: [{ value: 'always', file: 'blog.ini', line: 1, layer: 'file' }],
    umask: [{ value: '027', file: 'emperor.ini', line: 1, layer: 'force' }],
  });
});

test('a list of a later layer replaces the whole list of an earlier one', () => {
  const merged = mergeLayers({
    defaults: layer('emperor.ini', { env: ['A=1', 'B=2'] }),
    file: layer('blog.ini', { env: ['C=3'] }),
    force: new Map(),
  });

  expect(merged.get('env')?.map(({ value }) => value)).toEqual(['C=3']);
});

test('a layer without values for a key leaves the earlier ones', () => {
  const merged = mergeLayers({
    defaults: layer('emperor.ini', { env: ['A=1'] }),
    file: layer('blog.ini', { env: [] }),
    force: new Map(),
  });

  expect(merged.get('env')?.map(({ value }) => value)).toEqual(['A=1']);
});
