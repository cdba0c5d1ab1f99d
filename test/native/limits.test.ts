import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { peek } from '../support/processes.ts';
import { has, isRoot, NativeWorld, pauseMs, type TestKeeper, V2, waitUntil } from './support.ts';

const hasMemory = has('v1 memory controller', existsSync('/sys/fs/cgroup/memory/memory.limit_in_bytes'));
const hasPids = has('v1 pids controller', existsSync('/sys/fs/cgroup/pids/cgroup.procs'));
const EBUSY = 16;

describe.skipIf(!isRoot)('limits and control groups', () => {
  let world: NativeWorld;
  let keeper: TestKeeper;

  beforeEach(async () => {
    world = NativeWorld.create();
    keeper = await world.keeper();
  });

  afterEach(async () => {
    expect(await world.end()).toEqual([]);
  });

  const v1 = (controller: string) => join('/sys/fs/cgroup', controller, world.name, '1');

  test('rlimits and umask are the app’s', async () => {
    const extra = [
      ['rlimit', '7', '100', '200'],
      ['rlimit', '4', '0', '0'],
      ['umask', '77'],
    ];
    const { app } = await keeper.run(1, world.jail(1, ['sleep', '60'], { extra }));

    const limits = peek(`/proc/${app}/limits`) ?? '';
    expect(limits).toMatch(/Max open files +100 +200 /);
    expect(limits).toMatch(/Max core file size +0 +0 /);
    expect(peek(`/proc/${app}/status`)).toMatch(/^Umask:\s+0077$/m);
  });

  test('the umask is 022 when nothing is said', async () => {
    const { app } = await keeper.run(1, world.jail(1, ['sleep', '60']));

    expect(peek(`/proc/${app}/status`)).toMatch(/^Umask:\s+0022$/m);
  });

  test('scheduling is what was asked for', async () => {
    const extra = [
      ['nice', '-3'],
      ['sched', '3', '0'],
      ['oom-score-adj', '250'],
    ];
    const { init, app } = await keeper.run(1, world.jail(1, ['sleep', '60'], { extra }));

    for (const pid of [init, app]) {
      const fields = (peek(`/proc/${pid}/stat`) ?? '').split(') ')[1]?.split(' ') ?? [];
      expect([fields[16], fields[38]]).toEqual(['-3', '3']);
      expect(peek(`/proc/${pid}/oom_score_adj`)).toBe('250\n');
    }
  });

  test('init and app live in the group, the keeper does not', async () => {
    const { init, app } = await keeper.run(1, world.jail(1, ['sleep', '60']));

    const members = readFileSync(join(world.cgroup(1), 'cgroup.procs'), 'utf8')
      .trim()
      .split('\n')
      .map(Number);
    expect(members.toSorted((a, b) => a - b)).toEqual([init, app].toSorted((a, b) => a - b));
    expect(peek(`/proc/${keeper.pid}/cgroup`)).not.toContain(world.name);
  });

  test('values are written into the group and its parents', async () => {
    const parent = join(V2, world.name);
    const extra = [
      ['cgroup-set', parent, 'cgroup.max.depth', '7'],
      ['cgroup-set', world.cgroup(1), 'cgroup.max.descendants', '0'],
    ];
    await keeper.run(1, world.jail(1, ['sleep', '60'], { extra }));

    expect(readFileSync(join(parent, 'cgroup.max.depth'), 'utf8')).toBe('7\n');
    expect(readFileSync(join(world.cgroup(1), 'cgroup.max.descendants'), 'utf8')).toBe('0\n');
  });

  test('missing parents are made and removed again, those of others stay', async () => {
    const theirs = join(V2, `${world.name}-theirs`);
    mkdirSync(theirs);
    try {
      const deep = join(theirs, 'a/b/c');
      const words = [['cgroup', deep], ...world.jail(1, ['true'], { noCgroup: true })];
      const { exit } = await keeper.output(1, words);

      expect(exit).toBe('code 0 -');
      expect(existsSync(join(theirs, 'a'))).toBe(false);
      expect(existsSync(theirs)).toBe(true);
    } finally {
      rmdirSync(theirs);
    }
  });

  test('a group in which somebody lives is refused', async () => {
    await keeper.run(1, world.jail(1, ['sleep', '60']));
    const words = [['cgroup', world.cgroup(1)], ...world.jail(2, ['true'], { noCgroup: true })];

    await keeper.launch(2, words);

    expect(await keeper.hear('fail 2')).toBe(`fail 2 cgroup ${EBUSY} ${world.cgroup(1)}`);
    expect(existsSync(world.cgroup(1))).toBe(true);
  });

  test.skipIf(!hasPids)('pids: the limit holds, its hits are counted, init counts', async () => {
    const group = v1('pids');
    const extra = [
      ['cgroup-v1', group],
      ['cgroup-set', group, 'pids.max', '10'],
      ['counter', 'pids_max', `${group}/pids.events`, 'max'],
      ['counter', 'pids_limit', `${group}/pids.max`, ''],
      ['counter', 'nothing', `${group}/no.such.file`, 'max'],
    ];
    const { lines, exit } = await keeper.output(1, world.jail(1, [world.tenant, 'forks', '100'], { extra }));

    expect(lines).toEqual(['fork: Resource temporarily unavailable', 'forked 8']);
    expect(exit).toBe('code 0 pids_max=1,pids_limit=10');
    expect(existsSync(group)).toBe(false);
  });

  test.skipIf(!hasMemory)('memory: the limit kills, and the kill is counted', async () => {
    const group = v1('memory');
    const extra = [
      ['cgroup-v1', group],
      ['cgroup-set', group, 'memory.limit_in_bytes', String(32 * 1024 ** 2)],
      ['counter', 'oom_kill', `${group}/memory.oom_control`, 'oom_kill'],
    ];
    const { lines, exit } = await keeper.output(1, world.jail(1, [world.tenant, 'eat', '200'], { extra }));

    expect(lines).toEqual([]);
    expect(exit).toBe('signal 9 oom_kill=1');
    expect(existsSync(group)).toBe(false);
  });

  test.skipIf(!hasMemory)('memory: what /tmp holds is charged to the jail, not to the keeper', async () => {
    const group = v1('memory');
    const extra = [
      ['cgroup-v1', group],
      ['cgroup-set', group, 'memory.limit_in_bytes', String(24 * 1024 ** 2)],
    ];
    const { exit } = await keeper.output(
      1,
      world.jail(1, ['dd', 'if=/dev/zero', 'of=/tmp/big', 'bs=1M', 'count=60'], { extra }),
    );

    expect(exit).toBe('signal 9 -');
  });

  test('a fork bomb is killed whole', async () => {
    const extra = hasPids
      ? [
          ['cgroup-v1', v1('pids')],
          ['cgroup-set', v1('pids'), 'pids.max', '200'],
        ]
      : [];
    await keeper.run(1, world.jail(1, [world.tenant, 'bomb'], { extra }));
    await waitUntil('a crowd', () =>
      (peek(join(world.cgroup(1), 'cgroup.procs')) ?? '').split('\n').length > 50 ? true : undefined,
    );

    await keeper.ask('kill 1');

    await keeper.hear('gone 1');
    expect(existsSync(world.cgroup(1))).toBe(false);
  });

  test('a group that is frozen is killed all the same', async () => {
    const { app } = await keeper.run(1, world.jail(1, ['sleep', '60']));
    const freeze = join(world.cgroup(1), 'cgroup.freeze');
    expect(existsSync(freeze)).toBe(true);
    writeFileSync(freeze, '1');
    await pauseMs(20);

    await keeper.ask('kill 1');
    await keeper.hear('gone 1');

    expect(existsSync(`/proc/${app}`)).toBe(false);
  });
});
