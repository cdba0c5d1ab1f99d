/** The compiler proves that this is never reached; if it is, that is a bug and crashes on purpose. */
export function assertNever(value: never): never {
  throw new Error(`unexpected ${JSON.stringify(value)}`);
}

/** Throws a plain Error (a bug, not an expected failure) unless `holds`. */
export function invariant(holds: unknown, what: string): asserts holds {
  if (!holds) throw new Error(`invariant broken: ${what}`);
}
