import type { DiagnosticJson, ExitJson } from '@emperor/common/control/api';
import { type Diagnostic, renderDiagnostic } from '@emperor/common/diagnostic';
import { neutralise } from '@emperor/common/terminal';

const BYTE_UNITS = ['B', 'K', 'M', 'G', 'T'] as const;

/** Bytes for people, at most four characters and unit: `0B 640K 1.5M 12M 3.2G`. */
export function shortBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = value < 9.95 && unit > 0 ? value.toFixed(1) : String(Math.round(value));
  return `${digits}${BYTE_UNITS[unit] ?? ''}`;
}

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** How long something lasts, one unit for people: `0s 42s 5m 3h 12d`; below a second `120ms`. */
export function shortDuration(ms: number): string {
  if (ms >= DAY_MS) return `${Math.floor(ms / DAY_MS)}d`;
  if (ms >= HOUR_MS) return `${Math.floor(ms / HOUR_MS)}h`;
  if (ms >= MINUTE_MS) return `${Math.floor(ms / MINUTE_MS)}m`;
  if (ms >= SECOND_MS) return `${Math.floor(ms / SECOND_MS)}s`;
  return `${Math.max(0, Math.round(ms))}ms`;
}

/** Time since `iso` at wall time `nowMs`, whole seconds at least; a clock that went backwards shows `0s`. */
export function shortAge(iso: string, nowMs: number): string {
  const ageMs = nowMs - Date.parse(iso);
  if (Number.isNaN(ageMs)) return '-';
  return ageMs < SECOND_MS ? '0s' : shortDuration(ageMs);
}

/** `0.4%`, `12%`. */
export function shortPercent(percent: number): string {
  return `${percent < 9.95 ? percent.toFixed(1) : String(Math.round(percent))}%`;
}

/** `exit code 1`, `signal SIGKILL`. */
export function describeExit(exit: ExitJson): string {
  const how = exit.by === 'code' ? `exit code ${exit.code}` : `signal ${exit.signal}`;
  return exit.because === undefined ? how : `${how} (${exit.because})`;
}

/** The diagnostic's lines (`file:line: key: message`, `hint: …`), safe for a terminal. */
export function diagnosticLines(diagnostic: DiagnosticJson): readonly string[] {
  const text = renderDiagnostic({
    severity: diagnostic.severity,
    file: neutralise(diagnostic.file),
    line: diagnostic.line ?? undefined,
    key: diagnostic.key === null ? undefined : neutralise(diagnostic.key),
    message: neutralise(diagnostic.message),
    hint: diagnostic.hint === null ? undefined : neutralise(diagnostic.hint),
  });
  return text.split('\n');
}

/** A diagnostic as it crosses the control socket: null where there is nothing. */
export function diagnosticJson(diagnostic: Diagnostic): DiagnosticJson {
  const { severity, file, line, key, message, hint } = diagnostic;
  return { severity, file, line: line ?? null, key: key ?? null, message, hint: hint ?? null };
}
