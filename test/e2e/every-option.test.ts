import { chownSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { vassalOptions } from '@emperor/vassal/options';
import { expect, test } from 'vitest';
import { sharedEmperor } from '../support/emperor-under-test.ts';
import { OPERATOR_VALUES } from '../support/option-evidence.ts';
import { peekDir, peekLink } from '../support/processes.ts';

const TENANT = { name: 'games', uid: 5, gid: 60 };
const emperor = sharedEmperor();

/** The tenant's from the first moment on. */
function writeAsTenant(file: string, text: string): void {
  const staged = emperor.path('.staged');
  writeFileSync(staged, text, { mode: 0o644 });
  chownSync(staged, TENANT.uid, TENANT.gid);
  renameSync(staged, emperor.path(file));
}

test('every option of the operator is refused to a tenant, with its line, and nothing of his runs', async () => {
  const keys = Object.entries(vassalOptions)
    .filter(([, { who }]) => who === 'operator')
    .map(([key]) => key);
  const lines = keys.map((key) => `${key} = ${OPERATOR_VALUES[key]}`);
  writeAsTenant('all-of-them.ini', emperor.probeFile('say 0 ran', ...lines));
  writeAsTenant('none-of-them.ini', emperor.probeFile('say 0 ran'));

  const refused = await emperor.waitFor('all-of-them', ({ state }) => state === 'failed');
  await emperor.printed('none-of-them', 'ran');

  expect(refused).toMatchObject({ pid: null, keeperPid: null, owner: TENANT.name });
  const refusals = (await emperor.diagnostics('all-of-them')).filter((text) => text.includes('only the'));
  expect(refusals).toEqual(
    keys.map(
      (key, index) =>
        `all-of-them.ini:${index + 3} ${key} only the operator may set this, and the file belongs to ${TENANT.name}`,
    ),
  );
  expect(emperor.log('all-of-them')).toEqual([]);
});

test('setns-preopen: the keeper holds what it hands out from the launch on', async () => {
  const offer = (name: string, ...lines: readonly string[]) =>
    emperor.write(
      `${name}.ini`,
      emperor.probeFile('pause', `setns-socket = ${join(emperor.outDir, `${name}.ns`)}`, ...lines),
    );
  offer('early', 'setns-preopen = yes');
  offer('late');
  const [early, late] = [await emperor.running('early'), await emperor.running('late')];

  const held = (keeper: number) =>
    peekDir(`/proc/${keeper}/fd`).map((fd) => peekLink(`/proc/${keeper}/fd/${fd}`));
  for (const kind of ['mnt', 'pid', 'ipc', 'uts', 'cgroup']) {
    expect(held(early.keeperPid)).toContain(peekLink(`/proc/${early.pid}/ns/${kind}`));
    expect(held(late.keeperPid)).not.toContain(peekLink(`/proc/${late.pid}/ns/${kind}`));
  }
  for (const name of ['early', 'late']) {
    const facts = await emperor.facts(
      `guest-of-${name}`,
      [],
      `setns = ${join(emperor.outDir, `${name}.ns`)}`,
    );
    expect(facts.get('hostname')).toBe(name);
  }
});

test('restart-delay is waited, doubled, and bounded by restart-max-delay', async () => {
  const DELAY_MS = 700;
  const crashing = (most: string) =>
    emperor.probeFile('exit 1', `restart-delay = ${DELAY_MS}ms`, `restart-max-delay = ${most}`);
  emperor.write('patient.ini', crashing('1h'));
  emperor.write('quick.ini', crashing(`${DELAY_MS}ms`));
  await emperor.printed('patient', 'exiting with 1', 4);
  await emperor.printed('quick', 'exiting with 1', 6);

  /** How long each run of it came after the one before. */
  const waits = (name: string) => {
    const stamps = emperor.rawLog(name).flatMap((line) => {
      const at = line.endsWith('exiting with 1') ? Date.parse(line.split(' ')[0] ?? '') : undefined;
      return at === undefined ? [] : [at];
    });
    return stamps.slice(1).map((at, index) => at - (stamps[index] ?? at));
  };
  const [first = 0, second = 0, third = 0] = waits('patient');
  expect(first).toBeLessThan(DELAY_MS);
  expect(second).toBeGreaterThanOrEqual(DELAY_MS);
  expect(third).toBeGreaterThanOrEqual(2 * DELAY_MS);
  // Unbounded, the last of these would be eight times the delay.
  expect(waits('quick')[4]).toBeGreaterThanOrEqual(DELAY_MS);
  expect(waits('quick')[4]).toBeLessThan(5 * DELAY_MS);
});

test('stable: exits after that long are forgiven, earlier ones are counted', async () => {
  const lines = ['restart-max = 2', 'restart-delay = 100ms'];
  emperor.write('quick.ini', emperor.probeFile('exit 1 600', ...lines, 'stable = 30s'));
  emperor.write('stable.ini', emperor.probeFile('exit 1 600', ...lines, 'stable = 200ms'));

  const quick = await emperor.waitFor('quick', ({ state }) => state === 'failed');
  const stable = await emperor.waitFor('stable', ({ restarts }) => restarts > 4);

  expect(quick.restarts).toBeLessThan(3);
  expect(stable.state).not.toBe('failed');
});
