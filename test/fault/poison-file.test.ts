import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sharedEmperor } from '../support/emperor-under-test.ts';
import { pauseMs } from '../support/wait-until.ts';

const emperor = sharedEmperor();

/**
 * Start an emperor that is killed when it wants to put the first vassal file out of its hand: the second time that it
 * writes into its note of what is in hand.
 */
async function crashWithFileInHand(): Promise<void> {
  const wrapper = ['strace', '-f', '-qq', '-o', '/dev/null', '-P', join(emperor.stateDir, 'in-hand')];
  const { child, ended } = emperor.launch([...wrapper, '-e', 'inject=pwrite64:signal=SIGKILL:when=2']);

  const exit = await Promise.race([ended, pauseMs(20_000)]);

  if (exit === undefined) child.kill('SIGTERM');
  expect(exit).toEqual({ code: null, signal: 'SIGKILL' });
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
