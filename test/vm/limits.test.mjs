// The limits where most servers have them: all in control groups v2, below a unit of systemd.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  ask,
  forget,
  groupOf,
  groupsOfEmperor,
  limitOf,
  output,
  printed,
  property,
  running,
  setUp,
  vassalWhen,
  why,
  write,
  writeProbe,
} from './guest.mjs';

setUp();

test('the emperor finds all controllers of v2 and passes them on', async () => {
  const emperor = await ask('/v1/emperor');
  const [group] = groupsOfEmperor();

  assert.deepEqual(emperor.diagnostics, []);
  const passed = readFileSync(`${group}/cgroup.subtree_control`, 'utf8').trim().split(' ');
  for (const controller of ['memory', 'cpu', 'pids'])
    assert.ok(passed.includes(controller), passed.join(' '));
});

test('memory-max, cpu-max and pids-max are in the files of the jail group', async () => {
  writeProbe('limited', 'pause', 'memory-max = 64M', 'cpu-max = 50%', 'pids-max = 40');

  const { pid, diagnostics } = await running('limited');

  assert.deepEqual(diagnostics, []);
  assert.equal(limitOf(pid, 'memory.max'), String(64 * 1024 ** 2));
  assert.equal(limitOf(pid, 'cpu.max'), '50000 100000');
  assert.equal(limitOf(pid, 'pids.max'), '40');
  assert.ok(groupOf(pid).includes('/limited/g'), groupOf(pid));
});

test('the jail sees its own group as the root of all, and no limit of others', async () => {
  write('inside', 'command = sh -c "cat /proc/self/cgroup; ls /sys/fs/cgroup; echo done; exec sleep 1000"');
  await running('inside');
  await printed('inside', /^done$/);

  assert.deepEqual(
    output('inside').filter((line) => line.startsWith('0::')),
    ['0::/'],
  );
  assert.ok(output('inside').includes('cgroup.procs'));
  assert.ok(!output('inside').some((line) => /slice|emperor/.test(line)), output('inside').join(' '));
  await forget('inside');
});

test('an edit of limits reaches the running jail', async () => {
  const { pid, revision } = await running('limited');

  writeProbe('limited', 'pause', 'memory-max = 96M', 'cpu-max = 25%', 'pids-max = 41');
  const edited = await vassalWhen(
    'limited',
    (seen) => seen.revision !== revision && seen.state === 'running',
  );

  assert.equal(edited.pid, pid);
  assert.equal(limitOf(pid, 'memory.max'), String(96 * 1024 ** 2));
  assert.equal(limitOf(pid, 'cpu.max'), '25000 100000');
  assert.equal(limitOf(pid, 'pids.max'), '41');
  await forget('limited');
});

test('memory-max kills one vassal, is counted, and why names it', async () => {
  writeProbe('calm', 'pause');
  const calm = await running('calm');
  writeProbe('hog', 'eat 500000000', 'memory-max = 32M', 'restart-max = 1', 'restart-delay = 100ms');

  const hog = await vassalWhen('hog', ({ oomKills, state }) => oomKills > 0 && state === 'failed');

  assert.deepEqual(hog.lastExit, {
    by: 'signal',
    signal: 'SIGKILL',
    because: 'killed by the kernel: memory-max 32M reached',
  });
  assert.match((await why('hog')).answer, /memory-max.*32 ?M/);
  assert.ok(!output('hog').includes('ate all'));
  assert.equal((await running('calm')).pid, calm.pid);
  // The kernel killed something below the unit: for systemd that must be no failure of it.
  assert.equal(await property('emperor.service', 'ActiveState'), 'active');
  await forget('hog');
});

test('a fork bomb stops at pids-max, and why names it', async () => {
  writeProbe('bomb', 'forks 5000', 'pids-max = 40');
  const line = await printed('bomb', /^forked \d+/);

  const made = Number(/forked (\d+) EAGAIN/.exec(line)?.[1]);
  assert.ok(made > 30 && made < 41, line);
  const { pid } = await running('bomb');
  process.kill(pid, 'SIGKILL');
  await vassalWhen('bomb', ({ lastExit }) => lastExit !== null);
  assert.match(JSON.stringify(await why('bomb')), /pids[.-]max/);
  await forget('bomb');
});

test('memory, CPU and tasks of a running vassal are shown', async () => {
  const calm = await vassalWhen('calm', (seen) => seen.memoryBytes !== null && seen.cpuPercent !== null);

  assert.ok(calm.memoryBytes > 10_000 && calm.memoryBytes < 100_000_000, String(calm.memoryBytes));
  assert.ok(calm.tasks >= 2 && calm.tasks <= 4, String(calm.tasks));
});

test('a jail that is gone has no group', async () => {
  const { pid } = await running('calm');
  const group = groupOf(pid);

  await forget('calm');

  assert.ok(!existsSync(group), group);
});
