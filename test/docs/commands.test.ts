import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeMarkdown } from '@emperor/common/options/describe';
import { expect, test } from 'vitest';
import { renderCommandReference } from '../../packages/emperor/src/commands/reference.ts';
import { COMMANDS } from '../../packages/emperor/src/commands/table.ts';
import { emperorOptions } from '../../packages/emperor/src/options.ts';

const REPOSITORY = join(import.meta.dirname, '../..');
const REFERENCE = join(REPOSITORY, 'docs/reference');

const EMPEROR_OPTIONS_HEAD = `# Options of emperor.ini

Made from the table in \`packages/emperor/src/options.ts\`; do not edit. These are the keys of \`[emperor]\`. \`[defaults]\` and
\`[force]\` hold options of [vassal files](vassal-options.md): the first for files that do not set them, the second over
what files say. The file is root's and writable by root alone. SIGHUP makes the emperor read it again.
`;

// To write the pages anew after a change of a table: npx vitest run --project unit test/docs -u
test('docs/reference/commands.md is what the table of commands says', async () => {
  await expect(renderCommandReference()).toMatchFileSnapshot(join(REFERENCE, 'commands.md'));
});

test('docs/reference/emperor-options.md is what the table of options says', async () => {
  const page = `${EMPEROR_OPTIONS_HEAD}\n${describeMarkdown(emperorOptions)}`;

  await expect(page).toMatchFileSnapshot(join(REFERENCE, 'emperor-options.md'));
});

const PAGES = [
  'README.md',
  'docs/tutorial.md',
  'docs/guides/debugging.md',
  'docs/guides/systemd.md',
  'docs/glossary.md',
  'ARCHITECTURE.md',
];

test.each(PAGES)('%s names only commands and options that exist', (page) => {
  const text = readFileSync(join(REPOSITORY, page), 'utf8');
  const known = new Set(COMMANDS.map(({ name }) => name));
  const named = [...text.matchAll(/\bemperor ([a-z]+)\b(?=[^\n]*`|[^\n]*$)/g)];
  const inCode = named.filter(({ index }) => isCode(text, index)).map(([, word]) => word);

  expect(inCode.filter((word) => word !== undefined && !known.has(word))).toEqual([]);
});

/** Between backticks on its line, or in a fenced block. */
function isCode(text: string, index: number): boolean {
  const before = text.slice(0, index);
  if ((before.match(/^```/gm) ?? []).length % 2 === 1) return true;
  return (before.slice(before.lastIndexOf('\n') + 1).match(/`/g) ?? []).length % 2 === 1;
}
