import { once } from 'node:events';
import type { ServerResponse } from 'node:http';

/** A reply that grows line by line, for as long as both sides like. */
export type Lines = {
  /** Aborts when the client went away or was cut off. */
  readonly closed: AbortSignal;
  /** Resolves when the client has room for more, or is gone. */
  readonly send: (line: string) => Promise<void> | undefined;
  /** Never waits: a client for whom too much is waiting is cut off. */
  readonly push: (line: string) => void;
  readonly end: () => void;
};

/** What may wait for a client who does not read. */
const MOST_WAITING_BYTES = 256 * 1024;

/** Begin such a reply. The client gets the head at once, so that it knows that it is heard. */
export function beginLines(outgoing: ServerResponse, contentType: string): Lines {
  const closed = new AbortController();
  outgoing.once('close', () => closed.abort());
  // A client that goes away in the middle is no error of ours; 'close' follows.
  outgoing.on('error', () => undefined);
  outgoing.writeHead(200, { 'content-type': contentType, 'cache-control': 'no-store' });
  outgoing.flushHeaders();
  return {
    closed: closed.signal,
    send: (line) => {
      if (closed.signal.aborted || outgoing.write(`${line}\n`)) return undefined;
      return drained(outgoing, closed.signal);
    },
    push: (line) => {
      if (closed.signal.aborted) return;
      outgoing.write(`${line}\n`);
      if (outgoing.writableLength > MOST_WAITING_BYTES) outgoing.destroy();
    },
    end: () => {
      outgoing.end();
    },
  };
}

async function drained(outgoing: ServerResponse, closed: AbortSignal): Promise<void> {
  try {
    await once(outgoing, 'drain', { signal: closed });
  } catch (error) {
    if (!closed.aborted) throw error;
  }
}
