/**
 * One thing that is wrong or was not granted, for people. `line` counts from 1 and is undefined when the problem
 * is not in a line; `hint` says what to do next.
 */
export type Diagnostic = {
  readonly severity: 'error' | 'warning';
  readonly file: string;
  readonly line: number | undefined;
  readonly key: string | undefined;
  readonly message: string;
  readonly hint: string | undefined;
};

/** `blog.ini:14: memory-max: expected a size such as 512M` and, on a line of its own, `hint: …`. */
export function renderDiagnostic(diagnostic: Diagnostic): string {
  const { file, line, key, message, hint } = diagnostic;
  const where = line === undefined ? file : `${file}:${line}`;
  const head = key === undefined ? `${where}: ${message}` : `${where}: ${key}: ${message}`;
  return hint === undefined ? head : `${head}\nhint: ${hint}`;
}

/** Does any of them forbid the file to be applied? */
export function hasErrors(diagnostics: readonly Diagnostic[]): boolean {
  return diagnostics.some((diagnostic) => diagnostic.severity === 'error');
}
