import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { has, isRoot, isSanitized, NativeWorld } from './support.ts';

const hasStrace = has('strace', existsSync('/usr/bin/strace'));
const EPERM = 1;
const ENOMEM = 12;

/** A system call that fails once, somewhere on the way into the jail, and the stage that must say so. */
const FAULTS: readonly (readonly [inject: string, stage: string, errno: number])[] = [
  ['unshare:error=EPERM:when=1', 'namespaces', EPERM],
  ['clone3:error=ENOMEM:when=1', 'namespaces', ENOMEM],
  ['mount:error=EPERM:when=1', 'mounts', EPERM],
  ['mount:error=EPERM:when=2', 'mounts', EPERM],
  ['mount:error=EPERM:when=3', 'mounts', EPERM],
  ['mknodat:error=EPERM:when=3', 'mounts', EPERM],
  ['symlinkat:error=EPERM:when=1', 'mounts', EPERM],
  ['open_tree:error=EPERM:when=1', 'mounts', EPERM],
  ['open_tree:error=ENOMEM:when=7', 'mounts', ENOMEM],
  ['move_mount:error=EPERM:when=2', 'mounts', EPERM],
  ['mount_setattr:error=EPERM:when=4', 'mounts', EPERM],
  ['umount2:error=EPERM:when=1', 'mounts', EPERM],
  ['fchdir:error=EPERM:when=1', 'mounts', EPERM],
  ['sethostname:error=EPERM:when=1', 'hostname', EPERM],
  ['setrlimit,prlimit64:error=EPERM:when=1', 'limits', EPERM],
  ['fchownat:error=EPERM:when=1', 'notify', EPERM],
  ['setgroups:error=EPERM:when=1', 'identity', EPERM],
  ['setresgid:error=EPERM:when=1', 'identity', EPERM],
  ['setresuid:error=EPERM:when=1', 'identity', EPERM],
  ['capset:error=EPERM:when=1', 'identity', EPERM],
  ['keyctl:error=EPERM:when=1', 'identity', EPERM],
  ['landlock_create_ruleset:error=EPERM:when=1', 'landlock', EPERM],
  ['landlock_restrict_self:error=EPERM:when=1', 'landlock', EPERM],
  ['inotify_init1:error=EPERM:when=1', 'touch', EPERM],
  ['inotify_add_watch:error=EPERM:when=1', 'touch', EPERM],
  ['socketpair:error=ENOMEM:when=1', 'init', ENOMEM],
  ['pidfd_open:error=ENOMEM:when=1', 'init', ENOMEM],
];

test.skipIf(!isRoot || !hasStrace || isSanitized).each(FAULTS)(
  'when %s, the launch fails at %s, runs nothing, leaves nothing; the next one works',
  async (inject, stage, errno) => {
    const [calls = ''] = inject.split(':');
    const world = NativeWorld.create([
      'strace',
      '-f',
      '-qq',
      '-o',
      '/dev/null',
      '-e',
      `trace=${calls}`,
      '-e',
      `inject=${inject}`,
    ]);
    const keeper = await world.keeper();
    const ran = join(world.base, 'open', 'ran');
    const words = world.jail(1, ['sh', '-c', `echo ran > ${ran}`], {
      extra: [
        ['rlimit', '7', '1024', '4096'],
        ['touch', join(world.base, 'touched')],
      ],
    });

    await keeper.launch(1, words);
    const line = await keeper.hear('');

    expect(line).toMatch(new RegExp(`^fail 1 ${stage} ${errno} `));
    expect(existsSync(ran)).toBe(false);
    expect(existsSync(world.cgroup(1))).toBe(false);
    expect(await keeper.ask('forget 1')).toBe(0);
    expect(await world.end()).toEqual([]);
  },
);

test.skipIf(!isRoot || !hasStrace || isSanitized)(
  'a fork that fails is the spawner’s answer, and no socket stays',
  async () => {
    const calls = 'fork,vfork,clone,clone3';
    const world = NativeWorld.create([
      'strace',
      '-f',
      '-qq',
      '-o',
      '/dev/null',
      '-e',
      `trace=${calls}`,
      '-e',
      `inject=${calls}:error=EAGAIN`,
    ]);

    expect(await world.ask(`spawn one blog ${world.base}/logs/one`)).toBe('failed one 11');
    expect(await world.end()).toEqual([]);
  },
);
