import { EmperorError, type ErrorCode, isErrorCode } from '../errors.ts';
import {
  type EmperorJson,
  type EventJson,
  type OutcomeJson,
  STATUS_FORMAT,
  type StatusJson,
  type VassalJson,
  type WhyJson,
} from './api.ts';
import type { AuditJson, DrillJson, PlanJson } from './proof.ts';

// The guards look at what tells one reply from another; the rest is the emperor's promise (api.ts, format 1).

export function isEmperor(body: unknown): body is EmperorJson {
  return isObject(body) && typeof body['pid'] === 'number' && typeof body['version'] === 'string';
}

export function isVassal(body: unknown): body is VassalJson {
  return isObject(body) && typeof body['name'] === 'string' && typeof body['state'] === 'string';
}

export function isStatus(body: unknown): body is StatusJson {
  return hasFormat(body) && isEmperor(body['emperor']) && Array.isArray(body['vassals']);
}

export function isWhy(body: unknown): body is WhyJson {
  return hasFormat(body) && typeof body['answer'] === 'string' && isVassal(body['vassal']);
}

export function isOutcome(body: unknown): body is OutcomeJson {
  return hasFormat(body) && typeof body['ok'] === 'boolean' && typeof body['message'] === 'string';
}

export function isPlan(body: unknown): body is PlanJson {
  return hasFormat(body) && Array.isArray(body['options']) && Array.isArray(body['jail']);
}

export function isAudit(body: unknown): body is AuditJson {
  return hasFormat(body) && typeof body['holds'] === 'boolean' && Array.isArray(body['findings']);
}

export function isDrill(body: unknown): body is DrillJson {
  return hasFormat(body) && typeof body['holds'] === 'boolean' && Array.isArray(body['attempts']);
}

export function isEvent(body: unknown): body is EventJson {
  return isObject(body) && typeof body['at'] === 'string' && typeof body['event'] === 'string';
}

/** The error that an `ErrorJson` reply tells, or one made of the HTTP status when the reply is something else. */
export function decodeErrorReply(status: number, body: unknown): EmperorError {
  const error = isObject(body) ? body['error'] : undefined;
  if (!isObject(error)) {
    return new EmperorError(codeOfStatus(status), `the emperor answered with HTTP status ${status}`);
  }
  const { code, message, hint } = error;
  return new EmperorError(
    isErrorCode(code) ? code : codeOfStatus(status),
    typeof message === 'string' ? message : `the emperor answered with HTTP status ${status}`,
    typeof hint === 'string' ? { hint } : undefined,
  );
}

function codeOfStatus(status: number): ErrorCode {
  if (status === 403) return 'not_permitted';
  return status >= 500 ? 'outcome_failed' : 'request_invalid';
}

function hasFormat(body: unknown): body is Readonly<Record<string, unknown>> {
  return isObject(body) && body['format'] === STATUS_FORMAT;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
