import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type Clock, systemClock } from '@emperor/common/clock';
import { ControlClient, request } from '@emperor/common/control/client';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { serveControl } from '../../../../packages/emperor/src/control/server.ts';
import type { ControlServer } from '../../../../packages/emperor/src/ports.ts';
import { openMetrics } from '../../../../packages/emperor/src/stats/openmetrics.ts';
import { FakeControlPort, vassalJson } from '../../../support/fake-control-port.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { recordingLog } from '../../../support/recording-log.ts';
import { pauseMs, waitUntil } from '../../../support/wait-until.ts';

let directory: string;
let socketPath: string;
let port: FakeControlPort;
let server: ControlServer;
let records: ReturnType<typeof recordingLog>['records'];
let sockets: Socket[];

async function serve(clock: Clock = systemClock, group?: number): Promise<void> {
  const recording = recordingLog();
  records = recording.records;
  server = await serveControl({
    port,
    metricsOf: openMetrics,
    socketPath,
    group,
    version: '0.1.0',
    log: recording.log,
    clock,
  });
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'emperor-control-'));
  socketPath = join(directory, 'control.sock');
  port = new FakeControlPort('blog', 'shop');
  sockets = [];
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await server.close();
  rmSync(directory, { recursive: true });
});

async function get(path: string) {
  return request(socketPath, { method: 'GET', path });
}

async function post(path: string) {
  return request(socketPath, { method: 'POST', path });
}

/** A connection of our own: what it got, and whether it is over. */
function raw(text: string | undefined, paused = false) {
  const socket = connect(socketPath);
  const seen = { text: '', closed: false };
  sockets.push(socket);
  socket.on('error', () => undefined);
  socket.on('close', () => {
    seen.closed = true;
  });
  if (!paused) socket.on('data', (chunk) => (seen.text += chunk.toString('latin1')));
  if (text !== undefined) socket.write(text);
  return { socket, seen };
}

describe('the control socket', () => {
  test('is for the owner alone, or for one group, and replaces a stale one', async () => {
    writeFileSync(socketPath, 'stale');
    await serve();
    const alone = statSync(socketPath).mode & 0o777;
    await server.close();
    await serve(systemClock, process.getegid?.());

    expect(alone).toBe(0o600);
    expect(statSync(socketPath).mode & 0o777).toBe(0o660);
    expect(statSync(socketPath).isSocket()).toBe(true);
    expect(readdirSync(directory)).toEqual(['control.sock']);
  });

  test('is removed at the end, but not when another emperor has put its own there', async () => {
    await serve();
    await server.close();
    expect(existsSync(socketPath)).toBe(false);

    await serve();
    rmSync(socketPath);
    writeFileSync(socketPath, 'of another');
    await server.close();

    expect(existsSync(socketPath)).toBe(true);
  });

  test('cannot be made under a path that is too long or in a missing directory, and leaves nothing behind', async () => {
    await serve();
    const log = recordingLog().log;
    const parts = { port, metricsOf: openMetrics, group: undefined, version: '0', log, clock: systemClock };

    await expect(
      serveControl({ ...parts, socketPath: join(directory, 'no', 'c.sock') }),
    ).rejects.toMatchObject({
      code: 'state_unwritable',
    });
    const deep = mkdtempSync(join(directory, 'x'.repeat(80)));
    await expect(serveControl({ ...parts, socketPath: join(deep, 'c.sock') })).rejects.toThrow(
      /control socket/,
    );
    expect(readdirSync(deep)).toEqual([]);
  });
});

describe('routes', () => {
  test('what the client asks is what the port answers', async () => {
    await serve();
    const client = new ControlClient(socketPath);

    expect(await client.emperor()).toEqual((await port.status()).emperor);
    expect(await client.status()).toEqual(await port.status());
    expect(await client.vassal('blog')).toEqual(vassalJson('blog'));
    expect(await client.why('blog')).toEqual(await port.why('blog'));
    expect(await client.act('restart', 'blog', { wait: true })).toMatchObject({
      ok: true,
      action: 'restart',
    });
    await client.act('stop', 'shop', { wait: false });
    expect(port.acts).toEqual([
      { action: 'restart', name: 'blog', wait: true, caller: { rank: 'operator' } },
      { action: 'stop', name: 'shop', wait: false, caller: { rank: 'operator' } },
    ]);
  });

  test('metrics are OpenMetrics text and say what the status says', async () => {
    await serve();
    port.vassals.set('shop', vassalJson('shop', { memoryBytes: null }));
    const { seen } = raw('GET /metrics HTTP/1.1\r\nConnection: close\r\n\r\n');
    await waitUntil('the reply', () => (seen.closed ? true : undefined));
    const [head = '', body] = seen.text.split('\r\n\r\n');

    expect(head).toMatch(/^HTTP\/1.1 200 /);
    expect(head.toLowerCase().split('\r\n')).toContain(
      'content-type: application/openmetrics-text; version=1.0.0; charset=utf-8',
    );
    expect(body).toBe([...openMetrics(await port.status())].join(''));
    expect(body).toMatch(/\nemperor_vassal_memory_bytes\{vassal="blog",owner="root"\} 12582912\n/);
    expect(body).toMatch(/\n# EOF\n$/);
  });

  test('a vassal that nobody knows is 404, whatever its name looks like', async () => {
    await serve();

    for (const name of ['nobody', '..%2f..%2fetc', '%00', '%zz', '-x', 'a%20b', 'x'.repeat(200)]) {
      for (const path of ['', '/why', '/logs']) {
        const reply = await get(`/v1/vassals/${name}${path}`);
        expect([reply.status, reply.body]).toMatchObject([404, { error: { code: 'vassal_unknown' } }]);
      }
      expect((await post(`/v1/vassals/${name}/stop`)).status).toBe(404);
    }
    expect(port.acts.map((act) => act.name)).toEqual(['nobody']);
  });

  test('a request that means nothing is refused with its reason', async () => {
    await serve();

    const replies = [
      await get('/v1/nothing'),
      await post('/v1/vassals/blog/destroy'),
      await get('/v1/vassals/blog/stop'),
      await post('/v1/vassals/blog/stop?wait=perhaps'),
      await get('/v1/vassals/blog/logs?lines=-1'),
      await get('/v1/vassals/blog/logs?lines=99999'),
      await get('/v1/vassals/blog/logs?lins=5'),
    ];

    expect(replies.map((reply) => reply.status)).toEqual([404, 404, 404, 400, 400, 400, 400]);
    for (const { body } of replies) expect(body).toMatchObject({ error: { code: 'request_invalid' } });
    expect(port.acts).toEqual([]);
  });

  test('an expected failure is told in full, a bug is not', async () => {
    await serve();
    port.vassals.set('blog', vassalJson('blog', { state: 'stopped' }));

    const expected = await post('/v1/vassals/blog/reload');
    const bug = await get('/v1/vassals/poison/why');

    expect(expected).toEqual({
      status: 409,
      body: { error: { code: 'vassal_not_running', message: 'vassal blog is stopped', hint: 'start it' } },
    });
    expect(bug.status).toBe(500);
    expect(JSON.stringify(bug.body)).not.toMatch(/secret|\.ts/);
    expect(records.map((record) => String(record.fields?.['error'])).join()).toMatch(/secret details.*\.ts/s);
  });

  test('the last lines of a log, and following it until the client goes', async () => {
    await serve();
    port.log = ['one', 'two', 'three'];
    const client = new ControlClient(socketPath);
    const last: string[] = [];
    for await (const line of client.logs('blog', { lines: 2, follow: false })) last.push(line);
    const followed: string[] = [];
    const abort = new AbortController();
    const following = (async () => {
      for await (const line of client.logs('blog', { lines: 1, follow: true, signal: abort.signal }))
        followed.push(line);
    })();
    await waitUntil('the tail', () => (followed.length === 1 ? true : undefined));
    port.log.push('four');
    await waitUntil('the next line', () => (followed.length === 2 ? true : undefined));
    abort.abort();
    await following;

    expect(last).toEqual(['two', 'three']);
    expect(followed).toEqual(['three', 'four']);
  });

  test('events come as they happen; who goes away is unsubscribed', async () => {
    await serve();
    const events: string[] = [];
    const abort = new AbortController();
    const listening = (async () => {
      for await (const event of new ControlClient(socketPath).events(abort.signal)) events.push(event.event);
    })();
    await waitUntil('the subscription', () => (port.listeners.size === 1 ? true : undefined));

    port.tell('started');
    port.tell('ready');
    await waitUntil('both', () => (events.length === 2 ? true : undefined));
    abort.abort();
    await listening;
    await waitUntil('the end of the subscription', () => (port.listeners.size === 0 ? true : undefined));

    expect(events).toEqual(['started', 'ready']);
  });

  test('many who ask for the status at once share it, and nobody gets one that is older than the question', async () => {
    await serve();
    port.beforeStatus = () => pauseMs(20);
    await Promise.all(Array.from({ length: 50 }, async () => get('/v1/vassals')));
    const shared = port.statusCalls;
    port.vassals.set('new', vassalJson('new'));
    const { body } = await get('/v1/vassals');

    expect(shared).toBeLessThan(25);
    expect(JSON.stringify(body)).toContain('"new"');
  });

  test('a long action holds up nobody', async () => {
    await serve();
    let finish = (): void => undefined;
    port.beforeOutcome = new Promise((resolve) => {
      finish = () => resolve();
    });
    const acting = post('/v1/vassals/blog/stop');
    await waitUntil('the act', () => (port.acts.length === 1 ? true : undefined));

    expect((await get('/v1/vassals/shop')).status).toBe(200);
    finish();
    expect((await acting).status).toBe(200);
  });

  test('curl understands it without a Host that means anything', async () => {
    await serve();
    const none = raw('GET /v1/vassals/blog HTTP/1.1\r\n\r\n');
    const odd = raw('GET /v1/vassals/blog HTTP/1.1\r\nHost: a b/c?d\r\n\r\n');
    await waitUntil('both replies', () => (none.seen.text && odd.seen.text ? true : undefined));

    expect(none.seen.text).toMatch(/^HTTP\/1.1 200/);
    expect(odd.seen.text).toMatch(/^HTTP\/1.1 400[\s\S]*request_invalid/);
  });
});

describe('hostile clients', () => {
  test.each([
    ['no HTTP', '\0\x01\x02 what\r\n\r\n', 400],
    ['a head that never fits', `GET / HTTP/1.1\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`, 431],
    ['a method of its own', 'BREW /v1/emperor HTTP/1.1\r\n\r\n', 400],
    ['another method', 'DELETE /v1/vassals/blog HTTP/1.1\r\n\r\n', 405],
    ['HEAD', 'HEAD /v1/events HTTP/1.1\r\n\r\n', 405],
    ['a path without a slash', 'GET nothing HTTP/1.1\r\n\r\n', 400],
    [
      'a body that is announced as huge',
      'POST /v1/vassals/blog/stop HTTP/1.1\r\ncontent-length: 999999999\r\n\r\n',
      413,
    ],
    ['a body without end', 'POST /v1/vassals/blog/stop HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n', 413],
    ['a smuggled body', 'POST / HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n', 400],
  ])('%s is refused, without a stack and without harm', async (_what, text, status) => {
    await serve();
    const { seen } = raw(text);
    await waitUntil('a reply', () => (seen.text.includes('\r\n\r\n') ? true : undefined));

    expect(seen.text).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(seen.text).not.toMatch(/\bat .*\.[jt]s/);
    expect(port.acts).toEqual([]);
    expect((await get('/v1/emperor')).status).toBe(200);
  });

  test('who sends a request byte by byte, or nothing, is cut off', async () => {
    const clock = new ManualClock();
    await serve(clock);
    const silent = raw(undefined);
    const slow = raw('GET /v1/emperor HT');
    const idle = raw('GET /v1/emperor HTTP/1.1\r\n\r\n');
    await waitUntil('the one reply', () => (idle.seen.text ? true : undefined));
    clock.advance(9_000);
    slow.socket.write('T');
    await pauseMs(30);
    expect([silent.seen.closed, slow.seen.closed, idle.seen.closed]).toEqual([false, false, false]);

    clock.advance(1_001);
    await waitUntil('all three to be cut off', () =>
      silent.seen.closed && slow.seen.closed && idle.seen.closed ? true : undefined,
    );
  });

  test('who asks again before the reply is cut off: thousands of requests fit into one packet', async () => {
    await serve();
    const { seen } = raw('GET /v1/vassals HTTP/1.1\r\n\r\n'.repeat(2_000));
    await waitUntil('the end', () => (seen.closed ? true : undefined));

    expect(port.statusCalls).toBeLessThanOrEqual(1);
  });

  test('who asks too often on one connection is told so', async () => {
    const clock = new ManualClock();
    await serve(clock);
    const { socket, seen } = raw(undefined);
    for (let n = 0; n < 101; n += 1) {
      socket.write('GET /v1/vassals/blog HTTP/1.1\r\n\r\n');
      await once(socket, 'data');
      await new Promise((resolve) => setImmediate(resolve));
    }
    await waitUntil('the end', () => (seen.closed ? true : undefined));

    expect(seen.text.match(/HTTP\/1.1 200/g)).toHaveLength(100);
    expect(seen.text.match(/HTTP\/1.1 429/g)).toHaveLength(1);
  });

  test('a reader of events who does not read is cut off, and others go on', async () => {
    await serve();
    const lazy = raw('GET /v1/events HTTP/1.1\r\n\r\n', true);
    const good = raw('GET /v1/events HTTP/1.1\r\n\r\n');
    await waitUntil('both subscriptions', () => (port.listeners.size === 2 ? true : undefined));
    lazy.socket.pause();

    for (let n = 0; n < 2_000 && port.listeners.size === 2; n += 1) {
      port.tell(`x${'y'.repeat(1_000)}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
    port.tell('last');
    await waitUntil('the last event', () => (good.seen.text.includes('"last"') ? true : undefined));

    expect(port.listeners.size).toBe(1);
  });

  test('a reader of a log who does not read makes nothing pile up, and is cut off in the end', async () => {
    const clock = new ManualClock();
    await serve(clock);
    port.log = Array.from({ length: 10_000 }, () => 'z'.repeat(1_000));
    const before = process.memoryUsage().external;
    const lazy = raw('GET /v1/vassals/blog/logs?lines=10000&follow=1 HTTP/1.1\r\n\r\n', true);
    lazy.socket.pause();
    await pauseMs(300);
    const grown = process.memoryUsage().external - before;

    expect(grown).toBeLessThan(5_000_000);
    clock.advance(45_001);
    lazy.socket.resume();
    await waitUntil('the end', () => (lazy.seen.closed ? true : undefined));
  });

  test('who opens connections without end leaves some for others, once they time out', async () => {
    const clock = new ManualClock();
    await serve(clock);
    const all = Array.from({ length: 200 }, () => raw(undefined));
    await waitUntil('those above the limit to be refused', () =>
      all.filter(({ seen }) => seen.closed).length >= 72 ? true : undefined,
    );

    clock.advance(10_001);
    await waitUntil('all to be cut off', () => (all.every(({ seen }) => seen.closed) ? true : undefined));
    expect((await get('/v1/emperor')).status).toBe(200);
  });

  test('no timer runs while nobody is connected', async () => {
    const clock = new ManualClock();
    await serve(clock);
    await get('/v1/emperor');
    await waitUntil('rest', () => (clock.nextAt() === undefined ? true : undefined));
  });
});

test('closing ends every stream and connection', async () => {
  await serve();
  const { seen } = raw('GET /v1/events HTTP/1.1\r\n\r\n');
  await waitUntil('the subscription', () => (port.listeners.size === 1 ? true : undefined));
  chmodSync(directory, 0o700);

  await server.close();

  await waitUntil('the end', () => (seen.closed ? true : undefined));
  expect(port.listeners.size).toBe(0);
});
