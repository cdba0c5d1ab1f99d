import { chmodSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { sharedEmperor } from '../support/emperor-under-test.ts';
import { isAlive } from '../support/processes.ts';
import { pauseMs, waitUntil } from '../support/wait-until.ts';

const emperor = sharedEmperor();

/** Start an emperor that is expected to refuse; how it ended and what it said. */
async function refused(wrapper: readonly string[] = []) {
  const before = emperor.said().length;
  const exit = await emperor.launch(wrapper).ended;
  return { exit, said: emperor.said().slice(Math.max(0, before - 1)) };
}

test('a log directory that is no directory is told with its path and the emperor does not start', async () => {
  await emperor.end('SIGTERM');
  rmSync(emperor.logDir, { recursive: true });
  writeFileSync(emperor.logDir, '');

  const { exit, said } = await refused();

  rmSync(emperor.logDir);
  mkdirSync(emperor.logDir, { mode: 0o755 });
  expect(exit.code).not.toBe(0);
  expect(exit.signal).toBeNull();
  expect(said).toContain(emperor.logDir);
  expect(said).not.toMatch(/\bat .*\.js:\d+/);
});

test('a state directory that is no directory is told with its path and the emperor does not start', async () => {
  await emperor.end('SIGTERM');
  rmSync(emperor.stateDir, { recursive: true });
  writeFileSync(emperor.stateDir, '');

  const { exit, said } = await refused();

  rmSync(emperor.stateDir);
  mkdirSync(emperor.stateDir, { mode: 0o755 });
  expect(exit.code).not.toBe(0);
  expect(exit.signal).toBeNull();
  expect(said).toContain(emperor.stateDir);
  expect(said).not.toMatch(/\bat .*\.js:\d+/);
});

test('a configuration that is named and missing is told and exits 78', async () => {
  await emperor.end('SIGTERM');
  rmSync(emperor.config);

  const { exit, said } = await refused();

  emperor.configure('');
  expect(exit).toEqual({ code: 78, signal: null });
  expect(said).toContain(emperor.config);
});

test('a vassals directory that is missing at the start is a source error, and heals when it appears', async () => {
  await emperor.end('SIGTERM');
  rmSync(emperor.vassals, { recursive: true });
  await emperor.start();
  const [diagnostic] = (await emperor.status()).emperor.diagnostics;
  expect(diagnostic?.file).toBe(emperor.vassals);

  mkdirSync(emperor.vassals, { mode: 0o755 });
  emperor.write('blog.ini', emperor.probeFile('pause'));

  await emperor.running('blog');
  await waitUntil('the source error to go', async () =>
    (await emperor.status()).emperor.diagnostics.length === 0 ? true : undefined,
  );
});

test('a vassals directory that is gone when the emperor comes back costs nothing that runs', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause'));
  const before = await emperor.running('blog');
  await emperor.kill9();
  rmSync(emperor.vassals, { recursive: true });

  await emperor.start();

  expect((await emperor.status()).emperor.diagnostics).not.toEqual([]);
  expect(await emperor.vassal('blog')).toMatchObject({ state: 'running', pid: before.pid });
  mkdirSync(emperor.vassals, { mode: 0o755 });
  emperor.write('blog.ini', emperor.probeFile('pause'));
  await waitUntil('the source error to go', async () =>
    (await emperor.status()).emperor.diagnostics.length === 0 ? true : undefined,
  );
});

test('an empty vassals directory at the start is not believed at once', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause'));
  const before = await emperor.running('blog');
  await emperor.kill9();
  emperor.remove('blog.ini');

  await emperor.start();
  await pauseMs(2_000);

  expect(isAlive(before.pid)).toBe(true);
  await waitUntil('it to be believed', () => (isAlive(before.pid) ? undefined : true), 25_000);
});

test('an ordinary user without rights to the directories gets an error, not a stack', async () => {
  await emperor.end('SIGTERM');
  chmodSync(emperor.config, 0o644);

  const { exit, said } = await refused(['setpriv', '--reuid=5', '--regid=60', '--clear-groups']);

  expect(exit.code).not.toBe(0);
  expect(exit.signal).toBeNull();
  expect(said).not.toMatch(/\bat .*\.js:\d+/);
  expect(readdirSync(emperor.runDir).filter((name) => name === 'control.sock')).toEqual([]);
});
