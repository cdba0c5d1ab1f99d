import { mkdirSync, renameSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '@emperor/common/clock';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { peek, peekDir, peekLink, processFacts } from '../support/processes.ts';
import {
  isRoot,
  NativeWorld,
  pauseMs,
  TENANT_UID,
  type TestKeeper,
  type Words,
  waitUntil,
} from './support.ts';

describe.skipIf(!isRoot)('notify, probes and touch', () => {
  let world: NativeWorld;
  let keeper: TestKeeper;

  beforeEach(async () => {
    world = NativeWorld.create();
    keeper = await world.keeper();
  });

  afterEach(async () => {
    expect(await world.end()).toEqual([]);
  });

  const READY: Words = ['ready-notify'];
  const notify = (text: string, ...extra: readonly Words[]) =>
    keeper.run(1, world.jail(1, [world.tenant, 'notify', text], { extra }));

  test('READY=1 makes it ready, once, and the replay knows', async () => {
    await notify('READY=1', READY);
    await keeper.hear('ready 1 ');

    expect((await keeper.connect()).filter((line) => line.startsWith('ready 1 ')).length).toBe(1);
  });

  test('READY=1 says nothing when something else proves it ready', async () => {
    await notify('READY=1\\nSTATUS=up');
    await keeper.hear('notify 1 STATUS up');

    expect(keeper.heard.some((line) => line.startsWith('ready'))).toBe(false);
  });

  test('all keys are passed on, others are not', async () => {
    await notify(
      'STOPPING=1\\nRELOADING=1\\nERRNO=5\\nWATCHDOG=1\\nWATCHDOG_USEC=7\\nEXTEND_TIMEOUT_USEC=9\\nMAINPID=1\\nX_Y=1\\nSTATUS=all',
    );
    await keeper.hear('notify 1 STATUS');

    expect(keeper.heard.filter((line) => line.startsWith('notify'))).toEqual([
      'notify 1 STOPPING 1',
      'notify 1 RELOADING 1',
      'notify 1 ERRNO 5',
      'notify 1 WATCHDOG 1',
      'notify 1 WATCHDOG_USEC 7',
      'notify 1 EXTEND_TIMEOUT_USEC 9',
      'notify 1 STATUS all',
    ]);
  });

  test('hostile values are escaped, long ones cut, broken ones ignored', async () => {
    await notify(
      `STATUS=a\\tb\\\\c\\nREADY\\n=x\\nSTATUS=${'z'.repeat(600)}\\nERRNO=${'9'.repeat(300)}\\nWATCHDOG_USEC=1\\0`,
      READY,
    );
    await keeper.hear('notify 1 WATCHDOG_USEC');

    expect(keeper.heard.filter((line) => line.startsWith('notify'))).toEqual([
      'notify 1 STATUS a\\x09b\\x5cc',
      `notify 1 STATUS ${'z'.repeat(256)}`,
      'notify 1 WATCHDOG_USEC 1',
    ]);
    expect(await keeper.connect()).toContain(`notify 1 STATUS ${'z'.repeat(256)}`);
  });

  test('a message of more than 4 KiB says nothing', async () => {
    await notify(`STATUS=big\\n${'x'.repeat(5_000)}`);
    await waitUntil('it to be sent', () => (keeper.texts().includes('notified') ? true : undefined));
    await pauseMs(100);

    expect(keeper.heard.some((line) => line.startsWith('notify'))).toBe(false);
  });

  test('a flood is bounded, and what matters comes through', async () => {
    await keeper.run(1, world.jail(1, [world.tenant, 'notify-flood', '2'], { extra: [READY] }));
    const cpuBefore = cpuTicks(keeper.pid);
    await keeper.hear('ready 1 ');

    const of = (key: string) => keeper.heard.filter((line) => line.startsWith(`notify 1 ${key} `)).length;
    expect(of('WATCHDOG')).toBeGreaterThanOrEqual(4);
    expect(of('WATCHDOG')).toBeLessThanOrEqual(16);
    expect(of('STATUS')).toBeLessThanOrEqual(16 * 4);
    expect(cpuTicks(keeper.pid) - cpuBefore).toBeLessThan(20);
    const sent = Number(
      keeper
        .texts()
        .find((line) => line.startsWith('sent'))
        ?.split(' ')[1],
    );
    await keeper.hear(`notify 1 STATUS ${sent - 1}`);
  });

  test('descriptors sent to it never stay', async () => {
    const before = peekDir(`/proc/${keeper.pid}/fd`).length;
    await keeper.run(1, world.jail(1, [world.tenant, 'notify-fds'], { extra: [READY] }));
    await keeper.hear('ready 1 ');
    await pauseMs(50);

    const targets = peekDir(`/proc/${keeper.pid}/fd`).map(
      (fd) => peekLink(`/proc/${keeper.pid}/fd/${fd}`) ?? '',
    );
    expect(targets.filter((target) => target.startsWith('pipe:')).length).toBe(2);
    expect(targets.length).toBeLessThan(before + 10);
  });

  test('without a mount namespace the socket stands at its path, the tenant’s alone, and goes', async () => {
    const path = join(world.base, 'open', 'notify');
    writeFileSync(path, 'not a socket');
    const words = world.jail(1, [world.tenant, 'notify', 'READY=1'], {
      namespaces: 0,
      extra: [['notify', path], ['env', `NOTIFY_SOCKET=${path}`], READY],
    });
    await keeper.launch(1, words);
    expect(await keeper.hear('fail 1')).toBe(`fail 1 notify 98 ${path}`);
    await keeper.ask('forget 1');
    renameSync(path, `${path}.old`);

    await keeper.run(1, words);
    await keeper.hear('ready 1 ');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(path).uid).toBe(TENANT_UID);
    await keeper.ask('kill 1');
    await keeper.hear('gone 1');
    expect(() => statSync(path)).toThrow('ENOENT');
  });

  test('an overlapping generation cannot speak for the other', async () => {
    await keeper.run(1, world.jail(1, ['sleep', '60'], { extra: [READY] }));
    await keeper.run(2, world.jail(2, [world.tenant, 'notify', 'READY=1'], { extra: [READY] }));

    await keeper.hear('ready 2 ');
    await pauseMs(50);

    expect(keeper.heard.some((line) => line.startsWith('ready 1'))).toBe(false);
  });

  test('ready-tcp: ready when the port answers, and not before', async () => {
    const port = await freePort();
    const { init } = await keeper.run(
      1,
      world.jail(1, [world.tenant, 'listen', String(port), '400'], {
        extra: [['ready-tcp', '127.0.0.1', String(port)]],
      }),
    );
    const launchedAt = systemClock.now();
    await keeper.hear('ready 1 ');

    expect(systemClock.now() - launchedAt).toBeGreaterThan(250);
    expect(keeper.texts()).toEqual(['listening']);
    await waitUntil('the probe to be gone', () =>
      peekDir('/proc').filter((pid) => processFacts(Number(pid))?.ppid === init).length === 1
        ? true
        : undefined,
    );
  });

  test('ready-tcp: a port that never answers is never ready, and the probe ends with the app', async () => {
    const port = await freePort();
    await keeper.run(1, world.jail(1, ['sleep', '0.5'], { extra: [['ready-tcp', '::1', String(port)]] }));

    await keeper.hear('gone 1');

    expect(keeper.heard.some((line) => line.startsWith('ready'))).toBe(false);
  });

  test('touch: a touch, an edit, a rename into place and a first appearance are told; a read is not', async () => {
    const dir = join(world.base, 'watched');
    mkdirSync(dir);
    const [there, missing] = [join(dir, 'there'), join(dir, 'missing')];
    writeFileSync(there, 'x');
    await keeper.run(
      1,
      world.jail(1, ['sleep', '60'], {
        extra: [
          ['touch', there],
          ['touch', missing],
        ],
      }),
    );
    const changes: (() => void)[] = [
      () => utimesSync(there, new Date(), new Date()),
      () => writeFileSync(there, 'y'),
      () => {
        writeFileSync(join(dir, 'new'), 'z');
        renameSync(join(dir, 'new'), there);
      },
      () => writeFileSync(missing, ''),
    ];

    for (const change of changes) {
      change();
      await keeper.hear('touched 1');
      await pauseMs(1_100);
    }
    statSync(there);
    writeFileSync(join(dir, 'other'), '');
    await pauseMs(100);

    expect(keeper.heard.filter((line) => line === 'touched 1').length).toBe(changes.length);
    expect(await keeper.connect()).not.toContain('touched 1');
  });

  test('touch: many changes are told at most once per second', async () => {
    const file = join(world.base, 'file');
    writeFileSync(file, 'x');
    await keeper.run(1, world.jail(1, ['sleep', '60'], { extra: [['touch', file]] }));

    for (let i = 0; i < 30; i++) {
      utimesSync(file, new Date(), new Date(i));
      await pauseMs(50);
    }

    const count = keeper.heard.filter((line) => line === 'touched 1').length;
    expect(count).toBeGreaterThanOrEqual(1);
    expect(count).toBeLessThanOrEqual(3);
  });
});

/** User and system time of a process, in ticks of 10 ms. */
function cpuTicks(pid: number): number {
  const stat = peek(`/proc/${pid}/stat`) ?? '';
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}
