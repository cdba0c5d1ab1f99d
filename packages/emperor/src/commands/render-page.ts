import type { VassalJson } from '@emperor/common/control/api';
import { neutralise } from '@emperor/common/terminal';
import { type Palette, statePaint } from './colors.ts';
import { describeExit, diagnosticLines, shortAge, shortBytes, shortPercent } from './format.ts';

const LABEL_WIDTH = 12;

/** Everything about one vassal, for people: facts, diagnostics with file and line, its last output. */
export function renderPage(
  vassal: VassalJson,
  output: readonly string[],
  palette: Palette,
  nowMs: number,
): string {
  return [
    `${palette.bold(vassal.name)}  ${statePaint(palette, vassal.state)(vassal.state)}`,
    ...factsOf(vassal, nowMs).map(([label, value]) => `  ${label.padEnd(LABEL_WIDTH)}${neutralise(value)}`),
    ...renderDiagnostics(vassal, palette),
    ...renderOutput(output, palette),
    '',
  ].join('\n');
}

/** The section of diagnostics; nothing when there are none. */
export function renderDiagnostics({ diagnostics }: VassalJson, palette: Palette): readonly string[] {
  return section('diagnostics', diagnostics.flatMap(diagnosticLines), palette);
}

/** The section of the app's last output; nothing when there is none. */
export function renderOutput(output: readonly string[], palette: Palette): readonly string[] {
  return section('last output', output.map(neutralise), palette);
}

/** A titled, indented block after an empty line; nothing without lines. */
export function section(title: string, lines: readonly string[], palette: Palette): readonly string[] {
  return lines.length === 0 ? [] : ['', palette.bold(title), ...lines.map((line) => `  ${line}`)];
}

type Fact = readonly [label: string, value: string];

function factsOf(vassal: VassalJson, nowMs: number): readonly Fact[] {
  return [
    ['since', `${vassal.since} (${shortAge(vassal.since, nowMs)} ago)`],
    ...fact('note', vassal.note),
    ['file', `${vassal.file ?? 'gone'} (owner ${vassal.owner})`],
    ...processFacts(vassal),
    ['user', userOf(vassal)],
    ['restarts', restartsOf(vassal)],
    ...usageFacts(vassal),
    ...fact('sockets', vassal.sockets.join(' ')),
    ['namespaces', vassal.namespaces.join(' ') || 'none of its own'],
  ];
}

function processFacts({ pid, keeperPid, ready, generation, revision }: VassalJson): readonly Fact[] {
  return [
    ['pid', pid === null ? 'none' : `${pid} (${ready ? 'ready' : 'not ready yet'})`],
    ...fact('keeper', keeperPid === null ? null : `pid ${keeperPid}`),
    ...fact('generation', generation === null ? null : String(generation)),
    ...fact('revision', revision),
  ];
}

function userOf({ user, uid, gid }: VassalJson): string {
  if (uid === null) return 'not decided yet';
  const ids = `uid ${uid}, gid ${gid ?? '-'}`;
  return user === null ? `private (${ids})` : `${user} (${ids})`;
}

function restartsOf({ restarts, lastExit }: VassalJson): string {
  return lastExit === null
    ? String(restarts)
    : `${restarts}, the last run ended with ${describeExit(lastExit)}`;
}

function usageFacts(vassal: VassalJson): readonly Fact[] {
  const { memoryBytes, cpuPercent, tasks, oomKills, pidsMaxHits, memoryHighHits } = vassal;
  return [
    ...fact('memory', memoryBytes === null ? null : shortBytes(memoryBytes)),
    ...fact('cpu', cpuPercent === null ? null : shortPercent(cpuPercent)),
    ...fact('tasks', tasks === null ? null : String(tasks)),
    ...fact('oom kills', oomKills === 0 ? null : String(oomKills)),
    ...fact('pids-max', pidsMaxHits === 0 ? null : `refused a process ${pidsMaxHits} times`),
    ...fact('memory-high', memoryHighHits === 0 ? null : `slowed it down ${memoryHighHits} times`),
    ...fact('throttled', throttledOf(vassal)),
  ];
}

function throttledOf({ throttledPercent, throttledMs }: VassalJson): string | null {
  if (throttledMs === 0) return null;
  const share = throttledPercent === null ? '' : `${throttledPercent} % of the time, `;
  return `${share}${(throttledMs / 1_000).toFixed(1)} s in all`;
}

function fact(label: string, value: string | null): readonly Fact[] {
  return value === null || value === '' ? [] : [[label, value]];
}
