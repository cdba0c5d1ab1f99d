import { get } from 'node:http';

export type HttpReply = { readonly status: number; readonly body: string };

/** One GET to the loopback; undefined when nobody answers (refused, reset, 5 s without a word). */
export function httpGet(port: number, path = '/'): Promise<HttpReply | undefined> {
  return new Promise((resolve) => {
    const asked = get({ host: '127.0.0.1', port, path, agent: false, timeout: 5_000 }, (reply) => {
      let body = '';
      reply.setEncoding('utf8');
      reply.on('data', (piece: string) => {
        body += piece;
      });
      reply.on('error', () => resolve(undefined));
      reply.on('end', () => resolve({ status: reply.statusCode ?? 0, body }));
    });
    asked.on('timeout', () => asked.destroy());
    asked.on('error', () => resolve(undefined));
  });
}
