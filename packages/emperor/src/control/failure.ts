import type { ErrorJson } from '@emperor/common/control/api';
import { EmperorError, type ErrorCode } from '@emperor/common/errors';

/** HTTP status of every expected failure. */
export const STATUS_OF: Readonly<Record<ErrorCode, Status>> = {
  config_invalid: 422,
  usage: 400,
  request_invalid: 400,
  vassal_unknown: 404,
  vassal_not_running: 409,
  not_permitted: 403,
  emperor_unreachable: 503,
  emperor_already_running: 409,
  keeper_failed: 500,
  jail_failed: 500,
  state_unwritable: 500,
  outcome_failed: 500,
};

type Status = 400 | 403 | 404 | 409 | 422 | 500 | 503;

/** What a client is told about `error`: the expected kind in full, a bug only that it was one. */
export function failureOf(error: unknown): { readonly status: Status; readonly body: ErrorJson } {
  if (error instanceof EmperorError) {
    return { status: STATUS_OF[error.code], body: errorJson(error.code, error.message, error.hint) };
  }
  return {
    status: 500,
    body: errorJson('internal', 'internal error', 'the log of the emperor has the details'),
  };
}

/** A failure as the body of a reply. */
export function errorJson(code: ErrorCode | 'internal', message: string, hint?: string): ErrorJson {
  return { error: { code, message, hint: hint ?? null } };
}
