// Writes the pages of docs/reference that are made from the tables of the code; with --check only compares, and exits
// with 1 when a page is not what the tables say.
import { readFileSync, writeFileSync } from 'node:fs';
import { build } from 'esbuild';

const REFERENCE = new URL('../docs/reference/', import.meta.url);
const isCheck = process.argv.includes('--check');

const bundle = await build({
  entryPoints: [new URL('reference-pages.ts', import.meta.url).pathname],
  bundle: true,
  write: false,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  conditions: ['source'],
  logLevel: 'warning',
});
const source = Buffer.from(bundle.outputFiles[0].contents).toString('base64');
const { referencePages } = await import(`data:text/javascript;base64,${source}`);

let stale = 0;
for (const [name, content] of referencePages()) {
  const path = new URL(name, REFERENCE);
  if (read(path) === content) continue;
  stale += 1;
  if (!isCheck) writeFileSync(path, content);
  process.stdout.write(`docs/reference/${name}: ${isCheck ? 'is not what the tables say' : 'written'}\n`);
}
if (isCheck && stale > 0) {
  process.stderr.write('hint: npm run docs\n');
  process.exitCode = 1;
}

function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}
