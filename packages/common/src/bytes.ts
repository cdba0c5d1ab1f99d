const UNIT_BYTES: ReadonlyMap<string, number> = new Map([
  ['T', 1024 ** 4],
  ['G', 1024 ** 3],
  ['M', 1024 ** 2],
  ['K', 1024],
  ['B', 1],
]);
const WRITTEN = /^(\d{1,16})([BKMGT]?)$/;

/** Bytes of `100B 16K 512M 2G 1T` (powers of 1024) or of a bare integer; undefined for anything else. */
export function decodeBytes(text: string): number | undefined {
  const [, count, unit] = WRITTEN.exec(text) ?? [];
  if (count === undefined || unit === undefined) return undefined;
  const bytes = Number(count) * (UNIT_BYTES.get(unit) ?? 1);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** The shortest text that decodes to exactly `bytes`: `512M`, `1000B`, `0`. */
export function formatBytes(bytes: number): string {
  if (bytes === 0) return '0';
  for (const [unit, unitBytes] of UNIT_BYTES) {
    if (bytes % unitBytes === 0) return `${bytes / unitBytes}${unit}`;
  }
  return `${bytes}B`;
}
