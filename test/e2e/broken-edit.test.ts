import { expect, test } from 'vitest';
import { sharedEmperor } from '../support/emperor-under-test.ts';

const emperor = sharedEmperor();

test('a vassal whose file becomes invalid keeps running its last good revision', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause'));
  const before = await emperor.running('blog');

  emperor.write('blog.ini', emperor.probeFile('pause', 'memory-max = 12 parsecs'));

  const broken = await emperor.waitFor('blog', (seen) => seen.diagnostics.length > 0);
  expect(broken).toMatchObject({ state: 'running', ready: true, pid: before.pid, revision: before.revision });
  expect(broken.diagnostics[0]).toMatchObject({
    severity: 'error',
    file: emperor.path('blog.ini'),
    line: 3,
    key: 'memory-max',
  });
  expect(broken.diagnostics[0]?.message).toContain('512M');
});

test('fixing the file heals it: the diagnostic goes and the edit applies', async () => {
  emperor.write('blog.ini', emperor.probeFile('say 0 old'));
  const before = await emperor.running('blog');
  emperor.write('blog.ini', emperor.probeFile('say 0 new', 'colour = blue'));
  await emperor.waitFor('blog', (seen) => seen.diagnostics.length > 0);

  emperor.write('blog.ini', emperor.probeFile('say 0 new'));

  await emperor.printed('blog', 'new');
  const after = await emperor.running('blog', before.pid);
  expect(after.diagnostics).toEqual([]);
});

test('putting the old content back heals it without any restart', async () => {
  const good = emperor.probeFile('pause');
  emperor.write('blog.ini', good);
  const before = await emperor.running('blog');
  emperor.write('blog.ini', '[vassal]\n');
  await emperor.waitFor('blog', (seen) => seen.diagnostics.length > 0);

  emperor.write('blog.ini', good);

  const healed = await emperor.waitFor('blog', (seen) => seen.diagnostics.length === 0);
  expect(healed.revision).toBe(before.revision);
  expect((await emperor.running('blog')).revision).toBe(before.revision);
});

test('an app that crashes while its file is broken comes back as the last good revision', async () => {
  emperor.write('blog.ini', emperor.probeFile('say 0 good'));
  const before = await emperor.running('blog');
  emperor.write('blog.ini', 'this is no vassal file');
  await emperor.waitFor('blog', (seen) => seen.diagnostics.length > 0);

  process.kill(before.pid, 'SIGKILL');

  const after = await emperor.running('blog', before.pid);
  expect(after.revision).toBe(before.revision);
  await emperor.printed('blog', 'good', 2);
});

test('the last good revision also survives a restart of the emperor with all vassals stopped', async () => {
  emperor.write('blog.ini', emperor.probeFile('say 0 good'));
  await emperor.running('blog');
  emperor.write('blog.ini', emperor.probeFile('say 0 bad', 'memory-max = -3'));
  await emperor.waitFor('blog', (seen) => seen.diagnostics.length > 0);

  expect(await emperor.end('SIGTERM')).toEqual({ code: 0, signal: null });
  await emperor.start();

  await emperor.printed('blog', 'good', 2);
  const vassal = await emperor.running('blog');
  expect(vassal.diagnostics[0]).toMatchObject({ line: 3, key: 'memory-max' });
});

test('a file that was never valid is failed, says why, and starts as soon as it is fixed', async () => {
  emperor.write('blog.ini', '[vassal]\ncomand = /bin/true\n');

  const failed = await emperor.waitFor('blog', (seen) => seen.state === 'failed');
  expect(failed.pid).toBeNull();
  expect(failed.diagnostics.map(({ line, key }) => ({ line, key }))).toContainEqual({
    line: 2,
    key: 'comand',
  });

  emperor.write('blog.ini', emperor.probeFile('pause'));
  const healed = await emperor.running('blog');
  expect(healed.diagnostics).toEqual([]);
});

test('all problems of a file are told at once', async () => {
  emperor.write(
    'blog.ini',
    emperor.probeFile('pause', 'memory-max = big', 'stop-timeout = soon', 'colour = blue'),
  );

  const { diagnostics } = await emperor.waitFor('blog', (seen) => seen.state === 'failed');

  expect(diagnostics.map((diagnostic) => [diagnostic.line, diagnostic.key])).toEqual([
    [3, 'memory-max'],
    [4, 'stop-timeout'],
    [5, 'colour'],
  ]);
});

test('a broken neighbour changes nothing for the others', async () => {
  emperor.write('good.ini', emperor.probeFile('pause'));
  const before = await emperor.running('good');

  emperor.write('bad.ini', '\u0001\u0002[[[');
  await emperor.waitFor('bad', (seen) => seen.state === 'failed');

  expect(await emperor.running('good')).toMatchObject({ pid: before.pid, diagnostics: [] });
});
