import { expect, test } from 'vitest';
import { sharedEmperor } from '../support/emperor-under-test.ts';
import { isAlive, processFacts } from '../support/processes.ts';
import { pauseMs, waitUntil } from '../support/wait-until.ts';

const emperor = sharedEmperor();
const MOMENTS_MS = [0, 5, 15, 40, 100];

function apps(): readonly number[] {
  return emperor.cgroup.pids().filter((pid) => processFacts(pid)?.cmdline[0] === emperor.probe);
}

/** The keeper of this vassal, its init and its app, as far as they are there at this moment. */
function partsOf(name: string): {
  keeper: number | undefined;
  init: number | undefined;
  app: number | undefined;
} {
  const all = emperor.cgroup.pids().flatMap((pid) => processFacts(pid) ?? []);
  const keeper = all.find(({ cmdline }) => cmdline.join(' ').endsWith(`keeper ${name}`))?.pid;
  const init = all.find(({ ppid }) => keeper !== undefined && ppid === keeper)?.pid;
  const app = all.find(({ ppid }) => init !== undefined && ppid === init)?.pid;
  return { keeper, init, app };
}

async function oneAppRuns(name: string): Promise<void> {
  const { pid } = await emperor.running(name);
  await waitUntil(
    async () => `exactly one app ${pid}, there are ${apps().join(' ')}`,
    () => (apps().length === 1 && apps()[0] === pid ? true : undefined),
  );
}

test.each(MOMENTS_MS)(
  'kill -9 of the emperor %i ms after a file appeared: one app runs in the end',
  async (moment) => {
    emperor.write('blog.ini', emperor.probeFile('pause'));
    await pauseMs(moment);

    await emperor.kill9();
    await emperor.start();

    await oneAppRuns('blog');
  },
);

test.each(MOMENTS_MS)(
  'kill -9 of the emperor %i ms after an edit: the edit is applied once',
  async (moment) => {
    emperor.write('blog.ini', emperor.probeFile('say 0 old'));
    await emperor.running('blog');
    emperor.write('blog.ini', emperor.probeFile('say 0 new'));
    await pauseMs(moment);

    await emperor.kill9();
    await emperor.start();

    await emperor.printed('blog', 'new');
    await oneAppRuns('blog');
    expect(emperor.log('blog').filter((line) => line === 'new')).toHaveLength(1);
  },
);

test.each(MOMENTS_MS)(
  'kill -9 of the emperor %i ms into a slow reload: one app runs in the end',
  async (moment) => {
    emperor.write('blog.ini', emperor.probeFile('slow 60'));
    await emperor.printed('blog', 'slow up');
    await emperor.running('blog');
    emperor.touch('blog.ini');
    await pauseMs(moment + 40);

    await emperor.kill9();
    await emperor.start();

    await oneAppRuns('blog');
  },
);

test.each(MOMENTS_MS)(
  'kill -9 of the emperor %i ms after the file went: nothing is left in the end',
  async (moment) => {
    // An empty directory at the start would not be believed at once.
    emperor.write('witness.ini', emperor.probeFile('pause', 'autostart = no'));
    emperor.write('blog.ini', emperor.probeFile('slow 60'));
    await emperor.printed('blog', 'slow up');
    await emperor.running('blog');
    emperor.remove('blog.ini');
    await pauseMs(moment);

    await emperor.kill9();
    await emperor.start();

    await waitUntil('the app to end', () => (apps().length === 0 ? true : undefined), 30_000);
    await emperor.forgotten('blog');
  },
);

test('kill -9 of the emperor in a crash loop: the loop goes on, one at a time', async () => {
  emperor.write(
    'loop.ini',
    emperor.probeFile('exit 1 30', 'restart-delay = 100ms', 'restart-max-delay = 200ms'),
  );
  await emperor.waitFor('loop', (seen) => seen.restarts >= 2);

  for (const moment of MOMENTS_MS) {
    await pauseMs(moment);
    await emperor.kill9();
    await emperor.start();
  }

  const { restarts } = await emperor.waitFor('loop', (seen) => seen.restarts >= 3);
  await emperor.waitFor('loop', (seen) => seen.restarts > restarts);
  expect(apps().length).toBeLessThanOrEqual(1);
});

test.each(['keeper', 'init', 'app'] as const)(
  'kill -9 of the %s as soon as it is there: one app runs in the end',
  async (part) => {
    for (let round = 0; round < 5; round++) {
      const name = `blog${round}`;
      emperor.write(`${name}.ini`, emperor.probeFile('pause', 'restart-delay = 100ms'));
      const victim = await waitUntil(`the ${part} of ${name}`, () => partsOf(name)[part]);
      process.kill(victim, 'SIGKILL');

      await emperor.running(name);
      emperor.remove(`${name}.ini`);
      await emperor.forgotten(name);
    }
    expect(apps()).toEqual([]);
  },
);

test.each(['keeper', 'init'] as const)(
  'kill -9 of the %s while it stops: it is stopped all the same',
  async (part) => {
    emperor.write('blog.ini', emperor.probeFile('slow 1500', 'unshare = mnt,ipc,uts,cgroup'));
    await emperor.printed('blog', 'slow up');
    const { pid } = await emperor.running('blog');
    const stop = emperor.cli(['stop', 'blog']);
    await emperor.printed('blog', 'stopping');
    const victim = partsOf('blog')[part];
    expect(victim).toBeDefined();

    process.kill(victim ?? 0, 'SIGKILL');

    await emperor.waitFor('blog', (seen) => seen.state === 'stopped');
    await waitUntil('the app to end', () => (isAlive(pid) ? undefined : true));
    expect((await stop).code).toBe(0);
  },
);

test.each(['keeper', 'app'] as const)(
  'kill -9 of the %s while it backs off or starts: it comes back',
  async (part) => {
    emperor.write('blog.ini', emperor.probeFile('notify 1500', 'ready = notify', 'restart-delay = 100ms'));
    await emperor.waitFor('blog', (seen) => seen.state === 'starting' && seen.pid !== null);
    const victim = partsOf('blog')[part];
    expect(victim).toBeDefined();

    process.kill(victim ?? 0, 'SIGKILL');

    const { pid } = await emperor.running('blog');
    await waitUntil('one app', () => (apps().length === 1 && apps()[0] === pid ? true : undefined));
  },
);

test('kill -9 of the emperor and a keeper together: a fresh jail, the old one is ended', async () => {
  emperor.write('blog.ini', emperor.probeFile('daemons 2', 'unshare = mnt,ipc,uts,cgroup'));
  await emperor.printed('blog', 'daemons up');
  const before = await emperor.running('blog');

  await emperor.kill9();
  process.kill(before.keeperPid, 'SIGKILL');
  await emperor.start();

  await emperor.running('blog', before.pid);
  await emperor.printed('blog', 'daemons up', 2);
  await waitUntil('three apps', () => (apps().length === 3 ? true : undefined));
  expect(isAlive(before.pid)).toBe(false);
});
