// Every option of limits and scheduling in control groups v2, and what the kernel counts there.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { forget, groupOf, limitOf, printed, running, setUp, vassalWhen, why, writeProbe } from './guest.mjs';

setUp();

const MIB = 1024 ** 2;
const [disk] = readdirSync('/sys/block').filter((name) => /^(vd|sd|nvme)/.test(name));
const number = readFileSync(`/sys/block/${disk}/dev`, 'utf8').trim();

/** Edit the vassal and wait until what runs is the new revision; it must be the same process. */
async function edit(name, mode, ...lines) {
  const { pid, revision } = await running(name);
  writeProbe(name, mode, ...lines);
  const edited = await vassalWhen(name, (seen) => seen.revision !== revision && seen.state === 'running');
  assert.equal(edited.pid, pid);
  return edited;
}

test('every limit is in its file, changes live and is lifted live', async () => {
  writeProbe(
    'all',
    'pause',
    'memory-max = 64M',
    'memory-high = 48M',
    'swap-max = 0',
    'cpu-weight = 50',
    'cpuset = 0',
    `io-max = /dev/${disk} rbps=1M wiops=10`,
  );
  const { pid, diagnostics } = await running('all');
  const read = (...files) => files.map((file) => limitOf(pid, file));
  const files = ['memory.max', 'memory.high', 'memory.swap.max', 'cpu.weight', 'cpuset.cpus', 'io.max'];

  assert.deepEqual(diagnostics, []);
  assert.deepEqual(read(...files), [
    String(64 * MIB),
    String(48 * MIB),
    '0',
    '50',
    '0',
    `${number} rbps=${MIB} wbps=max riops=max wiops=10`,
  ]);
  assert.match(readFileSync(`/proc/${pid}/status`, 'utf8'), /^Cpus_allowed_list:\t0$/m);

  const all = readFileSync('/sys/fs/cgroup/cpuset.cpus.effective', 'utf8').trim();
  const changed = await edit('all', 'pause', 'memory-high = 32M', 'cpu-weight = 200', 'swap-max = 8M');
  assert.equal(changed.note, null);
  assert.deepEqual(read(...files), ['max', String(32 * MIB), String(8 * MIB), '200', all, '']);
  await forget('all');
});

test('io-weight is given where a disk scheduler has weights, and said where none has', async () => {
  writeProbe('all', 'pause', 'io-weight = 300');
  const { pid, diagnostics } = await running('all');
  const has = ['io.weight', 'io.bfq.weight'].filter((file) => existsSync(`${groupOf(pid)}/${file}`));

  if (has.length === 0) assert.match(diagnostics[0].message, /kernel gives none: no disk scheduler/);
  else assert.deepEqual(diagnostics, []);
  if (has.includes('io.weight')) assert.match(limitOf(pid, 'io.weight'), /^default 300/);
  if (has.includes('io.bfq.weight')) assert.match(limitOf(pid, 'io.bfq.weight'), /\b118\b/);
  await forget('all');
});

test('a running jail gets its first limit of a controller', async () => {
  writeProbe('late', 'forks 2');
  await printed('late', /^forked 2/);
  const { pid } = await running('late');

  const { note } = await edit('late', 'forks 2', 'memory-max = 64M', 'cpu-max = 50%', 'cpuset = 0');

  assert.equal(note, null);
  assert.equal(limitOf(pid, 'memory.max'), String(64 * MIB));
  assert.equal(limitOf(pid, 'cpu.max'), '50000 100000');
  assert.equal(limitOf(pid, 'cpuset.cpus'), '0');
  await forget('late');
});

test('a worker that the kernel killed is counted while its main lives on', async () => {
  writeProbe('pool', 'worker-eat 200000000', 'memory-max = 32M', 'swap-max = 0');
  await printed('pool', /^worker ended by 9$/);

  const pool = await vassalWhen('pool', ({ oomKills }) => oomKills > 0);

  assert.equal(pool.state, 'running');
  assert.equal(pool.restarts, 0);
  assert.equal(pool.note, 'the kernel killed one of its processes: memory-max 32M reached');
  assert.match((await why('pool')).answer, /the kernel killed one of its processes: memory-max 32M reached/);
  await forget('pool');
});

test('cgroup-opt writes what no option says: one kill takes the whole group', async () => {
  writeProbe(
    'pool',
    'worker-eat 200000000',
    'memory-max = 32M',
    'swap-max = 0',
    'cgroup-opt = memory.oom.group=1',
  );

  const pool = await vassalWhen('pool', ({ lastExit }) => lastExit !== null);

  assert.equal(pool.lastExit.because, 'killed by the kernel: memory-max 32M reached');
  await forget('pool');
});

test('memory-high slows down, is counted, and why names it', async () => {
  writeProbe('slow', 'eat 30000000', 'memory-high = 16M', 'memory-max = 512M');

  const slow = await vassalWhen('slow', ({ memoryHighHits }) => memoryHighHits > 0);

  assert.equal(slow.oomKills, 0);
  assert.match((await why('slow')).answer, /slowed down (once|\d+ times) by memory-high 16M/);
  await forget('slow');
});

test('what cpu-max took is counted, and why names it', async () => {
  writeProbe('hot', 'burn 20000', 'cpu-max = 20%');

  const hot = await vassalWhen(
    'hot',
    ({ throttledMs, throttledPercent }) => throttledMs > 0 && throttledPercent > 1,
  );

  assert.equal(hot.state, 'running');
  assert.match((await why('hot')).answer, /throttled \d+ % of the time by cpu-max 20%/);
  await forget('hot');
});

test('refused forks are counted on a running vassal', async () => {
  writeProbe('forker', 'forks 100', 'pids-max = 20');
  await printed('forker', /^forked \d+ EAGAIN/);

  const forker = await vassalWhen('forker', ({ pidsMaxHits }) => pidsMaxHits > 0);

  assert.equal(forker.state, 'running');
  assert.match((await why('forker')).answer, /fork refused: pids-max 20 reached (once|\d+ times)/);
  await forget('forker');
});

test('cgroup puts a vassal below a group of one’s own, with controllers passed on, and removes what it made', async () => {
  const dir = '/sys/fs/cgroup/shops/one';
  writeProbe('shop', 'pause', `cgroup = ${dir}`, 'memory-max = 64M', 'pids-max = 30');
  const { pid, diagnostics } = await running('shop');

  assert.deepEqual(diagnostics, []);
  assert.match(groupOf(pid), /^\/sys\/fs\/cgroup\/shops\/one\/emperor-[0-9a-f]{8}\/u0\/shop\/g1$/);
  assert.equal(limitOf(pid, 'memory.max'), String(64 * MIB));
  assert.equal(limitOf(pid, 'pids.max'), '30');

  await forget('shop');
  assert.ok(!existsSync('/sys/fs/cgroup/shops'));
});

test('scheduling is what was asked for, and nothing of the emperor’s own', async () => {
  writeProbe('polite', 'facts', 'nice = 7', 'ionice = best-effort:6', 'sched = batch', 'oom-score-adj = 500');
  await printed('polite', /^facts end$/);
  const { pid } = await running('polite');
  // 19 fields after the name: state is the third, nice the nineteenth, the policy the forty-first.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');

  assert.equal(fields[16], '7');
  assert.equal(fields[38], '3');
  assert.equal(readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8').trim(), '500');
  writeProbe('plain', 'pause');
  const plain = await running('plain');
  assert.equal(readFileSync(`/proc/${plain.pid}/oom_score_adj`, 'utf8').trim(), '0');
  await forget('plain');
  await forget('polite');
});
