import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runShutdown } from '../../../../packages/emperor/src/commands/shutdown.ts';
import { FakeEmperor, RecordingIo, vassalJson } from './fake-emperor.ts';

let emperor: FakeEmperor;

beforeEach(async () => {
  emperor = new FakeEmperor();
  await emperor.listen();
});

afterEach(() => emperor.close());

test('shutdown sends SIGTERM to the emperor, waits for its end and says what stopped', async () => {
  const io = new RecordingIo();
  const child = spawn(
    'sh',
    ['-c', 'trap "exit 0" TERM; trap "" USR1; echo up; while :; do sleep 0.05; done'],
    {
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  await once(child.stdout, 'data');
  const ended = once(child, 'exit');
  emperor.emperor = { ...emperor.emperor, pid: child.pid ?? 0 };
  emperor.vassals = [vassalJson(), vassalJson({ name: 'shop' })];

  expect(await runShutdown({ names: [], flags: { 'runtime-dir': emperor.runtimeDir } }, io)).toBe(0);

  expect(await ended).toEqual([0, null]);
  expect(io.stdout).toBe(`emperor 0.1.0 (pid ${child.pid}) has stopped its 2 vassals and gone\n`);
});

test('without an emperor there is nothing to shut down', async () => {
  await expect(
    runShutdown({ names: [], flags: { 'runtime-dir': '/nonexistent' } }, new RecordingIo()),
  ).rejects.toMatchObject({ exitCode: 69 });
});
