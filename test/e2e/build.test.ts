import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { REPOSITORY } from '../support/emperor-under-test.ts';
import { runCommand } from '../support/run-command.ts';

const base = mkdtempSync('/tmp/emtest-build-');

afterAll(() => rmSync(base, { recursive: true }));

/** A PATH with these programs and nothing else. */
function pathWith(name: string, programs: readonly string[]): string {
  const bin = join(base, name);
  mkdirSync(bin);
  for (const program of programs) symlinkSync(`/usr/bin/${program}`, join(bin, program));
  return bin;
}

test('a build without make names the Debian packages that are missing', async () => {
  const { code, stderr } = await runCommand([process.execPath, 'scripts/build.mjs'], {
    cwd: REPOSITORY,
    env: { PATH: pathWith('no-make', []) },
  });

  expect(code).not.toBe(0);
  expect(stderr).toMatch(/apt-get install .*make/);
});

test('a build without a compiler names the Debian package that is missing', async () => {
  const copy = join(base, 'native');
  cpSync(join(REPOSITORY, 'packages/vassal/native'), copy, {
    recursive: true,
    filter: (path) => !path.endsWith('/build'),
  });
  const tools = [
    'make',
    'sh',
    'mkdir',
    'rm',
    'mv',
    'cat',
    'uname',
    'printf',
    'echo',
    'test',
    'true',
    'false',
  ];

  const { code, stderr, stdout } = await runCommand(['make', '-C', copy], {
    env: { PATH: pathWith('no-cc', tools) },
  });

  expect(code).not.toBe(0);
  expect(stderr + stdout).toMatch(/gcc/);
  expect(stderr + stdout).toMatch(/apt-get install/);
});
