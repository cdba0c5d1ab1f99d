import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { sharedEmperor } from '../support/emperor-under-test.ts';
import { peek } from '../support/processes.ts';
import { waitUntil } from '../support/wait-until.ts';

const emperor = sharedEmperor();
const group = emperor.cgroup.controller('pids') ?? emperor.cgroup.dirs.at(-1) ?? '';

function limitProcesses(value: string): void {
  writeFileSync(join(group, 'pids.max'), value);
}

afterEach(() => limitProcesses('max'));

test('when no process can be made a vassal says why, others go on, and it starts as soon as it can', async () => {
  emperor.write('calm.ini', emperor.probeFile('pause'));
  const calm = await emperor.running('calm');
  limitProcesses((peek(join(group, 'pids.current')) ?? '').trim());

  emperor.write('blog.ini', emperor.probeFile('pause', 'restart-max-delay = 1s'));
  const why = await waitUntil(
    async () => `the reason: ${(await emperor.ask('GET', '/v1/vassals/blog/why')).text}`,
    async () => {
      const reply = await emperor.ask('GET', '/v1/vassals/blog/why');
      return /EAGAIN|temporarily unavailable|too many processes/i.test(reply.text) ? reply.text : undefined;
    },
  );

  expect(why).toBeTruthy();
  expect(await emperor.vassal('calm')).toMatchObject({ state: 'running', pid: calm.pid });

  limitProcesses('max');
  await emperor.waitFor('blog', (seen) => seen.state === 'running', 40_000);
});

test('an app that dies when no process can be made comes back as soon as it can', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause', 'restart-delay = 100ms', 'restart-max-delay = 500ms'));
  const before = await emperor.running('blog');
  limitProcesses('1');

  process.kill(before.pid, 'SIGKILL');
  await emperor.waitFor('blog', (seen) => seen.state === 'backing-off');
  limitProcesses('max');

  const after = await emperor.running('blog', before.pid);
  expect(after.keeperPid).toBe(before.keeperPid);
});
