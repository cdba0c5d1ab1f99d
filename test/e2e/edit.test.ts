import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sharedEmperor } from '../support/emperor-under-test.ts';
import { isAlive, peek } from '../support/processes.ts';
import { pauseMs, waitUntil } from '../support/wait-until.ts';

const emperor = sharedEmperor();

/** Value of a control file in the group of this pid, whichever hierarchy has it. */
function limitOf(pid: number, v2File: string, v1Controller: string, v1File: string): string | undefined {
  const groups = (peek(`/proc/${pid}/cgroup`) ?? '').split('\n').map((line) => line.split(':'));
  const v2 = groups.find(([number]) => number === '0')?.[2] ?? '/';
  const v1 = groups.find(([, names = '']) => names.split(',').includes(v1Controller))?.[2] ?? '/';
  const candidates = [
    join('/sys/fs/cgroup', v2, v2File),
    join('/sys/fs/cgroup/unified', v2, v2File),
    join('/sys/fs/cgroup', v1Controller, v1, v1File),
  ];
  return candidates
    .map(peek)
    .find((value) => value !== undefined)
    ?.trim();
}

test('an edit of the command restarts the app as the file now says', async () => {
  emperor.write('blog.ini', emperor.probeFile('say 0 first'));
  const before = await emperor.running('blog');
  await emperor.printed('blog', 'first');

  emperor.write('blog.ini', emperor.probeFile('say 0 second'));

  await emperor.printed('blog', 'second');
  const after = await emperor.running('blog', before.pid);
  expect(after.revision).not.toBe(before.revision);
  expect(isAlive(before.pid)).toBe(false);
});

test('an edit of limits changes the running jail without a restart', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause', 'memory-max = 64M', 'pids-max = 50'));
  const before = await emperor.running('blog');
  expect(limitOf(before.pid, 'memory.max', 'memory', 'memory.limit_in_bytes')).toBe(String(64 * 1024 ** 2));
  expect(limitOf(before.pid, 'pids.max', 'pids', 'pids.max')).toBe('50');

  emperor.write('blog.ini', emperor.probeFile('pause', 'memory-max = 96M', 'pids-max = 60'));

  await waitUntil('the new limit', () =>
    limitOf(before.pid, 'memory.max', 'memory', 'memory.limit_in_bytes') === String(96 * 1024 ** 2)
      ? true
      : undefined,
  );
  await waitUntil('the new limit', () =>
    limitOf(before.pid, 'pids.max', 'pids', 'pids.max') === '60' ? true : undefined,
  );
  const after = await emperor.waitFor('blog', (seen) => seen.revision !== before.revision);
  expect(after).toMatchObject({ pid: before.pid, generation: before.generation, state: 'running' });
});

test('a CPU limit is set and changed live', async () => {
  const quota = (pid: number) => limitOf(pid, 'cpu.max', 'cpu', 'cpu.cfs_quota_us')?.split(' ')[0];
  emperor.write('blog.ini', emperor.probeFile('pause', 'cpu-max = 50%'));
  const before = await emperor.running('blog');
  const first = Number(quota(before.pid));
  expect(first).toBeGreaterThan(0);

  emperor.write('blog.ini', emperor.probeFile('pause', 'cpu-max = 150%'));

  await waitUntil('the new quota', () => (Number(quota(before.pid)) === first * 3 ? true : undefined));
  expect((await emperor.running('blog')).pid).toBe(before.pid);
});

test('taking a limit out of the file lifts it from the running jail', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause', 'memory-max = 64M'));
  const before = await emperor.running('blog');

  emperor.write('blog.ini', emperor.probeFile('pause'));

  await waitUntil('the limit to go', () =>
    limitOf(before.pid, 'memory.max', 'memory', 'memory.limit_in_bytes') !== String(64 * 1024 ** 2)
      ? true
      : undefined,
  );
  expect((await emperor.running('blog')).pid).toBe(before.pid);
});

test('an edit of restart policy and stop timeout is taken over without a restart', async () => {
  emperor.write('blog.ini', emperor.probeFile('exit 3 1000', 'restart = never'));
  const before = await emperor.running('blog');

  emperor.write('blog.ini', emperor.probeFile('exit 3 1000', 'restart = always', 'stop-timeout = 5s'));

  const again = await emperor.running('blog', before.pid);
  expect(again.restarts).toBeGreaterThan(0);
});

test('an atomic replace, as editors do it, is one edit', async () => {
  emperor.write('blog.ini', emperor.probeFile('say 0 first'));
  const before = await emperor.running('blog');

  emperor.write('blog.ini', emperor.probeFile('say 0 second'));
  await emperor.printed('blog', 'second');
  await pauseMs(500);

  const after = await emperor.running('blog');
  expect(after.generation).toBe((before.generation ?? 0) + 1);
  expect(after.keeperPid).toBe(before.keeperPid);
  expect(emperor.log('blog').filter((line) => line === 'second')).toHaveLength(1);
});

test('a replace with the same content and a new mtime is a touch', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause'));
  const before = await emperor.running('blog');
  await pauseMs(20);

  emperor.write('blog.ini', emperor.probeFile('pause'));

  const after = await emperor.running('blog', before.pid);
  expect(after.revision).toBe(before.revision);
});

test('two edits in quick succession end at the last one', async () => {
  emperor.write('blog.ini', emperor.probeFile('say 0 first'));
  await emperor.running('blog');

  emperor.write('blog.ini', emperor.probeFile('say 0 second'));
  emperor.write('blog.ini', emperor.probeFile('say 0 third'));

  await emperor.printed('blog', 'third');
  await pauseMs(300);
  expect(emperor.log('blog').at(-1)).toBe('third');
});

test('a file that is being written slowly is applied when it is whole', async () => {
  const text = emperor.probeFile('say 0 whole', 'stop-timeout = 7s');
  const path = emperor.path('blog.ini');
  writeFileSync(path, '');
  for (const piece of text.match(/.{1,9}/gs) ?? []) {
    writeFileSync(path, piece, { flag: 'a' });
    await pauseMs(10);
  }

  await emperor.printed('blog', 'whole');
  const vassal = await emperor.running('blog');
  expect(vassal.diagnostics).toEqual([]);
});

test('the comment of a file changes nothing that runs', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause'));
  const before = await emperor.running('blog');
  const mtime = statSync(emperor.path('blog.ini')).mtimeMs;

  emperor.write('blog.ini', `# a comment\n${readFileSync(emperor.path('blog.ini'), 'utf8')}`);

  // Content changed, meaning did not: at most the reload of a touch, never another revision.
  await waitUntil('a new mtime', () =>
    statSync(emperor.path('blog.ini')).mtimeMs > mtime ? true : undefined,
  );
  await pauseMs(300);
  expect((await emperor.running('blog')).revision).toBe(before.revision);
  expect(readdirSync(emperor.vassals)).toEqual(['blog.ini']);
});
