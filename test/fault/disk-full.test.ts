import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { EmperorUnderTest } from '../support/emperor-under-test.ts';
import { isAlive } from '../support/processes.ts';
import { waitUntil } from '../support/wait-until.ts';

const emperor = new EmperorUnderTest();

beforeAll(async () => {
  emperor.mountTmpfs(emperor.logDir, 'size=512k,mode=755');
  emperor.mountTmpfs(emperor.stateDir, 'size=256k,mode=700');
  await emperor.start();
});

afterEach(async () => {
  for (const dir of [emperor.logDir, emperor.stateDir]) rmSync(join(dir, 'filler'), { force: true });
  expect(await emperor.reset()).toEqual([]);
});

afterAll(async () => {
  expect(await emperor.dispose()).toEqual([]);
});

function fill(dir: string): void {
  for (const size of [65_536, 4_096, 1]) {
    try {
      for (;;) writeFileSync(join(dir, 'filler'), Buffer.alloc(size), { flag: 'a' });
    } catch {
      // Full for pieces of this size.
    }
  }
  expect(statfsSync(dir).bfree).toBe(0);
}

test('a full log disk stops neither its app nor others, is told, and heals when there is room', async () => {
  emperor.write('talker.ini', '[vassal]\ncommand = sh -c "while :; do echo talking; sleep 0.05; done"\n');
  emperor.write('calm.ini', emperor.probeFile('pause'));
  const { pid } = await emperor.running('talker');
  const calm = await emperor.running('calm');
  await emperor.printed('talker', 'talking', 3);

  fill(emperor.logDir);
  const told = await waitUntil(
    async () => `the full disk to be told: ${JSON.stringify(await emperor.vassal('talker'))}`,
    async () => {
      const vassal = await emperor.vassal('talker');
      const text = JSON.stringify(vassal);
      return /ENOSPC|no space|disk|drop/i.test(text) ? text : undefined;
    },
  );

  expect(told).toBeTruthy();
  emperor.touch('calm.ini');
  await emperor.running('calm', calm.pid);
  expect(isAlive(pid)).toBe(true);

  rmSync(join(emperor.logDir, 'filler'));
  const lines = emperor.rawLog('talker').length;
  await waitUntil('new lines in the log', () =>
    emperor.rawLog('talker').length > lines + 2 ? true : undefined,
  );
  expect((await emperor.running('talker')).pid).toBe(pid);
});

test('a full state disk ends nothing that runs, is told, and heals when there is room', async () => {
  emperor.write('old.ini', emperor.probeFile('pause'));
  const old = await emperor.running('old');
  fill(emperor.stateDir);

  emperor.write('new.ini', emperor.probeFile('pause'));
  emperor.write('old.ini', emperor.probeFile('pause', 'stop-timeout = 3s'));
  await waitUntil(
    async () => `the full disk to be told: ${JSON.stringify(await emperor.status())}`,
    async () => (/ENOSPC|no space/i.test(JSON.stringify(await emperor.status())) ? true : undefined),
  );

  expect(isAlive(old.pid)).toBe(true);
  expect((await emperor.cli(['status'])).code).toBe(0);

  rmSync(join(emperor.stateDir, 'filler'));
  emperor.signal('SIGHUP');
  await emperor.running('new');
  expect((await emperor.running('old')).pid).toBe(old.pid);
  await waitUntil('the trouble to be over', async () =>
    /ENOSPC|no space/i.test(JSON.stringify(await emperor.status())) ? undefined : true,
  );
});

test('an emperor that dies on a full state disk loses no running app and no identity', async () => {
  emperor.write('old.ini', emperor.probeFile('pause'));
  const old = await emperor.running('old');
  fill(emperor.stateDir);

  await emperor.kill9();
  await emperor.start();

  const after = await emperor.running('old');
  expect(after).toMatchObject({ pid: old.pid, uid: old.uid });
});

test('a log directory that cannot be made is told with stage and path, and the app does not run unlogged', async () => {
  writeFileSync(join(emperor.logDir, 'blog'), 'a file where a directory should be');
  emperor.write('blog.ini', emperor.probeFile('pause'));

  const why = await waitUntil('the reason', async () => {
    const answer = await emperor.ask('GET', '/v1/vassals/blog/why');
    return /log/.test(answer.text) && /ENOTDIR|EEXIST|not a directory|exists/i.test(answer.text)
      ? answer.text
      : undefined;
  });

  expect(why).toContain(join(emperor.logDir, 'blog'));
  rmSync(join(emperor.logDir, 'blog'));
  emperor.touch('blog.ini');
  await emperor.running('blog');
});
