import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { systemClock } from '@emperor/common/clock';
import { STATUS_FORMAT } from '@emperor/common/control/api';
import { type Diagnostic, hasErrors } from '@emperor/common/diagnostic';
import { EmperorError, EXIT } from '@emperor/common/errors';
import { neutralise } from '@emperor/common/terminal';
import { lookupAccounts } from '@emperor/vassal/identity/lookup';
import { probeHost } from '@emperor/vassal/jail/host';
import { describeHost } from '@emperor/vassal/jail/host-description';
import { decoderOf } from '../decoder.ts';
import { KEEPER_BINARY } from '../keeper-binary.ts';
import type { EmperorSettings } from '../settings.ts';
import { loadSettings } from '../settings-load.ts';
import { type Arguments, type CommandIo, isSet, textOf } from './command.ts';
import { diagnosticJson, diagnosticLines } from './format.ts';
import { type NamedFile, readVassalFiles } from './vassal-files.ts';

type Checked = { readonly file: string; readonly diagnostics: readonly Diagnostic[] };

/** `emperor check FILE|DIR…`: everything that is wrong with vassal files, without an emperor; 78 when one has errors. */
export async function runCheck(args: Arguments, io: CommandIo): Promise<number> {
  if (isSet(args, 'host')) await showHost(args, io);
  else if (args.names.length === 0)
    throw new EmperorError('usage', 'check wants a FILE or a directory', { hint: 'emperor check --help' });
  return args.names.length === 0 ? EXIT.ok : checkNamed(args, io);
}

/** `emperor check --host`: what this kernel and these privileges give. */
async function showHost(args: Arguments, io: CommandIo): Promise<void> {
  const rows = describeHost(await probeHost(KEEPER_BINARY));
  if (isSet(args, 'json')) {
    const host = rows.map((row) => ({ ...row, because: row.because ?? null }));
    io.out(`${JSON.stringify({ format: STATUS_FORMAT, host }, undefined, 2)}\n`);
    return;
  }
  const [what, gives] = [widest(rows.map((row) => row.what)), widest(rows.map((row) => row.gives))];
  for (const row of rows) {
    const line = `${row.what.padEnd(what)}  ${row.gives.padEnd(gives)}  ${row.because ?? ''}`;
    io.out(`${neutralise(line.trimEnd())}\n`);
  }
}

function widest(texts: readonly string[]): number {
  return Math.max(...texts.map((text) => text.length));
}

async function checkNamed(args: Arguments, io: CommandIo): Promise<number> {
  const config = textOf(args, 'config');
  const settings = await loadSettings({
    config: config === undefined ? undefined : resolve(config),
    options: new Map(),
    places: io.places,
  });
  const files = await checkFiles(await readVassalFiles(args.names), settings);
  const wrongConfig =
    settings.diagnostics.length === 0
      ? []
      : [{ file: settings.paths.config, diagnostics: settings.diagnostics }];
  const checked = [...wrongConfig, ...files];
  if (isSet(args, 'json')) io.out(jsonOf(checked));
  else showAll(checked, files.length, io);
  return checked.some(({ diagnostics }) => hasErrors(diagnostics)) ? EXIT.config : EXIT.ok;
}

/** The same way as the emperor's own: its decoder, its host, its user database. */
async function checkFiles(
  files: readonly NamedFile[],
  settings: EmperorSettings,
): Promise<readonly Checked[]> {
  const decoder = await decoderOf({
    clock: systemClock,
    host: await probeHost(KEEPER_BINARY),
    hostname: hostname(),
    ask: lookupAccounts,
    layers: () => settings,
  });
  await decoder.prepare(files.flatMap((file) => ('text' in file ? [file.text] : [])));
  return files.map((file) => {
    if (!('text' in file)) return { file: file.shown, diagnostics: [file.refused] };
    const { path } = file.text;
    const { diagnostics } = decoder.decode(file.text);
    const asWritten = diagnostics.map((each) => (each.file === path ? { ...each, file: file.shown } : each));
    return { file: file.shown, diagnostics: asWritten };
  });
}

function showAll(checked: readonly Checked[], files: number, io: CommandIo): void {
  const all = checked.flatMap(({ diagnostics }) => diagnostics);
  for (const line of all.map(diagnosticJson).flatMap(diagnosticLines)) io.out(`${line}\n`);
  const errors = all.filter(({ severity }) => severity === 'error').length;
  io.out(
    `${counted(files, 'file')} checked: ${counted(errors, 'error')}, ${counted(all.length - errors, 'warning')}\n`,
  );
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function jsonOf(checked: readonly Checked[]): string {
  const files = checked.map(({ file, diagnostics }) => ({
    file,
    ok: !hasErrors(diagnostics),
    diagnostics: diagnostics.map(diagnosticJson),
  }));
  return `${JSON.stringify({ format: STATUS_FORMAT, files }, undefined, 2)}\n`;
}
