import { existsSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isAlive, processFacts, statusLine } from '../support/processes.ts';
import { CLONE, isRoot, NativeWorld, pauseMs, type TestKeeper, type Words, waitUntil } from './support.ts';

const [EPERM, ENOENT, EACCES, EBUSY, EEXIST, EINVAL, ESRCH, ENOTDIR] = [1, 2, 13, 16, 17, 22, 3, 20];

describe.skipIf(!isRoot)('launch', () => {
  let world: NativeWorld;
  let keeper: TestKeeper;

  beforeEach(async () => {
    world = NativeWorld.create();
    keeper = await world.keeper();
  });

  afterEach(async () => {
    expect(await world.end()).toEqual([]);
  });

  const sh = (script: string): Words => ['sh', '-c', script];

  test('an app runs, ends with its code and leaves nothing', async () => {
    const { lines, exit } = await keeper.output(1, world.jail(1, sh('echo hello; echo oops >&2; exit 3')));

    expect(exit).toBe('code 3 -');
    expect(lines.toSorted()).toEqual(['hello', 'oops']);
    expect(existsSync(world.cgroup(1))).toBe(false);
    expect(await keeper.ask('forget 1')).toBe(0);
  });

  test('the pids are those of the host, and the titles say who is who', async () => {
    const { init, app } = await keeper.run(1, world.jail(1, ['sleep', '60']));

    expect(processFacts(app)?.cmdline).toEqual(['sleep', '60']);
    expect(processFacts(app)?.ppid).toBe(init);
    expect(processFacts(init)?.cmdline).toEqual([`init ${world.name}`]);
    expect(processFacts(init)?.ppid).toBe(keeper.pid);
    expect(processFacts(keeper.pid)?.cmdline).toEqual([`keeper ${world.name}`]);
  });

  test('an app that kills itself is reported with the signal, not as 128 + n', async () => {
    const { exit } = await keeper.output(1, world.jail(1, sh('kill -SEGV $$')));

    expect(exit).toBe('signal 11 -');
  });

  test('an exit code above 128 is a code', async () => {
    expect((await keeper.output(1, world.jail(1, sh('exit 137')))).exit).toBe('code 137 -');
  });

  test('without a pid namespace and without a group everything works, and a daemon of the app dies with it', async () => {
    const { exit } = await keeper.output(
      1,
      world.jail(1, [world.tenant, 'daemon'], {
        namespaces: 0,
        extra: [['notify', join(world.base, 'notify')]],
      }),
    );

    expect(exit).toBe('code 0 -');
    expect(keeper.texts()).toEqual(['daemon lives']);
  });

  test('a double-forked daemon dies with the app', async () => {
    await keeper.output(1, world.jail(1, [world.tenant, 'daemon']));

    expect(keeper.texts()).toEqual(['daemon lives']);
    expect(existsSync(world.cgroup(1))).toBe(false);
  });

  test('an init that is killed takes the app along', async () => {
    const { init, app } = await keeper.run(1, world.jail(1, ['sleep', '60']));
    process.kill(init, 'SIGKILL');

    expect(await keeper.hear('exited 1')).toMatch(/ signal 9 -$/);
    await keeper.hear('gone 1');
    expect(isAlive(app)).toBe(false);
  });

  test('a killed app is an exit by signal', async () => {
    const { app } = await keeper.run(1, world.jail(1, ['sleep', '60']));
    process.kill(app, 'SIGKILL');

    expect(await keeper.hear('exited 1')).toMatch(/ signal 9 -$/);
  });

  test('a keeper that is killed takes the jail along', async () => {
    const { init, app } = await keeper.run(1, world.jail(1, ['sleep', '60']));
    process.kill(keeper.pid, 'SIGKILL');

    await waitUntil('init to end', () => (isAlive(init) ? undefined : true));
    await waitUntil('the app to end', () => (isAlive(app) ? undefined : true));
    await keeper.end();
    await waitUntil('the group to be empty', () => (removed(world.cgroup(1)) ? true : undefined));
    removed(join(world.cgroup(1), '..'));
  });

  test('signals reach the app, and every process but init', async () => {
    await keeper.run(1, world.jail(1, [world.tenant, 'stubborn']));
    await waitUntil('both to be ready', () => (keeper.texts().length === 2 ? true : undefined));

    expect(await keeper.ask('signal 1 10')).toBe(0);
    await waitUntil('one to hear', () => (keeper.texts().includes('got 10') ? true : undefined));
    expect(await keeper.ask('signal-all 1 12')).toBe(0);
    await waitUntil('both to hear', () =>
      keeper.texts().filter((line) => line === 'got 12').length === 2 ? true : undefined,
    );

    expect(keeper.texts().filter((line) => line === 'got 10').length).toBe(1);
    expect(await keeper.ask('signal 1 65')).toBe(EINVAL);
    expect(await keeper.ask('signal 2 15')).toBe(ESRCH);
    expect(await keeper.ask('kill 1')).toBe(0);
    expect(await keeper.hear('exited 1')).toMatch(/ signal 9 -$/);
    await keeper.hear('gone 1');
    expect(await keeper.ask('signal 1 15')).toBe(ESRCH);
  });

  test('two generations live side by side, and each ends for itself', async () => {
    await keeper.run(1, world.jail(1, ['sleep', '60']));
    const second = await keeper.run(2, world.jail(2, ['sleep', '60']));

    await keeper.ask('kill 1');
    await keeper.hear('gone 1');

    expect(isAlive(second.app)).toBe(true);
  });

  test('eight generations at once, no ninth, none twice', async () => {
    for (let generation = 1; generation <= 8; generation++)
      await keeper.run(generation, world.jail(generation, ['sleep', '60']));

    expect(await keeper.launch(9, world.jail(9, ['true']))).toBe(11);
    expect(await keeper.launch(8, world.jail(8, ['true']))).toBe(EEXIST);
  });

  test('a running generation cannot be forgotten, nor the keeper quit', async () => {
    await keeper.run(1, world.jail(1, ['sleep', '60']));

    expect(await keeper.ask('forget 1')).toBe(EBUSY);
    expect(await keeper.ask('quit')).toBe(EBUSY);
    expect(await keeper.ask('forget 2')).toBe(ESRCH);
  });

  describe('a launch that fails says stage, errno and object, and has run nothing', () => {
    const failure = async (words: readonly Words[]): Promise<string> => {
      await keeper.launch(1, words);
      const line = await keeper.hear('');
      expect(existsSync(join(world.base, 'open', 'ran'))).toBe(false);
      expect(existsSync(world.cgroup(1))).toBe(false);
      expect(await keeper.ask('kill 1')).toBe(0);
      expect(await keeper.ask('forget 1')).toBe(0);
      return line;
    };
    const marker = (): Words => sh(`echo ran > ${world.base}/open/ran`);

    test('exec: no such program', async () => {
      expect(await failure(world.jail(1, ['no-such-program']))).toBe(`fail 1 exec ${ENOENT} no-such-program`);
    });

    test('exec: not executable', async () => {
      expect(await failure(world.jail(1, ['/etc/passwd']))).toBe(`fail 1 exec ${EACCES} /etc/passwd`);
    });

    test('exec: hostile names arrive as they are', async () => {
      expect(await failure(world.jail(1, ['a\\b\nc']))).toBe(`fail 1 exec ${ENOENT} a\\x5cb\\x0ac`);
    });

    test('chdir', async () => {
      const words = world.jail(1, marker(), { extra: [['chdir', '/no/such']] });
      expect(await failure(words)).toBe(`fail 1 chdir ${ENOENT} /no/such`);
    });

    test('chdir is done as the tenant', async () => {
      const words = world.jail(1, marker(), { extra: [['chdir', '/lost+found']] });
      expect(await failure(words)).toMatch(new RegExp(`^fail 1 chdir (${EACCES}|${ENOENT}) /lost\\+found$`));
    });

    test('env-file: missing, of others, a directory, a bad line', async () => {
      writeFileSync(join(world.base, 'secret.env'), 'A=1\n', { mode: 0o600 });
      writeFileSync(join(world.base, 'bad.env'), 'A=1\n\n# fine\nnot a line\n', { mode: 0o644 });
      const withFile = (path: string) => world.jail(1, marker(), { extra: [['env-file', path]] });

      expect(await failure(withFile('/no/such'))).toBe(`fail 1 env-file ${ENOENT} /no/such`);
      expect(await failure(withFile(`${world.base}/secret.env`))).toBe(
        `fail 1 env-file ${EACCES} ${world.base}/secret.env`,
      );
      expect(await failure(withFile('/etc'))).toBe(`fail 1 env-file ${EINVAL} /etc`);
      expect(await failure(withFile(`${world.base}/bad.env`))).toBe(
        `fail 1 env-file ${EINVAL} ${world.base}/bad.env:4`,
      );
    });

    test('touch: no such directory', async () => {
      const words = world.jail(1, marker(), { extra: [['touch', '/no/such/file']] });
      expect(await failure(words)).toBe(`fail 1 touch ${ENOENT} /no/such/file`);
    });

    test('mounts: a source that is missing, a symlink on the way, a file over a directory', async () => {
      const withMount = (...words: readonly Words[]) => world.jail(1, marker(), { mounts: words });

      expect(await failure(withMount(['bind', '/no/such', '/mnt', '-']))).toBe(
        `fail 1 mounts ${ENOENT} /no/such`,
      );
      expect(await failure(withMount(['bind', '/usr', '/no/such', '-']))).toBe(
        `fail 1 mounts ${ENOENT} /no/such`,
      );
      expect(await failure(withMount(['bind', '/dev/stdin', '/mnt', '-']))).toBe(
        'fail 1 mounts 40 /dev/stdin',
      );
      expect(await failure(withMount(['keep', '/dev/stdin']))).toBe('fail 1 mounts 40 /dev/stdin');
      expect(await failure(withMount(['file', '/mnt', 'x']))).toBe(`fail 1 mounts ${EINVAL} /mnt`);
    });

    test('cgroup: no hierarchy there, a value that the kernel refuses', async () => {
      const elsewhere = [['cgroup', `${world.base}/none/1`], ...world.jail(1, marker(), { noCgroup: true })];
      const refused = world.jail(1, marker(), {
        extra: [['cgroup-set', world.cgroup(1), 'cgroup.freeze', 'x']],
      });

      expect(await failure(elsewhere)).toBe(`fail 1 cgroup ${EINVAL} ${world.base}/none/1`);
      expect(existsSync(`${world.base}/none`)).toBe(false);
      expect(await failure(refused)).toBe(`fail 1 cgroup ${EINVAL} ${world.cgroup(1)}/cgroup.freeze`);
    });

    test('identity: a capability that the kernel does not know, or that we have not', async () => {
      const caps = (bits: bigint) => world.jail(1, marker(), { caps: bits.toString(16) });

      expect(await failure(caps(1n << 63n))).toBe(`fail 1 identity ${EINVAL} capability 63`);
      const lacking = Array.from({ length: 41 }, (_, bit) => BigInt(bit)).find(
        (bit) => ((bounding() >> bit) & 1n) === 0n,
      );
      if (lacking !== undefined)
        expect(await failure(caps(1n << lacking))).toBe(`fail 1 identity ${EPERM} capability ${lacking}`);
    });

    test('limits: more than the hard limit allows', async () => {
      const words = world.jail(1, marker(), { extra: [['rlimit', '7', '1000000000000', '1000000000000']] });
      expect(await failure(words)).toBe(`fail 1 limits ${EPERM} rlimit 7`);
    });

    test('log: a directory that cannot be made', async () => {
      writeFileSync(keeper.logDir, 'a file where a directory should be');
      expect(await failure(world.jail(1, marker()))).toBe(`fail 1 log ${ENOTDIR} ${keeper.logDir}`);
    });

    test.each([
      ['an unknown word', [['jump']], 'jump'],
      ['a word without its argument', [['cgroup']], 'cgroup'],
      [
        'a second uid',
        [
          ['uid', '5'],
          ['uid', '6'],
        ],
        'uid',
      ],
      ['a uid that means "no change"', [['uid', '4294967295']], 'uid'],
      ['a relative path', [['chdir', 'here']], 'chdir'],
      ['a path that climbs', [['hide', '/usr/../etc']], 'hide'],
      ['a namespace of users without its maps', [['unshare', String(0x1000_0000)]], 'uid-map'],
      ['a namespace of nothing', [['unshare', '1']], 'unshare'],
      ['a hostname of the host', [['hostname', 'host']], 'hostname'],
      ['a loopback of the host', [['loopback']], 'loopback'],
      ['mounts on the host', [['mask', '/etc']], 'unshare'],
      ['a write outside of the group', [['cgroup-set', '/sys/fs/cgroup/elsewhere', 'x', '1']], 'cgroup-set'],
      ['a host that is a name', [['ready-tcp', 'localhost', '80']], 'ready-tcp'],
      ['a port that is none', [['ready-tcp', '127.0.0.1', '0']], 'ready-tcp'],
      ['a soft limit above the hard one', [['rlimit', '7', '2', '1']], 'rlimit'],
      ['a nice value that is none', [['nice', '20']], 'nice'],
      ['two minus signs', [['nice', '--5']], 'nice'],
      ['an I/O class that is none', [['ionice', '4', '0']], 'ionice'],
      ['an I/O level that is none', [['ionice', '2', '8']], 'ionice'],
      ['real time without a priority', [['sched', '1', '0']], 'sched'],
      ['a priority without real time', [['sched', '0', '1']], 'sched'],
      ['a policy of deadlines', [['sched', '6', '1']], 'sched'],
      ['an OOM score that is none', [['oom-score-adj', '-1001']], 'oom-score-adj'],
    ] as const)('spec: %s', async (_, words, wrong) => {
      const bare = [['gid', '1'], ['caps', '0'], ['arg', 'true'], ...words];
      const whole = words.some(([word]) => word === 'uid') ? bare : [...bare, ['uid', '1']];

      expect(await failure(whole)).toBe(`fail 1 spec ${EINVAL} ${wrong}`);
    });

    test('spec: too many of one kind, nothing at all, bytes without an end', async () => {
      const many = Array.from({ length: 9 }, () => ['touch', '/tmp/x']);
      const launch = async (bytes: string): Promise<string> => {
        keeper.send(`launch 1 0 ${bytes.length}`, Buffer.from(bytes));
        const line = await keeper.hear('fail');
        await keeper.ask('forget 1');
        return line;
      };

      expect(await failure(world.jail(1, marker(), { extra: many }))).toBe(`fail 1 spec ${EINVAL} touch`);
      expect(await launch('')).toBe(`fail 1 spec ${EINVAL} uid`);
      expect(await launch('uid\u00000')).toBe(`fail 1 spec ${EINVAL} end`);
    });
  });

  test('a kill on the way into the jail is an end too', async () => {
    for (let generation = 1; generation <= 30; generation++) {
      await keeper.launch(generation, world.jail(generation, ['sleep', '60']));
      await pauseMs((generation % 10) / 5);
      await keeper.ask(`kill ${generation}`);
      await waitUntil('its end', () =>
        keeper.heard.find((line) => new RegExp(`^(?:gone|fail) ${generation}\\b`).test(line)),
      );
      await keeper.ask(`forget ${generation}`);
    }
    const ends = new Set(
      keeper.heard.flatMap(
        (line) => /^(?:fail \d+ (.*)|gone|exited \d+ \d+ (.*))/.exec(line)?.slice(1) ?? [],
      ),
    );

    expect(
      [...ends]
        .filter((end) => end !== undefined)
        .every((end) => end === 'init 4 killed' || end === 'signal 9 -'),
    ).toBe(true);
  });

  test('with a network namespace of its own it has a loopback, and nothing else', async () => {
    const { lines } = await keeper.output(
      1,
      world.jail(
        1,
        sh('cat /proc/net/dev | tail -n +3 | cut -d: -f1; ls /sys/class/net; exec 3<>/dev/null'),
        {
          namespaces: CLONE.NEWNS | CLONE.NEWPID | CLONE.NEWNET | CLONE.NEWCGROUP,
          extra: [['loopback']],
        },
      ),
    );

    expect(lines.map((line) => line.trim())).toEqual(['lo', 'lo']);
  });
});

function removed(dir: string): boolean {
  try {
    rmdirSync(dir);
    return true;
  } catch {
    return !existsSync(dir);
  }
}

function bounding(): bigint {
  return BigInt(`0x${statusLine(process.pid, 'CapBnd') ?? '0'}`);
}
