/** Exit codes of every command, design §10. */
export const EXIT = {
  ok: 0,
  failure: 1,
  usage: 2,
  notRunning: 3,
  unknown: 4,
  unavailable: 69,
  denied: 77,
  config: 78,
} as const;

const ERROR_EXIT = {
  config_invalid: EXIT.config,
  usage: EXIT.usage,
  vassal_unknown: EXIT.unknown,
  vassal_not_running: EXIT.notRunning,
  not_permitted: EXIT.denied,
  emperor_unreachable: EXIT.unavailable,
  emperor_already_running: EXIT.failure,
  request_invalid: EXIT.usage,
  keeper_failed: EXIT.failure,
  jail_failed: EXIT.failure,
  state_unwritable: EXIT.failure,
  outcome_failed: EXIT.failure,
} as const;

export type ErrorCode = keyof typeof ERROR_EXIT;

/** An expected failure: what happened, why (`cause`) and, when there is one, the operator's next action. */
export class EmperorError extends Error {
  override readonly name = 'EmperorError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions & { readonly hint?: string }) {
    super(message, options);
    this.code = code;
    this.hint = options?.hint;
  }

  get exitCode(): number {
    return ERROR_EXIT[this.code];
  }
}

/** One line for an operator: the message, then what caused it, outermost first. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${describeError(error.cause)}`;
}

/** Is `error` a system error with one of these errno names, e.g. `isErrno(e, 'ENOENT')`? */
export function isErrno(error: unknown, ...names: readonly string[]): boolean {
  return (
    error instanceof Error && 'code' in error && typeof error.code === 'string' && names.includes(error.code)
  );
}

/** Is `code` one of ours? For replies that crossed a socket. */
export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(ERROR_EXIT, code);
}
