import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { probeHost } from '@emperor/vassal/jail/host';
import { describe, expect, test } from 'vitest';
import { sharedEmperor } from '../support/emperor-under-test.ts';
import { ProbeFacts } from '../support/probe.ts';
import { peek } from '../support/processes.ts';
import { waitUntil } from '../support/wait-until.ts';

const emperor = sharedEmperor();

/** What of this host the tests below depend on; each says so when it is skipped. */
const hosts = await probeHost('/nonexistent');
const isV1 = (name: string): boolean =>
  hosts.cgroups.v2?.controllers.has(name) !== true && hosts.cgroups.v1.has(name);
const [disk] = [...hosts.limits.blockDevices].filter(([name]) => /^(vd|sd|xvd|nvme)/.test(name));

/** The file of this process's group in the hierarchy of a v1 controller. */
function fileOf(pid: number, controller: string, file: string): string | undefined {
  const groups = peek(`/proc/${pid}/cgroup`) ?? '';
  const path = groups
    .split('\n')
    .find((line) => line.split(':')[1]?.split(',').includes(controller) === true);
  const mount = hosts.cgroups.v1.get(controller)?.mount;
  return path === undefined
    ? undefined
    : peek(`${mount}${path.split(':').slice(2).join(':')}/${file}`)?.trim();
}

describe.skipIf(!isV1('memory'))('memory on v1', () => {
  test('swap-max is the sum with memory-max, changed live both ways without a restart', async () => {
    const write = (memory: string, swap: string) =>
      emperor.write('blog.ini', emperor.probeFile('pause', `memory-max = ${memory}`, `swap-max = ${swap}`));
    write('64M', '16M');
    const { pid } = await emperor.running('blog');
    const both = () =>
      ['memory.limit_in_bytes', 'memory.memsw.limit_in_bytes'].map((file) => fileOf(pid, 'memory', file));

    expect(both()).toEqual([mega(64), mega(80)]);
    for (const [memory, swap] of [
      ['256M', '0'],
      ['32M', '8M'],
    ] as const) {
      const { revision } = await emperor.running('blog');
      write(memory, swap);
      await emperor.waitFor('blog', (seen) => seen.revision !== revision);
      expect(both()).toEqual([
        mega(Number.parseInt(memory, 10)),
        mega(Number.parseInt(memory, 10) + Number.parseInt(swap, 10)),
      ]);
    }
    expect(await emperor.running('blog')).toMatchObject({ pid, note: null });
  });

  test('a limit below what is in use is not taken: the old one holds, and status says so', async () => {
    emperor.write('blog.ini', emperor.probeFile('eat 40000000', 'memory-max = 64M', 'swap-max = 0'));
    await emperor.printed('blog', 'ate all');
    const { pid, revision } = await emperor.running('blog');
    emperor.write('blog.ini', emperor.probeFile('eat 40000000', 'memory-max = 16M', 'swap-max = 0'));

    const vassal = await emperor.waitFor('blog', (seen) => seen.revision !== revision);

    expect(vassal).toMatchObject({
      pid,
      note: 'asked memory-max=16M, kernel gives the old limit: more is in use',
    });
    expect(fileOf(pid, 'memory', 'memory.limit_in_bytes')).toBe(mega(64));
    expect((await emperor.why('blog')).answer).toContain('asked memory-max=16M, kernel gives the old limit');
  });

  test('memory-high is not granted, and said', async () => {
    emperor.write('blog.ini', emperor.probeFile('pause', 'memory-high = 64M'));
    await emperor.running('blog');

    expect(await emperor.diagnostics('blog')).toEqual([
      'blog.ini:3 memory-high asked memory-high=64M, kernel gives none: control groups v1 have no such limit',
    ]);
  });
});

describe.skipIf(!isV1('cpu'))('cpu on v1', () => {
  test('cpu-weight is shares, made, changed and lifted on a running jail', async () => {
    emperor.write('blog.ini', emperor.probeFile('pause'));
    const { pid } = await emperor.running('blog');

    for (const [lines, shares] of [
      [['cpu-weight = 50'], '512'],
      [['cpu-weight = 1000'], '10240'],
      [[], '1024'],
    ] as const) {
      const { revision } = await emperor.running('blog');
      emperor.write('blog.ini', emperor.probeFile('pause', ...lines));
      await emperor.waitFor('blog', (seen) => seen.revision !== revision);
      expect(fileOf(pid, 'cpu', 'cpu.shares')).toBe(shares);
    }
    expect((await emperor.running('blog')).pid).toBe(pid);
  });
});

describe.skipIf(hosts.cgroups.cpuset === undefined)('cpuset', () => {
  test('the app runs on the CPUs of cpuset alone, and on others after a live edit', async () => {
    const facts = await emperor.facts('blog', [], 'cpuset = 1');
    expect(facts.get('affinity')).toBe('1');
    const { pid, revision } = await emperor.running('blog');

    emperor.write('blog.ini', emperor.probeFile('facts ', 'cpuset = 0'));
    await emperor.waitFor('blog', (seen) => seen.revision !== revision);

    expect(peek(`/proc/${pid}/status`)).toContain('Cpus_allowed_list:\t0\n');
    expect((await emperor.running('blog')).pid).toBe(pid);
  });

  test('a running jail gets its first cpuset', async () => {
    emperor.write('blog.ini', emperor.probeFile('forks 3'));
    await emperor.printed('blog', 'forked 3');
    const { pid, revision } = await emperor.running('blog');

    emperor.write('blog.ini', emperor.probeFile('forks 3', 'cpuset = 1'));
    const vassal = await emperor.waitFor('blog', (seen) => seen.revision !== revision);

    expect(vassal).toMatchObject({ pid, note: null });
    const children = (peek(`/proc/${pid}/task/${pid}/children`) ?? '').trim().split(' ');
    expect(children).toHaveLength(3);
    for (const each of [pid, ...children])
      expect(peek(`/proc/${each}/status`)).toContain('Cpus_allowed_list:\t1\n');
  });

  test('CPUs that there are not are said', async () => {
    emperor.write('blog.ini', emperor.probeFile('pause', 'cpuset = 0,4000'));
    await emperor.running('blog');

    expect((await emperor.diagnostics('blog'))[0]).toMatch(/asked cpuset=0,4000, kernel gives 0: /);
  });
});

describe.skipIf(!isV1('blkio') || disk === undefined)('disks on v1', () => {
  const [name = '', number = ''] = disk ?? [];

  test('io-max holds what is written past the page cache, and is lifted live', async () => {
    const mode = `write-directly ${emperor.outDir}/direct 4194304`;
    emperor.write('slow.ini', emperor.probeFile(mode, `io-max = /dev/${name} wbps=2M`));

    const printed = (await emperor.printed('slow', 'wrote in')).join('\n');

    expect(Number(/wrote in (\d+) ms/.exec(printed)?.[1])).toBeGreaterThan(1_200);
    const { pid, revision } = await emperor.running('slow');
    const limited = () => fileOf(pid, 'blkio', 'blkio.throttle.write_bps_device');
    expect(limited()).toBe(`${number} ${2 * 1024 ** 2}`);
    emperor.write('slow.ini', emperor.probeFile(mode));
    await emperor.waitFor('slow', (seen) => seen.revision !== revision);
    expect(limited()).toBe('');
    expect((await emperor.running('slow')).pid).toBe(pid);
  });

  test('a disk that is not there is an error with its line', async () => {
    emperor.write('blog.ini', emperor.probeFile('pause', 'io-max = /dev/nodisk rbps=1M'));
    await emperor.waitFor('blog', ({ diagnostics }) => diagnostics.length > 0);

    expect(await emperor.diagnostics('blog')).toEqual(['blog.ini:3 io-max there is no disk /dev/nodisk']);
  });

  test('io-weight is the weight of bfq', async () => {
    emperor.write('blog.ini', emperor.probeFile('pause', 'io-weight = 200'));
    const { pid, diagnostics } = await emperor.running('blog');

    if (diagnostics.length > 0) expect(diagnostics[0]?.message).toContain('no disk scheduler of this kernel');
    else expect(fileOf(pid, 'blkio', 'blkio.bfq.weight') ?? fileOf(pid, 'blkio', 'blkio.weight')).toBe('109');
  });
});

describe.skipIf(!isV1('pids'))('groups of the operator on v1', () => {
  const mine = () => emperor.cgroup.controller('pids') ?? expect.unreachable();

  test('cgroup puts the vassal below a group of one’s own, made and removed with it', async () => {
    const dir = `${mine()}/shop`;
    emperor.write('blog.ini', emperor.probeFile('pause', `cgroup = ${dir}`));
    const { pid } = await emperor.running('blog');

    expect(peek(`/proc/${pid}/cgroup`)).toMatch(/:pids:.*\/shop\/emperor-\w+\/u0\/blog\/g1\n/);
    expect(readFileSync(`${dir}/cgroup.procs`, 'utf8')).toBe('');

    emperor.remove('blog.ini');
    await emperor.forgotten('blog');
    expect(existsSync(dir)).toBe(false);
  });

  test('two vassals share a group, which is the operator’s and stays', async () => {
    const dir = `${mine()}/shops`;
    mkdirSync(dir);
    for (const name of ['one', 'two'])
      emperor.write(`${name}.ini`, emperor.probeFile('pause', `cgroup = ${dir}`));
    const pids = [(await emperor.running('one')).pid, (await emperor.running('two')).pid];
    for (const pid of pids) expect(peek(`/proc/${pid}/cgroup`)).toMatch(/:pids:.*\/shops\/emperor-/);

    for (const name of ['one', 'two']) {
      emperor.remove(`${name}.ini`);
      await emperor.forgotten(name);
    }
    await waitUntil('nothing of ours to be left', () =>
      readdirSync(dir).some((entry) => entry.startsWith('emperor-')) ? undefined : true,
    );
    rmdirSync(dir);
  });

  test('cgroup-opt writes into the own group, after the limits', async () => {
    const printed = emperor.probeFile('forks 100', 'pids-max = 50', 'cgroup-opt = pids.max=20');
    emperor.write('blog.ini', printed);

    const lines = (await emperor.printed('blog', 'forked')).join('\n');

    expect(Number(/forked (\d+) EAGAIN/.exec(lines)?.[1])).toBeLessThan(20);
  });

  test('a setting that the kernel refuses fails the launch, with its file', async () => {
    emperor.write('blog.ini', emperor.probeFile('pause', 'cgroup-opt = pids.max=many', 'restart-max = 1'));

    await emperor.waitFor('blog', ({ state }) => state === 'failed' || state === 'backing-off');

    expect((await emperor.why('blog')).answer).toMatch(/pids\.max.*\(stage cgroup, EINVAL\)/);
  });
});

function mega(count: number): string {
  return String(count * 1024 ** 2);
}

describe('a tenant', () => {
  const TENANT = { uid: 5, gid: 60 };

  /** His from the first moment on. */
  function writeAs(lines: readonly string[]): void {
    const staged = emperor.path('.staged');
    writeFileSync(staged, emperor.probeFile('facts ', ...lines), { mode: 0o644 });
    chownSync(staged, TENANT.uid, TENANT.gid);
    renameSync(staged, emperor.path('blog.ini'));
  }

  test.each(['io-max = 8:0 rbps=1M', 'cgroup = /sys/fs/cgroup/pids/x', 'cgroup-opt = pids.max=9'])(
    'may not say %s',
    async (line) => {
      writeAs([line]);
      await emperor.waitFor('blog', ({ diagnostics }) => diagnostics.length > 0);

      const key = line.split(' ')[0];
      expect(await emperor.diagnostics('blog')).toEqual([
        `blog.ini:3 ${key} only the operator may set this, and the file belongs to games`,
      ]);
      expect(emperor.log('blog')).toEqual([]);
    },
  );

  test('may give way to others and not the other way round', async () => {
    const lines = [
      'nice = -5',
      'oom-score-adj = -100',
      'sched = fifo:1',
      'ionice = realtime:0',
      'cpu-weight = 500',
    ];
    writeAs(lines);
    const facts = new ProbeFacts(await emperor.printed('blog', 'facts end'));

    expect(['nice', 'oom-score-adj', 'sched', 'ionice'].map((kind) => facts.get(kind))).toEqual([
      '0',
      '0',
      '0:0',
      '0:0',
    ]);
    expect(await emperor.diagnostics('blog')).toHaveLength(lines.length);
    const { pid } = await emperor.running('blog');
    if (isV1('cpu')) expect(fileOf(pid, 'cpu', 'cpu.shares')).toBe('1024');
  });
});
