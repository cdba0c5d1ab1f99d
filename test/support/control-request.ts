import { request } from 'node:http';

export type ControlReply = { readonly status: number; readonly text: string };

/** One HTTP request over a unix socket; rejects when nobody listens there or the answer takes over 30 s. */
export function controlRequest(socketPath: string, method: string, path: string): Promise<ControlReply> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, method, path, agent: false, timeout: 30_000 }, (reply) => {
      const pieces: Buffer[] = [];
      reply.on('data', (piece: Buffer) => pieces.push(piece));
      reply.on('error', reject);
      reply.on('end', () =>
        resolve({ status: reply.statusCode ?? 0, text: Buffer.concat(pieces).toString() }),
      );
    });
    asked.on('timeout', () => asked.destroy(new Error(`no answer to ${method} ${path}`)));
    asked.on('error', reject);
    asked.end();
  });
}
