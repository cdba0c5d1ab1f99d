import { renameSync } from 'node:fs';
import { expect, test } from 'vitest';
import { sharedEmperor } from '../support/emperor-under-test.ts';
import { isAlive } from '../support/processes.ts';

const emperor = sharedEmperor();

test('a renamed file is a new vassal and the end of the old one', async () => {
  emperor.write('old.ini', emperor.probeFile('say 0 %(name)'));
  const before = await emperor.running('old');

  renameSync(emperor.path('old.ini'), emperor.path('new.ini'));

  const after = await emperor.running('new');
  await emperor.forgotten('old');
  await emperor.printed('new', 'new');
  expect(isAlive(before.pid)).toBe(false);
  expect(after.uid).not.toBe(before.uid);
  expect(after.keeperPid).not.toBe(before.keeperPid);
});

test('a file renamed to a name that is no vassal file stops its vassal', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause'));
  const { pid } = await emperor.running('blog');

  renameSync(emperor.path('blog.ini'), emperor.path('blog.ini.off'));

  await emperor.forgotten('blog');
  expect(isAlive(pid)).toBe(false);
});

test('two files that exchange their names exchange what runs under them', async () => {
  emperor.write('a.ini', emperor.probeFile('say 0 text-one'));
  emperor.write('b.ini', emperor.probeFile('say 0 text-two'));
  await emperor.printed('a', 'text-one');
  await emperor.printed('b', 'text-two');

  renameSync(emperor.path('a.ini'), emperor.path('.swap'));
  renameSync(emperor.path('b.ini'), emperor.path('a.ini'));
  renameSync(emperor.path('.swap'), emperor.path('b.ini'));

  await emperor.printed('a', 'text-two');
  await emperor.printed('b', 'text-one');
  await emperor.running('a');
  await emperor.running('b');
});
