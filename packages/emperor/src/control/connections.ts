import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

import type { Cancel, Clock } from '@emperor/common/clock';

import { errorJson } from './failure.ts';

/** A request must have arrived this long after its connection, or after the reply to the one before. */
const REQUEST_MS = 10_000;
/** A client that leaves a reply lying for this long is cut off. */
const STALL_MS = 30_000;
/** Requests of one connection: so many at once, and so many more each second. */
const BURST = 100;
const PER_SECOND = 50;
const MOST_CONNECTIONS = 128;
/** No request of ours has a body. */
const MOST_BODY_BYTES = 1_024;

type Connection = { tokens: number; at: number; busy: boolean; cancel: Cancel };

/** For `createServer`; the times are kept by `guarded`, without a timer that runs while nobody is connected. */
export const SERVER_OPTIONS = {
  maxHeaderSize: 8 * 1024,
  requireHostHeader: false,
  headersTimeout: 0,
  requestTimeout: 0,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 2 ** 31 - 1,
} as const;

/** Keeps hostile and broken clients from costing more than their own connection; serves the rest with `serve`. */
export function guardConnections(server: Server, clock: Clock, serve: RequestListener): void {
  const connections = new WeakMap<Socket, Connection>();
  server.maxConnections = MOST_CONNECTIONS;
  server.maxHeadersCount = 64;
  server.on('connection', (socket) => {
    const connection: Connection = { tokens: BURST, at: clock.now(), busy: false, cancel: () => undefined };
    connections.set(socket, connection);
    awaitRequest(socket, connection, clock);
    socket.once('close', () => connection.cancel());
  });
  server.on('request', (request, response) => {
    const connection = connections.get(request.socket);
    // A second request before the reply to the first: nobody needs that, and thousands fit into one packet.
    if (connection === undefined || connection.busy) return request.socket.destroy();
    connection.busy = true;
    connection.cancel();
    connection.cancel = watchStall(request.socket, clock);
    response.once('close', () => {
      connection.busy = false;
      connection.cancel();
      if (!request.socket.destroyed) awaitRequest(request.socket, connection, clock);
    });
    const refusal = refuse(request, connection, clock);
    if (refusal === undefined) return serve(request, response);
    return reply(response, refusal);
  });
  server.on('clientError', (error: Error & { readonly code?: string }, socket) => {
    if (!socket.writable) return socket.destroy();
    const [status, message] = problemOf(error.code);
    const body = JSON.stringify(errorJson('request_invalid', message));
    const head = `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-type: application/json`;
    return socket.end(`${head}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`, () =>
      socket.destroy(),
    );
  });
}

function awaitRequest(socket: Socket, connection: Connection, clock: Clock): void {
  connection.cancel = clock.after(REQUEST_MS, () => socket.destroy());
}

/** Ends `socket` when what waits for its reader has waited since the look before. */
function watchStall(socket: Socket, clock: Clock): Cancel {
  let drains = 0;
  let seen = -1;
  const onDrain = (): void => {
    drains += 1;
  };
  socket.on('drain', onDrain);
  let cancel: Cancel = () => undefined;
  const look = (): void => {
    cancel = clock.after(STALL_MS / 2, () => {
      const waits = socket.writableLength > 0;
      if (waits && seen === drains) return socket.destroy();
      seen = waits ? drains : -1;
      return look();
    });
  };
  look();
  return () => {
    cancel();
    socket.off('drain', onDrain);
  };
}

type Refusal = { readonly status: number; readonly message: string };

function refuse(request: IncomingMessage, connection: Connection, clock: Clock): Refusal | undefined {
  const now = clock.now();
  connection.tokens = Math.min(BURST, connection.tokens + ((now - connection.at) / 1_000) * PER_SECOND);
  connection.at = now;
  if (connection.tokens < 1) return { status: 429, message: 'too many requests on this connection' };
  connection.tokens -= 1;
  if (request.method !== 'GET' && request.method !== 'POST') {
    return { status: 405, message: 'only GET and POST are served' };
  }
  const { 'transfer-encoding': encoding, 'content-length': length } = request.headers;
  if (encoding !== undefined || Number(length ?? 0) > MOST_BODY_BYTES) {
    return { status: 413, message: 'no request has a body' };
  }
  return undefined;
}

/** And no more on this connection: what is still to come of the request is not read. */
function reply(response: ServerResponse, { status, message }: Refusal): void {
  const body = JSON.stringify(errorJson('request_invalid', message));
  response.writeHead(status, { connection: 'close', 'content-type': 'application/json' });
  response.end(body, () => response.socket?.destroySoon());
}

function problemOf(code: string | undefined): readonly [string, string] {
  if (code === 'HPE_HEADER_OVERFLOW') {
    return ['431 Request Header Fields Too Large', 'the head of the request is too large'];
  }
  return ['400 Bad Request', 'the request is not HTTP/1.1'];
}
