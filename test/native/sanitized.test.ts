import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { has, isRoot, isSanitized, NATIVE } from './support.ts';

const hasGcc = has('gcc with the sanitizers', existsSync('/usr/bin/gcc'));
const ROOT = join(import.meta.dirname, '../..');

describe.skipIf(!isRoot || !hasGcc || isSanitized)(
  'under AddressSanitizer and UndefinedBehaviorSanitizer',
  () => {
    test('the whole suite passes, without a report', { timeout: 600_000 }, () => {
      const made = spawnSync('make', ['-s', '-C', NATIVE, 'sanitize'], { encoding: 'utf8' });
      expect(made.stderr).toBe('');

      const run = spawnSync('npx', ['vitest', 'run', '--project', 'system', 'test/native'], {
        cwd: ROOT,
        encoding: 'utf8',
        env: {
          ...process.env,
          KEEPER_BINARY: join(NATIVE, 'build/keeper-asan'),
          FORCE_COLOR: '0',
          NO_COLOR: '1',
        },
      });

      expect(run.status === 0 ? '' : run.stdout.slice(-6_000)).toBe('');
    });
  },
);
