import { systemClock } from '@emperor/common/clock';
import { expect, test } from 'vitest';
import { decoderOf } from '../../../packages/emperor/src/decoder.ts';
import { accounts, hostFacts } from '../../support/vassal-fixtures.ts';

async function decode(text: string) {
  const layers = () => ({ defaults: undefined, force: undefined });
  const decoder = await decoderOf({
    clock: systemClock,
    host: hostFacts(),
    hostname: 'host',
    ask: async () => accounts,
    layers,
  });
  const file = { path: '/v/blog.ini', target: '/v/blog.ini', ownerUid: 0, mtime: '1', text };
  await decoder.prepare([file]);
  return decoder.decode(file);
}

test('a valid text has a spec and a revision', async () => {
  expect(await decode('[vassal]\ncommand = true\n')).toMatchObject({
    spec: { name: 'blog' },
    diagnostics: [],
  });
});

test('a line that cannot be read forbids the whole file, whatever else it says', async () => {
  const { spec, revision, diagnostics } = await decode('[vassal]\ncommand = true\njunk');

  expect([spec, revision]).toEqual([undefined, undefined]);
  expect(diagnostics).toMatchObject([{ severity: 'error', line: 3 }]);
});

test('problems of reading and of meaning come together', async () => {
  const { diagnostics } = await decode('[vassal]\njunk\nmemory-max = 12 parsecs\n');

  expect(diagnostics.map(({ line }) => line)).toEqual(expect.arrayContaining([2, 3]));
});
