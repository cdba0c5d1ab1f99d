import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { type Clock, systemClock } from '@emperor/common/clock';
import { encodeDirectives } from '@emperor/vassal/jail/encode';
import type { KeeperFact } from '@emperor/vassal/keeper/facts';
import type { Keeper, KeeperListener, Keepers } from '@emperor/vassal/keeper/keeper';
import { nativeKeepers } from '@emperor/vassal/keeper/native-keepers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeKeepers } from '../support/fake-keepers.ts';

const KEEPER = fileURLToPath(new URL('../../packages/vassal/native/build/keeper', import.meta.url));
const canRunNative = existsSync(KEEPER) && process.getuid?.() === 0;
const ESRCH = 3;
const EBUSY = 16;
const EEXIST = 17;
const CLONE_NEWPID = 0x2000_0000;
const HOSTILE_TAG = 'revision=9f2c "x"\n\\x41\t\u{1f600}  ';

/** A world of keepers that any number of emperors can look at, one after the other. */
type World = { readonly logDir: string; readonly emperor: () => Keepers; readonly end: () => Promise<void> };

async function fakeWorld(): Promise<World> {
  const fakes = new FakeKeepers(systemClock);
  return Promise.resolve({
    logDir: '/var/log/none',
    emperor: () => fakes.port(),
    end: () => Promise.resolve(),
  });
}

async function nativeWorld(): Promise<World> {
  const directory = await mkdtemp('/tmp/keepers-');
  await mkdir(`${directory}/k`, { mode: 0o700 });
  await mkdir(`${directory}/log`);
  const quiet = () => {};
  const log = { error: quiet, warn: quiet, info: quiet, debug: quiet };
  const keepersDir = `${directory}/k`;
  const clock: Clock = systemClock;
  const pids: number[] = [];
  return {
    logDir: `${directory}/log`,
    emperor: () => {
      const keepers = nativeKeepers({ keeperBinary: KEEPER, keepersDir, cgroupLeaf: undefined, clock, log });
      const start: Keepers['start'] = async (wanted, listener) => {
        const remember = (fact: KeeperFact): void => {
          if (fact.type === 'hello') pids.push(fact.pid);
          listener.onFact(fact);
        };
        return keepers.start(wanted, { onFact: remember, onGone: listener.onGone });
      };
      return { ...keepers, adopt: keepers.adopt, close: keepers.close, start };
    },
    end: async () => {
      const left = await readdir(keepersDir);
      for (const pid of pids.filter(isKeeper)) process.kill(pid, 'SIGKILL');
      await rm(directory, { recursive: true });
      expect(left).toEqual([]);
    },
  };
}

/** Still a keeper? What a failed test left must not stay. */
function isKeeper(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('keeper ');
  } catch {
    return false;
  }
}

/** Remembers facts and lets a test wait for one. */
class Ear implements KeeperListener {
  readonly facts: KeeperFact[] = [];
  gone = false;
  #wake: () => void = () => {};

  onFact = (fact: KeeperFact): void => {
    this.facts.push(fact);
    this.#wake();
  };

  onGone = (): void => {
    this.gone = true;
    this.#wake();
  };

  async until(holds: (ear: Ear) => boolean): Promise<void> {
    while (!holds(this)) await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  async hear<T extends KeeperFact['type']>(type: T): Promise<Extract<KeeperFact, { type: T }>> {
    const find = () =>
      this.facts.find((fact): fact is Extract<KeeperFact, { type: T }> => fact.type === type);
    await this.until(() => find() !== undefined);
    const fact = find();
    if (fact === undefined) throw new Error('unreachable');
    return fact;
  }

  get types(): string[] {
    return this.facts.map(({ type }) => type);
  }
}

function blob(...words: string[]): Uint8Array {
  return encodeDirectives([
    { word: 'unshare', args: [String(CLONE_NEWPID)] },
    { word: 'gid', args: ['65534'] },
    { word: 'uid', args: ['65534'] },
    { word: 'caps', args: ['0'] },
    { word: 'no-new-privs', args: [] },
    { word: 'chdir', args: ['/'] },
    { word: 'env', args: ['PATH=/usr/bin:/bin'] },
    ...words.map((word) => ({ word: 'arg', args: [word] }) as const),
  ]);
}

const launch = (generation: number, ...words: string[]) =>
  ({ do: 'launch', generation, tag: HOSTILE_TAG, blob: blob(...words) }) as const;

describe.each([
  ['fake', true, fakeWorld],
  ['native', canRunNative, nativeWorld],
] as const)('%s keepers', (_, canRun, makeWorld) => {
  const it = test.skipIf(!canRun);
  let world: World;
  let keepers: Keepers;
  let ear: Ear;

  beforeEach(async () => {
    if (!canRun) return;
    world = await makeWorld();
    keepers = world.emperor();
    ear = new Ear();
  });

  /** Whatever a test left is killed and quits. */
  afterEach(async () => {
    if (!canRun) return;
    await keepers.close();
    const cleaner = world.emperor();
    const ears = new Map<string, Ear>();
    const listen = (name: string): Ear => {
      const fresh = new Ear();
      ears.set(name, fresh);
      return fresh;
    };
    for (const keeper of (await cleaner.adopt(listen)).keepers)
      await finish(keeper, ears.get(keeper.name) ?? new Ear());
    await cleaner.close();
    await world.end();
  });

  async function finish(keeper: Keeper, listener: Ear): Promise<void> {
    // A generation may still be on its way into its jail: `launching` in the replay.
    const started = listener.facts.flatMap((fact) =>
      fact.type === 'launched' || fact.type === 'launching' ? [fact.generation] : [],
    );
    const generations = [...new Set(started)];
    for (const generation of generations) await keeper.send({ do: 'kill', generation });
    const count = (type: string) => listener.types.filter((known) => known === type).length;
    await listener.until(() => count('gone') + count('fail') >= generations.length);
    await keeper.send({ do: 'quit' });
    await listener.until(({ gone }) => gone);
  }

  const start = (name = 'blog') => keepers.start({ name, logDir: `${world.logDir}/${name}` }, ear);

  it('a new keeper says hello, its name and its whole (empty) state before start resolves', async () => {
    const keeper = await start();

    expect(ear.types).toEqual(['hello', 'replayed']);
    expect(ear.facts[0]).toMatchObject({ version: 1, pid: keeper.pid, name: 'blog' });
  });

  it('a launch is acknowledged, then the app runs; its tag comes back as it was', async () => {
    const keeper = await start();

    expect(await keeper.send(launch(1, 'sleep', '60'))).toBe(0);
    const launched = await ear.hear('launched');

    expect(ear.types.indexOf('ack')).toBeLessThan(ear.types.indexOf('launched'));
    expect(launched).toMatchObject({ generation: 1, tag: HOSTILE_TAG });
    expect(launched.appPid).toBeGreaterThan(0);
    expect(launched.initPid).not.toBe(launched.appPid);
  });

  it('what cannot be launched says stage, errno and object; no generation is gone, only failed', async () => {
    const keeper = await start();
    await keeper.send(launch(1, '/nonexistent/program'));

    expect(await ear.hear('fail')).toEqual({
      type: 'fail',
      generation: 1,
      failure: { stage: 'exec', errno: 2, what: '/nonexistent/program' },
    });
    expect(ear.types).not.toContain('launched');
    expect(await keeper.send({ do: 'forget', generation: 1 })).toBe(0);
  });

  it('a generation is launched once', async () => {
    const keeper = await start();
    await keeper.send(launch(1, 'sleep', '60'));

    expect(await keeper.send(launch(1, 'sleep', '60'))).toBe(EEXIST);
  });

  it('an app that ends is reported with its code, then gone, and is forgotten when told', async () => {
    const keeper = await start();
    await keeper.send(launch(4, 'sh', '-c', 'exit 3'));

    await ear.hear('gone');

    expect(ear.types.slice(-3)).toEqual(['launched', 'exited', 'gone']);
    expect(await ear.hear('exited')).toMatchObject({ generation: 4, exit: { by: 'code', code: 3 } });
    expect(await keeper.send({ do: 'forget', generation: 4 })).toBe(0);
    expect(await keeper.send({ do: 'forget', generation: 4 })).toBe(ESRCH);
  });

  it('a signal ends the app by that signal; then there is nothing to signal', async () => {
    const keeper = await start();
    await keeper.send(launch(1, 'sleep', '60'));
    await ear.hear('launched');

    expect(await keeper.send({ do: 'signal', generation: 1, signal: 15 })).toBe(0);
    await ear.hear('gone');

    expect(await ear.hear('exited')).toMatchObject({ exit: { by: 'signal', signal: 'SIGTERM' } });
    expect(await keeper.send({ do: 'signal', generation: 1, signal: 15 })).toBe(ESRCH);
  });

  it('kill ends the whole jail', async () => {
    const keeper = await start();
    await keeper.send(launch(1, 'sleep', '60'));
    await ear.hear('launched');

    expect(await keeper.send({ do: 'kill', generation: 1 })).toBe(0);
    await ear.hear('gone');

    expect(await ear.hear('exited')).toMatchObject({ exit: { by: 'signal', signal: 'SIGKILL' } });
  });

  it('a running generation can be neither forgotten nor left behind by quit', async () => {
    const keeper = await start();
    await keeper.send(launch(1, 'sleep', '60'));
    await ear.hear('launched');

    expect(await keeper.send({ do: 'forget', generation: 1 })).toBe(EBUSY);
    expect(await keeper.send({ do: 'quit' })).toBe(EBUSY);
    expect(ear.gone).toBe(false);
  });

  it('commands about a generation that never was are ESRCH; log limits are taken at any time', async () => {
    const keeper = await start();
    const about = (command: 'kill' | 'forget') => keeper.send({ do: command, generation: 9 });

    expect(await Promise.all([about('kill'), about('forget')])).toEqual([ESRCH, ESRCH]);
    expect(await keeper.send({ do: 'signal-all', generation: 9, signal: 15 })).toBe(ESRCH);
    expect(
      await keeper.send({ do: 'log', limits: { maxBytes: 1_048_576, keep: 2, linesPerSecond: 0 } }),
    ).toBe(0);
  });

  it('quit ends the keeper, and then nothing can be sent', async () => {
    const keeper = await start();

    expect(await keeper.send({ do: 'quit' })).toBe(0);
    await ear.until(({ gone }) => gone);

    await expect(keeper.send({ do: 'quit' })).rejects.toMatchObject({ code: 'keeper_failed' });
  });

  it('keepers outlive their emperor; the next one hears what runs and what ended meanwhile', async () => {
    const keeper = await start();
    await keeper.send(launch(1, 'sleep', '60'));
    const launched = await ear.hear('launched');
    await keeper.send(launch(2, 'sh', '-c', 'exit 7'));
    await ear.hear('gone');
    await keepers.close();

    keepers = world.emperor();
    const next = new Ear();
    const adopted = await keepers.adopt(() => next);

    expect(adopted).toMatchObject({
      keepers: [{ pid: keeper.pid, name: 'blog' }],
      foreign: [],
      unreachable: [],
    });
    expect(next.types).toEqual(['hello', 'launched', 'launched', 'exited', 'gone', 'replayed']);
    expect(next.facts[1]).toEqual(launched);
    expect(next.facts[3]).toMatchObject({ generation: 2, exit: { by: 'code', code: 7 } });
    expect(ear.gone).toBe(false);
  });

  it('without keepers there is nothing to adopt', async () => {
    expect(await keepers.adopt(() => ear)).toEqual({ keepers: [], foreign: [], unreachable: [] });
  });
});
