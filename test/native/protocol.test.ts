import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isAlive, peekLink } from '../support/processes.ts';
import { isRoot, NativeWorld, pauseMs, type TestKeeper, waitUntil } from './support.ts';

const EINVAL = 22;

describe.skipIf(!isRoot)('spawner and protocol', () => {
  let world: NativeWorld;
  let keeper: TestKeeper;

  beforeEach(async () => {
    world = NativeWorld.create();
    keeper = await world.keeper();
  });

  afterEach(async () => {
    expect(await world.end()).toEqual([]);
  });

  test('hello says version, pid, start and name; a new keeper has nothing to replay', () => {
    const stat = readFileSync(`/proc/${keeper.pid}/stat`, 'latin1');
    const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];

    expect(keeper.heard).toEqual([`hello 1 ${keeper.pid} ${ticks} ${world.name}`, 'replayed']);
  });

  test('the socket is root’s alone, from the beginning', () => {
    expect(statSync(keeper.path).mode & 0o777).toBe(0o600);
    expect(statSync(keeper.path).uid).toBe(0);
  });

  test('a keeper has nothing of who started it', () => {
    const fds = readdirSync(`/proc/${keeper.pid}/fd`).map(
      (fd) => peekLink(`/proc/${keeper.pid}/fd/${fd}`) ?? '',
    );
    const stat = readFileSync(`/proc/${keeper.pid}/stat`, 'latin1');
    const [, , , session, tty] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');

    expect(fds.slice(0, 3)).toEqual(['/dev/null', '/dev/null', '/dev/null']);
    expect(fds.filter((target) => target.startsWith('pipe:'))).toEqual([]);
    expect(session).toBe(String(keeper.pid));
    expect(tty).toBe('0');
    expect(peekLink(`/proc/${keeper.pid}/cwd`)).toBe('/');
    expect(readFileSync(`/proc/${keeper.pid}/environ`, 'latin1')).not.toContain('SECRET');
  });

  test('no signal but KILL ends a keeper, or its spawner', async () => {
    for (const signal of [
      'SIGTERM',
      'SIGINT',
      'SIGHUP',
      'SIGPIPE',
      'SIGUSR1',
      'SIGALRM',
      'SIGSEGV',
    ] as const) {
      process.kill(keeper.pid, signal);
      process.kill(world.spawnerPid, signal);
    }
    await pauseMs(50);

    expect(await keeper.ask('forget 7')).toBe(3);
    expect(await world.ask('spawn x1 blog relative')).toBe(`failed x1 ${EINVAL}`);
  });

  test('a spawner refuses names, directories and places that it cannot use', async () => {
    expect(await world.ask('spawn x1 blog relative/dir')).toBe(`failed x1 ${EINVAL}`);
    expect(await world.ask(`spawn x2 ${'n'.repeat(129)} /tmp/log`)).toBe(`failed x2 ${EINVAL}`);
    expect(await world.ask(`spawn x3 blog /${'d'.repeat(1_100)}`)).toBe(`failed x3 ${EINVAL}`);
    const [socket = ''] = readdirSync(world.keepersDir);
    expect(await world.ask(`spawn ${socket} blog /tmp/log`)).toBe(`failed ${socket} 98`);
  });

  test('a spawner that enters a control group is there with all its keepers', () => {
    const group = readFileSync(`/proc/${keeper.pid}/cgroup`, 'utf8');

    expect(group).toBe(readFileSync(`/proc/${world.spawnerPid}/cgroup`, 'utf8'));
  });

  test('a program without its role says how it is used', () => {
    const binary = peekLink(`/proc/${keeper.pid}/exe`) ?? '';

    expect(() => execFileSync(binary, ['guess'], { stdio: 'pipe' })).toThrow('usage: keeper spawner');
    expect(() => execFileSync(binary, ['spawner', '/no/such', '-'], { stdio: 'pipe' })).toThrow('/no/such');
    expect(() => execFileSync(binary, ['spawner', '/tmp', '/no/such'], { stdio: 'pipe' })).toThrow(
      'control group',
    );
  });

  test('a new connection gets the whole state, in the order in which it came to be', async () => {
    await keeper.launch(3, world.jail(3, ['no-such']), 'tag of three');
    await keeper.hear('fail 3');
    await keeper.launch(4, world.jail(4, ['sh', '-c', 'exit 7']), '');
    await keeper.hear('gone 4');
    await keeper.launch(5, world.jail(5, ['sleep', '60']), 'a tag\nwith \\ and \u007f');
    const launched = await keeper.hear('launched 5');

    const replay = (await keeper.connect()).map((line) => line.replace(/ \d{4,}/g, ' N'));

    expect(replay).toEqual([
      expect.stringMatching(/^hello 1 /),
      'fail 3 exec 2 no-such',
      'launched 4 N N N ',
      'exited 4 N code 7 -',
      'gone 4',
      launched.replace(/ \d{4,}/g, ' N'),
      'replayed',
    ]);
    expect(launched).toMatch(/ a tag\\x0awith \\x5c and \\x7f$/);
  });

  test('an exit while nobody is connected is kept until it is forgotten', async () => {
    await keeper.run(1, world.jail(1, ['sleep', '0.2']));
    keeper.write('');
    await keeper.connect();
    await keeper.hear('gone 1');

    expect((await keeper.connect()).filter((line) => line.startsWith('exited 1'))).toHaveLength(1);
    expect(await keeper.ask('forget 1')).toBe(0);
    expect((await keeper.connect()).length).toBe(2);
  });

  test('a second client replaces the first', async () => {
    const other = new (keeper.constructor as typeof TestKeeper)(keeper.path, keeper.logDir, keeper.pid);
    await other.connect();

    await waitUntil('the first to be closed', () => (keeper.isClosed ? true : undefined));
    expect(await other.ask('forget 1')).toBe(3);
  });

  test('a connection of another user is closed', async () => {
    execFileSync('chmod', ['0777', keeper.path]);
    execFileSync('chmod', ['0755', world.keepersDir]);
    const said = execFileSync(
      'setpriv',
      [
        '--reuid=65534',
        '--clear-groups',
        process.execPath,
        '-e',
        `
        const s = require('net').connect(${JSON.stringify(keeper.path)});
        let said = ''; s.on('data', (d) => { said += d; }); s.on('error', () => {});
        s.on('close', () => process.stdout.write('[' + said + ']'));`,
      ],
      { encoding: 'utf8' },
    );

    expect(said).toBe('[]');
    expect(await keeper.ask('forget 1')).toBe(3);
  });

  test.each([
    ['an unknown command', 'dance\n'],
    ['a missing number', 'kill\n'],
    ['a number too many', 'kill 1 2\n'],
    ['a sign', 'kill -1\n'],
    ['two spaces', 'kill  1\n'],
    ['a space at the end', 'quit \n'],
    ['an empty line', '\n'],
    ['generation zero', 'launch 0 0 0\n'],
    ['a tag too long', 'launch 1 513 0\n'],
    ['a blob too long', 'launch 1 0 131073\n'],
    ['a number without end', `kill ${'9'.repeat(40)}\n`],
    ['a line without end', 'x'.repeat(4_096)],
    ['NUL bytes', 'kill\0 1\n'],
    ['bytes of no alphabet', Buffer.from([0xff, 0xfe, 0x0a, 0x00, 0x0a])],
  ])('%s closes the connection, the keeper lives', async (_, bytes) => {
    await keeper.run(1, world.jail(1, ['sleep', '60']));

    keeper.write(bytes);

    await waitUntil('the connection to be closed', () => (keeper.isClosed ? true : undefined));
    expect((await keeper.connect()).some((line) => line.startsWith('launched 1 '))).toBe(true);
  });

  test('a launch may come in pieces, and several commands at once', async () => {
    const words = world
      .jail(1, ['sh', '-c', 'exit 5'])
      .flat()
      .map((word) => `${word}\0`)
      .join('');
    const whole = Buffer.from(
      `forget 8\nlaunch 1 3 ${Buffer.byteLength(words)}\ntag${words}forget 9\nlog 1000000 3 0\n`,
    );
    for (let at = 0; at < whole.length; at += 37) {
      keeper.write(whole.subarray(at, at + 37));
      if (at % 10 === 0) await pauseMs(1);
    }

    await keeper.hear('ack log 0 0');
    expect(keeper.heard.filter((line) => line.startsWith('ack '))).toEqual([
      'ack forget 8 3',
      'ack launch 1 0',
      'ack forget 9 3',
      'ack log 0 0',
    ]);
    await waitUntil('the exit', () => keeper.heard.find((line) => line === 'gone 1'));
  });

  test('a connection that breaks in the middle of a launch starts nothing', async () => {
    keeper.write('launch 1 0 100\nhalf a blob');
    await pauseMs(20);

    expect((await keeper.connect()).length).toBe(2);
    expect(await keeper.ask('forget 1')).toBe(3);
  });

  test('a client that does not read is disconnected, and the next one sees it all', async () => {
    keeper.pause();
    for (let i = 0; i < 40_000; i++) keeper.write('forget 1\n');
    await pauseMs(300);

    expect((await keeper.connect()).at(-1)).toBe('replayed');
    expect(isAlive(keeper.pid)).toBe(true);
  });

  test('a tag that would not fit a line escaped is refused', async () => {
    expect(await keeper.launch(1, world.jail(1, ['true']), '\n'.repeat(512))).toBe(90);
    expect(await keeper.launch(1, world.jail(1, ['true']), 'x'.repeat(512))).toBe(0);
    expect(await keeper.hear('launched 1')).toMatch(/ x{512}$/);
  });

  test('quit removes the socket and the process', async () => {
    await keeper.output(1, world.jail(1, ['true']));
    const { pid, path } = keeper;

    expect(await keeper.ask('quit')).toBe(0);

    await waitUntil('the keeper to end', () => (isAlive(pid) ? undefined : true));
    expect(existsSync(path)).toBe(false);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(join(world.base, 'scratch'));
  });

  test('an idle keeper sleeps: no wake-up, no CPU', async () => {
    await keeper.run(1, world.jail(1, ['sleep', '60']));
    await pauseMs(100);
    const switches = () =>
      /voluntary_ctxt_switches:\s+(\d+)/.exec(readFileSync(`/proc/${keeper.pid}/status`, 'utf8'))?.[1];
    const before = switches();

    await pauseMs(1_200);

    expect(switches()).toBe(before);
  });
});
