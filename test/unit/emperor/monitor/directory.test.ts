import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';

import { systemClock } from '@emperor/common/clock';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { directoryMonitor } from '../../../../packages/emperor/src/monitor/directory.ts';
import type { Monitor } from '../../../../packages/emperor/src/ports.ts';
import { recordingLog } from '../../../support/recording-log.ts';
import { type VassalsDir, vassalsDir } from '../../../support/vassals-dir.ts';
import { pauseMs, waitUntil } from '../../../support/wait-until.ts';

const TENANT = 65_534;
const isRoot = process.geteuid?.() === 0;
const hasFuse = isRoot && spawnSync('python3', ['-c', 'open("/dev/fuse")']).status === 0;

let dir: VassalsDir;
let monitor: Monitor;
let hints = 0;
const children: ChildProcess[] = [];

beforeEach(() => {
  if (!isRoot) return;
  dir = vassalsDir();
  monitor = directoryMonitor({ directory: dir.directory, clock: systemClock, log: recordingLog().log });
});

afterEach(async () => {
  if (!isRoot) return;
  await monitor.close();
  for (const child of children.splice(0)) {
    child.stdin?.end();
    if (child.exitCode === null && child.signalCode === null) {
      const ended = once(child, 'exit');
      setImmediate(() => (child.stdin === null ? child.kill('SIGKILL') : undefined));
      await ended;
    }
  }
  // Left mounted by a test that failed.
  if (readFileSync('/proc/self/mounts', 'utf8').includes(` ${dir.directory} `))
    spawnSync('umount', [dir.directory]);
  dir.remove();
});

async function watch(): Promise<void> {
  await monitor.watch(() => {
    hints += 1;
  });
  await rest();
}

/** Until no hint comes any more. */
async function rest(): Promise<void> {
  do {
    hints = 0;
    await monitor.scan();
    await pauseMs(30);
  } while (hints > 0);
}

/** Does `change` make a hint, and how soon? */
async function hintedMs(change: () => void): Promise<number> {
  await rest();
  const since = performance.now();
  change();
  await waitUntil('a hint', () => (hints > 0 ? true : undefined), 5_000);
  return performance.now() - since;
}

async function textOf(name: string): Promise<string | undefined> {
  const { files } = await monitor.scan();
  return [...files.values()].find((file) => file.name === name)?.text;
}

function inotifyWatches(): number {
  const fds = readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).includes('inotify');
    } catch {
      return false;
    }
  });
  return fds.flatMap((fd) => readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8').match(/^inotify /gm) ?? [])
    .length;
}

describe.runIf(isRoot)('the directory monitor (as root, in /run)', () => {
  test('a thousand files cost a handful of watches, and every kind of change of one is hinted', async () => {
    for (let n = 0; n < 1_000; n += 1) dir.put(`vassals/v${n}.ini`, 'x');
    const before = inotifyWatches();
    await watch();
    const path = join(dir.directory, 'v7.ini');

    expect(inotifyWatches() - before).toBeLessThanOrEqual(5);
    await hintedMs(() => utimesSync(path, 1_000, 1_000));
    await hintedMs(() => writeFileSync(path, 'edited'));
    await hintedMs(() => renameSync(dir.put('vassals/.new', 'replaced'), path));
    expect(await textOf('v7')).toBe('replaced');
    await hintedMs(() => chmodSync(path, 0o600));
    await hintedMs(() => unlinkSync(path));
    expect(await textOf('v7')).toBeUndefined();
  });

  test('a hint comes within a few milliseconds', async () => {
    const path = dir.put('vassals/a.ini', 'x');
    await watch();
    const times: number[] = [];

    for (let n = 0; n < 10; n += 1) times.push(await hintedMs(() => utimesSync(path, 1_000 + n, 1_000)));

    // The test itself looks every 15 ms.
    expect(times.toSorted((a, b) => a - b)[5]).toBeLessThan(20);
  });

  test('a directory that was removed and made again, with all above it, is watched again', async () => {
    dir.put('vassals/a.ini', 'x');
    await watch();

    await hintedMs(() => rmSync(dir.base, { recursive: true }));
    expect((await monitor.scan()).complete).toBe(false);
    await hintedMs(() => dir.make('.'));
    expect((await monitor.scan()).complete).toBe(false);
    await hintedMs(() => dir.make('vassals'));
    expect((await monitor.scan()).complete).toBe(true);
    await hintedMs(() => dir.put('vassals/a.ini', 'again'));

    expect(await textOf('a')).toBe('again');
  });

  test('a directory that is not there at first is hinted when it comes', async () => {
    rmSync(dir.directory, { recursive: true });
    await watch();
    expect((await monitor.scan()).complete).toBe(false);

    await hintedMs(() => dir.make('vassals'));
    await hintedMs(() => dir.put('vassals/a.ini', 'x'));

    expect(await textOf('a')).toBe('x');
  });

  test('a directory that was replaced within a moment is watched again', async () => {
    await watch();

    await hintedMs(() => {
      rmSync(dir.directory, { recursive: true });
      dir.make('vassals');
    });
    await hintedMs(() => dir.put('vassals/a.ini', 'x'));

    expect(await textOf('a')).toBe('x');
  });

  test('a file system that is mounted on it and unmounted is noticed at a scan, and then watched', async () => {
    dir.put('vassals/a.ini', 'below');
    await watch();
    const before = await monitor.scan();

    expect(spawnSync('mount', ['-t', 'tmpfs', '-o', 'mode=755', 'none', dir.directory]).status).toBe(0);
    const mounted = await monitor.scan();
    await hintedMs(() => dir.put('vassals/b.ini', 'above'));
    expect(await textOf('b')).toBe('above');
    await hintedMs(() => spawnSync('umount', [dir.directory]));
    const after = await monitor.scan();

    expect(mounted.directory).not.toBe(before.directory);
    expect(after.directory).toBe(before.directory);
    expect([...after.files.keys()]).toEqual(['a']);
    await hintedMs(() => dir.put('vassals/c.ini', 'x'));
  });

  test('a switched link on the way and a touched target are hinted', async () => {
    dir.put('app/r1/app.ini', 'one');
    dir.put('app/r2/app.ini', 'two');
    dir.link('app/current', 'r1');
    dir.link('vassals/blog.ini', '../app/current/app.ini');
    await watch();

    await hintedMs(() => utimesSync(join(dir.base, 'app/r1/app.ini'), 1_000, 1_000));
    await hintedMs(() => {
      dir.link('app/next', 'r2');
      renameSync(join(dir.base, 'app/next'), join(dir.base, 'app/current'));
    });

    expect(await textOf('blog')).toBe('two');
    await hintedMs(() => writeFileSync(join(dir.base, 'app/r2/app.ini'), 'three'));
    expect(await textOf('blog')).toBe('three');
  });

  test('the target of a link that led nowhere is hinted when it comes', async () => {
    dir.make('app');
    dir.link('vassals/blog.ini', '../app/app.ini');
    await watch();

    await hintedMs(() => dir.put('app/app.ini', 'here'));

    expect(await textOf('blog')).toBe('here');
  });

  test('a tenant who makes events without end in a directory of its own does not keep the emperor busy', async () => {
    const home = dir.make('home', { uid: TENANT });
    dir.put('home/app.ini', 'hers', { uid: TENANT });
    dir.link('vassals/blog.ini', '../home/app.ini');
    await watch();
    const flood =
      'import os\nos.setgid(65534); os.setuid(65534)\nwhile True:\n os.rename("a","b"); os.rename("b","a")\n';
    writeFileSync(join(home, 'a'), '');
    for (let n = 0; n < 2; n += 1)
      children.push(spawn('python3', ['-c', flood], { cwd: home, stdio: 'ignore' }));

    const before = process.cpuUsage();
    await pauseMs(1_500);
    const { user, system } = process.cpuUsage(before);

    // Without the guard all of the time goes to the events.
    expect((user + system) / 1_000).toBeLessThan(300);
    expect(hints).toBeLessThan(200);
  });
});

describe.runIf(hasFuse)('a file system that hangs (as root, with FUSE)', () => {
  test('refuses what lies on it and holds up nothing else', async () => {
    const far = dir.make('far');
    const hanging = spawn('python3', [join(import.meta.dirname, '../../../support/hanging-mount.py'), far], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    children.push(hanging);
    await once(hanging.stdout, 'data');
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f'])
      dir.link(`vassals/${name}.ini`, `../far/${name}/app.ini`);
    dir.put('vassals/good.ini', 'x');
    await monitor.watch(() => {
      hints += 1;
    });
    hints = 0;

    const since = performance.now();
    const scan = await monitor.scan();
    const tookMs = performance.now() - since;
    await waitUntil('a hint that they were given up', () => (hints >= 6 ? true : undefined));
    const { refused } = await monitor.scan();

    expect(tookMs).toBeLessThan(500);
    expect(scan.complete).toBe(true);
    expect([...scan.files.keys()]).toEqual(['good']);
    const reasons = [...refused.values()].map((file) => file.diagnostic.message.replace(/ at .*/, ''));
    expect(reasons).toEqual(Array.from({ length: 6 }, () => 'timed out'));
  }, 20_000);
});
