import type { VassalName } from '@emperor/common/name';
import type { KeeperCommand } from '@emperor/vassal/keeper/facts';
import type { ForeignFound, GracefulStop, Keeper, KeeperListener } from '@emperor/vassal/keeper/keeper';
import type { VassalSpec } from '@emperor/vassal/spec/spec';
import { holdForeign } from '../../packages/emperor/src/adopt.ts';
import type { FileState } from '../../packages/emperor/src/core/file-state.ts';
import { listenTo } from '../../packages/emperor/src/effects/listen.ts';
import { executorsIn } from '../../packages/emperor/src/effects/table.ts';
import type { World } from '../../packages/emperor/src/effects/world.ts';
import { Emperor } from '../../packages/emperor/src/emperor.ts';
import type { Held } from '../../packages/emperor/src/held.ts';
import type { Memory, MemoryStore } from '../../packages/emperor/src/store/memory.ts';
import { ManualClock } from './manual-clock.ts';
import { LIFECYCLE, named } from './spec-of.ts';

const silent = {
  error: () => undefined,
  warn: () => undefined,
  info: () => undefined,
  debug: () => undefined,
};

/** A keeper without a process: it launches at once, and ends its app when it is told to. */
export class FakeKeeper implements Keeper {
  readonly pid: number;
  readonly name: string;
  readonly commands: KeeperCommand[] = [];
  readonly #listener: KeeperListener;
  readonly #clock: ManualClock;
  /** Apps ignore the stop signal while this is set. */
  isStubborn = false;
  /** Launches never end. */
  isHung = false;
  #alive: number | undefined;

  constructor(name: string, pid: number, listener: KeeperListener, clock: ManualClock) {
    this.name = name;
    this.pid = pid;
    this.#listener = listener;
    this.#clock = clock;
  }

  readonly send = async (command: KeeperCommand): Promise<number> => {
    this.commands.push(command);
    switch (command.do) {
      case 'launch':
        this.#alive = command.generation;
        if (!this.isHung) queueMicrotask(() => this.#launched(command.generation, command.tag));
        return 0;
      case 'signal':
      case 'signal-all':
        if (!this.isStubborn) queueMicrotask(() => this.exit(0));
        return 0;
      case 'kill':
        queueMicrotask(() => this.exit(137));
        return 0;
      case 'quit':
        return this.#alive === undefined ? 0 : 16;
      case 'forget':
      case 'log':
        return 0;
    }
  };

  readonly detach = (): void => undefined;

  /** The app ends. */
  exit(code: number): void {
    const generation = this.#alive;
    if (generation === undefined) return;
    this.#alive = undefined;
    this.#listener.onFact({
      type: 'exited',
      generation,
      at: this.#clock.now(),
      exit: { by: 'code', code },
      counters: {},
    });
    this.#listener.onFact({ type: 'gone', generation });
  }

  /** The keeper process itself dies. */
  die(): void {
    this.#alive = undefined;
    this.#listener.onGone();
  }

  #launched(generation: number, tag: string): void {
    if (this.#alive !== generation) return;
    const at = this.#clock.now();
    this.#listener.onFact({ type: 'launched', generation, at, initPid: 100, appPid: 100 + generation, tag });
  }
}

/** The emperor with its real loop and executors, on a clock, keepers and a store that the test drives. */
export class FakeWorld {
  readonly clock = new ManualClock();
  readonly keepers: FakeKeeper[] = [];
  readonly memories = new Map<string, Memory>();
  readonly reaped: VassalName[] = [];
  readonly disinherited: VassalName[] = [];
  readonly emperor: Emperor;
  readonly store = this.#store();
  /** Vassals whose launches never end. */
  readonly hung = new Set<string>();
  /** What keepers of other versions were told: the path of each, and how to stop what it holds. */
  readonly endedForeign: { path: string; stop: GracefulStop | undefined }[] = [];
  /** Keepers of other versions do not end while set. */
  undying: Error | undefined;
  /** Keepers start only when `letKeepersCome` is called. */
  slowKeepers = false;
  readonly #coming: (() => void)[] = [];
  /** Rejects the next preparations with this. */
  unprepared: Error | undefined;

  constructor() {
    this.emperor = new Emperor({
      clock: this.clock,
      log: silent,
      store: this.store,
      diff: (from, to) =>
        from.limits === to.limits ? { kind: 'restart', changed: [] } : { kind: 'live', changed: [] },
      defaults: LIFECYCLE,
      slots: 4,
      random: () => 0,
    });
    this.emperor.begin(executorsIn(this.#world()));
  }

  /** The file of this vassal now says `spec`; undefined: it is gone. */
  write(name: string, spec: VassalSpec | undefined, revision = 'a', stamp = '1'): Held {
    const held = this.read(name, spec, revision, stamp);
    this.emperor.reorder();
    return held;
  }

  /** The same while others are still to be read: who waits for whom is not known yet. */
  read(name: string, spec: VassalSpec | undefined, revision = 'a', stamp = '1'): Held {
    this.emperor.unsettleOrder();
    const held = this.emperor.hold(named(name));
    held.file = spec === undefined ? undefined : fileOf(spec, revision, stamp);
    held.gone = spec === undefined;
    this.emperor.mark(held);
    return held;
  }

  /** Adoption found a keeper of protocol version 99, in which this generation runs. */
  adoptForeign(name: string, generation: number | undefined): Held {
    const at = this.clock.now();
    const launched: ForeignFound['launched'] =
      generation === undefined
        ? undefined
        : { type: 'launched', generation, at, initPid: 55, appPid: 56, tag: 'of the future' };
    const found = { path: `/keepers/${name}`, version: 99, name, pid: 54, launched };
    const held = holdForeign({ emperor: this.emperor }, found);
    if (held === undefined) throw new Error(`not a name: ${name}`);
    return held;
  }

  letKeepersCome(): void {
    for (const come of this.#coming.splice(0)) come();
  }

  /** The newest keeper of this vassal. */
  keeperOf(name: string): FakeKeeper {
    const keeper = this.keepers.findLast((one) => one.name === name);
    if (keeper === undefined) throw new Error(`no keeper of ${name}`);
    return keeper;
  }

  /** Let everything that is on its way arrive. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
  }

  #world(): World {
    const world: World = {
      emperor: this.emperor,
      clock: this.clock,
      log: silent,
      store: this.store,
      random: () => 0,
      startKeeper: async (name, listener) => {
        if (this.slowKeepers) await new Promise<void>((resolve) => this.#coming.push(resolve));
        const keeper = new FakeKeeper(name, 1_000 + this.keepers.length, listener, this.clock);
        keeper.isHung = this.hung.has(name);
        this.keepers.push(keeper);
        return keeper;
      },
      endForeign: async (path, stop) => {
        this.endedForeign.push({ path, stop });
        if (this.undying !== undefined) throw this.undying;
      },
      listen: (held) => listenTo(world, held),
      prepare: async () => {
        if (this.unprepared !== undefined) throw this.unprepared;
        return { blob: new Uint8Array() };
      },
      groups: {
        adjust: async () => [],
        sweep: async () => undefined,
        removeOwner: async () => undefined,
        reap: async (name) => {
          this.reaped.push(name);
        },
      },
      killProcess: (pid) => this.keepers.find((keeper) => keeper.pid === pid)?.die(),
      disinherit: async (name) => void this.disinherited.push(name),
      freeUid: () => undefined,
    };
    return world;
  }

  #store(): MemoryStore {
    return {
      load: (name) => this.memories.get(name),
      saveLater: (name, memory) => this.memories.set(name, memory),
      saveNow: async (name, memory) => void this.memories.set(name, memory),
      flush: async () => undefined,
    };
  }
}

function fileOf(spec: VassalSpec, revision: string, stamp: string): FileState {
  const good = { text: revision, ownerUid: spec.owner.uid, spec, revision };
  const { uid } = spec.owner;
  return {
    path: spec.file,
    ownerUid: uid,
    mtime: stamp,
    text: revision,
    stamp,
    good,
    revoked: false,
    diagnostics: [],
  };
}
