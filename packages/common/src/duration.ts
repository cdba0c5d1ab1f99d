const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
  ['ms', 1],
]);
const WRITTEN = /^(\d{1,16})(ms|s|m|h|d)$/;

/** Milliseconds of `500ms 10s 5m 1h 2d` or `0`; undefined for anything else, a bare number included. */
export function decodeDuration(text: string): number | undefined {
  if (text === '0') return 0;
  const [, count, unit] = WRITTEN.exec(text) ?? [];
  if (count === undefined || unit === undefined) return undefined;
  const ms = Number(count) * (UNIT_MS.get(unit) ?? Number.NaN);
  return Number.isSafeInteger(ms) ? ms : undefined;
}

/** The shortest text that decodes to exactly `ms` (rounded to whole milliseconds): `90s`, `2d`, `0`. */
export function formatDuration(ms: number): string {
  const whole = Math.round(ms);
  if (whole === 0) return '0';
  for (const [unit, unitMs] of UNIT_MS) {
    if (whole % unitMs === 0) return `${whole / unitMs}${unit}`;
  }
  return `${whole}ms`;
}
