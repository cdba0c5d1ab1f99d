import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseIni } from '@emperor/common/ini/parse';
import { vassalOptions } from '@emperor/vassal/options';
import { expect, test } from 'vitest';

const EXAMPLES = join(import.meta.dirname, '../../vassals.d');

function keysOf(text: string): readonly string[] {
  const vassal = parseIni(text, 'locked-down.ini').sections.find(({ name }) => name === 'vassal');
  return vassal?.entries.map(({ key }) => key) ?? [];
}

test('locked-down.ini shows every option of the table, each behind a comment, and no other', () => {
  const text = readFileSync(join(EXAMPLES, 'locked-down.ini'), 'utf8').replaceAll(/^;([a-z-]+ =)/gm, '$1');

  expect(keysOf(text).toSorted()).toEqual(Object.keys(vassalOptions).toSorted());
});

test('every example says in its first line what it is', () => {
  const files = readdirSync(EXAMPLES).filter((entry) => entry.endsWith('.ini'));

  expect(files.toSorted()).toEqual([
    'hello.ini',
    'locked-down.ini',
    'node-web.ini',
    'python-wsgi.ini',
    'worker.ini',
  ]);
  for (const file of files) expect(readFileSync(join(EXAMPLES, file), 'utf8')).toMatch(/^; [A-Z].*\n/);
});
