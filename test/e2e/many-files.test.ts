import { expect, test } from 'vitest';
import { sharedEmperor } from '../support/emperor-under-test.ts';
import { waitUntil } from '../support/wait-until.ts';

const emperor = sharedEmperor();

test('2,000 files dropped at once all run, a neighbour is not disturbed, and all go again', {
  timeout: 240_000,
}, async () => {
  emperor.write('neighbour.ini', emperor.probeFile('pause'));
  const neighbour = await emperor.running('neighbour');

  for (let i = 0; i < 2_000; i++) emperor.write(`v${i}.ini`, emperor.probeFile('pause'));
  const seen = await waitUntil(
    async () => `2,001 running vassals: ${await states()}`,
    async () => {
      const { vassals } = await emperor.status();
      return vassals.filter(({ state, ready }) => state === 'running' && ready).length === 2_001
        ? vassals
        : undefined;
    },
    120_000,
    250,
  );

  expect(new Set(seen.map((vassal) => vassal.pid)).size).toBe(2_001);
  expect(new Set(seen.map((vassal) => vassal.uid)).size).toBe(2_001);
  expect(seen.every((vassal) => vassal.generation === 1 && vassal.restarts === 0)).toBe(true);
  expect((await emperor.running('neighbour')).pid).toBe(neighbour.pid);

  for (let i = 0; i < 2_000; i++) emperor.remove(`v${i}.ini`);
  await waitUntil(
    async () => `2,000 vassals to go: ${await states()}`,
    async () => ((await emperor.status()).vassals.length === 1 ? true : undefined),
    120_000,
    250,
  );
  expect((await emperor.running('neighbour')).pid).toBe(neighbour.pid);
});

test('a boot of 1,000 files starts every one once, and SIGTERM stops them all', {
  timeout: 240_000,
}, async () => {
  await emperor.end('SIGTERM');
  for (let i = 0; i < 1_000; i++) emperor.write(`v${i}.ini`, emperor.probeFile('say 0 up'));

  await emperor.start();
  const seen = await waitUntil(
    async () => `1,000 running vassals: ${await states()}`,
    async () => {
      const { vassals } = await emperor.status();
      return vassals.filter(({ state }) => state === 'running').length === 1_000 ? vassals : undefined;
    },
    120_000,
    250,
  );

  expect(seen.every((vassal) => vassal.generation === 1 && vassal.restarts === 0)).toBe(true);
  expect(await emperor.end('SIGTERM')).toEqual({ code: 0, signal: null });
  expect(emperor.cgroup.pids()).toEqual([]);
  for (let i = 0; i < 1_000; i++) emperor.remove(`v${i}.ini`);
});

async function states(): Promise<string> {
  const counts = new Map<string, number>();
  for (const { state } of (await emperor.status()).vassals) counts.set(state, (counts.get(state) ?? 0) + 1);
  return JSON.stringify([...counts]);
}
