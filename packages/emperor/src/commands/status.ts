import type { DiagnosticJson, StatusJson, VassalJson } from '@emperor/common/control/api';
import { STATUS_FORMAT } from '@emperor/common/control/api';
import type { ControlClient } from '@emperor/common/control/client';
import { EXIT } from '@emperor/common/errors';
import { paletteFor } from './colors.ts';
import { type Arguments, type CommandIo, isSet } from './command.ts';
import { controlOf } from './control.ts';
import { diagnosticLines } from './format.ts';
import { renderPage } from './render-page.ts';
import { renderTable } from './render-table.ts';
import { isPattern, selectNames } from './select.ts';

const PAGE_LOG_LINES = 10;

/** `emperor status [NAME…]`: the table, or the page of one vassal, which exits 3 when that is not running. */
export async function runStatus(args: Arguments, io: CommandIo): Promise<number> {
  const control = controlOf(args);
  const [name] = args.names;
  if (name !== undefined && args.names.length === 1 && !isPattern(name))
    return showOne(name, control, args, io);
  const status = await control.status();
  const vassals = chosen(status.vassals, args.names);
  if (isSet(args, 'json')) io.out(jsonOf({ ...status, vassals }));
  else showTable(status, vassals, io);
  return EXIT.ok;
}

function chosen(vassals: readonly VassalJson[], operands: readonly string[]): readonly VassalJson[] {
  if (operands.length === 0) return vassals;
  const names = selectNames(
    operands,
    vassals.map(({ name }) => name),
  );
  return vassals.filter(({ name }) => names.includes(name));
}

function showTable(status: StatusJson, vassals: readonly VassalJson[], io: CommandIo): void {
  io.out(renderTable(vassals, paletteFor(io), io.clock.wall()));
  warn(status.emperor.diagnostics, io);
  if (vassals.length === 0) io.err('no vassals: drop an .ini file into the vassals directory\n');
}

/** What is wrong with the emperor itself goes to stderr, so that the table stays a table. */
function warn(diagnostics: readonly DiagnosticJson[], io: CommandIo): void {
  for (const line of diagnostics.flatMap(diagnosticLines)) io.err(`${line}\n`);
}

async function showOne(
  name: string,
  control: ControlClient,
  args: Arguments,
  io: CommandIo,
): Promise<number> {
  const vassal = await control.vassal(name);
  const code = vassal.state === 'running' ? EXIT.ok : EXIT.notRunning;
  if (isSet(args, 'json')) {
    const emperor = await control.emperor();
    io.out(jsonOf({ format: STATUS_FORMAT, emperor, vassals: [vassal] }));
    return code;
  }
  io.out(renderPage(vassal, await lastLines(name, control), paletteFor(io), io.clock.wall()));
  return code;
}

async function lastLines(name: string, control: ControlClient): Promise<readonly string[]> {
  const lines: string[] = [];
  for await (const line of control.logs(name, { lines: PAGE_LOG_LINES, follow: false })) lines.push(line);
  return lines;
}

function jsonOf(status: StatusJson): string {
  return `${JSON.stringify(status, undefined, 2)}\n`;
}
