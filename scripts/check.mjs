// The one gate, the same locally and in CI: build, types, lint, format, dead code, generated files, unit tests.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const steps = [
  ['build', 'node', ['scripts/build.mjs']],
  ['types', 'npx', ['tsc', '-p', '.']],
  ['lint', 'npx', ['oxlint', '--type-aware', '--deny-warnings']],
  ['format', 'npx', ['biome', 'check', '.']],
  ['dead code', 'npx', ['knip']],
  ['generated files', 'node', ['scripts/generate-docs.mjs', '--check']],
  ['unit tests', 'npx', ['vitest', 'run', '--project', 'unit']],
];
if (existsSync('/usr/bin/clang-format-14')) {
  steps.splice(4, 0, [
    'format of C',
    'sh',
    ['-c', 'clang-format-14 --dry-run -Werror packages/vassal/native/*.[ch]'],
  ]);
}

for (const [what, command, args] of steps) {
  const begin = performance.now();
  const { status } = spawnSync(command, args, { stdio: 'inherit' });
  const seconds = (performance.now() - begin) / 1_000;
  process.stdout.write(
    `check: ${String(what)}: ${status === 0 ? 'ok' : 'FAILED'} (${seconds.toFixed(1)} s)\n`,
  );
  if (status !== 0) process.exit(1);
}
