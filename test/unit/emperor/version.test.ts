import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { VERSION } from '../../../packages/emperor/src/version.ts';

const REPOSITORY = join(import.meta.dirname, '../../..');

test.each(['.', 'packages/common', 'packages/vassal', 'packages/emperor'])(
  '%s/package.json has the version that the command tells',
  (directory) => {
    const manifest: unknown = JSON.parse(readFileSync(join(REPOSITORY, directory, 'package.json'), 'utf8'));

    expect(manifest).toMatchObject({ version: VERSION });
  },
);
