import { expect, test } from 'vitest';
import { sharedEmperor } from '../support/emperor-under-test.ts';
import { waitUntil } from '../support/wait-until.ts';

/** The smallest range that an emperor takes. */
const UIDS = 256;
const emperor = sharedEmperor({ uidCount: UIDS });

test('private uids are re-used only when the range is used up, and then the one that is free for longest', {
  timeout: 120_000,
}, async () => {
  for (let i = 0; i < UIDS; i++) emperor.write(`v${i}.ini`, emperor.probeFile('pause'));
  const vassals = await waitUntil(
    'all of them to run',
    async () => {
      const seen = (await emperor.status()).vassals;
      return seen.filter(({ state }) => state === 'running').length === UIDS ? seen : undefined;
    },
    60_000,
  );
  const uidOf = new Map(vassals.map(({ name, uid }) => [name, uid]));
  expect(new Set(uidOf.values()).size).toBe(UIDS);

  emperor.write('late.ini', emperor.probeFile('pause'));
  const refused = await emperor.waitFor('late', (seen) =>
    /uid/.test(JSON.stringify([seen.note, seen.diagnostics])),
  );
  expect(refused).toMatchObject({ pid: null });

  for (const name of ['v7', 'v3']) {
    emperor.remove(`${name}.ini`);
    await emperor.forgotten(name);
  }
  emperor.touch('late.ini');

  expect((await emperor.running('late')).uid).toBe(uidOf.get('v7'));
  expect((await emperor.running('v0')).uid).toBe(uidOf.get('v0'));
});
