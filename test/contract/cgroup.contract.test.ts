import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { systemClock } from '@emperor/common/clock';
import {
  ensureBase,
  killAndRemove,
  listGenerations,
  releaseBase,
  sweepEmpty,
} from '@emperor/vassal/cgroup/cgroup';
import { type CgroupCounter, readCounters } from '@emperor/vassal/cgroup/counters';
import {
  type Controller,
  generationDirectory,
  instanceDirectory,
  versionOf,
} from '@emperor/vassal/cgroup/hierarchy';
import { planCgroups } from '@emperor/vassal/cgroup/limits';
import { applyLive } from '@emperor/vassal/cgroup/live';
import { probeHost } from '@emperor/vassal/jail/host';
import type { HostFacts } from '@emperor/vassal/spec/host-facts';
import { type LimitsSpec, NO_LIMITS as none } from '@emperor/vassal/spec/limits';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const canRun = process.getuid?.() === 0 && existsSync('/sys/fs/cgroup');
const instance = `t${process.pid}`;
const BLOG = { name: 'blog', below: [] };

describe.skipIf(!canRun)('control groups of this host', () => {
  let host: HostFacts;
  const children: ChildProcess[] = [];

  beforeEach(async () => {
    host = await probeHost('/nonexistent');
  });

  afterEach(async () => {
    const exits = children
      .splice(0)
      .map((child) => [child, new Promise((resolve) => child.once('exit', resolve))] as const);
    for (const [child, exit] of exits) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await exit;
    }
    for (const found of await listGenerations(host.cgroups, instance))
      await killAndRemove(found, systemClock);
    await releaseBase(host.cgroups, instance, process.pid);
    expect(directories().filter(existsSync)).toEqual([]);
  });

  const hierarchies = () =>
    [
      host.cgroups.v2,
      ...['memory', 'cpu', 'cpuset', 'pids', 'blkio'].map((name) => host.cgroups.v1.get(name)),
    ].filter((hierarchy) => hierarchy !== undefined);
  const directories = () => hierarchies().map((hierarchy) => instanceDirectory(hierarchy, instance));

  function sleeper(): ChildProcess & { readonly pid: number } {
    const child = spawn('sleep', ['60'], { stdio: 'ignore' });
    children.push(child);
    if (child.pid === undefined) throw new Error('no child');
    return Object.assign(child, { pid: child.pid });
  }

  /** A generation as a keeper makes it: groups, limits, one process in all of them. */
  async function generation(
    name: string,
    limits: LimitsSpec,
    number = 1,
  ): Promise<{ pid: number; child: ChildProcess }> {
    const place = { instance, ownerUid: 7, name, generation: number };
    const plan = planCgroups(limits, host.cgroups, place);
    const child = sleeper();
    for (const dir of [plan.v2, ...plan.v1].filter((path) => path !== undefined)) {
      await mkdir(dir, { recursive: true });
      await writeFile(`${dir}/cgroup.procs`, String(child.pid));
    }
    for (const { dir, file, value } of plan.writes) await writeFile(`${dir}/${file}`, value);
    return { pid: child.pid, child };
  }

  test('the base has a leaf for keepers and one for the emperor, who is put there; release takes all of it away', async () => {
    const emperor = sleeper();
    const base = await ensureBase(host.cgroups, instance, emperor.pid);

    expect(base.troubles).toEqual([]);
    expect([...base.cgroups.v1.keys()]).toEqual([...host.cgroups.v1.keys()]);
    const usable = ['memory', 'cpu', 'cpuset', 'pids', 'io'].filter(
      (name) => host.cgroups.v2?.controllers.has(name) === true,
    );
    expect([...(base.cgroups.v2?.controllers ?? [])].toSorted()).toEqual(usable.toSorted());
    expect(directories().every((dir) => existsSync(dir))).toBe(true);
    if (host.cgroups.v2 !== undefined) {
      const dir = instanceDirectory(host.cgroups.v2, instance);
      expect(base.keeperLeaf).toBe(`${dir}/keepers`);
      expect(await readFile(`${dir}/emperor/cgroup.procs`, 'utf8')).toBe(`${emperor.pid}\n`);
    }

    await ensureBase(host.cgroups, instance, emperor.pid);
    await releaseBase(host.cgroups, instance, emperor.pid);

    expect(directories().filter(existsSync)).toEqual([]);
  });

  test('what a dead keeper left is found by name, killed and removed; neighbours live on', async () => {
    const blog = await generation('blog', { ...none, pidsMax: 10 });
    const other = await generation('shop', none, 4);
    const died = new Promise((resolve) => blog.child.once('exit', (_, signal) => resolve(signal)));

    const found = await listGenerations(host.cgroups, instance, BLOG);
    for (const each of found) await killAndRemove(each, systemClock);

    expect(found).toMatchObject([{ name: 'blog', ownerUid: 7, generation: 1 }]);
    expect(await died).toBe('SIGKILL');
    expect(await listGenerations(host.cgroups, instance)).toMatchObject([{ name: 'shop', generation: 4 }]);
    expect(other.child.exitCode).toBeNull();
  });

  test('limits change live, also one for which the running generation had no group', async () => {
    const { pid } = await generation('blog', { ...none, pidsMax: 10 });
    const place = { instance, ownerUid: 7, name: 'blog', generation: 1 };
    const read = (controller: Controller, file: string) => {
      const hierarchy = host.cgroups.v1.get(controller) ?? host.cgroups.v2;
      return hierarchy === undefined
        ? undefined
        : readFile(`${generationDirectory(hierarchy, place)}/${file}`, 'utf8');
    };
    if (versionOf(host.cgroups, 'pids') === undefined || versionOf(host.cgroups, 'memory') === undefined)
      return;

    expect(
      await applyLive({ ...none, pidsMax: 20, memoryMaxBytes: 64 * 1024 ** 2 }, host.cgroups, place),
    ).toEqual([]);

    expect(await read('pids', 'pids.max')).toBe('20\n');
    expect(await read('memory', host.cgroups.v1.has('memory') ? 'memory.limit_in_bytes' : 'memory.max')).toBe(
      '67108864\n',
    );
    expect(await read('memory', 'cgroup.procs')).toBe(`${pid}\n`);
  });

  test('groups in which nothing runs are swept, others stay', async () => {
    const { child } = await generation('blog', none);
    await generation('blog', none, 2);
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;

    await sweepEmpty(host.cgroups, instance, BLOG);

    expect(await listGenerations(host.cgroups, instance)).toMatchObject([{ name: 'blog', generation: 2 }]);
  });

  test('counters are read as numbers, those that are not there are left out', async () => {
    const limits = { ...none, pidsMax: 10 };
    await generation('blog', limits);
    const { counters } = planCgroups(limits, host.cgroups, {
      instance,
      ownerUid: 7,
      name: 'blog',
      generation: 1,
    });

    const missing: CgroupCounter = { name: 'periods', path: '/sys/fs/cgroup/none', key: 'x' };

    expect(await readCounters([...counters, missing])).toEqual(counters.length === 0 ? {} : { pids_max: 0 });
  });
});
