import { statSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { peekLink, statusLine } from '../support/processes.ts';
import { CLONE, isRoot, NativeWorld, TENANT_UID, type TestKeeper, type Words, waitUntil } from './support.ts';

const NEWUSER = 0x1000_0000;
const NEWTIME = 0x80;
const ALL = Object.values(CLONE).reduce((sum, flag) => sum | flag, 0);
const RANGE = 2_100_000_000;
const BIND_80 = '400';
const SYS_ADMIN = '200000';

describe.skipIf(!isRoot)('user namespace', () => {
  let world: NativeWorld;
  let keeper: TestKeeper;

  beforeEach(async () => {
    world = NativeWorld.create();
    keeper = await world.keeper();
  });

  afterEach(async () => {
    expect(await world.end()).toEqual([]);
  });

  /** Everything into a range of its own, but the tenant's ids, which stay themselves. */
  const maps: readonly Words[] = ['uid-map', 'gid-map'].flatMap((word) => [
    [word, '0', String(RANGE), '65536'],
    [word, String(TENANT_UID), String(TENANT_UID), '1'],
  ]);
  const flags = ALL | NEWUSER | NEWTIME;
  const jail = (generation: number, command: Words, options: { uid?: number; caps?: string } = {}) =>
    world.jail(generation, command, {
      namespaces: flags,
      ...options,
      extra: [...maps, ['loopback'], ['umask', '22']],
    });
  const inside = async (script: string, options: { uid?: number; caps?: string } = {}) =>
    (await keeper.output(1, jail(1, ['sh', '-c', `exec 2>&1; ${script}`], options))).lines;

  test('every namespace is its own, also those that are made late', async () => {
    const { app } = await keeper.run(1, jail(1, ['sleep', '60']));

    for (const kind of ['mnt', 'pid', 'ipc', 'uts', 'net', 'cgroup', 'user', 'time'])
      expect([kind, peekLink(`/proc/${app}/ns/${kind}`)]).not.toEqual([
        kind,
        peekLink(`/proc/self/ns/${kind}`),
      ]);
  });

  test('the tenant stays itself, outside and inside, and its files are its own', async () => {
    const { app } = await keeper.run(1, jail(1, ['sleep', '60']));
    expect(statusLine(app, 'Uid')).toBe(Array(4).fill(TENANT_UID).join('\t'));
    keeper.send('kill 1');
    await keeper.hear('gone 1');
    await keeper.ask('forget 1');

    const [uid] = await inside(`id -u; : > ${world.base}/open/mine; echo again > /dev/stdout`);

    expect(uid).toBe(String(TENANT_UID));
    expect(statSync(`${world.base}/open/mine`).uid).toBe(TENANT_UID);
    expect(keeper.texts()).toContain('again');
  });

  test('root inside is nobody outside, and owns its streams and its loopback', async () => {
    const { app } = await keeper.run(
      1,
      jail(1, ['sh', '-c', `: > ${world.base}/open/mine; id -u > /dev/stdout; sleep 60`], { uid: 0 }),
    );
    await waitUntil('its word', () => (keeper.texts().length > 0 ? true : undefined));

    expect(keeper.texts()).toEqual(['0']);
    expect(statusLine(app, 'Uid')).toBe(Array(4).fill(RANGE).join('\t'));
    expect(statusLine(app, 'Groups')?.trim()).toBe('');
    expect(statSync(`${world.base}/open/mine`).uid).toBe(RANGE);
  });

  test('with a capability inside it has power over what was made with it, and over nothing of the host', async () => {
    const lines = await inside(
      'hostname inner && hostname; cat /etc/shadow; chown 0 /etc/passwd; echo 1 > /proc/sys/kernel/sysrq; id -u',
      { uid: 0, caps: '3fffffffff' },
    );

    expect(lines[0]).toBe('inner');
    expect(lines.filter((line) => /denied|Read-only|nonexistent/.test(line))).toHaveLength(3);
    expect(lines.at(-1)).toBe('0');
  });

  test('no capability inside takes a cover away, nor makes a read-only mount writable', async () => {
    const lines = await inside(
      'umount /root; umount -l /root; umount -l /usr; mount -o remount,rw,bind /usr; touch /usr/here; ls -A /root; echo end',
      { uid: 0, caps: SYS_ADMIN },
    );

    expect(lines.at(-1)).toBe('end');
    expect(lines.slice(0, -1).every((line) => /umount|mount|touch|failed|denied/.test(line))).toBe(true);
    expect(lines.some((line) => line.includes('touch'))).toBe(true);
  });

  test('what makes the whole tree read-only does not keep the maps from being written', async () => {
    const words = world.jail(1, ['id', '-u'], {
      namespaces: flags,
      extra: maps,
      mounts: [['readonly', '/']],
    });

    expect((await keeper.output(1, words)).lines).toEqual([String(TENANT_UID)]);
  });

  test('root inside binds port 80 of its own network', async () => {
    const lines = await inside(
      `perl -MSocket -e 'socket(S,2,1,0); print bind(S,sockaddr_in(80,INADDR_LOOPBACK)) ? "bound" : $!'; echo`,
      { uid: TENANT_UID, caps: BIND_80 },
    );

    expect(lines).toContain('bound');
  });

  test.each([
    ['a map without a user namespace', CLONE.NEWPID, maps, 'uid-map'],
    ['a user namespace without a map', CLONE.NEWPID | NEWUSER, [], 'uid-map'],
    [
      'a map that has not the tenant',
      CLONE.NEWPID | NEWUSER,
      maps.filter(([, from]) => from === '0'),
      'uid-map',
    ],
    ['a map beyond all ids', CLONE.NEWPID | NEWUSER, [['uid-map', '0', '4294967290', '100']], 'uid-map'],
  ])('%s is refused before anything is touched', async (_, namespaces, extra, wrong) => {
    await keeper.launch(1, world.jail(1, ['true'], { namespaces, extra }));

    expect(await keeper.hear('fail 1')).toBe(`fail 1 spec 22 ${wrong}`);
  });

  test('maps that overlap are refused by the kernel, and nothing has run', async () => {
    const extra = ['uid-map', 'gid-map'].flatMap((word) => [
      [word, '0', String(RANGE), '65536'],
      [word, '5', '5', '1'],
      [word, String(TENANT_UID), String(TENANT_UID), '1'],
    ]);
    await keeper.launch(1, world.jail(1, ['true'], { namespaces: flags, extra }));

    expect(await keeper.hear('fail 1')).toBe('fail 1 namespaces 22 uid_map');
    expect(keeper.texts()).toEqual([]);
  });
});
