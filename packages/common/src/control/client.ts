import { request as httpRequest, type IncomingMessage } from 'node:http';

import { formatDuration } from '../duration.ts';
import { EmperorError, isErrno } from '../errors.ts';
import {
  type Action,
  type EmperorJson,
  type EventJson,
  type OutcomeJson,
  STATUS_FORMAT,
  type StatusJson,
  type VassalJson,
  type WhyJson,
} from './api.ts';
import type { AuditJson, DrillJson, PlanJson } from './proof.ts';
import {
  decodeErrorReply,
  isAudit,
  isDrill,
  isEmperor,
  isEvent,
  isOutcome,
  isPlan,
  isStatus,
  isVassal,
  isWhy,
} from './reply.ts';

/** Ten thousand vassals make about 10 MB of status. */
const MOST_REPLY_BYTES = 64 * 1024 * 1024;
/** A line that is longer comes in pieces of this length. */
const LONGEST_LINE = 1024 * 1024;
const PATIENCE_MS = 10_000;
/** A drill builds a jail and tries some fifty things in it. */
const DRILL_PATIENCE_MS = 90_000;

export type ControlRequest = {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
  /** How long the connection may be silent; absent = for ever. */
  readonly patienceMs?: number | undefined;
};

export type ControlReply = { readonly status: number; readonly body: unknown };

export type LogsRequest = {
  readonly lines: number;
  readonly follow: boolean;
  readonly signal?: AbortSignal | undefined;
};

export type ActOptions = {
  /** false: the reply comes as soon as the wish is recorded. */
  readonly wait: boolean;
  readonly signal?: AbortSignal | undefined;
};

/**
 * The control interface as a client sees it: one connection for each call, node:http and nothing else loaded. Every
 * expected failure is an EmperorError; an aborted `signal` rejects with its reason, and ends a stream quietly.
 */
export class ControlClient {
  readonly #socketPath: string;
  readonly #patienceMs: number;

  /** `patienceMs`: how long the emperor may be silent, but when it is asked to wait for an outcome or followed. */
  constructor(socketPath: string, options: { readonly patienceMs?: number } = {}) {
    this.#socketPath = socketPath;
    this.#patienceMs = options.patienceMs ?? PATIENCE_MS;
  }

  async emperor(): Promise<EmperorJson> {
    return this.#call({ method: 'GET', path: '/v1/emperor' }, isEmperor);
  }

  async status(): Promise<StatusJson> {
    return this.#call({ method: 'GET', path: '/v1/vassals' }, isStatus);
  }

  async vassal(name: string): Promise<VassalJson> {
    return this.#call({ method: 'GET', path: pathOf(name) }, isVassal);
  }

  async why(name: string): Promise<WhyJson> {
    return this.#call({ method: 'GET', path: `${pathOf(name)}/why` }, isWhy);
  }

  async plan(name: string): Promise<PlanJson> {
    return this.#call({ method: 'GET', path: `${pathOf(name)}/plan` }, isPlan);
  }

  async audit(name: string): Promise<AuditJson> {
    return this.#call({ method: 'GET', path: `${pathOf(name)}/audit` }, isAudit);
  }

  async drill(name: string): Promise<DrillJson> {
    const path = `${pathOf(name)}/drill`;
    return this.#call({ method: 'POST', path, patienceMs: DRILL_PATIENCE_MS }, isDrill);
  }

  /** Asks for `action` and, when told to wait, for its outcome; `ok: false` is an outcome and not an error. */
  async act(action: Action, name: string, { wait, signal }: ActOptions): Promise<OutcomeJson> {
    const path = `${pathOf(name)}/${action}?wait=${wait}`;
    return this.#call(
      { method: 'POST', path, signal, patienceMs: wait ? undefined : this.#patienceMs },
      isOutcome,
    );
  }

  /** The last lines of the vassal's log and, when following, every one from now on until `signal` aborts. */
  logs(name: string, { lines, follow, signal }: LogsRequest): AsyncIterable<string> {
    return this.#lines({
      method: 'GET',
      path: `${pathOf(name)}/logs?lines=${lines}&follow=${follow}`,
      signal,
    });
  }

  /** Everything that happens from now on, until `signal` aborts. */
  async *events(signal?: AbortSignal): AsyncIterable<EventJson> {
    for await (const line of this.#lines({ method: 'GET', path: '/v1/events', signal })) {
      if (line === '') continue;
      const event = parseJson(line, this.#socketPath);
      if (!isEvent(event)) throw foreign();
      yield event;
    }
  }

  /** An outcome that did not succeed may come with any HTTP status; it is an answer nevertheless. */
  async #call<T>(asked: ControlRequest, isExpected: (body: unknown) => body is T): Promise<T> {
    const { status, body } = await request(this.#socketPath, { patienceMs: this.#patienceMs, ...asked });
    if (isExpected(body)) return body;
    throw status >= 400 ? decodeErrorReply(status, body) : foreign();
  }

  async *#lines(asked: ControlRequest): AsyncIterable<string> {
    try {
      const response = await send(this.#socketPath, asked);
      const status = response.statusCode ?? 0;
      if (status >= 400) throw decodeErrorReply(status, await readJson(response, this.#socketPath));
      yield* linesOf(response);
    } catch (error) {
      if (asked.signal?.aborted !== true) throw explain(error, this.#socketPath);
    }
  }
}

/** One request to the emperor behind `socketPath` and its whole reply, whatever its status. */
export async function request(socketPath: string, asked: ControlRequest): Promise<ControlReply> {
  try {
    const response = await send(socketPath, asked);
    return { status: response.statusCode ?? 0, body: await readJson(response, socketPath) };
  } catch (error) {
    if (asked.signal?.aborted === true) throw asked.signal.reason;
    throw explain(error, socketPath);
  }
}

function send(socketPath: string, asked: ControlRequest): Promise<IncomingMessage> {
  const { method, path, body, signal, patienceMs } = asked;
  const text = body === undefined ? undefined : JSON.stringify(body);
  const headers: Record<string, string | number> = { host: 'emperor' };
  if (text !== undefined) {
    headers['content-type'] = 'application/json';
    headers['content-length'] = Buffer.byteLength(text);
  }
  return new Promise((resolve, reject) => {
    // No agent: a connection that is kept for later would keep the command alive.
    const outgoing = httpRequest({ socketPath, method, path, headers, agent: false, signal });
    outgoing.once('response', resolve);
    // Stays for the whole life of the request: an error after the response is the response's own.
    outgoing.on('error', reject);
    if (patienceMs !== undefined) {
      outgoing.setTimeout(patienceMs, () => outgoing.destroy(noAnswer(socketPath, patienceMs)));
    }
    outgoing.end(text);
  });
}

async function readJson(response: IncomingMessage, socketPath: string): Promise<unknown> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of bytesOf(response)) {
    length += chunk.length;
    if (length > MOST_REPLY_BYTES) throw notAnEmperor(socketPath, 'its reply is too long');
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString('utf8');
  return text === '' ? undefined : parseJson(text, socketPath);
}

async function* linesOf(response: IncomingMessage): AsyncIterable<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of bytesOf(response)) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
    if (rest.length < LONGEST_LINE) continue;
    yield rest;
    rest = '';
  }
  if (rest !== '') yield rest;
}

/** A response without an encoding set gives Buffers. */
function bytesOf(response: IncomingMessage): AsyncIterable<Buffer> {
  return response;
}

function parseJson(text: string, socketPath: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw notAnEmperor(socketPath, 'its reply is not JSON', error);
  }
}

function pathOf(name: string): string {
  return `/v1/vassals/${encodeURIComponent(name)}`;
}

function explain(error: unknown, socketPath: string): unknown {
  if (error instanceof EmperorError) return error;
  if (isErrno(error, 'ENOENT', 'ECONNREFUSED', 'ENOTDIR')) {
    return new EmperorError('emperor_unreachable', `no emperor answers at ${socketPath}`, {
      cause: error,
      hint: 'start it with: emperor run; or name where it runs with --runtime-dir',
    });
  }
  if (isErrno(error, 'EACCES', 'EPERM')) {
    return new EmperorError('not_permitted', `you may not open ${socketPath}`, {
      cause: error,
      hint: 'run the command as root or as a member of the control group',
    });
  }
  if (isErrno(error, 'ECONNRESET', 'EPIPE')) {
    return new EmperorError('emperor_unreachable', `the emperor at ${socketPath} closed the connection`, {
      cause: error,
      hint: 'look whether it still runs: emperor status',
    });
  }
  return notAnEmperor(socketPath, 'the conversation failed', error);
}

function foreign(): EmperorError {
  return new EmperorError('request_invalid', `the reply is not of format ${STATUS_FORMAT}`, {
    hint: 'use the emperor command of the same version as the running emperor: emperor --version',
  });
}

function noAnswer(socketPath: string, patienceMs: number): EmperorError {
  return new EmperorError(
    'emperor_unreachable',
    `the emperor at ${socketPath} did not answer within ${formatDuration(patienceMs)}`,
    { hint: 'is it stopped or overloaded? its log and its process state tell' },
  );
}

function notAnEmperor(socketPath: string, what: string, cause?: unknown): EmperorError {
  return new EmperorError('emperor_unreachable', `cannot talk to the emperor at ${socketPath}: ${what}`, {
    cause,
    hint: 'is this the control socket of an emperor? see --runtime-dir',
  });
}
