import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CLONE, isRoot, NativeWorld, TENANT_UID, type TestKeeper, type Words } from '../native/support.ts';

/** Bounded in rounds, not in time: each is one launch while every name that the tenant may write is flipped. */
const ROUNDS = 250;
const NAMESPACES = CLONE.NEWNS | CLONE.NEWPID;
const FLIPPER = join(import.meta.dirname, '../support/flipper.c');

describe.skipIf(!isRoot)('a tenant who swaps directories for symlinks while jails are made', () => {
  let world: NativeWorld;
  let keeper: TestKeeper;
  let flippers: readonly ChildProcess[] = [];
  let program = '';
  const build = mkdtempSync('/srv/flipper-');

  beforeAll(() => {
    program = join(build, 'flipper');
    execFileSync('cc', ['-static', '-O1', '-o', program, FLIPPER]);
    execFileSync('chmod', ['755', build, program]);
  });
  afterAll(() => rmSync(build, { recursive: true }));
  beforeEach(async () => {
    world = NativeWorld.create();
    keeper = await world.keeper();
  });
  afterEach(async () => {
    await Promise.all(flippers.map(end));
    flippers = [];
    expect(await world.end()).toEqual([]);
  });

  /** A directory of the tenant with `inner/leaf` below it, both flipped to the trap. */
  async function flipped(name: string, trap: string): Promise<string> {
    const base = join(world.base, name);
    for (const dir of [base, join(base, 'inner'), join(base, 'inner/leaf')]) {
      mkdirSync(dir);
      chownSync(dir, TENANT_UID, TENANT_UID);
    }
    writeFileSync(join(base, 'inner/leaf/whose'), 'mine\n');
    writeFileSync(join(base, 'inner/file'), 'mine\n');
    // the inner one first, while its directory still has its name
    flippers = [...flippers, await flip(join(base, 'inner'), 'leaf', trap)];
    flippers = [...flippers, await flip(base, 'inner', trap)];
    return base;
  }

  function flip(dir: string, name: string, trap: string): Promise<ChildProcess> {
    const child = spawn(program, [dir, name, trap], {
      uid: TENANT_UID,
      gid: TENANT_UID,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    return new Promise((resolve, reject) => {
      child.stdout?.once('data', () => resolve(child));
      child.once('exit', (code) => reject(new Error(`the flipper ended with ${code}`)));
    });
  }

  /** What root owns and no jail may reach: below it the same names as below the tenant's directory. */
  function makeTrap(): string {
    const trap = join(world.base, 'trap');
    mkdirSync(join(trap, 'leaf'), { recursive: true });
    mkdirSync(join(trap, 'inner/leaf'), { recursive: true });
    for (const file of ['whose', 'file', 'leaf/whose', 'inner/file', 'inner/leaf/whose'])
      writeFileSync(join(trap, file), 'of root\n');
    return trap;
  }

  function words(generation: number, mounts: readonly Words[], script: string): readonly Words[] {
    return [
      ['cgroup', world.cgroup(generation)],
      ['unshare', String(NAMESPACES)],
      ['scratch', join(world.base, 'scratch')],
      ...mounts,
      ['gid', String(TENANT_UID)],
      ['uid', String(TENANT_UID)],
      ['caps', '0'],
      ['no-new-privs'],
      ['env', 'PATH=/usr/bin:/bin'],
      ...['sh', '-c', script].map((word) => ['arg', word]),
    ];
  }

  /** Launch that often; how many got through and what they said, how many were refused and why. */
  async function attack(mounts: readonly Words[], script: string, rounds = ROUNDS) {
    const refused = new Set<string>();
    let [made, failed] = [0, 0];
    const kept = keeper.texts().length;
    for (let round = 1; round <= rounds; round++) {
      await keeper.launch(round, words(round, mounts, script));
      const fact = await keeper.hear('');
      if (fact.startsWith('launched')) {
        made++;
        await keeper.hear(`gone ${round}`);
      } else {
        failed++;
        refused.add(fact.split(' ').slice(2, 4).join(' '));
      }
      await keeper.ask(`forget ${round}`);
    }
    return { made, failed, refused: [...refused].toSorted(), said: new Set(keeper.texts().slice(kept)) };
  }

  /** ENOENT while a name is away, ELOOP where a link stands. */
  const HARMLESS = ['mounts 2', 'mounts 40', 'root 2', 'root 40'];

  test(`${ROUNDS} launches: sources of binds are the tenant's or nothing`, async () => {
    const trap = makeTrap();
    const base = await flipped('source', trap);
    const here = join(world.base, 'here');
    mkdirSync(here);

    const { made, failed, refused, said } = await attack(
      [['bind', join(base, 'inner/leaf'), here, 'rsd']],
      `cat ${here}/whose`,
    );

    expect(made).toBeGreaterThan(0);
    expect(failed).toBeGreaterThan(0);
    expect(refused.filter((why) => !HARMLESS.includes(why))).toEqual([]);
    expect([...said]).toEqual(['mine']);
  }, 180_000);

  test(`${ROUNDS} launches: nothing is mounted onto what is not the tenant's`, async () => {
    const trap = makeTrap();
    const base = await flipped('target', trap);
    const data = join(world.base, 'data');
    mkdirSync(data);
    writeFileSync(join(data, 'whose'), 'bound\n');

    const { made, failed, refused, said } = await attack(
      [
        ['bind', data, join(base, 'inner/leaf'), 'rsd'],
        ['mask', join(base, 'inner/file')],
        ['readonly', join(base, 'inner')],
      ],
      `cat ${trap}/whose ${trap}/leaf/whose ${trap}/file; grep -c " ${trap}" /proc/self/mountinfo`,
    );

    expect(made).toBeGreaterThan(0);
    expect(failed).toBeGreaterThan(0);
    expect(refused.filter((why) => !HARMLESS.includes(why))).toEqual([]);
    expect([...said].toSorted()).toEqual(['0', 'of root']);
  }, 180_000);

  test(`${ROUNDS} launches: covers, layers and roots neither`, async () => {
    const trap = makeTrap();
    const base = await flipped('other', trap);
    const here = join(world.base, 'here');
    mkdirSync(here);

    const { made, failed, refused, said } = await attack(
      [
        ['keep', join(base, 'inner/leaf')],
        ['hide', base],
        ['overlay', here, join(base, 'inner/leaf'), ''],
      ],
      `cat ${here}/whose; cat ${base}/inner/leaf/whose 2>/dev/null; cat ${trap}/whose`,
    );
    expect(made + failed).toBe(ROUNDS);
    expect(refused.filter((why) => !HARMLESS.includes(why))).toEqual([]);
    expect([...said].filter((line) => !['mine', 'of root'].includes(line))).toEqual([]);

    const roots = await attack([['root', 'single', join(base, 'inner/leaf'), 'sd']], 'true', 100);
    // a shell is in neither of the two: whatever was entered, nothing of root's was run or shown
    expect(roots.refused.filter((why) => ![...HARMLESS, 'exec 2'].includes(why))).toEqual([]);
    expect(roots.said.size).toBe(0);
  }, 240_000);

  test('the trap itself, seen from the host, has never been mounted on, nor has it changed', async () => {
    const trap = makeTrap();
    const base = await flipped('last', trap);
    await attack([['bind', '/usr', join(base, 'inner/leaf'), 'rsd']], 'true', 100);

    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(world.base);
    expect(readdirSync(trap).toSorted()).toEqual(['file', 'inner', 'leaf', 'whose']);
    expect(readFileSync(join(trap, 'leaf/whose'), 'utf8')).toBe('of root\n');
  }, 180_000);
});

function end(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.removeAllListeners('exit');
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
}
