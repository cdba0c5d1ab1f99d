import { chmodSync, chownSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { renderDiagnostic } from '@emperor/common/diagnostic';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { flagsOf } from '../../../packages/emperor/src/commands/run.ts';
import type { EmperorSettings } from '../../../packages/emperor/src/settings.ts';
import { DEFAULT_CONFIG, loadSettings } from '../../../packages/emperor/src/settings-load.ts';

let directory: string;
let config: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'settings-'));
  config = join(directory, 'emperor.ini');
});

afterEach(() => rmSync(directory, { recursive: true }));

function load(text: string, options: Readonly<Record<string, string>> = {}): Promise<EmperorSettings> {
  writeFileSync(config, text, { mode: 0o644 });
  return loadSettings({ config, options: new Map(Object.entries(options)) });
}

async function problems(
  text: string,
  options: Readonly<Record<string, string>> = {},
): Promise<readonly string[]> {
  const { diagnostics } = await load(text, options);
  return diagnostics.map((diagnostic) => renderDiagnostic(diagnostic).replaceAll(`${config}:`, ''));
}

test('an empty file gives the documented defaults', async () => {
  const settings = await load('');

  expect(settings).toEqual({
    paths: {
      config,
      vassals: '/etc/emperor/vassals',
      runtimeDir: '/run/emperor',
      logDir: '/var/log/emperor',
      stateDir: '/var/lib/emperor',
      uidClaims: '/var/lib/emperor-uids',
    },
    group: undefined,
    uidRange: { from: 400_000, to: 465_535 },
    idmapRange: { from: 1_879_048_192, to: 2_147_352_575 },
    maxStarting: 64,
    logLevel: 'info',
    logFormat: 'text',
    defaults: undefined,
    force: undefined,
    diagnostics: [],
    flags: { config, options: new Map() },
  });
});

test('the file says, the command line says otherwise and wins', async () => {
  const settings = await load('[emperor]\nlog_level = warn\nvassals = /srv/v\nlog-dir = /srv/l\n', {
    'log-dir': '/tmp/l',
    'log-format': 'json',
  });

  expect(settings.diagnostics).toEqual([]);
  expect(settings.paths).toMatchObject({ vassals: '/srv/v', logDir: '/tmp/l' });
  expect(settings).toMatchObject({ logLevel: 'warn', logFormat: 'json' });
});

test('a control group is a name or a number', async () => {
  expect((await load('[emperor]\ngroup = adm')).group).toBe('adm');
  expect((await load('[emperor]\ngroup = 27')).group).toBe(27);
  expect((await load('[emperor]\ngroup = none')).group).toBeUndefined();
});

test('[defaults] and [force] keep text, order and line', async () => {
  const { defaults, force } = await load('[defaults]\nenv = A=1\nenv = B=2\n[force]\nprivate_tmp = yes\n');

  expect(defaults).toEqual({
    file: config,
    entries: [
      { key: 'env', value: 'A=1', line: 2 },
      { key: 'env', value: 'B=2', line: 3 },
    ],
  });
  expect(force?.entries).toEqual([{ key: 'private-tmp', value: 'yes', line: 5 }]);
});

test.each([
  ['[emperor]\nlog-level = loud', '2: log-level: expected error, warn, info or debug'],
  ['[emperor]\nuid-range = 1000-2000', '2: uid-range: expected FIRST-LAST, at least 256 uids'],
  ['[emperor]\nuid-range = 400000-400100', '2: uid-range: expected FIRST-LAST, at least 256 uids'],
  ['[emperor]\nuid-range = 465535-400000', '2: uid-range: expected FIRST-LAST, at least 256 uids'],
  ['[emperor]\nmax-starting = 0', '2: max-starting: expected an integer, from 1 to 4096'],
  ['[emperor]\nvassals = here', '2: vassals: expected an absolute path'],
  ['[emperor]\nvasals = /x', '2: vasals: unknown option\nhint: did you mean vassals?'],
  ['[emperor]\nvassals = /x\nvassals = /y', '3: vassals: already set in line 2'],
  ['[defalts]\na = b', '1: unknown section [defalts]\nhint: did you mean [defaults]?'],
  ['[policy:user bob]\na = b', '1: [policy:user bob] comes with a later release'],
  ['[emperor]\nnonsense', '2: neither a section, a comment nor key = value'],
])('%j is refused with line and reason', async (text, problem) => {
  const found = await problems(text);

  expect(found).toHaveLength(1);
  expect(found[0]).toContain(problem);
});

test('a wrong flag is named as a flag', async () => {
  expect((await problems('', { 'log-level': 'loud' }))[0]).toMatch(/^--log-level: log-level: expected error/);
});

test('the default file need not exist, a named one must', async () => {
  const named = await loadSettings({ config, options: new Map() });
  const preset = await loadSettings({ config: undefined, options: new Map() });

  expect(named.diagnostics).toMatchObject([
    { severity: 'error', file: config, message: 'there is no such file' },
  ]);
  expect(preset.paths.config).toBe(DEFAULT_CONFIG);
  expect(preset.diagnostics).toEqual([]);
});

test('a file that others may write, or a link to one, is not believed', async () => {
  writeFileSync(config, '[emperor]\ngroup = adm');
  chmodSync(config, 0o664);
  const open = await loadSettings({ config, options: new Map() });
  const link = join(directory, 'link.ini');
  symlinkSync(config, link);
  const linked = await loadSettings({ config: link, options: new Map() });

  expect([open.group, linked.group]).toEqual([undefined, undefined]);
  expect(open.diagnostics[0]?.message).toBe('is writable by its group or by others');
  expect(linked.diagnostics[0]?.message).toMatch(/^is a symlink/);
});

test.skipIf(process.getuid?.() !== 0)(
  'a file of an ordinary user does not command an emperor of root',
  async () => {
    writeFileSync(config, '[emperor]\ngroup = adm', { mode: 0o644 });
    chownSync(config, 1234, 1234);

    const { group, diagnostics } = await loadSettings({ config, options: new Map() });

    expect(group).toBeUndefined();
    expect(diagnostics[0]).toMatchObject({ severity: 'error', hint: `chown root ${config}` });
  },
);

test('relative paths of the command line are made absolute', () => {
  const flags = flagsOf({
    names: [],
    flags: { vassals: 'v', 'runtime-dir': '/run/x', config: './e.ini', 'log-level': 'debug' },
  });

  expect(flags.config).toBe(join(process.cwd(), 'e.ini'));
  expect(Object.fromEntries(flags.options)).toEqual({
    vassals: join(process.cwd(), 'v'),
    'runtime-dir': '/run/x',
    'log-level': 'debug',
  });
});
