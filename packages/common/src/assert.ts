/** The compiler proves that this is never reached; if it is, that is a bug and crashes on purpose. */
export function assertNever(value: never): never {
  throw new Error(`unexpected ${JSON.stringify(value)}`);
}
