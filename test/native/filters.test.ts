import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { architectureOf, CALL_TABLES } from '../../packages/vassal/src/seccomp/architecture.ts';
import { compileFilter, encodeProgram } from '../../packages/vassal/src/seccomp/compile.ts';
import { filterOf } from '../../packages/vassal/src/seccomp/filter.ts';
import { initCallsOf } from '../../packages/vassal/src/seccomp/init-calls.ts';
import { freePort } from '../support/free-port.ts';
import { peek } from '../support/processes.ts';
import { has, isRoot, isSanitized, NativeWorld, TENANT_UID, type TestKeeper, type Words } from './support.ts';

const architecture = architectureOf(process.arch) ?? 'x86-64';
const { numbers } = CALL_TABLES[architecture];
const hasAppArmor = has('AppArmor', peek('/sys/module/apparmor/parameters/enabled')?.trim() === 'Y');
const hasSelinux = has('SELinux', existsSync('/sys/fs/selinux/enforce'));
const EPERM = 1;
const ENOENT = 2;
const EACCES = 13;
const ENOSYS = 38;

/** Rights of linux/landlock.h: all of ABI 5, to read, to run, all but to run. */
const ALL = 'ffff';
const READ = 'c';
const RUN = 'd';
const CHANGE = 'fffe';

type Features = {
  readonly probes?: boolean;
  readonly touches?: boolean;
  readonly capabilities?: readonly number[];
};

function seccomp(list: string, { probes = false, touches = false, capabilities = [] }: Features = {}): Words {
  const needed = initCallsOf({ probes, touches, hooks: false });
  const filter = filterOf({ words: list.split(','), architecture, capabilities, needed });
  return ['seccomp', encodeProgram(compileFilter(filter))];
}

/** Each call as `tenant calls` wants it. */
function calls(...written: readonly string[]): readonly string[] {
  return written.map((text) => {
    const [name = '', ...rest] = text.split(':');
    return [numbers.get(name) ?? name, ...rest].join(':');
  });
}

/** What a program without libc does: print and end. */
function barest(dir: string): string {
  const program = join(dir, 'barest');
  const source = `${program}.c`;
  writeFileSync(
    source,
    `#include <sys/syscall.h>
static long call(long n, long a, long b, long c)
{
#ifdef __x86_64__
    long r; __asm__ volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory"); return r;
#else
    register long x8 __asm__("x8") = n, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory"); return x0;
#endif
}
void _start(void)
{
    long pipe = call(SYS_pipe2, 0, 0, 0);
    call(SYS_write, 1, (long)(pipe == -1 ? "barest denied\\n" : "barest free!!\\n"), 14);
    call(SYS_exit_group, 0, 0, 0);
}
`,
  );
  execFileSync('cc', ['-static', '-nostdlib', '-O1', '-o', program, source]);
  return program;
}

describe.skipIf(!isRoot)('filters', () => {
  let world: NativeWorld;
  let keeper: TestKeeper;

  beforeEach(async () => {
    world = NativeWorld.create();
    keeper = await world.keeper();
  });

  afterEach(async () => {
    expect(await world.end()).toEqual([]);
  });

  const outcomes = async (command: readonly string[], extra: readonly Words[], options = {}) => {
    const { lines } = await keeper.output(
      1,
      world.jail(1, [world.tenant, ...command], { extra, ...options }),
    );
    return lines;
  };

  test('the default list is in force for init and app, and allows an ordinary program', async () => {
    const extra = [seccomp('default')];
    const { init, app } = await keeper.run(1, world.jail(1, ['sleep', '60'], { extra }));

    for (const pid of [init, app]) expect(peek(`/proc/${pid}/status`)).toMatch(/^Seccomp:\s+2$/m);
    expect(peek(`/proc/${app}/status`)).toMatch(/^Seccomp_filters:\s+1$/m);
  });

  test('the default list denies what no program needs, and namespaces by whatever call', async () => {
    const denied = calls(
      'ptrace:0',
      'mount:0:0:0:0:0',
      'keyctl:0:-3:0',
      'bpf:0',
      'unshare:0x10000000',
      'clone:0x10000011:0:0:0:0',
      'ioctl:0:0x5412:0',
      'ioctl:0:0xdead00005412:0',
      'personality:0x40000',
      'socket:40:1:0',
      'io_uring_setup:1:0',
    );
    const allowed = calls(
      'getpid',
      'unshare:0x400',
      'personality:0xffffffff',
      'socket:1:1:0',
      'clone:17:0:0:0:0',
    );

    const lines = await outcomes(['calls', ...denied, ...allowed], [seccomp('default')]);

    expect(lines).toEqual([
      ...denied.map((call) => `${call} ${EPERM}`),
      ...allowed.map((call) => `${call} 0`),
    ]);
  });

  test('clone3, and numbers of newer kernels, are as if the kernel were older', async () => {
    const unknown = calls('clone3:0:0', '9999');

    const lines = await outcomes(['calls', ...unknown], [seccomp('default')]);

    expect(lines).toEqual(unknown.map((call) => `${call} ${ENOSYS}`));
  });

  test.skipIf(architecture !== 'x86-64')('the 32-bit door ends the process', async () => {
    const { exit } = await keeper.output(
      1,
      world.jail(1, [world.tenant, 'int80'], { extra: [seccomp('default')] }),
    );

    expect(exit).toBe('signal 31 -');
  });

  test.skipIf(isSanitized)(
    'under the narrowest list init does all its work: env-file, touch, probe, exec, exit',
    async () => {
      const envFile = join(world.base, 'env');
      writeFileSync(envFile, 'A=1\n', { mode: 0o644 });
      const touched = join(world.base, 'open/touched');
      writeFileSync(touched, '');
      const port = await freePort();
      const server = createServer((peer) => peer.destroy()).listen(port, '127.0.0.1');
      try {
        const extra = [
          seccomp('getpid', { probes: true, touches: true }),
          ['env-file', envFile],
          ['chdir', '/'],
          ['touch', touched],
          ['ready-tcp', '127.0.0.1', String(port)],
        ];
        await keeper.launch(1, world.jail(1, [barest(world.base)], { extra }));

        await keeper.hear('launched 1 ');
        expect(await keeper.hear('exited 1 ')).toMatch(/ code 0 -$/);
        await keeper.hear('gone 1');
        expect(keeper.texts()).toEqual(['barest denied']);
      } finally {
        server.close();
      }
    },
  );

  test.skipIf(isSanitized)('under a narrow list the probe gets through and a touch is seen', async () => {
    const touched = join(world.base, 'open/touched');
    writeFileSync(touched, '');
    const port = await freePort();
    const server = createServer((peer) => peer.destroy()).listen(port, '127.0.0.1');
    try {
      const extra = [
        seccomp('@default,@file-system,@basic-io', { probes: true, touches: true }),
        ['touch', touched],
        ['ready-tcp', '127.0.0.1', String(port)],
      ];
      await keeper.launch(1, world.jail(1, ['sleep', '60'], { extra }));

      await keeper.hear('launched 1 ');
      await keeper.hear('ready 1 ');
      writeFileSync(touched, 'x');
      await keeper.hear('touched 1');
      expect(await keeper.ask('signal 1 15')).toBe(0);
      expect(await keeper.hear('exited 1 ')).toMatch(/ signal 15 /);
    } finally {
      server.close();
    }
  });

  test.skipIf(isSanitized)('an allow-list denies the rest, a deny-list allows it', async () => {
    const asked = calls('umask:18', 'getuid');
    const narrow = '@default,@file-system,@basic-io,@process,~getuid';

    expect(await outcomes(['calls', ...asked], [seccomp(narrow)])).toEqual([
      `${asked[0]} ${EPERM}`,
      `${asked[1]} ${EPERM}`,
    ]);
  });

  test('a program that is no hexadecimal of whole instructions is refused before anything is touched', async () => {
    for (const [generation, wrong] of ['', '0600', 'zz00000000000000', '06'.repeat(8 * 4097)].entries()) {
      const words = world.jail(generation + 1, ['true'], { extra: [['seccomp', wrong]] });
      await keeper.launch(generation + 1, words);
      expect(await keeper.hear('fail ')).toBe(`fail ${generation + 1} spec 22 seccomp`);
    }
  });

  test('a program that the kernel does not take fails the launch at its stage', async () => {
    const words = world.jail(1, ['true'], { extra: [['seccomp', 'ffff000000000000']] });
    await keeper.launch(1, words);

    expect(await keeper.hear('fail ')).toBe('fail 1 seccomp 22 seccomp');
  });

  test('Landlock leaves exactly the rights of the lists', async () => {
    for (const name of ['ro', 'rw', 'run', 'closed']) {
      mkdirSync(join(world.base, name), { mode: 0o777 });
      execFileSync('install', ['-m', '777', world.tenant, join(world.base, name, 'file')]);
    }
    execFileSync('chmod', [
      '-R',
      '777',
      ...['ro', 'rw', 'run', 'closed'].map((name) => join(world.base, name)),
    ]);
    const at = (name: string) => join(world.base, name);
    const extra = [
      ['landlock-fs', ALL],
      ['landlock-optional', '8006', '/dev/null'],
      ['landlock-optional', RUN, '/usr'],
      ['landlock-optional', RUN, '/no/such/place'],
      ['landlock-path', RUN, world.tenant],
      ['landlock-path', READ, at('ro')],
      ['landlock-path', CHANGE, at('rw')],
      ['landlock-path', RUN, at('run')],
    ];

    const asked = ['ro', 'rw', 'run', 'closed'].flatMap((name) => [at(name), `${at(name)}/file`]);
    const lines = await outcomes(['files', ...asked], extra);

    expect(lines.filter((line) => line.startsWith('/'))).toEqual([
      `${at('ro')} l`,
      `${at('ro')}/file r`,
      `${at('rw')} lc`,
      `${at('rw')}/file rw`,
      `${at('run')} l`,
      `${at('run')}/file rx`,
      `${at('closed')} -`,
      `${at('closed')}/file -`,
    ]);
  });

  test('paths of Landlock are resolved as the tenant: no link opens more than its user may', async () => {
    const secret = join(world.base, 'secret');
    mkdirSync(secret, { mode: 0o700 });
    writeFileSync(join(secret, 'key'), 'k', { mode: 0o600 });
    symlinkSync(secret, join(world.base, 'open/link'));
    const extra = [
      ['landlock-fs', ALL],
      ['landlock-optional', '8006', '/dev/null'],
      ['landlock-path', RUN, world.tenant],
      ['landlock-path', CHANGE, join(world.base, 'open/link')],
    ];

    const lines = await outcomes(['files', join(secret, 'key'), join(world.base, 'open/link/key')], extra);

    expect(lines).toEqual([`${secret}/key -`, `${world.base}/open/link/key -`]);
  });

  test('a path that is not there, or that the tenant cannot reach, fails the launch', async () => {
    const closed = join(world.base, 'closed');
    mkdirSync(closed, { mode: 0o700 });
    mkdirSync(join(closed, 'inner'));
    for (const [generation, path, errno] of [
      [1, join(world.base, 'none'), ENOENT],
      [2, join(closed, 'inner'), EACCES],
    ] as const) {
      const extra = [
        ['landlock-fs', ALL],
        ['landlock-path', READ, path],
      ];
      await keeper.launch(generation, world.jail(generation, ['true'], { extra }));
      expect(await keeper.hear('fail ')).toBe(`fail ${generation} landlock ${errno} ${path}`);
    }
  });

  test('TCP ports outside the lists are closed', async () => {
    const [mine, other] = [await freePort(), await freePort()];
    const server = createServer((peer) => peer.destroy()).listen(other, '127.0.0.1');
    try {
      const extra = [
        ['landlock-net', '3'],
        ['landlock-port', '1', String(mine)],
      ];

      expect(await outcomes(['tcp', 'bind', String(mine), String(other)], extra)).toEqual([
        `${mine} 0`,
        `${other} ${EACCES}`,
      ]);
    } finally {
      server.close();
    }
  });

  test('a port without what it is a rule of, and a rule without rights, are refused', async () => {
    for (const [generation, extra, word] of [
      [1, [['landlock-port', '1', '80']], 'landlock-port'],
      [2, [['landlock-path', '1', '/usr']], 'landlock-path'],
      [
        3,
        [
          ['landlock-net', '3'],
          ['landlock-port', '0', '80'],
        ],
        'landlock-port',
      ],
      [
        4,
        [
          ['landlock-net', '3'],
          ['landlock-port', '1', '65536'],
        ],
        'landlock-port',
      ],
      [
        5,
        [
          ['landlock-fs', 'ffff'],
          ['landlock-path', 'c', 'usr'],
        ],
        'landlock-path',
      ],
    ] as const) {
      await keeper.launch(generation, world.jail(generation, ['true'], { extra }));
      expect(await keeper.hear('fail ')).toBe(`fail ${generation} spec 22 ${word}`);
    }
  });

  test.skipIf(hasAppArmor)(
    'a profile that the kernel cannot give fails the launch, naming what refused',
    async () => {
      await keeper.launch(1, world.jail(1, ['true'], { extra: [['apparmor', 'docker-default']] }));

      expect(await keeper.hear('fail ')).toMatch(
        /^fail 1 lsm \d+ (docker-default|\/proc\/thread-self\/attr\/apparmor\/exec)$/,
      );
    },
  );

  test.skipIf(hasSelinux)(
    'the attribute of the next exec can be written whatever /proc the jail has',
    async () => {
      for (const [generation, mounts] of [[], [['readonly', '/']], [['hide', '/proc']]].entries()) {
        const words = world.jail(generation + 1, ['true'], { extra: [['selinux', 'a:b:c:s0']], mounts });
        await keeper.launch(generation + 1, words);
        // Written, and refused by the kernel, which knows no context.
        expect(await keeper.hear('fail ')).toBe(`fail ${generation + 1} lsm 22 a:b:c:s0`);
      }
    },
  );

  test('the filter is loaded for the tenant, who has no capability to do more', async () => {
    const extra = [seccomp('default')];
    const { app } = await keeper.run(1, world.jail(1, ['sleep', '60'], { extra }));

    expect(peek(`/proc/${app}/status`)).toMatch(new RegExp(`^Uid:\\s+${TENANT_UID}`, 'm'));
    expect(peek(`/proc/${app}/status`)).toMatch(/^CapEff:\s+0+$/m);
  });
});
