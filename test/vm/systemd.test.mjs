// The units: what happens to vassals when the emperor's service is started, stopped, restarted, reloaded and killed.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  ask,
  forget,
  groupOf,
  groupsOfEmperor,
  isAlive,
  limitOf,
  mountCount,
  output,
  printed,
  property,
  run,
  running,
  setUp,
  systemctl,
  until,
  writeProbe,
} from './guest.mjs';

const UNIT = 'emperor.service';
const mainPid = async () => Number(await property(UNIT, 'MainPID'));

setUp();

test('systemctl start returns when the emperor answers, and shows what it says', async () => {
  await systemctl('stop', UNIT);

  await systemctl('start', UNIT);

  const emperor = await ask('/v1/emperor');
  assert.equal(emperor?.pid, await mainPid());
  assert.match(await property(UNIT, 'StatusText'), /^\d+ vassals/);
  assert.match(groupOf(emperor.pid), /\/emperor-[0-9a-f]{8}\/emperor$/);
});

test('nothing of the unit reaches an app', async () => {
  writeProbe('facts', 'facts');
  await running('facts');
  await printed('facts', /"fact":"env"/);

  const facts = output('facts').join('\n');

  assert.doesNotMatch(facts, /NODE_OPTIONS|INVOCATION_ID|JOURNAL_STREAM|SYSTEMD|run\/systemd/);
  await forget('facts');
});

test('a restart of the unit leaves vassals running, and their limits in force', async () => {
  writeProbe('blog', 'pause', 'memory-max = 64M');
  const blog = await running('blog');
  const before = await mainPid();

  await systemctl('restart', UNIT);

  assert.notEqual(await mainPid(), before);
  const after = await running('blog');
  assert.deepEqual([after.pid, after.keeperPid], [blog.pid, blog.keeperPid]);
  assert.equal(limitOf(after.pid, 'memory.max'), String(64 * 1024 ** 2));
  assert.deepEqual((await ask('/v1/emperor')).diagnostics, []);
  // Nothing had to be killed because it did not end in time.
  for (const unit of [UNIT, 'emperor-vassals.service', 'emperor-jails.service'])
    assert.equal(await property(unit, 'Result'), 'success', unit);
});

test('vassals can be started after a restart of the unit', async () => {
  writeProbe('late', 'pause', 'memory-max = 48M');

  const { pid } = await running('late');

  assert.equal(limitOf(pid, 'memory.max'), String(48 * 1024 ** 2));
  await forget('late');
});

test('an emperor that is killed is started again and adopts', async () => {
  const blog = await running('blog');
  const before = await mainPid();

  await systemctl('kill', '-s', 'KILL', '--kill-whom=main', UNIT);
  await until('another emperor', async () => {
    const pid = await mainPid();
    return pid !== 0 && pid !== before && (await ask('/v1/emperor'))?.pid === pid;
  });

  assert.equal((await running('blog')).pid, blog.pid);
});

test('while the unit is stopped vassals live; the next start sees what happened meanwhile', async () => {
  writeProbe('second', 'pause');
  const [blog, second] = [await running('blog'), await running('second')];

  await systemctl('stop', UNIT);
  assert.equal(await property(UNIT, 'ActiveState'), 'inactive');
  assert.equal(await property(UNIT, 'Result'), 'success');
  assert.ok(isAlive(blog.pid));
  process.kill(second.pid, 'SIGKILL');
  await until('the app to end', () => !isAlive(second.pid));
  await systemctl('start', UNIT);

  assert.equal((await running('blog')).pid, blog.pid);
  await running('second', second.pid);
  await forget('second');
});

test('systemctl reload makes the emperor read its file again', async () => {
  const { pid } = await running('blog');
  writeFileSync('/etc/emperor/emperor.ini', '[defaults]\npids-max = 77\n', { mode: 0o644 });

  await systemctl('reload', UNIT);

  await until('the new limit', () => limitOf(pid, 'pids.max') === '77');
  assert.equal((await running('blog')).pid, pid);
});

test('stopping emperor-vassals stops every vassal as its file says and leaves nothing', async () => {
  writeProbe('slow', 'slow 3000');
  await running('slow');
  await printed('slow', /slow up/);
  const blog = await running('blog');

  await systemctl('stop', 'emperor-vassals.service');

  assert.ok(!isAlive(blog.pid));
  assert.ok(output('slow').includes('stopped'), output('slow').join('\n'));
  assert.equal(await property(UNIT, 'ActiveState'), 'inactive');
  assert.equal(await property(UNIT, 'Result'), 'success');
  assert.deepEqual(groupsOfEmperor(), []);
  const left = await run('pgrep', ['-x', 'keeper|probe'], [0, 1]);
  assert.equal(left.stdout, '');
});

test('starting emperor-vassals brings all of them back: nobody was marked as stopped', async () => {
  await systemctl('start', 'emperor-vassals.service');

  await running('blog');
  await running('slow');
  assert.equal(await property(UNIT, 'ActiveState'), 'active');
});

test('at the end of the machine the vassals are asked first, then the emperor', async () => {
  assert.ok((await property('emperor-vassals.service', 'After')).split(' ').includes(UNIT));
  assert.ok(!(await property('emperor-vassals.service', 'Requires')).split(' ').includes(UNIT));
});

test('an emperor beside other processes in a group is given no controllers, and says so', async () => {
  await systemctl('stop', 'emperor-vassals.service');
  const shell =
    'sleep 1000 & exec emperor run --runtime-dir /run/other --log-dir /var/log/other --state-dir /var/lib/other';
  await run('systemd-run', ['--unit=other', '-p', 'Delegate=yes', 'sh', '-c', shell]);
  await until('the other emperor to answer', () => ask('/v1/emperor', '/run/other'));
  const seen = await until('blog to run', async () => {
    const vassal = await ask('/v1/vassals/blog', '/run/other');
    return vassal?.state === 'running' && vassal;
  });

  const { diagnostics } = await ask('/v1/emperor', '/run/other');
  assert.match(JSON.stringify(diagnostics), /cgroup\.subtree_control.*EBUSY/);
  assert.match(JSON.stringify(seen.diagnostics), /asked memory-max=64M, kernel gives none/);
  assert.equal(seen.state, 'running');
  await run('emperor', ['shutdown', '--runtime-dir', '/run/other']);
  await systemctl('start', 'emperor-vassals.service');
  await running('blog');
});

test('mounts of jails never show on the host, whose mounts are shared here', async () => {
  assert.match(readFileSync('/proc/self/mountinfo', 'utf8').split('\n')[0], / shared:/);
  const before = mountCount();
  writeProbe('mounts', 'pause');
  await running('mounts');

  assert.equal(mountCount(), before);
  await forget('mounts');
  assert.equal(mountCount(), before);
});

test('the end: nothing is left', async () => {
  await forget('blog');
  await forget('slow');
  await systemctl('stop', 'emperor-vassals.service');

  assert.deepEqual(groupsOfEmperor(), []);
});
