import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runHandover } from '../../../../packages/emperor/src/commands/handover.ts';
import { FakeEmperor, RecordingIo, vassalJson } from './fake-emperor.ts';

let emperor: FakeEmperor;
let io: RecordingIo;
let child: ChildProcess | undefined;

beforeEach(async () => {
  emperor = new FakeEmperor();
  io = new RecordingIo();
  await emperor.listen();
});

afterEach(async () => {
  child?.kill('SIGKILL');
  child = undefined;
  await emperor.close();
});

/** A process that ends only by SIGUSR1. */
async function patientProcess(): Promise<number> {
  child = spawn('sh', ['-c', 'trap "exit 0" USR1; trap "" TERM; echo up; while :; do sleep 0.05; done'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  if (child.stdout === null || child.pid === undefined) throw new Error('no child');
  await once(child.stdout, 'data');
  return child.pid;
}

test('handover sends SIGUSR1 to the emperor, waits for its end and says what goes on', async () => {
  const pid = await patientProcess();
  emperor.emperor = { ...emperor.emperor, pid };
  emperor.vassals = [vassalJson(), vassalJson({ name: 'shop' })];

  expect(await runHandover({ names: [], flags: { 'runtime-dir': emperor.runtimeDir } }, io)).toBe(0);
  expect(io.stdout).toContain(`emperor 0.1.0 (pid ${pid}) has gone and left 2 vassals as they are\n`);
});

test('without an emperor there is nothing to hand over: exit code 69', async () => {
  await emperor.close();

  await expect(
    runHandover({ names: [], flags: { 'runtime-dir': emperor.runtimeDir } }, io),
  ).rejects.toMatchObject({ exitCode: 69 });
});
