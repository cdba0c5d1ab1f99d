// Builds what `npm ci` must leave behind: the keeper (C, static) and one bundle per command.
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename } from 'node:path';
import { build } from 'esbuild';

const KEEPER = 'packages/vassal/native/build/keeper';
const COMMANDS = ['emperor', 'vassal'];
// yargs and winston bring CommonJS along, which asks for `require`.
const banner =
  "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);";

const native = spawnSync('make', ['-s', '-C', 'packages/vassal/native'], { stdio: 'inherit' });
if (native.error) fail(`cannot run make: ${native.error.message}`, 'apt-get install make gcc libc6-dev');
if (native.status !== 0) process.exit(native.status ?? 1);

for (const command of COMMANDS) {
  const outdir = `packages/${command}/dist`;
  mkdirSync(outdir, { recursive: true });
  const { metafile } = await build({
    metafile: true,
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
  // What an earlier build left goes only now: a command that runs meanwhile finds its files.
  const made = new Set([...Object.keys(metafile.outputs).map((path) => basename(path)), 'keeper']);
  for (const name of readdirSync(outdir)) if (!made.has(name)) rmSync(`${outdir}/${name}`);
  // By rename: a keeper that runs is not written over.
  copyFileSync(KEEPER, `${outdir}/keeper.new`);
  renameSync(`${outdir}/keeper.new`, `${outdir}/keeper`);
  chmodSync(`${outdir}/keeper`, 0o755);
}

function fail(message, hint) {
  process.stderr.write(`${message}\nhint: ${hint}\n`);
  process.exit(1);
}
