import type { HistoryJson, WhyJson } from '@emperor/common/control/api';
import { neutralise } from '@emperor/common/terminal';
import { type Palette, statePaint } from './colors.ts';
import { shortDuration } from './format.ts';
import { renderDiagnostics, renderOutput, section } from './render-page.ts';

/** The answer first, then the next action, then the evidence: diagnostics, history, last output. */
export function renderWhy(why: WhyJson, palette: Palette): string {
  const { vassal } = why;
  return [
    `${palette.bold(vassal.name)} is ${statePaint(palette, vassal.state)(vassal.state)}: ${neutralise(why.answer)}`,
    ...(why.hint === null ? [] : [`hint: ${neutralise(why.hint)}`]),
    ...renderDiagnostics(vassal, palette),
    ...section('history', why.history.map(historyLine), palette),
    ...renderOutput(why.output, palette),
    '',
  ].join('\n');
}

function historyLine({ at, what, afterMs }: HistoryJson): string {
  const after = afterMs === null || afterMs < 1 ? '' : ` (after ${shortDuration(afterMs)})`;
  return `${at}  ${neutralise(what)}${after}`;
}
