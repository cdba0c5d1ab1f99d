import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build, type Metafile } from 'esbuild';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { VERSION } from '../../../packages/emperor/src/version.ts';
import { FakeEmperor, vassalJson } from './commands/fake-emperor.ts';

const REPOSITORY = join(import.meta.dirname, '../../..');
const ENTRY = 'packages/emperor/src/cli.ts';

let directory: string;
let metafile: Metafile;
let emperor: FakeEmperor;
let child: ChildProcess | undefined;

// The command as scripts/build.mjs makes it, with the daemon left out.
beforeAll(async () => {
  // Inside the repository, where the packages are found that are left out of the bundle.
  directory = mkdtempSync(join(REPOSITORY, 'node_modules/.cli-test-'));
  const built = await build({
    absWorkingDir: REPOSITORY,
    entryPoints: [ENTRY],
    outdir: directory,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    conditions: ['source'],
    external: ['yargs', 'ini', '../main.ts'],
    metafile: true,
    logLevel: 'silent',
  });
  metafile = built.metafile;
});

afterAll(() => rmSync(directory, { recursive: true }));

beforeEach(async () => {
  emperor = new FakeEmperor();
  await emperor.listen();
});

afterEach(async () => {
  child?.kill('SIGKILL');
  child = undefined;
  await emperor.close();
});

type Ended = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

async function cli(words: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  const started = spawn(process.execPath, [join(directory, 'cli.mjs'), ...words], {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child = started;
  let [stdout, stderr] = ['', ''];
  started.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  started.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const [code]: (number | null)[] = await once(started, 'close');
  return { code: code ?? null, stdout, stderr };
}

test('a status loads none of the libraries of the daemon, and not yargs', () => {
  const outputs = new Map(Object.entries(metafile.outputs));
  const first = [...outputs].find(([, { entryPoint }]) => entryPoint === ENTRY)?.[0];
  const loaded = new Set<string>();
  const packages = new Set<string>();
  const visit = (path: string): void => {
    if (loaded.has(path)) return;
    loaded.add(path);
    for (const { path: to, kind, external } of outputs.get(path)?.imports ?? []) {
      if (kind !== 'import-statement') continue;
      if (external !== true) visit(to);
      else if (!to.startsWith('node:')) packages.add(to);
    }
  };
  if (first !== undefined) visit(first);

  const sources = [...loaded].flatMap((path) => Object.keys(outputs.get(path)?.inputs ?? {}));
  expect(sources).toContain('packages/emperor/src/commands/status.ts');
  expect([...packages]).toEqual([]);
  expect(sources.filter((path) => path.includes('node_modules'))).toEqual([]);
});

test('EMPEROR_RUNTIME_DIR names the emperor, and --runtime-dir outranks it', async () => {
  emperor.vassals = [vassalJson()];

  const byEnvironment = await cli(['status'], { EMPEROR_RUNTIME_DIR: emperor.runtimeDir });
  const byFlag = await cli(['status', '--runtime-dir', emperor.runtimeDir], {
    EMPEROR_RUNTIME_DIR: '/nowhere',
  });

  expect([byEnvironment.code, byFlag.code]).toEqual([0, 0]);
  expect(byFlag.stdout).toMatch(/^NAME .*\nblog +running /);
  expect(byEnvironment.stdout).toBe(byFlag.stdout);
});

test('a failure is one line, a hint and the exit code of its kind', async () => {
  const unreachable = await cli(['status', '--runtime-dir', '/nowhere']);
  const unknown = await cli(['status', 'nobody', '--runtime-dir', emperor.runtimeDir]);
  const usage = await cli(['stop']);
  const misspelt = await cli(['statsu']);

  expect(unreachable).toMatchObject({ code: 69, stdout: '' });
  expect(unreachable.stderr).toMatch(
    /^no emperor answers at \/nowhere\/control\.sock[^\n]*\nhint: [^\n]+\n$/,
  );
  expect(unknown).toMatchObject({ code: 4, stderr: 'no such vassal: nobody\n' });
  expect(usage).toMatchObject({
    code: 2,
    stderr: 'stop wants a NAME, a pattern or --all\nhint: emperor stop --help\n',
  });
  expect(misspelt).toMatchObject({
    code: 2,
    stderr: 'no such command: statsu\nhint: did you mean status?\n',
  });
});

test('version and help go to stdout and succeed', async () => {
  expect(await cli(['--version'])).toEqual({ code: 0, stdout: `${VERSION}\n`, stderr: '' });
  expect(await cli(['status', '--help'])).toMatchObject({ code: 0, stderr: '' });
});

test('everything is written before the command ends, also to a slow reader', async () => {
  emperor.vassals = Array.from({ length: 2_000 }, (_, index) => vassalJson({ name: `vassal-${index}` }));

  const { code, stdout } = await cli(['status', '--json', '--runtime-dir', emperor.runtimeDir]);

  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ vassals: { length: 2_000 } });
});

test('a reader that leaves is no error', async () => {
  emperor.vassals = Array.from({ length: 2_000 }, (_, index) => vassalJson({ name: `vassal-${index}` }));
  const started = spawn(
    process.execPath,
    [join(directory, 'cli.mjs'), 'status', '--runtime-dir', emperor.runtimeDir],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  child = started;
  let stderr = '';
  started.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  started.stdout.once('data', () => started.stdout.destroy());

  const [code]: unknown[] = await once(started, 'close');

  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
});

test('without a terminal there are no colours', async () => {
  emperor.vassals = [vassalJson({ state: 'failed' })];

  const { stdout } = await cli(['status', '--runtime-dir', emperor.runtimeDir], { TERM: 'xterm-256color' });

  expect(stdout).not.toContain('\u001b');
});
