import { EventEmitter, once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createPlainServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { systemClock } from '@emperor/common/clock';
import { ControlClient, request } from '@emperor/common/control/client';
import { EmperorError } from '@emperor/common/errors';
import { afterEach, beforeEach, expect, test } from 'vitest';

let directory = '';
let socketPath = '';
let server: Server | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'control-client-'));
  socketPath = join(directory, 'control.sock');
});

afterEach(async () => {
  const running = server;
  server = undefined;
  if (running !== undefined) {
    running.closeAllConnections();
    await new Promise((resolve) => running.close(resolve));
  }
  rmSync(directory, { recursive: true });
});

type Answer = (asked: IncomingMessage, reply: ServerResponse) => void;

async function serve(answer: Answer): Promise<ControlClient> {
  const listening = createServer(answer);
  server = listening;
  await new Promise<void>((resolve) => listening.listen(socketPath, resolve));
  return new ControlClient(socketPath);
}

async function serveJson(status: number, body: unknown): Promise<ControlClient> {
  return serve((_asked, reply) => reply.writeHead(status).end(JSON.stringify(body)));
}

async function failureOf(promise: Promise<unknown>): Promise<EmperorError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof EmperorError)) throw new Error('not an EmperorError', { cause: error });
  return error;
}

async function collect<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

const emperor = { version: '0.1.0', pid: 8, since: '', vassals: 0, diagnostics: [] };
const blog = { name: 'blog', state: 'running' };

test('asks for each thing at its own place', async () => {
  const asked: string[] = [];
  const client = await serve(({ method, url }, reply) => {
    asked.push(`${method} ${url}`);
    reply.end(
      JSON.stringify(
        url === '/v1/emperor'
          ? emperor
          : { ...blog, format: 1, emperor, vassals: [], answer: 'a', vassal: blog, ok: true, message: 'm' },
      ),
    );
  });

  await client.status();
  await client.emperor();
  await client.vassal('a/b');
  await client.why('blog');
  await client.act('restart', 'blog', { wait: true });
  await client.act('stop', 'blog', { wait: false });

  expect(asked).toEqual([
    'GET /v1/vassals',
    'GET /v1/emperor',
    'GET /v1/vassals/a%2Fb',
    'GET /v1/vassals/blog/why',
    'POST /v1/vassals/blog/restart?wait=true',
    'POST /v1/vassals/blog/stop?wait=false',
  ]);
});

test('an outcome that did not succeed is an answer, whatever its HTTP status', async () => {
  const outcome = {
    format: 1,
    name: 'blog',
    action: 'start',
    ok: false,
    message: 'no',
    hint: null,
    vassal: null,
  };
  const client = await serveJson(409, outcome);

  expect(await client.act('start', 'blog', { wait: true })).toEqual(outcome);
});

test('an error reply becomes the error it names, with its hint', async () => {
  const client = await serveJson(404, {
    error: { code: 'vassal_unknown', message: 'no such vassal: blgo', hint: 'did you mean blog?' },
  });

  expect(await failureOf(client.vassal('blgo'))).toMatchObject({
    code: 'vassal_unknown',
    message: 'no such vassal: blgo',
    hint: 'did you mean blog?',
    exitCode: 4,
  });
});

test.each([
  [403, 'not_permitted'],
  [400, 'request_invalid'],
  [500, 'outcome_failed'],
])('an error without a code that we know is judged by its HTTP status %i', async (status, code) => {
  const client = await serveJson(status, { error: { code: 'from_the_future', message: 'm' } });

  expect(await failureOf(client.status())).toMatchObject({ code, message: 'm' });
});

test('a reply of another format is refused', async () => {
  const client = await serveJson(200, { format: 2, emperor, vassals: [] });

  expect(await failureOf(client.status())).toMatchObject({ code: 'request_invalid' });
});

test('without an emperor the error says how to start one', async () => {
  const missing = await failureOf(new ControlClient(socketPath).status());

  expect(missing).toMatchObject({ code: 'emperor_unreachable', exitCode: 69 });
  expect(missing.hint).toContain('emperor run');
  writeFileSync(socketPath, '');
  expect(await failureOf(new ControlClient(socketPath).status())).toMatchObject({
    code: 'emperor_unreachable',
  });
});

test('something else than an emperor is told', async () => {
  await serve((_asked, reply) => reply.end('<html>'));

  expect((await failureOf(new ControlClient(socketPath).status())).message).toContain('not JSON');
});

test('a peer that hangs up, or does not speak HTTP, is an error and not a crash', async () => {
  let greeting = '';
  const rude = createPlainServer((peer) => peer.resume().end(greeting));
  await new Promise<void>((resolve) => rude.listen(socketPath, resolve));

  expect(await failureOf(new ControlClient(socketPath).status())).toMatchObject({
    code: 'emperor_unreachable',
  });
  greeting = 'SSH-2.0-OpenSSH\r\n\r\n';
  expect(await failureOf(new ControlClient(socketPath).status())).toMatchObject({
    code: 'emperor_unreachable',
  });
  await new Promise((resolve) => rude.close(resolve));
});

test('a reply that breaks off is an error', async () => {
  const client = await serve((_asked, reply) => {
    reply.writeHead(200, { 'content-length': '100' });
    reply.write('{"format":');
    setImmediate(() => reply.destroy());
  });

  expect(await failureOf(client.status())).toMatchObject({ code: 'emperor_unreachable' });
});

test('an emperor that hangs is given up', async () => {
  await serve(() => {});

  const failure = await failureOf(new ControlClient(socketPath, { patienceMs: 50 }).status());

  expect(failure).toMatchObject({ code: 'emperor_unreachable' });
  expect(failure.message).toContain('did not answer within 50ms');
});

test('waiting for an outcome may take longer than any other answer', async () => {
  const outcome = {
    format: 1,
    name: 'blog',
    action: 'start',
    ok: true,
    message: 'm',
    hint: null,
    vassal: null,
  };
  await serve((_asked, reply) => {
    systemClock.after(150, () => reply.end(JSON.stringify(outcome)));
  });

  const client = new ControlClient(socketPath, { patienceMs: 50 });

  expect(await client.act('start', 'blog', { wait: true })).toEqual(outcome);
});

test('a body is sent as JSON', async () => {
  await serve((asked, reply) => {
    let text = '';
    asked.setEncoding('utf8');
    asked.on('data', (chunk: string) => {
      text += chunk;
    });
    asked.on('end', () => reply.end(JSON.stringify({ text, type: asked.headers['content-type'] })));
  });

  expect(await request(socketPath, { method: 'POST', path: '/x', body: { ö: 1 } })).toEqual({
    status: 200,
    body: { text: '{"ö":1}', type: 'application/json' },
  });
});

test('an aborted request rejects with the reason of the signal', async () => {
  const client = await serve(() => {});
  const abort = new AbortController();

  const waiting = client.act('start', 'blog', { wait: true, signal: abort.signal });
  abort.abort(new Error('enough'));

  await expect(waiting).rejects.toThrow('enough');
});

test('logs come line by line, however the bytes were cut', async () => {
  const client = await serve((_asked, reply) => {
    const bytes = Buffer.from('one\ntwö\n\nlast');
    reply.write(bytes.subarray(0, 7));
    setImmediate(() => reply.end(bytes.subarray(7)));
  });

  expect(await collect(client.logs('blog', { lines: 10, follow: false }))).toEqual([
    'one',
    'twö',
    '',
    'last',
  ]);
});

test('a line without end comes in pieces instead of filling the memory', async () => {
  const client = await serve((_asked, reply) => reply.end('x'.repeat(3 * 1024 * 1024)));

  const lines = await collect(client.logs('blog', { lines: 1, follow: false }));

  expect(lines.length).toBeGreaterThan(1);
  expect(lines.join('')).toHaveLength(3 * 1024 * 1024);
});

test('following ends quietly when it is aborted, and the server sees it', async () => {
  const asked: string[] = [];
  const seenByServer = new EventEmitter();
  const serverSawEnd = once(seenByServer, 'end');
  const client = await serve(({ url = '' }, reply) => {
    asked.push(url);
    reply.on('close', () => seenByServer.emit('end'));
    reply.write('first\n');
  });
  const abort = new AbortController();
  const seen: string[] = [];

  for await (const line of client.logs('blog', { lines: 1, follow: true, signal: abort.signal })) {
    seen.push(line);
    abort.abort();
  }
  await serverSawEnd;

  expect(seen).toEqual(['first']);
  expect(asked).toEqual(['/v1/vassals/blog/logs?lines=1&follow=true']);
});

test('leaving the loop hangs up', async () => {
  const seenByServer = new EventEmitter();
  const serverSawEnd = once(seenByServer, 'end');
  const client = await serve((_asked, reply) => {
    reply.on('close', () => seenByServer.emit('end'));
    reply.write('first\nsecond\n');
  });

  for await (const line of client.logs('blog', { lines: 1, follow: true })) {
    expect(line).toBe('first');
    break;
  }

  await serverSawEnd;
});

test('an emperor that ends while it is followed is told', async () => {
  const client = await serve((_asked, reply) => {
    reply.write('first\n');
    setImmediate(() => reply.destroy());
  });

  const failure = await failureOf(collect(client.logs('blog', { lines: 1, follow: true })));

  expect(failure).toMatchObject({ code: 'emperor_unreachable' });
});

test('logs of an unknown vassal are an error', async () => {
  const client = await serveJson(404, {
    error: { code: 'vassal_unknown', message: 'no such vassal', hint: null },
  });

  const failure = await failureOf(collect(client.logs('x', { lines: 1, follow: false })));

  expect(failure.code).toBe('vassal_unknown');
});

test('events are one JSON object a line', async () => {
  const event = { at: '2026-11-20T10:00:00.000Z', vassal: 'blog', event: 'ready', detail: null };
  const client = await serve((_asked, reply) =>
    reply.end(`${JSON.stringify(event)}\n\n${JSON.stringify(event)}\n`),
  );

  expect(await collect(client.events())).toEqual([event, event]);
});
