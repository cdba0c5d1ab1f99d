import {
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { peek, peekLink, statusLine } from '../support/processes.ts';
import {
  isRoot,
  NativeWorld,
  pauseMs,
  TENANT_UID,
  type TestKeeper,
  type Words,
  waitUntil,
} from './support.ts';

describe.skipIf(!isRoot)('jail', () => {
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
  /** Run a script with these mount words; what it said, in order. */
  const inside = async (script: string, mounts: readonly Words[] = [], extra: readonly Words[] = []) =>
    (await keeper.output(1, world.jail(1, sh(`exec 2>&1; ${script}`), { mounts, extra }))).lines;

  test('the app is the tenant and nobody else: ids, groups, no capability, no new privileges', async () => {
    const extra = [
      ['add-gid', '33'],
      ['add-gid', '44'],
    ];
    const { app, init } = await keeper.run(1, world.jail(1, ['sleep', '60'], { gid: 412_009, extra }));

    for (const pid of [app, init]) {
      expect(statusLine(pid, 'Uid')).toBe(Array(4).fill(TENANT_UID).join('\t'));
      expect(statusLine(pid, 'Gid')).toBe(Array(4).fill(412_009).join('\t'));
      expect(statusLine(pid, 'Groups')?.trim()).toBe('33 44');
      for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
        expect(statusLine(pid, set)).toBe('0000000000000000');
      expect(statusLine(pid, 'NoNewPrivs')).toBe('1');
    }
  });

  test('without groups there are none, not even root’s', async () => {
    const { app } = await keeper.run(1, world.jail(1, ['sleep', '60']));

    expect(statusLine(app, 'Groups')?.trim()).toBe('');
  });

  test('capabilities are exactly the listed ones, in all five sets, through exec', async () => {
    const { app } = await keeper.run(
      1,
      world.jail(1, sh('sleep 60; true'), { caps: (0x400 + 0x20).toString(16) }),
    );

    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
      expect(statusLine(app, set)).toBe('0000000000000420');
  });

  test('root inside, when asked for, has the listed capabilities and no other', async () => {
    const { app } = await keeper.run(1, world.jail(1, sh('sleep 60; true'), { uid: 0, caps: '400' }));

    for (const set of ['CapPrm', 'CapEff', 'CapBnd']) expect(statusLine(app, set)).toBe('0000000000000400');
  });

  test('the app starts with default signals, umask, a session and a keyring of its own', async () => {
    const extra = [['umask', '27']];
    await keeper.run(1, world.jail(1, sh(`${world.tenant} ids; sleep 60`), { extra }));
    await waitUntil('the ids', () => (keeper.texts().length === 4 ? true : undefined));
    const app = Number((await keeper.connect()).find((line) => line.startsWith('launched'))?.split(' ')[4]);

    expect(statusLine(app, 'SigBlk')).toBe('0000000000000000');
    expect(statusLine(app, 'SigIgn')).toBe('0000000000000000');
    const [ids, hostname, umask] = keeper.texts();
    expect(ids).toMatch(new RegExp(`^pid \\d+ ppid 2 sid 2 uid ${TENANT_UID} gid ${TENANT_UID} groups$`));
    expect(hostname).toBe('hostname jailed');
    expect(umask).toBe('umask 27');
  });

  test('it has its own keyring, unless the kernel has none', async () => {
    const keyring = async (generation: number) => {
      await keeper.output(generation, world.jail(generation, [world.tenant, 'ids']));
      return keeper.texts().at(-1);
    };

    const [first, second] = [await keyring(1), await keyring(2)];

    if (first !== 'keyring -1') expect(first).not.toBe(second);
  });

  test('nothing is open but 0, 1 and 2', async () => {
    const { lines } = await keeper.output(1, world.jail(1, [world.tenant, 'fds']));

    expect(lines.length).toBe(3);
    expect(lines[0]).toBe('fd 0 /dev/null');
    expect(lines[1]).toMatch(/^fd 1 pipe:/);
    expect(lines[2]).toMatch(/^fd 2 pipe:/);
  });

  test('init holds nothing of the keeper either', async () => {
    const { init } = await keeper.run(1, world.jail(1, ['sleep', '60']));
    await pauseMs(50);

    const fds = readFds(init);
    expect(fds.slice(0, 3)).toEqual(['/dev/null', '/dev/null', '/dev/null']);
    expect(fds.slice(3).every((target) => /^(socket:|anon_inode:)/.test(target))).toBe(true);
    expect(fds.length).toBeLessThanOrEqual(5);
  });

  test('the environment is exactly what was asked; env-file replaces words before it, words after it replace its lines', async () => {
    writeFileSync(
      join(world.base, 'a.env'),
      '# comment\n\nEARLY=file\nFROM_FILE=1 = 2 "x"\r\nBOTH=file\n  \nEMPTY=\n',
    );
    const extra = [
      ['env', 'EARLY=env'],
      ['env-file', join(world.base, 'a.env')],
      ['env', 'BOTH=env'],
      ['env', 'TWICE=1'],
      ['env', 'TWICE=2'],
    ];
    const { lines } = await keeper.output(1, world.jail(1, ['env'], { extra }));

    expect(lines.toSorted()).toEqual([
      'BOTH=env',
      'EARLY=file',
      'EMPTY=',
      'FROM_FILE=1 = 2 "x"',
      'NOTIFY_SOCKET=/run/notify',
      'PATH=/usr/bin:/bin',
      'TWICE=2',
    ]);
  });

  test('the command is looked up in the PATH of its own environment', async () => {
    mkdirSync(join(world.base, 'bin'));
    writeFileSync(join(world.base, 'bin/mine'), '#!/bin/sh\necho mine "$@"\n', { mode: 0o755 });
    const extra = [['env', `PATH=/no/such:${world.base}/bin:/usr/bin`]];

    expect((await keeper.output(1, world.jail(1, ['mine', 'a b', ''], { extra }))).lines).toEqual([
      'mine a b ',
    ]);
  });

  test('its namespaces are its own', async () => {
    const { app } = await keeper.run(1, world.jail(1, ['sleep', '60']));

    for (const name of ['mnt', 'pid', 'ipc', 'uts', 'cgroup'])
      expect(peekLink(`/proc/${app}/ns/${name}`)).not.toBe(peekLink(`/proc/self/ns/${name}`));
    expect(peekLink(`/proc/${app}/ns/net`)).toBe(peekLink('/proc/self/ns/net'));
    expect(peekLink(`/proc/${keeper.pid}/ns/mnt`)).not.toBe(peekLink('/proc/self/ns/mnt'));
  });

  test('the host sees none of its mounts, and the jail sees neither the scratch directory nor who made it', async () => {
    const lines = await inside(`cat /proc/self/mountinfo; ls -la ${world.base}/scratch`);

    const mounts = lines.filter((line) => / - /.test(line));
    expect(mounts.length).toBeGreaterThan(10);
    expect(mounts.filter((line) => line.split(' ')[4]?.startsWith(world.base))).toEqual([]);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(world.base);
  });

  test('/proc shows its own processes alone, /proc/kcore and /proc/sys cannot be used', async () => {
    const lines = await inside(
      'ls /proc | grep -E "^[0-9]+$" | sort -n | tr "\\n" " "; echo; cat /proc/1/environ; cat /proc/timer_list | wc -c; echo x > /proc/sys/kernel/hostname',
    );

    expect(lines[0]).toMatch(/^2 (\d+ ){1,4}$/);
    expect(lines[1]).toMatch(/\/proc\/1\/environ: No such file/);
    expect(lines[2]).toBe('0');
    expect(lines[3]).toMatch(/Read-only file system|Permission denied/);
  });

  test('/sys is read-only, and the only control group in it is its own', async () => {
    const lines = await inside(
      'cat /sys/fs/cgroup/cgroup.procs | wc -l; ls -d /sys/fs/cgroup/*/ 2>/dev/null; cat /proc/self/cgroup | grep "^0:"; echo 1 > /sys/fs/cgroup/cgroup.freeze',
    );

    expect(Number(lines[0])).toBeGreaterThanOrEqual(3);
    expect(lines[1]).toBe('0::/');
    expect(lines[2]).toMatch(/Read-only file system|Permission denied/);
    expect(lines.length).toBe(3);
  });

  test('/dev has what a program needs and nothing else', async () => {
    const lines = await inside(
      'cd /dev; echo *; echo x > null; head -c 3 zero | wc -c; head -c 3 urandom | wc -c; echo x > full; touch new; python3 -c "import os,pty; print(os.ttyname(pty.openpty()[1]))"',
    );

    expect(lines[0]?.split(' ')).toEqual([
      'fd',
      'full',
      'null',
      'ptmx',
      'pts',
      'random',
      'shm',
      'stderr',
      'stdin',
      'stdout',
      'tty',
      'urandom',
      'zero',
    ]);
    expect(lines.slice(1, 3)).toEqual(['3', '3']);
    expect(lines[3]).toMatch(/No space left|I\/O error/);
    expect(lines[4]).toMatch(/Read-only file system|Permission denied/);
    expect(lines[5]).toBe('/dev/pts/0');
  });

  test('/tmp, /var/tmp and /dev/shm are its own, bounded, and kept over generations; the host’s are not seen', async () => {
    writeFileSync(join('/tmp', world.name), 'host');
    const script = (generation: number) =>
      `ls -A /tmp /var/tmp /dev/shm; for d in /tmp /var/tmp /dev/shm; do echo ${generation} > $d/mine-${generation}; done; head -c 100m /dev/zero > /tmp/big; stat -c %a /tmp; rm /tmp/big`;

    const first = await keeper.output(1, world.jail(1, sh(`exec 2>&1; ${script(1)}`)));
    expect(first.lines.filter((line) => line !== '')).toEqual([
      '/dev/shm:',
      '/tmp:',
      '/var/tmp:',
      expect.stringMatching(/No space left/),
      '1777',
    ]);
    const second = await keeper.output(2, world.jail(2, sh(script(2))));
    expect(second.lines.filter((line) => line === 'mine-1').length).toBe(3);
    expect(existsSync('/tmp/mine-1')).toBe(false);
  });

  test('/run holds its notify socket alone, which no other may use', async () => {
    const lines = await inside('ls -la /run | tail -n +4; touch /run/x');

    expect(lines.length).toBe(2);
    expect(lines[0]).toMatch(new RegExp(`^srw------- +1 ${TENANT_UID} ${TENANT_UID} +0 .* notify$`));
    expect(lines[1]).toMatch(/Read-only file system|Permission denied/);
  });

  test('what is bound into /run gets its place there', async () => {
    const data = join(world.base, 'data');
    mkdirSync(data);
    writeFileSync(join(data, 'resolv'), 'nameserver\n');
    const words = world.jail(
      1,
      sh('cat /run/deep/down/resolv.conf; ls /run/data /run/deep; touch /run/deep/x 2>&1'),
      {
        mountsAfter: [
          ['bind', join(data, 'resolv'), '/run/deep/down/resolv.conf', 'r'],
          ['bind', data, '/run/data', 'r'],
        ],
      },
    );

    const { lines } = await keeper.output(1, words);

    expect(lines.slice(0, -1)).toEqual(['nameserver', '/run/data:', 'resolv', '', '/run/deep:', 'down']);
    expect(lines.at(-1)).toMatch(/Read-only file system|Permission denied/);
  });

  test('read-only is read-only, submounts too, for root as well; what is bound writable stays so', async () => {
    const [ro, rw] = [join(world.base, 'ro'), join(world.base, 'ro/rw')];
    mkdirSync(rw, { recursive: true, mode: 0o777 });
    const words = world.jail(
      1,
      sh(
        `exec 2>&1; touch ${ro}/x; touch /usr/x; touch ${rw}/x && echo wrote; touch ${world.base}/ro-sibling && echo wrote`,
      ),
      {
        uid: 0,
        caps: '2',
        mounts: [
          ['readonly', ro],
          ['bind', rw, rw, 's'],
        ],
      },
    );

    const { lines } = await keeper.output(1, words);

    expect(lines).toEqual([
      expect.stringMatching(/ro\/x.*Read-only/),
      expect.stringMatching(/usr\/x.*Read-only/),
      'wrote',
      'wrote',
    ]);
  });

  test('all of it can be read-only, but what is bound and the private places', async () => {
    const data = join(world.base, 'data');
    mkdirSync(data);
    chownSync(data, TENANT_UID, TENANT_UID);
    const home = join(world.base, 'open');
    const script = `touch ${data}/x && echo data; touch /tmp/x && echo tmp; touch /dev/shm/x && echo shm; touch ${home}/x`;

    const lines = await inside(script, [
      ['readonly', '/'],
      ['bind', data, data, '-'],
    ]);

    expect(lines).toEqual(['data', 'tmp', 'shm', expect.stringMatching(/Read-only/)]);
  });

  test('hidden directories are empty and closed, but for what is kept', async () => {
    const homes = join(world.base, 'homes');
    for (const name of ['own/deep', 'other']) mkdirSync(join(homes, name), { recursive: true });
    writeFileSync(join(homes, 'own/deep/file'), 'mine\n');
    writeFileSync(join(homes, 'single'), 'single\n');
    chownSync(join(homes, 'own/deep'), TENANT_UID, TENANT_UID);

    const lines = await inside(
      `ls -A ${homes}; cat ${homes}/own/deep/file ${homes}/single; touch ${homes}/own/deep/new && echo wrote; touch ${homes}/x; ls -A /root; ls ${homes}/own`,
      [
        ['keep', join(homes, 'own/deep')],
        ['keep', join(homes, 'single')],
        ['keep', join(homes, 'missing')],
        ['hide', homes],
        ['hide', join(world.base, 'no-such')],
      ],
    );

    expect(lines).toEqual([
      'own',
      'single',
      'mine',
      'single',
      'wrote',
      expect.stringMatching(/Read-only|denied/),
      expect.stringMatching(/\/root.*denied/),
      'deep',
    ]);
    expect(existsSync(join(homes, 'own/deep/new'))).toBe(true);
  });

  test('one cover never shows inside another', async () => {
    const outer = join(world.base, 'outer');
    mkdirSync(join(outer, 'inner'), { recursive: true });

    const lines = await inside(`ls -A ${outer}; echo end`, [
      ['hide', join(outer, 'inner')],
      ['hide', outer],
    ]);

    expect(lines).toEqual(['end']);
  });

  test('masked files are empty, masked directories too, for root as well', async () => {
    const dir = join(world.base, 'masked');
    mkdirSync(join(dir, 'sub'), { recursive: true });
    writeFileSync(join(dir, 'secret'), 'secret');
    const words = world.jail(
      1,
      sh(`exec 2>&1; cat ${dir}/secret | wc -c; ls -A ${dir}/sub | wc -l; touch ${dir}/sub/x`),
      {
        uid: 0,
        caps: '2',
        mounts: [
          ['mask', join(dir, 'secret')],
          ['mask', join(dir, 'sub')],
          ['mask', join(dir, 'missing')],
        ],
      },
    );

    expect((await keeper.output(1, words)).lines).toEqual(['0', '0', expect.stringMatching(/Read-only/)]);
    expect(readFileSync(join(dir, 'secret'), 'utf8')).toBe('secret');
  });

  test('a file stands over another, read-only and whole', async () => {
    const content = `tenant:x:${TENANT_UID}:\n${'#'.repeat(60_000)}\n`;
    const lines = await inside(
      'head -1 /etc/passwd; wc -c < /etc/passwd; id -un; stat -c %a,%u /etc/passwd; ls -A /run',
      [
        ['file', '/etc/passwd', `tenant:x:${TENANT_UID}:${TENANT_UID}::/:/bin/sh\n${content}`],
        ['file', '/etc/group', ''],
      ],
    );

    expect(lines).toEqual([
      `tenant:x:${TENANT_UID}:${TENANT_UID}::/:/bin/sh`,
      expect.stringMatching(/^60\d\d\d$/),
      'tenant',
      '444,0',
      'notify',
    ]);
  });

  test('a tenant’s symlink is never followed: not as a source, not as a target, not when it is masked', async () => {
    const trap = join(world.base, 'trap');
    symlinkSync('/etc', trap);
    const before = statSync('/etc/passwd').mtimeMs;

    for (const [generation, words] of [
      ['bind', trap, '/mnt', '-'],
      ['bind', '/mnt', trap, '-'],
      ['mask', trap],
      ['readonly', `${trap}/passwd`],
      ['hide', trap],
      ['file', `${trap}/passwd`, 'x'],
    ].entries()) {
      await keeper.launch(generation + 1, world.jail(generation + 1, ['true'], { mounts: [words] }));
      expect(await keeper.hear('fail')).toMatch(/ mounts 40 /);
    }
    expect(statSync('/etc/passwd').mtimeMs).toBe(before);
  });

  test('no abstract socket of the host can be reached, no process outside signalled', async () => {
    const name = `native-${process.pid}`;
    const server = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => {
      server.listen(`\0${name}`, resolve);
    });
    try {
      const { lines } = await keeper.output(1, world.jail(1, [world.tenant, 'abstract', name]));

      expect(lines).toEqual(['abstract Operation not permitted']);
    } finally {
      server.close();
    }
  });

  test('the app cannot signal, see or read its init', async () => {
    const lines = await inside('kill -9 1; kill -STOP 1; ls /proc/1/fd; sleep 0.1; echo alive');

    expect(lines.at(-1)).toBe('alive');
    expect(lines.some((line) => line.includes('/proc/1/fd'))).toBe(true);
  });

  test('a setuid program gives nothing', async () => {
    const lines = await inside(
      'cp /usr/bin/id /tmp/id; chmod u+s /tmp/id; /tmp/id -u; [ -u /usr/bin/su ] && /usr/bin/su -c id root </dev/null',
    );

    expect(lines[0]).toBe(String(TENANT_UID));
    expect(lines.join('\n')).not.toContain('uid=0');
  });
});

function readFds(pid: number): readonly string[] {
  const fds: string[] = [];
  for (let fd = 0; fd < 256; fd++) {
    const target = peekLink(`/proc/${pid}/fd/${fd}`);
    if (target !== undefined) fds.push(target);
  }
  expect(peek(`/proc/${pid}/status`)).toBeDefined();
  return fds;
}
