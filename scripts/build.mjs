// Builds what `npm ci` must leave behind: the keeper (C, static) and one bundle per command.
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

const KEEPER = 'packages/vassal/native/build/keeper';
const COMMANDS = ['emperor', 'vassal'];
// yargs and winston bring CommonJS along, which asks for `require`.
const banner = "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);";

const made = spawnSync('make', ['-s', '-C', 'packages/vassal/native'], { stdio: 'inherit' });
if (made.error) fail(`cannot run make: ${made.error.message}`, 'apt-get install make gcc libc6-dev');
if (made.status !== 0) process.exit(made.status ?? 1);

for (const command of COMMANDS) {
  const outdir = `packages/${command}/dist`;
  rmSync(outdir, { recursive: true, force: true });
  mkdirSync(outdir, { recursive: true });
  await build({
    entryPoints: [`packages/${command}/src/cli.ts`],
    outdir,
    bundle: true,
    splitting: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    conditions: ['source'],
    banner: { js: banner },
    sourcemap: 'linked',
    logLevel: 'warning',
  });
  copyFileSync(KEEPER, `${outdir}/keeper`);
  chmodSync(`${outdir}/keeper`, 0o755);
}

function fail(message, hint) {
  process.stderr.write(`${message}\nhint: ${hint}\n`);
  process.exit(1);
}
