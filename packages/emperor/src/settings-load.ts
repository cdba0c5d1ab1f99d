import type { Diagnostic } from '@emperor/common/diagnostic';
import { type RefusedFileRead, readOwned } from '@emperor/common/fs/read-owned';
import type { IniEntry, IniFile } from '@emperor/common/ini/ini-file';
import { parseIni } from '@emperor/common/ini/parse';
import { decodeTable } from '@emperor/common/options/decode';
import { nearestName } from '@emperor/common/options/nearest';
import type { RawValue } from '@emperor/common/options/option';
import type { OperatorLayer } from '@emperor/vassal/file/check';
import { type EmperorValues, emperorOptions } from './options.ts';
import type { EmperorSettings, RunFlags } from './settings.ts';

export const DEFAULT_CONFIG = '/etc/emperor/emperor.ini';

const MOST_BYTES = 64 * 1024;
const SECTIONS: readonly string[] = ['emperor', 'defaults', 'force'];
const LATER_SECTION = /^(policy|(policy|defaults|force):(user|group) .+)$/;

/**
 * What the command line and emperor.ini say together. Never throws for what is in the file: the diagnostics tell,
 * and with an error among them the settings must not be used.
 */
export async function loadSettings(flags: RunFlags): Promise<EmperorSettings> {
  const config = flags.config ?? flags.places?.config ?? DEFAULT_CONFIG;
  const { ini, diagnostics } = await readConfig(config, flags.config !== undefined);
  const raw = rawOptions(ini, config, flags);
  const decoded = decodeTable(emperorOptions, raw);
  return {
    ...settingsOf(decoded.values, config),
    defaults: layerOf(ini, 'defaults', config),
    force: layerOf(ini, 'force', config),
    diagnostics: [
      ...diagnostics,
      ...ini.diagnostics,
      ...sectionProblems(ini, config),
      ...decoded.diagnostics,
      ...rangeProblems(decoded.values, config),
    ],
    flags,
  };
}

function settingsOf(
  values: EmperorValues,
  config: string,
): Omit<EmperorSettings, 'defaults' | 'force' | 'diagnostics' | 'flags'> {
  const { group } = values;
  return {
    paths: {
      config,
      vassals: values.vassals,
      runtimeDir: values['runtime-dir'],
      logDir: values['log-dir'],
      stateDir: values['state-dir'],
      uidClaims: values['uid-claims'],
    },
    group: group !== undefined && /^\d+$/.test(group) ? Number(group) : group,
    uidRange: values['uid-range'],
    idmapRange: values['idmap-range'],
    maxStarting: values['max-starting'],
    logLevel: values['log-level'],
    logFormat: values['log-format'],
  };
}

/** One id must not be two vassals'. */
function rangeProblems(values: EmperorValues, file: string): readonly Diagnostic[] {
  const [uids, mapped] = [values['uid-range'], values['idmap-range']];
  if (uids.to < mapped.from || mapped.to < uids.from) return [];
  return [problem(file, 'idmap-range and uid-range overlap', 'move one of them')];
}

type ReadConfig = { readonly ini: IniFile; readonly diagnostics: readonly Diagnostic[] };

const NOTHING: IniFile = { sections: [], diagnostics: [] };

async function readConfig(file: string, isExplicit: boolean): Promise<ReadConfig> {
  const read = await readOwned(file, { maxBytes: MOST_BYTES });
  if (!read.ok) {
    const isFine = read.reason === 'missing' && !isExplicit;
    return { ini: NOTHING, diagnostics: isFine ? [] : [refused(file, read)] };
  }
  if (!isTrusted(read.uid)) {
    const message = `belongs to uid ${read.uid}: whoever may write it commands every vassal`;
    return { ini: NOTHING, diagnostics: [problem(file, message, `chown root ${file}`)] };
  }
  return { ini: parseIni(read.text, file), diagnostics: [] };
}

/** Root's file; for an emperor of an ordinary user also that user's own. */
function isTrusted(uid: number): boolean {
  return uid === 0 || uid === process.geteuid?.();
}

const REFUSALS: Readonly<Record<RefusedFileRead['reason'], readonly [message: string, hint: string]>> = {
  missing: ['there is no such file', 'name an emperor.ini that exists, or leave out --config'],
  link: ['is a symlink', 'name the file itself'],
  'not-regular': ['is not a regular file', 'name an emperor.ini'],
  'hard-links': ['has another hard link', 'make a copy with one name only'],
  'writable-by-others': ['is writable by its group or by others', 'chmod go-w on it'],
  'too-large': [`is larger than ${MOST_BYTES / 1024}K`, 'an emperor.ini is a short text file'],
  'not-text': ['is not UTF-8 text', 'an emperor.ini is a short text file'],
  unreadable: ['cannot be read', 'run the command as root'],
};

function refused(file: string, { reason, errno }: RefusedFileRead): Diagnostic {
  const [message, hint] = REFUSALS[reason];
  return problem(file, errno === undefined || reason === 'missing' ? message : `${message} (${errno})`, hint);
}

function problem(file: string, message: string, hint: string): Diagnostic {
  return { severity: 'error', file, line: undefined, key: undefined, message, hint };
}

/** The command line replaces what the file says, one option at a time; diagnostics then point at the command line. */
function rawOptions(ini: IniFile, file: string, flags: RunFlags): ReadonlyMap<string, readonly RawValue[]> {
  const raw = new Map<string, RawValue[]>();
  for (const { key, value, line } of entriesOf(ini, 'emperor')) {
    raw.set(key, [...(raw.get(key) ?? []), { value, file, line }]);
  }
  for (const [key, value] of placesOf(flags)) {
    if (!raw.has(key)) raw.set(key, [{ value, file: '(the user’s own)', line: undefined }]);
  }
  for (const [key, value] of flags.options) raw.set(key, [{ value, file: `--${key}`, line: undefined }]);
  return raw;
}

/** What an ordinary user can write stands for the built-in paths, which are root's. */
function placesOf({ places, options }: RunFlags): readonly (readonly [string, string])[] {
  if (places === undefined) return [];
  const stateDir = options.get('state-dir') ?? places.stateDir;
  return [
    ['vassals', places.vassals],
    ['runtime-dir', places.runtimeDir],
    ['log-dir', places.logDir],
    ['state-dir', places.stateDir],
    ['uid-claims', `${stateDir}/uid-claims`],
  ];
}

function layerOf(ini: IniFile, section: string, file: string): OperatorLayer | undefined {
  const entries = entriesOf(ini, section);
  return entries.length === 0 ? undefined : { file, entries };
}

function entriesOf(ini: IniFile, section: string): readonly IniEntry[] {
  return ini.sections.find(({ name }) => name === section)?.entries ?? [];
}

function sectionProblems(ini: IniFile, file: string): readonly Diagnostic[] {
  return ini.sections
    .filter(({ name }) => !SECTIONS.includes(name))
    .map(({ name, line }) => ({ ...problem(file, ...sectionProblem(name)), line }));
}

function sectionProblem(name: string): readonly [message: string, hint: string] {
  if (LATER_SECTION.test(name)) return [`[${name}] comes with a later release`, 'remove the section for now'];
  const near = nearestName(name, SECTIONS);
  const hint =
    near === undefined ? 'emperor.ini has [emperor], [defaults] and [force]' : `did you mean [${near}]?`;
  return [`unknown section [${name}]`, hint];
}
