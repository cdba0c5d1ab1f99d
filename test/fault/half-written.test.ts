import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { expect, test } from 'vitest';
import { sharedEmperor } from '../support/emperor-under-test.ts';
import { pauseMs } from '../support/wait-until.ts';

const emperor = sharedEmperor();

test('a running vassal survives a file that is half written for a while', async () => {
  emperor.write('blog.ini', emperor.probeFile('say 0 old'));
  const before = await emperor.running('blog');
  const text = emperor.probeFile('say 0 new', 'memory-max = 64M');

  const fd = openSync(emperor.path('blog.ini'), 'w');
  writeSync(fd, text.slice(0, text.indexOf('64M')));
  const half = await emperor.waitFor('blog', (seen) => seen.diagnostics.length > 0);
  expect(half).toMatchObject({ state: 'running', pid: before.pid });
  writeSync(fd, '64M\n');
  closeSync(fd);

  await emperor.printed('blog', 'new');
  expect(await emperor.running('blog', before.pid)).toMatchObject({ diagnostics: [] });
});

test('a file that is emptied and stays empty stops nothing', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause'));
  const before = await emperor.running('blog');

  writeFileSync(emperor.path('blog.ini'), '');

  await emperor.waitFor('blog', (seen) => seen.diagnostics.length > 0);
  await pauseMs(300);
  expect((await emperor.running('blog')).pid).toBe(before.pid);
});

test('a file that changes all the time starves neither itself nor a neighbour', async () => {
  emperor.write('calm.ini', emperor.probeFile('pause'));
  const calm = await emperor.running('calm');
  const enough = new AbortController();
  const writing = (async () => {
    for (let i = 0; !enough.signal.aborted; i++) {
      emperor.write('busy.ini', emperor.probeFile(`say 0 version-${i}`));
      await pauseMs(10);
    }
  })();

  await emperor.printed('busy', 'version-');
  emperor.touch('calm.ini');
  await emperor.running('calm', calm.pid);

  enough.abort();
  await writing;
  emperor.write('busy.ini', emperor.probeFile('say 0 at-last'));
  await emperor.printed('busy', 'at-last');
});
