import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { sharedEmperor } from '../support/emperor-under-test.ts';
import { peek } from '../support/processes.ts';
import { pauseMs, waitUntil } from '../support/wait-until.ts';

const emperor = sharedEmperor();

afterEach(() => {
  if (peek('/proc/self/mountinfo')?.includes(emperor.vassals) === true)
    execFileSync('umount', [emperor.vassals]);
});

/** Wait until status says that the source of vassal files is in trouble. */
async function sourceError() {
  return waitUntil('a source error in status', async () => {
    const { diagnostics } = (await emperor.status()).emperor;
    return diagnostics.length > 0 ? diagnostics : undefined;
  });
}

async function sourceHealed(): Promise<void> {
  await waitUntil('the source error to go', async () =>
    (await emperor.status()).emperor.diagnostics.length === 0 ? true : undefined,
  );
}

async function twoRunning(): Promise<readonly number[]> {
  emperor.write('one.ini', emperor.probeFile('pause'));
  emperor.write('two.ini', emperor.probeFile('pause'));
  return [(await emperor.running('one')).pid, (await emperor.running('two')).pid];
}

async function pids(): Promise<readonly (number | null)[]> {
  return (await emperor.status()).vassals.map((vassal) => vassal.pid);
}

test('a vassals directory that is removed is a source error and all keep running', async () => {
  const before = await twoRunning();

  renameSync(emperor.vassals, `${emperor.base}/away`);

  const [diagnostic] = await sourceError();
  expect(diagnostic?.file).toBe(emperor.vassals);
  await pauseMs(500);
  expect(await pids()).toEqual(before);

  renameSync(`${emperor.base}/away`, emperor.vassals);
  await sourceHealed();
  expect(await pids()).toEqual(before);
});

test('after the directory came back, edits in it count again', async () => {
  await twoRunning();
  renameSync(emperor.vassals, `${emperor.base}/away`);
  await sourceError();
  renameSync(`${emperor.base}/away`, emperor.vassals);
  await sourceHealed();

  emperor.write('three.ini', emperor.probeFile('pause'));
  emperor.remove('one.ini');

  await emperor.running('three');
  await emperor.forgotten('one');
});

test('an empty directory put in the place of the old one proves no absence at once', async () => {
  const before = await twoRunning();

  renameSync(emperor.vassals, `${emperor.base}/away`);
  mkdirSync(emperor.vassals, { mode: 0o755 });
  emperor.signal('SIGHUP');

  await sourceError();
  expect(await pids()).toEqual(before);

  rmSync(emperor.vassals, { recursive: true });
  renameSync(`${emperor.base}/away`, emperor.vassals);
  await sourceHealed();
  expect(await pids()).toEqual(before);
});

test('a file system mounted over the directory and taken away again stops nothing', async () => {
  const before = await twoRunning();

  execFileSync('mount', ['-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', emperor.vassals]);
  emperor.signal('SIGHUP');
  await sourceError();
  expect(await pids()).toEqual(before);

  execFileSync('umount', [emperor.vassals]);
  emperor.signal('SIGHUP');
  await sourceHealed();
  expect(await pids()).toEqual(before);
});

test('a directory that others may write is a source error and all keep running', async () => {
  const before = await twoRunning();

  chmodSync(emperor.vassals, 0o777);
  emperor.write('intruder.ini', emperor.probeFile('pause'));

  const [diagnostic] = await sourceError();
  expect(diagnostic?.message).toMatch(/writ/);
  await pauseMs(300);
  expect(await pids()).toEqual(before);

  chmodSync(emperor.vassals, 0o755);
  await sourceHealed();
  await emperor.running('intruder');
});

test('when most files vanish at once the emperor looks twice before it believes it', async () => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
  for (const name of names) emperor.write(`${name}.ini`, emperor.probeFile('pause'));
  for (const name of names) await emperor.running(name);

  for (const name of names) emperor.remove(`${name}.ini`);
  await pauseMs(3_000);
  const meanwhile = await emperor.status();

  expect(meanwhile.vassals.filter((vassal) => vassal.state === 'running')).toHaveLength(8);
  await waitUntil(
    'them to be forgotten',
    async () => ((await pids()).length === 0 ? true : undefined),
    25_000,
  );
});

test('a watcher whose queue overflowed loses no change', async () => {
  const [one = 0] = await twoRunning();
  const limit = Number(peek('/proc/sys/fs/inotify/max_queued_events'));
  emperor.signal('SIGSTOP');
  for (let i = 0; i < limit / 2 + 100; i++) {
    writeFileSync(emperor.path('.noise'), '');
    rmSync(emperor.path('.noise'));
  }
  emperor.write('three.ini', emperor.probeFile('pause'));
  emperor.remove('two.ini');
  emperor.signal('SIGCONT');

  await emperor.running('three');
  await emperor.forgotten('two');
  expect((await emperor.running('one')).pid).toBe(one);
});
