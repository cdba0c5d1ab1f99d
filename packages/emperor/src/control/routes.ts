import type { ServerResponse } from 'node:http';

import type { Clock } from '@emperor/common/clock';
import type { StatusJson, VassalJson } from '@emperor/common/control/api';
import { describeError, EmperorError } from '@emperor/common/errors';
import type { Log } from '@emperor/common/log/log';
import { decodeVassalName, type VassalName } from '@emperor/common/name';
import { pacedBy } from '@emperor/common/pace';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { type Context, Hono } from 'hono';
import type { z } from 'zod';

import type { Caller, ControlPort } from '../ports.ts';
import { authorize, type Permission } from './authorize.ts';
import { errorJson, failureOf } from './failure.ts';
import { beginLines } from './lines.ts';
import { openApiDocument } from './openapi.ts';
import { PATHS, type PathName } from './paths.ts';
import { action, actQuery, logsQuery } from './schemas.ts';
import { SharedRun } from './shared-run.ts';

export type RoutesParts = {
  readonly port: ControlPort;
  readonly metricsOf: (status: StatusJson) => Iterable<string>;
  readonly caller: Caller;
  readonly clock: Clock;
  readonly log: Log;
};

type Asked = Context<{ Bindings: { readonly outgoing: ServerResponse } }>;
type Handlers = { readonly [K in PathName]: (asked: Asked) => Promise<Response> | Response };
type App = Hono<{ Bindings: { readonly outgoing: ServerResponse } }>;

/** The loop is given back this often while a long reply is written out. */
const TURN_MS = 5;

/** What is served on a control socket, for who can open it. */
export function controlRoutes(parts: RoutesParts): App {
  const app: App = new Hono();
  const handlers = handlersOf(parts);
  for (const name of pathNames()) app.on(PATHS[name].method, PATHS[name].path, handlers[name]);
  app.notFound((asked) => asked.json(errorJson('request_invalid', 'there is nothing under this path'), 404));
  app.onError((error, asked) => {
    const { status, body } = failureOf(error);
    if (status === 500 && body.error.code === 'internal') {
      parts.log.error('a control request failed', { path: asked.req.path, error: stackOf(error) });
    }
    return asked.json(body, status);
  });
  return app;
}

function handlersOf({ port, metricsOf, caller, clock, log }: RoutesParts): Handlers {
  const status = new SharedRun(async () => port.status());
  const statusText = new SharedRun(async () => encodeStatus(await status.run(), clock));
  const metricsText = new SharedRun(async () => {
    const pieces = await gather(metricsOf(await status.run()), clock);
    return pieces.join('');
  });
  const nameOf: NameOf = (asked, permission) => {
    const name = decodeVassalName(asked.req.param('name') ?? '');
    if (name === undefined) throw unknown(asked.req.param('name') ?? '');
    authorize(caller, permission, name);
    return name;
  };
  return {
    emperor: async (asked) => {
      authorize(caller, 'see', undefined);
      return asked.json((await status.run()).emperor);
    },
    status: async (asked) => {
      authorize(caller, 'see', undefined);
      return asked.body(await statusText.run(), 200, { 'content-type': 'application/json' });
    },
    vassal: async (asked) => {
      const name = nameOf(asked, 'see');
      return asked.json(known(name, await port.vassal(name)));
    },
    act: async (asked) => {
      const asks = decode(action, asked.req.param('action'));
      const name = nameOf(asked, asks);
      const { wait } = decode(actQuery, asked.req.query());
      return asked.json(known(name, await port.act({ action: asks, name, wait, caller })));
    },
    why: async (asked) => {
      const name = nameOf(asked, 'see');
      return asked.json(known(name, await port.why(name)));
    },
    ...proofHandlers(port, nameOf),
    logs: async (asked) => {
      const name = nameOf(asked, 'see');
      const { lines, follow } = decode(logsQuery, asked.req.query());
      known(name, await port.vassal(name));
      if (follow) return followLog(asked, port.logs.follow.bind(undefined, name, lines), log);
      const last = await port.logs.tail(name, lines);
      return asked.text(last.map((line) => `${line}\n`).join(''));
    },
    events: (asked) => {
      authorize(caller, 'see', undefined);
      const lines = beginLines(asked.env.outgoing, 'application/x-ndjson');
      const unsubscribe = port.subscribe((event) => lines.push(JSON.stringify(event)));
      lines.closed.addEventListener('abort', unsubscribe);
      return RESPONSE_ALREADY_SENT;
    },
    metrics: async (asked) => {
      authorize(caller, 'see', undefined);
      const { contentType } = PATHS.metrics.reply;
      return asked.body(await metricsText.run(), 200, { 'content-type': contentType });
    },
    openapi: (asked) => asked.json(openApiDocument()),
  };
}

type NameOf = (asked: Asked, permission: Permission) => VassalName;

function proofHandlers({ proof }: ControlPort, nameOf: NameOf): Pick<Handlers, 'plan' | 'audit' | 'drill'> {
  return {
    plan: async (asked) => {
      const name = nameOf(asked, 'see');
      return asked.json(known(name, await proof.plan(name)));
    },
    audit: async (asked) => {
      const name = nameOf(asked, 'see');
      return asked.json(known(name, await proof.audit(name)));
    },
    drill: async (asked) => {
      const name = nameOf(asked, 'drill');
      return asked.json(known(name, await proof.drill(name)));
    },
  };
}

function followLog(asked: Asked, follow: (signal: AbortSignal) => AsyncIterable<string>, log: Log): Response {
  const lines = beginLines(asked.env.outgoing, 'text/plain; charset=utf-8');
  const sent = (async () => {
    for await (const line of follow(lines.closed)) await lines.send(line);
  })();
  void sent
    .catch((error: unknown) => log.warn('a log cannot be followed', { error: describeError(error) }))
    .finally(lines.end);
  return RESPONSE_ALREADY_SENT;
}

/** As JSON.stringify would, but with pauses: 10,000 vassals take 50 ms. */
async function encodeStatus(status: StatusJson, clock: Clock): Promise<string> {
  const vassals = await gather(jsonOfEach(status.vassals), clock);
  return `${JSON.stringify({ ...status, vassals: undefined }).slice(0, -1)},"vassals":[${vassals.join(',')}]}`;
}

function* jsonOfEach(vassals: readonly VassalJson[]): Generator<string> {
  for (const vassal of vassals) yield JSON.stringify(vassal);
}

/** All pieces; the loop is given back while they are made. */
async function gather(pieces: Iterable<string>, clock: Clock): Promise<readonly string[]> {
  const pace = pacedBy(clock, TURN_MS);
  const all: string[] = [];
  for (const piece of pieces) {
    const turn = pace();
    if (turn !== undefined) await turn;
    all.push(piece);
  }
  return all;
}

function known<T>(name: VassalName, found: T | undefined): T {
  if (found === undefined) throw unknown(name);
  return found;
}

function unknown(name: string): EmperorError {
  return new EmperorError('vassal_unknown', `there is no vassal ${JSON.stringify(name)}`, {
    hint: 'emperor status lists them',
  });
}

function decode<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const decoded = schema.safeParse(value);
  if (decoded.success) return decoded.data;
  const problems = decoded.error.issues.map((issue) => [...issue.path.map(String), issue.message].join(': '));
  throw new EmperorError('request_invalid', `the request cannot be understood: ${problems.join('; ')}`);
}

function pathNames(): readonly PathName[] {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys of a constant
  return Object.keys(PATHS) as PathName[];
}

function stackOf(error: Error): string {
  return error.stack ?? describeError(error);
}
