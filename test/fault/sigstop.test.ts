import { afterEach, expect, test } from 'vitest';
import { sharedEmperor } from '../support/emperor-under-test.ts';
import { freePort } from '../support/free-port.ts';
import { httpGet } from '../support/http-get.ts';
import { isAlive, processFacts } from '../support/processes.ts';
import { pauseMs, waitUntil } from '../support/wait-until.ts';

const emperor = sharedEmperor();
const stopped: number[] = [];

afterEach(() => {
  for (const pid of stopped.splice(0)) if (isAlive(pid)) process.kill(pid, 'SIGCONT');
});

function freeze(pid: number): void {
  stopped.push(pid);
  process.kill(pid, 'SIGSTOP');
}

/** The emperor is as quick as ever for a vassal that has nothing to do with the frozen one. */
async function othersGoOn(): Promise<void> {
  const before = await emperor.running('other');
  emperor.touch('other.ini');
  const after = await emperor.running('other', before.pid);
  process.kill(after.pid, 'SIGKILL');
  await emperor.running('other', after.pid);
  expect((await emperor.cli(['status'])).code).toBe(0);
}

async function twoVassals(...lines: readonly string[]) {
  emperor.write('frozen.ini', emperor.probeFile('pause', 'stop-timeout = 1s', ...lines));
  emperor.write('other.ini', emperor.probeFile('pause'));
  await emperor.running('other');
  return emperor.running('frozen');
}

test('a frozen app disturbs nobody and is killed when it has to stop', async () => {
  const { pid } = await twoVassals();
  freeze(pid);

  await othersGoOn();
  const stop = await emperor.cli(['stop', 'frozen']);

  expect(stop.code).toBe(0);
  expect(isAlive(pid)).toBe(false);
});

test('a frozen init disturbs nobody and its jail can be stopped', async () => {
  const { pid } = await twoVassals();
  freeze(processFacts(pid)?.ppid ?? 0);

  await othersGoOn();
  const stop = await emperor.cli(['stop', 'frozen']);

  expect(stop.code).toBe(0);
  expect(isAlive(pid)).toBe(false);
});

test('a frozen keeper disturbs nobody', async () => {
  const { keeperPid } = await twoVassals();
  freeze(keeperPid);

  await othersGoOn();
  emperor.touch('frozen.ini');
  await othersGoOn();

  process.kill(keeperPid, 'SIGCONT');
  await emperor.running('frozen');
});

test('a vassal whose keeper is frozen is killed by its control group all the same', async () => {
  const { pid, keeperPid } = await twoVassals();
  freeze(keeperPid);

  const stop = emperor.cli(['stop', 'frozen'], { patienceMs: 50_000 });

  await waitUntil('the app to end', () => (isAlive(pid) ? undefined : true), 40_000);
  await othersGoOn();
  if (isAlive(keeperPid)) process.kill(keeperPid, 'SIGCONT');
  await emperor.waitFor('frozen', (seen) => seen.state === 'stopped');
  await stop;
});

test('a frozen spawner delays new keepers alone', async () => {
  await twoVassals();
  const spawner = emperor.cgroup
    .pids()
    .find((pid) => processFacts(pid)?.cmdline.includes('spawner') === true);
  expect(spawner).toBeDefined();
  freeze(spawner ?? 0);

  emperor.write('new.ini', emperor.probeFile('pause'));
  await othersGoOn();
  expect((await emperor.vassal('new'))?.pid ?? null).toBeNull();

  process.kill(spawner ?? 0, 'SIGCONT');
  await emperor.waitFor('new', (seen) => seen.state === 'running', 40_000);
});

test('a killed spawner is replaced', async () => {
  await twoVassals();
  const spawner = emperor.cgroup
    .pids()
    .find((pid) => processFacts(pid)?.cmdline.includes('spawner') === true);
  process.kill(spawner ?? 0, 'SIGKILL');

  emperor.write('new.ini', emperor.probeFile('pause'));

  await emperor.running('new');
  await othersGoOn();
});

test('a frozen emperor leaves every app serving and goes on when it is woken', async () => {
  const port = await freePort();
  emperor.write('web.ini', emperor.probeFile(`listen ${port}`, `ready = tcp:127.0.0.1:${port}`));
  const before = await emperor.running('web');
  freeze(emperor.pid);

  expect(await httpGet(port)).toMatchObject({ status: 200 });
  process.kill(before.pid, 'SIGKILL');
  await pauseMs(200);
  emperor.write('new.ini', emperor.probeFile('pause'));
  process.kill(emperor.pid, 'SIGCONT');

  await emperor.running('web', before.pid);
  await emperor.running('new');
});
