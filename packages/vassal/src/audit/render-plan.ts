import type { PlanJson, PlanOptionJson, PlanRunningJson, PlanStepJson } from '@emperor/common/control/proof';
import { neutralise } from '@emperor/common/terminal';

/** A plan for people: the options, written ones first, then the jail step by step. Safe for a terminal. */
export function renderPlan(plan: PlanJson): string {
  const written = plan.options.filter(({ layer, reason }) => layer !== 'built-in' || reason !== null);
  const preset = plan.options.filter((option) => !written.includes(option));
  const lines = [
    `# ${plan.name}: ${plan.file}, owner ${plan.owner}, revision ${plan.revision ?? 'none'}`,
    ...(plan.running === null ? [] : [runningLine(plan.running)]),
    '',
    '# options that somebody set: what counts, where it stands, what an edit of it does',
    ...table(written.map(optionCells)),
    '',
    '# options as they are preset',
    ...table(preset.map(({ key, granted, onChange }) => [`${key} = ${granted || '-'}`, onChange])),
    ...stageLines(plan.jail),
    ...(plan.notes.length === 0 ? [] : ['', ...plan.notes.map((note) => `note: ${note}`)]),
  ];
  return lines.map((line) => `${neutralise(line)}\n`).join('');
}

function runningLine({ generation, revision, change, changed }: PlanRunningJson): string {
  const runs = `# generation ${generation} runs revision ${revision}`;
  switch (change) {
    case 'nothing':
      return `${runs}: what the file says`;
    case 'unknown':
      return `${runs}: started by an earlier emperor, from a file that changed since`;
    case 'live':
    case 'reload':
    case 'restart':
      return `${runs}: the file differs in ${changed.join(', ') || 'its owner'} (${change})`;
  }
}

function optionCells({
  key,
  granted,
  asked,
  layer,
  file,
  line,
  reason,
  onChange,
}: PlanOptionJson): readonly string[] {
  const where = file === null ? layer : `${layer} ${file}:${line ?? '?'}`;
  const wish = asked === null || asked === granted ? [] : [`asked ${asked}`];
  const why = reason === null ? [] : [`because: ${reason}`];
  return [`${key} = ${granted || '-'}`, onChange, [where, ...wish, ...why].join('; ')];
}

function stageLines(steps: readonly PlanStepJson[]): readonly string[] {
  if (steps.length === 0) return [];
  const lines: string[] = ['', '# the jail, in the order in which it is built'];
  let stage = '';
  for (const step of steps) {
    if (step.stage !== stage) lines.push(`${step.stage}:`);
    stage = step.stage;
    lines.push(`  ${step.text}`);
  }
  return lines;
}

const WIDEST_CELL = 60;

/** Columns aligned, as far as they are not very long. */
function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries())
      widths[column] = Math.max(widths[column] ?? 0, Math.min(cell.length, WIDEST_CELL));
  }
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
