import { expect, test } from 'vitest';
import { sharedEmperor } from '../support/emperor-under-test.ts';
import { isAlive, processFacts } from '../support/processes.ts';
import { waitUntil } from '../support/wait-until.ts';

const emperor = sharedEmperor();

/** Parent of the app: pid 1 of the jail. */
function initOf(pid: number): number {
  return processFacts(pid)?.ppid ?? 0;
}

test('kill -9 of the app: a fresh jail replaces it and its children are gone', async () => {
  emperor.write('blog.ini', emperor.probeFile('daemons 3'));
  await emperor.printed('blog', 'daemons up');
  const before = await emperor.running('blog');
  const old = emperor.cgroup.pids().filter((pid) => pid !== emperor.pid && pid !== before.keeperPid);
  const jailed = old.filter((pid) => (processFacts(pid)?.cmdline[0] ?? '').includes(emperor.probe));
  expect(jailed).toHaveLength(4);

  process.kill(before.pid, 'SIGKILL');

  const after = await emperor.running('blog', before.pid);
  expect(after).toMatchObject({
    lastExit: { by: 'signal', signal: 'SIGKILL' },
    keeperPid: before.keeperPid,
    restarts: 1,
  });
  for (const pid of jailed) expect(isAlive(pid)).toBe(false);
});

test('kill -9 of the init: a fresh jail replaces it', async () => {
  emperor.write('blog.ini', emperor.probeFile('daemons 2'));
  await emperor.printed('blog', 'daemons up');
  const before = await emperor.running('blog');
  const init = initOf(before.pid);
  expect(processFacts(init)?.ppid).toBe(before.keeperPid);

  process.kill(init, 'SIGKILL');

  const after = await emperor.running('blog', before.pid);
  expect(after.keeperPid).toBe(before.keeperPid);
  expect(isAlive(before.pid)).toBe(false);
  expect(initOf(after.pid)).not.toBe(init);
});

test.each([
  ['in the default jail', []],
  ['without a pid namespace', ['unshare = mnt,ipc,uts,cgroup']],
])('kill -9 of the keeper: the orphaned jail is ended and a fresh keeper starts, %s', async (_how, lines) => {
  emperor.write('blog.ini', emperor.probeFile('daemons 2', ...lines));
  await emperor.printed('blog', 'daemons up');
  const before = await emperor.running('blog');

  process.kill(before.keeperPid, 'SIGKILL');

  const after = await emperor.running('blog', before.pid);
  expect(after.keeperPid).not.toBe(before.keeperPid);
  expect(after.uid).toBe(before.uid);
  await waitUntil('the old jail to end', () => (isAlive(before.pid) ? undefined : true));
  const probes = emperor.cgroup
    .pids()
    .filter((pid) => processFacts(pid)?.cmdline[0]?.includes(emperor.probe) === true);
  await emperor.printed('blog', 'daemons up', 2);
  expect(probes.length).toBeLessThanOrEqual(3);
});

test('a vassal that survives kills of everything still obeys', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause'));
  let vassal = await emperor.running('blog');
  for (const victim of ['app', 'init', 'keeper'] as const) {
    const pids = { app: vassal.pid, init: initOf(vassal.pid), keeper: vassal.keeperPid };
    process.kill(pids[victim], 'SIGKILL');
    vassal = await emperor.running('blog', vassal.pid);
  }

  const stopped = await emperor.cli(['stop', 'blog']);

  expect(stopped.code).toBe(0);
  expect(await emperor.vassal('blog')).toMatchObject({ state: 'stopped', pid: null });
});

test('orphans inside the jail are reaped by its init', async () => {
  emperor.write('blog.ini', emperor.probeFile('orphans 20'));
  await emperor.printed('blog', 'orphans made');
  const { pid } = await emperor.running('blog');

  await waitUntil('no zombie to be left', () =>
    emperor.cgroup.pids().some((candidate) => processFacts(candidate)?.state === 'Z') ? undefined : true,
  );

  expect((await emperor.running('blog')).pid).toBe(pid);
});
