import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { guideExamples } from '../support/guide-example.ts';

const REPOSITORY = join(import.meta.dirname, '../..');
const RECIPES = ['jails', 'namespaces'];

/** What users of uWSGI have, by the numbers of the project's needs, and the recipe for it. */
const NEEDS = [
  ['N2.1 namespaces, single', 'namespaces', 'One namespace by itself'],
  ['N2.1 namespaces, for all', 'namespaces', 'New namespaces for all vassals'],
  ['N2.2 handed out', 'namespaces', 'Namespaces for others'],
  ['N2.2 joined', 'namespaces', 'Join them'],
  ['N2.3 pivot_root', 'jails', 'A root made by hooks'],
  ['N2.4 namespace = DIR:HOST', 'jails', 'Another distribution'],
  ['N2.5 mounts that are kept', 'jails', 'Mounts in a namespace'],
  ['N2.6 limits', 'namespaces', 'Limits'],
  ['N2.7 reload', 'namespaces', 'Reload in a jail'],
  ['N2.8 init', 'namespaces', 'The first process of a jail'],
  ['N4 capabilities', 'namespaces', 'Capabilities'],
  ['N5 a low port', 'namespaces', 'A port below 1024 without root'],
  ['N5 started as root', 'namespaces', 'A program that wants to be root'],
] as const;

/** Every file of a directory with this suffix, as one text. */
const textOf = (dir: string, suffix: string): string =>
  readdirSync(join(REPOSITORY, dir))
    .filter((file) => file.endsWith(suffix))
    .map((file) => readFileSync(join(REPOSITORY, dir, file), 'utf8'))
    .join('\n');

const endToEnd = textOf('test/e2e', '.test.ts');

test.each(guideExamples().filter(({ guide }) => RECIPES.includes(guide)))(
  '$guide.md, "$heading": its example is run by an end-to-end test',
  ({ heading }) => {
    const uses = new RegExp(`xample\\((?:'[a-z]+', )?'${heading}'`);
    expect(endToEnd).toMatch(uses);
  },
);

test.each(NEEDS)('%s has its recipe in %s.md: %s', (_need, guide, heading) => {
  expect(guideExamples()).toContainEqual(expect.objectContaining({ guide, heading }));
});
