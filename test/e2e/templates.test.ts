import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { sharedEmperor } from '../support/emperor-under-test.ts';
import { isAlive } from '../support/processes.ts';
import { waitUntil } from '../support/wait-until.ts';

const emperor = sharedEmperor();

test('one template under many names runs one vassal per name', async () => {
  const template = `${emperor.base}/template.txt`;
  writeFileSync(template, emperor.probeFile('say 0 i-am-%(name)', 'env = SITE=%(name).example'));
  for (const name of ['ada', 'bob', 'eve']) symlinkSync(template, emperor.path(`${name}.ini`));

  for (const name of ['ada', 'bob', 'eve']) {
    await emperor.printed(name, `i-am-${name}`);
    expect(await emperor.running(name)).toMatchObject({ owner: 'root', file: emperor.path(`${name}.ini`) });
  }
  const uids = (await emperor.status()).vassals.map((vassal) => vassal.uid);
  expect(new Set(uids).size).toBe(3);
});

test('an edit of the template reaches every vassal that is linked to it', async () => {
  const template = `${emperor.base}/template.txt`;
  writeFileSync(template, emperor.probeFile('say 0 old-%(name)'));
  for (const name of ['ada', 'bob']) symlinkSync(template, emperor.path(`${name}.ini`));
  await emperor.printed('ada', 'old-ada');
  await emperor.printed('bob', 'old-bob');

  writeFileSync(template, emperor.probeFile('say 0 new-%(name)'));

  await emperor.printed('ada', 'new-ada');
  await emperor.printed('bob', 'new-bob');
});

test('a symlink that is switched to a new release is an edit', async () => {
  for (const release of ['1', '2']) {
    mkdirSync(`${emperor.base}/release-${release}`);
    writeFileSync(
      `${emperor.base}/release-${release}/blog.ini`,
      emperor.probeFile(`say 0 release-${release}`),
    );
  }
  symlinkSync(`${emperor.base}/release-1/blog.ini`, emperor.path('blog.ini'));
  const before = await emperor.running('blog');
  await emperor.printed('blog', 'release-1');

  symlinkSync(`${emperor.base}/release-2/blog.ini`, emperor.path('.next'));
  renameSync(emperor.path('.next'), emperor.path('blog.ini'));

  await emperor.printed('blog', 'release-2');
  const after = await emperor.running('blog', before.pid);
  expect(after.keeperPid).toBe(before.keeperPid);
  expect(isAlive(before.pid)).toBe(false);
});

test('a symlinked directory on the way that is switched to a new release is an edit', async () => {
  for (const release of ['3', '4']) {
    mkdirSync(`${emperor.base}/release-${release}`);
    writeFileSync(
      `${emperor.base}/release-${release}/blog.ini`,
      emperor.probeFile(`say 0 release-${release}`),
    );
  }
  symlinkSync('release-3', `${emperor.base}/current`);
  symlinkSync(`${emperor.base}/current/blog.ini`, emperor.path('blog.ini'));
  await emperor.printed('blog', 'release-3');

  symlinkSync('release-4', `${emperor.base}/current.next`);
  renameSync(`${emperor.base}/current.next`, `${emperor.base}/current`);
  emperor.signal('SIGHUP');

  await emperor.printed('blog', 'release-4');
});

test('a link whose target is gone is told and its vassal goes on', async () => {
  const target = `${emperor.base}/target.ini`;
  writeFileSync(target, emperor.probeFile('pause'));
  symlinkSync(target, emperor.path('blog.ini'));
  const before = await emperor.running('blog');

  rmSync(target);

  const after = await emperor.waitFor('blog', (seen) => seen.diagnostics.length > 0);
  expect(after).toMatchObject({ pid: before.pid, state: 'running' });

  writeFileSync(target, emperor.probeFile('pause'));
  await waitUntil('the diagnostic to go', async () =>
    (await emperor.vassal('blog'))?.diagnostics.length === 0 ? true : undefined,
  );
});

test('placeholders and variables are expanded and a percent sign alone is literal', async () => {
  emperor.write(
    'blog.ini',
    `[vars]\nsite = example\n${emperor.probeFile('say 0 %(name)/%(site)/%(owner)/%Y/%%(name)', 'hostname = %(site)-host')}`,
  );

  await emperor.printed('blog', 'blog/example/root/%Y/%(name)');
});
