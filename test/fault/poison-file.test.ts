import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sharedEmperor } from '../support/emperor-under-test.ts';

const emperor = sharedEmperor();

/** Start an emperor that is killed in the moment in which it has taken a vassal file in hand. */
async function crashWithFileInHand(): Promise<void> {
  const inject = ['-f', '-qq', '-o', '/dev/null', '-P', join(emperor.stateDir, 'in-hand')];
  const killed = await emperor.launch(['strace', ...inject, '-e', 'inject=ftruncate:signal=SIGKILL']).ended;
  expect(killed).toEqual({ code: null, signal: 'SIGKILL' });
}

test('a file that was in hand at two crashes is quarantined and takes down nothing else', {
  timeout: 120_000,
}, async () => {
  await emperor.end('SIGTERM');
  emperor.write('poison.ini', emperor.probeFile('say 0 poisoned'));
  await crashWithFileInHand();
  await crashWithFileInHand();

  emperor.write('good.ini', emperor.probeFile('pause'));
  await emperor.start();

  await emperor.running('good');
  const poison = await emperor.waitFor('poison', (seen) => seen.diagnostics.length > 0);
  expect(poison).toMatchObject({ state: 'failed', pid: null });
  expect(`${poison.diagnostics[0]?.message} ${poison.diagnostics[0]?.hint}`).toMatch(/crash|quarantine/i);
  expect(emperor.log('poison')).toEqual([]);

  emperor.write('poison.ini', emperor.probeFile('say 0 cured'));
  await emperor.printed('poison', 'cured');
});

test('one crash alone is forgiven', { timeout: 120_000 }, async () => {
  await emperor.end('SIGTERM');
  emperor.write('unlucky.ini', emperor.probeFile('pause'));
  await crashWithFileInHand();

  await emperor.start();

  await emperor.running('unlucky');
});
