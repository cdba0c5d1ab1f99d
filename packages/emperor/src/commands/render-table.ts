import type { VassalJson } from '@emperor/common/control/api';
import { neutralise } from '@emperor/common/terminal';
import { type Palette, statePaint } from './colors.ts';
import { shortAge, shortBytes, shortPercent } from './format.ts';

const HEADER = ['NAME', 'STATE', 'SINCE', 'PID', 'USER', 'MEM', 'CPU', 'RESTARTS', 'NOTE'] as const;
const STATE_COLUMN = HEADER.indexOf('STATE');
const GAP = '  ';

/** One line per vassal below the header, columns aligned, ends with a newline. Plain strings: 1,000 rows in a few ms, cold. */
export function renderTable(vassals: readonly VassalJson[], palette: Palette, nowMs: number): string {
  const rows = vassals.map((vassal) => cellsOf(vassal, nowMs));
  const widths = HEADER.map((title, column) =>
    rows.reduce((widest, row) => Math.max(widest, row[column]?.length ?? 0), title.length),
  );
  const lines = rows.map((row, index) => {
    const paint = statePaint(palette, vassals[index]?.state ?? 'stopped');
    const padded = row.map((cell, column) => cell.padEnd(widths[column] ?? 0));
    return padded
      .with(STATE_COLUMN, paint(padded[STATE_COLUMN] ?? ''))
      .join(GAP)
      .trimEnd();
  });
  const header = HEADER.map((title, column) => title.padEnd(widths[column] ?? 0)).join(GAP);
  return `${[palette.bold(header.trimEnd()), ...lines].join('\n')}\n`;
}

function cellsOf(vassal: VassalJson, nowMs: number): readonly string[] {
  return [
    vassal.name,
    vassal.state,
    shortAge(vassal.since, nowMs),
    vassal.pid === null ? '-' : String(vassal.pid),
    vassal.user ?? (vassal.uid === null ? '-' : String(vassal.uid)),
    vassal.memoryBytes === null ? '-' : shortBytes(vassal.memoryBytes),
    vassal.cpuPercent === null ? '-' : shortPercent(vassal.cpuPercent),
    String(vassal.restarts),
    noteOf(vassal),
  ];
}

/** The note, or what the first diagnostic says: a broken edit must be seen in the table. */
function noteOf({ note, diagnostics }: VassalJson): string {
  if (note !== null) return neutralise(note);
  const first = diagnostics.find(({ severity }) => severity === 'error') ?? diagnostics[0];
  if (first === undefined) return '';
  const where = first.line === null ? '' : `line ${first.line}: `;
  return neutralise(`${where}${first.key === null ? '' : `${first.key}: `}${first.message}`);
}
