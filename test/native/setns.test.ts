import { existsSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { allPids, peekLink, processFacts } from '../support/processes.ts';
import {
  CLONE,
  isRoot,
  NativeWorld,
  TENANT_UID,
  type TestKeeper,
  V2,
  type Words,
  waitUntil,
} from './support.ts';

const ALL = Object.values(CLONE).reduce((sum, flag) => sum | flag, 0);
const KINDS = ['mnt', 'pid', 'ipc', 'uts', 'net', 'cgroup'];
const errno = {
  ENOENT: 2,
  EINVAL: 22,
  ELOOP: 40,
  EPROTO: 71,
  EADDRINUSE: 98,
  ECONNREFUSED: 111,
  ETIMEDOUT: 110,
};

describe.skipIf(!isRoot)('setns', () => {
  let world: NativeWorld;
  let host: TestKeeper;
  let guest: TestKeeper;

  beforeEach(async () => {
    world = NativeWorld.create();
    host = await world.keeper();
    guest = await world.keeper();
  });

  afterEach(async () => {
    expect(await world.end()).toEqual([]);
  });

  const socketPath = (): string => join(world.base, 'open', 'ns.sock');
  const namespacesOf = (pid: number) => KINDS.map((kind) => peekLink(`/proc/${pid}/ns/${kind}`));
  /** A jail with its namespaces on offer. */
  const hostJail = (generation: number, ...extra: readonly Words[]) =>
    world.jail(generation, ['sleep', '60'], {
      namespaces: ALL,
      extra: [['setns-socket', socketPath(), String(ALL)], ...extra],
    });
  /** An app in the namespaces of others, all of them or `kinds`. */
  const guestJail = (path: string, command: Words, kinds = ALL, own = 0): readonly Words[] => [
    ['cgroup', `${V2}/${world.name}-guest`],
    ...(own === 0 ? [] : [['unshare', String(own)]]),
    ['setns', path, String(kinds)],
    ...[['gid', String(TENANT_UID)], ['uid', String(TENANT_UID)], ['caps', '0'], ['no-new-privs']],
    ...[['env', 'PATH=/usr/bin:/bin'], ...command.map((word) => ['arg', word])],
  ];

  test.each(['directory', 'socket', 'socket of held namespaces'])(
    'the whole jail of another is joined by %s',
    async (by) => {
      const held = by === 'socket of held namespaces' ? [['setns-preopen']] : [];
      const { app, init } = await host.run(1, hostJail(1, ...held));
      const path = by === 'directory' ? `/proc/${app}/ns` : socketPath();

      const joined = await guest.run(1, guestJail(path, ['sleep', '60']));

      expect(namespacesOf(joined.app)).toEqual(namespacesOf(init));
      expect(namespacesOf(joined.init)).toEqual(namespacesOf(init));
      expect(processFacts(joined.init)?.ppid).toBe(guest.pid);
      expect(allPids().filter((pid) => processFacts(pid)?.cmdline[0]?.startsWith('starter'))).toEqual([]);
    },
  );

  test('the app sees the host name, the processes and the files of that jail, as the tenant', async () => {
    await host.run(1, hostJail(1));

    const { lines } = await guest.output(
      1,
      guestJail(socketPath(), [
        'sh',
        '-c',
        'hostname; id -u; [ $$ -lt 20 ] && echo inside; touch /tmp/x && echo touched',
      ]),
    );

    expect(lines).toEqual(['jailed', String(TENANT_UID), 'inside', 'touched']);
  });

  test('one file joins one namespace, and the rest is its own', async () => {
    const { app } = await host.run(1, hostJail(1));
    const own = CLONE.NEWPID | CLONE.NEWIPC;

    const joined = await guest.run(1, guestJail(`/proc/${app}/ns/uts`, ['sleep', '60'], CLONE.NEWUTS, own));

    expect(peekLink(`/proc/${joined.app}/ns/uts`)).toBe(peekLink(`/proc/${app}/ns/uts`));
    for (const kind of ['pid', 'ipc']) {
      expect(peekLink(`/proc/${joined.app}/ns/${kind}`)).not.toBe(peekLink(`/proc/${app}/ns/${kind}`));
      expect(peekLink(`/proc/${joined.app}/ns/${kind}`)).not.toBe(peekLink(`/proc/self/ns/${kind}`));
    }
    for (const kind of ['mnt', 'net'])
      expect(peekLink(`/proc/${joined.app}/ns/${kind}`)).toBe(peekLink(`/proc/self/ns/${kind}`));
  });

  test('the socket is root’s alone, there while a jail runs, gone with the last', async () => {
    await host.run(1, hostJail(1));
    const { mode, uid } = statSync(socketPath());
    expect([mode & 0o7777, uid]).toEqual([0o600, 0]);

    await host.run(2, hostJail(2));
    host.send('kill 1');
    await host.hear('gone 1');
    expect(existsSync(socketPath())).toBe(true);

    host.send('kill 2');
    await host.hear('gone 2');
    expect(existsSync(socketPath())).toBe(false);
  });

  test('during an overlap the newest is served', async () => {
    await host.run(1, hostJail(1));
    const second = await host.run(2, hostJail(2));

    const joined = await guest.run(1, guestJail(socketPath(), ['sleep', '60']));

    expect(namespacesOf(joined.app)).toEqual(namespacesOf(second.init));
  });

  test('a crowd that never reads does not hold up the keeper', async () => {
    await host.run(1, hostJail(1));
    const peers = Array.from({ length: 60 }, () => connect(socketPath()).on('error', () => {}));

    expect(await host.ask('signal 1 0')).toBe(0);
    const before = readFileSync(`/proc/${host.pid}/stat`, 'utf8').length;
    expect(before).toBeGreaterThan(0);
    for (const peer of peers) peer.destroy();
    expect((await guest.output(1, guestJail(socketPath(), ['hostname']))).lines).toEqual(['jailed']);
  });

  test('a socket that somebody serves, and what is no socket, stays', async () => {
    const server = createServer().listen(socketPath());
    await waitUntil('the server', () => (existsSync(socketPath()) ? true : undefined));
    await host.launch(1, hostJail(1));
    expect(await host.hear('fail 1')).toBe(`fail 1 namespaces ${errno.EADDRINUSE} ${socketPath()}`);
    await new Promise((resolve) => server.close(resolve));

    writeFileSync(socketPath(), 'a file');
    await host.launch(2, hostJail(2));
    expect(await host.hear('fail 2')).toBe(`fail 2 namespaces ${errno.EADDRINUSE} ${socketPath()}`);
    expect(readFileSync(socketPath(), 'utf8')).toBe('a file');
  });

  test('a jail that ended cannot be joined', async () => {
    await host.run(1, hostJail(1));
    host.send('kill 1');
    await host.hear('gone 1');

    await guest.launch(1, guestJail(socketPath(), ['true']));

    expect(await guest.hear('fail 1')).toBe(`fail 1 namespaces ${errno.ENOENT} ${socketPath()}`);
  });

  test.each([
    ['is silent', '', errno.ETIMEDOUT],
    ['speaks something else', 'HTTP/1.1 200 OK\r\n\r\n', errno.EPROTO],
    ['greets and hands out nothing', 'uwsgi-setns\u0000\u0000\u0000\u0000', errno.ENOENT],
  ])('a peer that %s fails the launch in time', async (_, bytes, wanted) => {
    const server = createServer((peer) => {
      peer.on('error', () => {});
      if (bytes !== '') peer.write(Buffer.from(bytes, 'latin1'));
    }).listen(socketPath());
    await waitUntil('the server', () => (existsSync(socketPath()) ? true : undefined));

    await guest.launch(1, guestJail(socketPath(), ['true']));

    expect(await guest.hear('fail 1', 10_000)).toBe(`fail 1 namespaces ${wanted} ${socketPath()}`);
    server.close();
  });

  test('a killed launch ends while its peer is silent', async () => {
    const server = createServer((peer) => peer.on('error', () => {})).listen(socketPath());
    await waitUntil('the server', () => (existsSync(socketPath()) ? true : undefined));
    await guest.launch(1, guestJail(socketPath(), ['true']));

    guest.send('kill 1');

    expect(await guest.hear('fail 1', 3_000)).toMatch(/^fail 1 init 4 killed/);
    server.close();
  });

  test.each([
    ['a symlink', () => symlinkSync('/proc/self/ns', join(world.base, 'open', 'x')), errno.ELOOP],
    ['a file that is no namespace', () => writeFileSync(join(world.base, 'open', 'x'), ''), errno.EINVAL],
    ['nothing', () => {}, errno.ENOENT],
  ])('%s is refused', async (_, make, wanted) => {
    make();
    await guest.launch(1, guestJail(join(world.base, 'open', 'x'), ['true']));

    expect(await guest.hear('fail 1')).toBe(`fail 1 namespaces ${wanted} ${join(world.base, 'open', 'x')}`);
  });

  test('what is joined is not made too', async () => {
    await guest.launch(1, guestJail('/proc/1/ns', ['true'], CLONE.NEWUTS, CLONE.NEWUTS));

    expect(await guest.hear('fail 1')).toBe(`fail 1 spec ${errno.EINVAL} setns`);
  });
});
