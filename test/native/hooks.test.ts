import { existsSync, lstatSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isAlive, peek } from '../support/processes.ts';
import { isRoot, NativeWorld, type TestKeeper, type Words, waitUntil } from './support.ts';

const [ENOENT, EEXIST, EMLINK, ELOOP, ETIMEDOUT, ECANCELED] = [2, 17, 31, 40, 110, 125];

describe.skipIf(!isRoot)('hooks', () => {
  let world: NativeWorld;
  let keeper: TestKeeper;

  beforeEach(async () => {
    world = NativeWorld.create();
    keeper = await world.keeper();
  });

  afterEach(async () => {
    expect(await world.end()).toEqual([]);
  });

  const hook = (phase: string, action: string, ...args: Words): readonly Words[] =>
    limited(20_000, phase, action, ...args);
  const limited = (limitMs: number, phase: string, action: string, ...args: Words): readonly Words[] => [
    ['hook', phase, action, String(limitMs), `${action}:${args.join(' ')}`],
    ...args.map((arg) => ['hook-arg', arg]),
  ];
  const sh = (phase: string, script: string): readonly Words[] =>
    hook(phase, 'exec', '/bin/sh', '-c', script);
  const app: Words = ['sh', '-c', 'echo app'];

  test('a low limit of open files, which is the jail’s already, is no obstacle', async () => {
    const phases = ['as-user', 'as-root'].flatMap((phase) => hook(phase, 'print', phase));
    await keeper.output(1, world.jail(1, app, { extra: [['rlimit', '7', '24', '24'], ...phases] }));

    expect(keeper.texts()).toEqual(['as-root', 'as-user', 'app']);
  });

  test('five phases run in their order, where they belong, and say who they are', async () => {
    const say = 'echo "$EMPEROR_PHASE $GREETING $(id -u) $(readlink /proc/self/ns/mnt)"';
    const phases = ['post-stop', 'as-user', 'as-root', 'post-jail', 'pre-jail'];
    await keeper.output(
      1,
      world.jail(1, app, {
        extra: [
          ['hook-env', 'PATH=/usr/bin:/bin'],
          ['hook-env', 'GREETING=hi'],
          ...phases.flatMap((phase) => sh(phase, say)),
        ],
      }),
    );

    const lines = keeper.texts().map((line) => line.split(' '));
    expect(lines.map((words) => words.slice(0, 3).join(' '))).toEqual([
      'pre-jail hi 0',
      'post-jail hi 0',
      'as-root hi 0',
      'as-user hi 412001',
      'app',
      'post-stop hi 0',
    ]);
    const [pre, postJail, asRoot, asUser, , postStop] = lines.map((words) => words[3]);
    expect(pre).toBe(postStop);
    expect(pre).not.toBe(postJail);
    expect([asRoot, asUser]).toEqual([postJail, postJail]);
  });

  test('inside, a hook is told the pid of the init as the host sees it', async () => {
    const { init } = await keeper.run(
      1,
      world.jail(1, ['sleep', '60'], {
        extra: ['pre-jail', 'post-jail', 'as-root', 'as-user'].flatMap((phase) =>
          sh(phase, 'echo "$EMPEROR_PHASE ${EMPEROR_JAIL_PID:-none}"'),
        ),
      }),
    );

    expect(keeper.texts()).toEqual([
      'pre-jail none',
      `post-jail ${init}`,
      `as-root ${init}`,
      `as-user ${init}`,
    ]);
  });

  test.each([
    ['pre-jail', 'hook-pre-jail'],
    ['post-jail', 'hook-post-jail'],
    ['as-root', 'hook-as-root'],
    ['as-user', 'hook-as-user'],
  ])('one that fails at %s fails the launch with its text, code and last words', async (phase, stage) => {
    await keeper.launch(
      1,
      world.jail(1, ['sh', '-c', `echo ran > ${world.base}/open/ran`], {
        extra: [...sh(phase, 'echo one; echo two >&2; exit 7'), ...sh(phase, 'echo never')],
      }),
    );

    expect(await keeper.hear('fail 1')).toBe(
      `fail 1 ${stage} ${ECANCELED} exec:/bin/sh -c echo one; echo two >&2; exit 7: exit 7: one two`,
    );
    expect(keeper.texts()).toEqual(['one', 'two']);
    expect(existsSync(join(world.base, 'open/ran'))).toBe(false);
    expect(existsSync(world.cgroup(1))).toBe(false);
  });

  test.each(['pre-jail', 'post-jail', 'as-root', 'as-user'])(
    'one that outlives its time at %s is killed with its children',
    async (phase) => {
      const script = 'echo begun; sleep 300 & setsid sleep 300 & wait';
      await keeper.launch(
        1,
        world.jail(1, app, { extra: limited(300, phase, 'exec', '/bin/sh', '-c', script) }),
      );

      expect(await keeper.hear('fail 1')).toBe(
        `fail 1 hook-${phase} ${ETIMEDOUT} exec:/bin/sh -c ${script}: killed after 300 ms: begun`,
      );
      expect(existsSync(world.cgroup(1))).toBe(false);
    },
  );

  test('a signal, a missing program and only the last 200 bytes of much output', async () => {
    const launch = async (generation: number, hooks: readonly Words[]): Promise<string> => {
      await keeper.launch(generation, world.jail(generation, app, { extra: hooks }));
      return keeper.hear(`fail ${generation}`);
    };

    expect(await launch(1, sh('as-root', 'kill -SEGV $$'))).toMatch(
      new RegExp(`^fail 1 hook-as-root ${ECANCELED} .*: signal 11$`),
    );
    expect(await launch(2, hook('as-root', 'exec', '/no/such'))).toBe(
      `fail 2 hook-as-root ${ENOENT} exec:/no/such: /no/such`,
    );
    const much = await launch(3, sh('as-root', 'yes | head -c 3000000; printf END; exit 1'));
    expect(much).toMatch(/: exit 1: [y ]+END$/);
    expect(much.length).toBeLessThan(420);
  });

  test('directories, owners, modes, links and texts', async () => {
    const dir = join(world.base, 'made by a hook');
    await keeper.output(
      1,
      world.jail(1, app, {
        extra: [
          ...hook('pre-jail', 'mkdir', `${dir}/a/b`, '2751'),
          ...hook('pre-jail', 'mkdir', `${dir}/a/b`, '755'),
          ...hook('pre-jail', 'write', `${dir}/text`, 'some text'),
          ...hook('pre-jail', 'write', `${dir}/text`, 'shorter'),
          ...hook('pre-jail', 'chown', `${dir}/text`, '1234', '-'),
          ...hook('pre-jail', 'chmod', `${dir}/text`, '4640'),
          ...hook('pre-jail', 'symlink', '../text', `${dir}/a/link`),
          ...hook('pre-jail', 'symlink', '../text', `${dir}/a/link`),
          ...hook('pre-jail', 'print', '%s is no format'),
        ],
      }),
    );

    expect(lstatSync(`${dir}/a`).mode & 0o7777).toBe(0o755);
    expect(lstatSync(`${dir}/a/b`).mode & 0o7777).toBe(0o2751);
    const { uid, gid, mode } = lstatSync(`${dir}/text`);
    expect([uid, gid, mode & 0o7777]).toEqual([1234, 0, 0o4640]);
    expect(readFileSync(`${dir}/a/link`, 'utf8')).toBe('shorter');
    expect(keeper.texts()).toEqual(['%s is no format', 'app']);
  });

  test('root follows no link of a tenant, and leaves files alone that have a second name', async () => {
    const target = join(world.base, 'target');
    writeFileSync(target, 'untouched', { mode: 0o600 });
    symlinkSync(target, join(world.base, 'open/link'));
    symlinkSync(world.base, join(world.base, 'open/dir'));
    const { linkSync } = await import('node:fs');
    linkSync(target, join(world.base, 'open/second'));
    const [link, below, second] = ['open/link', 'open/dir/target', 'open/second'].map((path) =>
      join(world.base, path),
    ) as [string, string, string];
    const attempts: readonly (readonly [number, readonly Words[]])[] = [
      [ELOOP, hook('pre-jail', 'chown', link, '1234', '1234')],
      [ELOOP, hook('pre-jail', 'chmod', link, '777')],
      [ELOOP, hook('pre-jail', 'write', link, 'evil')],
      [ELOOP, hook('pre-jail', 'chown', below, '1234', '1234')],
      [ELOOP, hook('pre-jail', 'write', below, 'evil')],
      [ELOOP, hook('pre-jail', 'mkdir', `${world.base}/open/dir/new`, '755')],
      [EEXIST, hook('pre-jail', 'symlink', '/etc', link)],
      [ELOOP, hook('pre-jail', 'symlink', '/etc', `${world.base}/open/dir/new`)],
      [EMLINK, hook('pre-jail', 'chown', second, '1234', '1234')],
      [EMLINK, hook('pre-jail', 'chmod', second, '777')],
      [EMLINK, hook('pre-jail', 'write', second, 'evil')],
      [
        ELOOP,
        hook(
          'post-jail',
          'mount',
          'bind',
          '0',
          'none',
          '/usr',
          `${world.base}/open/dir`,
          '0',
          '0',
          '0',
          '0',
          '',
        ),
      ],
      [
        ELOOP,
        hook(
          'post-jail',
          'mount',
          'bind',
          '0',
          'none',
          `${world.base}/open/dir`,
          '/mnt',
          '0',
          '0',
          '0',
          '0',
          '',
        ),
      ],
      [
        ELOOP,
        hook(
          'post-jail',
          'mount',
          'new',
          '0',
          'tmpfs',
          'none',
          `${world.base}/open/dir`,
          '0',
          '0',
          '0',
          '0',
          '',
        ),
      ],
    ];

    for (const [index, [errno, hooks]] of attempts.entries()) {
      await keeper.launch(index + 1, world.jail(index + 1, app, { extra: hooks }));
      expect(await keeper.hear(`fail ${index + 1}`)).toMatch(new RegExp(`^fail \\d+ hook-\\S+ ${errno} `));
      expect(await keeper.ask(`forget ${index + 1}`)).toBe(0);
    }

    const { uid, mode } = lstatSync(target);
    expect([uid, mode & 0o7777, readFileSync(target, 'utf8')]).toEqual([0, 0o600, 'untouched']);
    expect(existsSync(join(world.base, 'new'))).toBe(false);
  });

  test('what post-jail mounts is in the jail and nowhere else; a bind is read-only with all below it', async () => {
    const place = join(world.base, 'place');
    mkdirSync(place);
    const mount = (...[kind = '', type = '', source = '', target = '', set = '', flags = '0']: Words) =>
      hook('post-jail', 'mount', kind, '1', type, source, target, set, '0', '0', flags, '');
    await keeper.output(
      1,
      world.jail(1, ['sh', '-c', `ls ${place}/usr/bin/env; cat /proc/self/mountinfo`], {
        extra: [
          ...mount('new', 'tmpfs', 'hooked', place, '0', '6'),
          ...hook('post-jail', 'mkdir', `${place}/usr`, '755'),
          ...hook('post-jail', 'mkdir', `${place}/with blank`, '755'),
          ...mount('new', 'tmpfs', 'hooked', `${place}/with blank`, '0', '0'),
          ...hook('post-jail', 'mkdir', `${place}/with blank/deeper`, '755'),
          ...mount('new', 'tmpfs', 'hooked', `${place}/with blank/deeper`, '0', '0'),
          ...hook('post-jail', 'umount', `${place}/with blank`, '0', '1'),
          ...mount('bind', 'none', '/usr', `${place}/usr`, '7'),
        ],
      }),
    );

    const lines = keeper.texts();
    expect(lines[0]).toBe(`${place}/usr/bin/env`);
    const mounts = lines.slice(1).flatMap((line) => {
      const [, , , , point, options] = line.split(' ');
      return point?.startsWith(place) === true ? [`${point.slice(place.length)} ${options}`] : [];
    });
    expect(mounts[0]).toMatch(/^ rw,nosuid,nodev/);
    expect(mounts.slice(1)).toEqual([expect.stringMatching(/^\/usr ro,nosuid,nodev/)]);
    expect(peek('/proc/self/mountinfo')).not.toContain(place);
  });

  test('post-stop runs when the app has ended, all of it, and is told where it fails', async () => {
    const file = join(world.base, 'open/stopped');
    const { exit } = await keeper.output(
      1,
      world.jail(1, app, {
        extra: [
          ...sh('post-stop', 'echo sorry; exit 3'),
          ...sh('post-stop', `ls -d ${world.cgroup(1)}; echo done > ${file}`),
        ],
      }),
    );

    expect(exit).toBe('code 0 -');
    expect(readFileSync(file, 'utf8')).toBe('done\n');
    expect(keeper.heard.filter((line) => line.startsWith('trouble'))).toEqual([
      `trouble hook-post-stop ${ECANCELED} exec:/bin/sh -c echo sorry; exit 3: exit 3: sorry`,
    ]);
    expect(keeper.log()).toContain(
      'hook-post-stop failed: exec:/bin/sh -c echo sorry; exit 3: exit 3: sorry',
    );
    expect(keeper.texts()).toContain(`ls: cannot access '${world.cgroup(1)}': No such file or directory`);
  });

  test.each(['pre-jail', 'post-jail', 'as-root', 'as-user'])(
    'post-stop runs after a launch that failed at %s',
    async (phase) => {
      const file = join(world.base, 'open/stopped');
      await keeper.launch(
        1,
        world.jail(1, app, { extra: [...sh(phase, 'exit 1'), ...sh('post-stop', `echo done > ${file}`)] }),
      );
      await keeper.hear('fail 1');

      expect(readFileSync(file, 'utf8')).toBe('done\n');
    },
  );

  test('post-stop runs when the keeper is killed, after the jail is gone', async () => {
    const file = join(world.base, 'open/stopped');
    const { init, app: pid } = await keeper.run(
      1,
      world.jail(1, ['sleep', '60'], {
        extra: sh(
          'post-stop',
          `kill -0 $OF && echo lives; cat ${world.cgroup(1)}/cgroup.events; echo done >> ${file}`,
        ),
      }),
    );
    process.kill(keeper.pid, 'SIGKILL');

    await waitUntil('post-stop', () => (peek(file) === 'done\n' ? true : undefined));
    expect([isAlive(init), isAlive(pid)]).toEqual([false, false]);
    await keeper.end();
    const { rmdirSync } = await import('node:fs');
    rmdirSync(world.cgroup(1));
    rmdirSync(join(world.cgroup(1), '..'));
  });

  test('gone waits for post-stop, and not for ever', async () => {
    await keeper.run(
      1,
      world.jail(1, ['sleep', '60'], {
        extra: limited(700, 'post-stop', 'exec', '/bin/sh', '-c', 'sleep 300 & sleep 300'),
      }),
    );
    await keeper.ask('kill 1');
    await keeper.hear('exited 1');
    expect(await keeper.ask('quit')).toBe(16);
    await keeper.hear('gone 1');

    expect(keeper.heard.filter((line) => line.startsWith('trouble'))).toEqual([
      expect.stringMatching(new RegExp(`^trouble hook-post-stop ${ETIMEDOUT} .*: killed after 700 ms$`)),
    ]);
  });

  test('what a hook leaves running dies with the jail', async () => {
    await keeper.run(
      1,
      world.jail(1, ['sleep', '60'], {
        extra: ['pre-jail', 'post-jail', 'as-root'].flatMap((phase) =>
          sh(phase, 'setsid sleep 333 >/dev/null 2>&1 &'),
        ),
      }),
    );
    const left =
      peek(join(world.cgroup(1), 'cgroup.procs'))
        ?.split('\n')
        .filter(Boolean) ?? [];
    expect(left.length).toBe(5);
    await keeper.ask('kill 1');
    await keeper.hear('gone 1');

    expect(left.filter((pid) => isAlive(Number(pid)))).toEqual([]);
  });

  test.each([
    [['hook', 'pre-lunch', 'print', '1000', 'x'], 'hook'],
    [['hook', 'pre-jail', 'dance', '1000', 'x'], 'hook'],
    [['hook', 'pre-jail', 'print', '0', 'x'], 'hook'],
    [['hook', 'pre-jail', 'print', '1000', 'x'], 'hook-arg'],
    [['hook-arg', 'x'], 'hook-arg'],
    [['hook-env', 'x'], 'hook-env'],
  ])('%j is refused before anything is touched', async (words, what) => {
    await keeper.launch(1, world.jail(1, app, { extra: [words] }));

    expect(await keeper.hear('fail 1')).toBe(`fail 1 spec 22 ${what}`);
  });
});
