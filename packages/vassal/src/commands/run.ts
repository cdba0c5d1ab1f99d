import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import { resolve } from 'node:path';
import type { Cancel } from '@emperor/common/clock';
import { EXIT } from '@emperor/common/errors';
import type { Log } from '@emperor/common/log/log';
import { type CgroupBase, ensureBase, releaseBase } from '../cgroup/cgroup.ts';
import { planCgroups } from '../cgroup/limits.ts';
import { madeGroups } from '../cgroup/made.ts';
import { encodeDirectives } from '../jail/encode.ts';
import { planJail } from '../jail/plan.ts';
import type { Exit, KeeperFact } from '../keeper/facts.ts';
import { hintForFailure } from '../keeper/failure.ts';
import type { Keeper, Keepers } from '../keeper/keeper.ts';
import { nativeKeepers } from '../keeper/native-keepers.ts';
import type { VassalSpec } from '../spec/spec.ts';
import { type CommandIo, KEEPER_BINARY } from './command.ts';
import { type Loaded, loadVassal, showDiagnostics } from './load.ts';

const RUNTIME_PARENT = '/run';
const GENERATION = 1;
const LOOK_MS = 50;
/** Above the range of an emperor: a run in the foreground takes no vassal's uid. */
const FIRST_UID = 466_000;
const UIDS = 4_000;
/** Never rotated: it lasts as long as the run and is shown as it comes. */
const LOG_LIMITS = { maxBytes: 2 ** 40, keep: 0, linesPerSecond: 0 };

/**
 * `vassal run FILE`: the vassal in its jail in the foreground, without an emperor, once. Its output is ours, SIGINT and
 * SIGTERM are its stop signal, its exit code is ours.
 */
export async function runVassal(file: string, io: CommandIo): Promise<number> {
  const instance = `run-${process.pid}`;
  let base: CgroupBase | undefined;
  const loaded = await loadVassal(file, async (host) => {
    base = await ensureBase(host.cgroups, instance, process.pid);
    const cgroups = host.rootless === undefined ? base.cgroups : madeGroups(base.cgroups, instance);
    return { ...host, cgroups };
  });
  try {
    if (!showDiagnostics(loaded, io) || loaded.spec === undefined) return EXIT.config;
    return await runLoaded({ spec: loaded.spec, loaded, instance, io }, base?.keeperLeaf);
  } finally {
    await releaseBase(loaded.host.cgroups, instance, process.pid);
  }
}

async function runLoaded(
  parts: Omit<Parts, 'directory' | 'keepers'>,
  cgroupLeaf: string | undefined,
): Promise<number> {
  const { io, loaded } = parts;
  const parent = loaded.host.rootless === undefined ? RUNTIME_PARENT : tmpdir();
  const directory = await mkdtemp(`${parent}/vassal-run-`);
  const keepers = nativeKeepers({
    keeperBinary: KEEPER_BINARY,
    keepersDir: `${directory}/keepers`,
    cgroupLeaf,
    clock: io.clock,
    log: logTo(io),
  });
  try {
    for (const name of ['keepers', 'jail', 'log', 'notify'])
      await mkdir(`${directory}/${name}`, { mode: 0o711 });
    return await new Run({ ...parts, directory, keepers }).toItsEnd();
  } finally {
    await keepers.close();
    await rm(directory, { recursive: true, force: true });
  }
}

type Parts = {
  readonly spec: VassalSpec;
  readonly loaded: Loaded;
  readonly directory: string;
  readonly instance: string;
  readonly keepers: Keepers;
  readonly io: CommandIo;
};

/** One vassal from launch to gone. */
class Run {
  readonly #parts: Parts;
  readonly #facts: KeeperFact[] = [];
  #isGone = false;
  #wake: () => void = () => {};
  #shownBytes = 0;
  #cancelKill: Cancel | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  async toItsEnd(): Promise<number> {
    const { keepers, spec, io } = this.#parts;
    const keeper = await keepers.start(
      { name: spec.name, logDir: this.#logDir },
      { onFact: this.#hear, onGone: this.#end },
    );
    await keeper.send({ do: 'log', limits: LOG_LIMITS });
    await keeper.send({ do: 'launch', generation: GENERATION, tag: '', blob: this.#blob() });
    const unhear = io.onSignal(() => void this.#stop(keeper));
    try {
      while (!this.#isOver()) await this.#lookAgain();
    } finally {
      unhear();
      this.#cancelKill?.();
    }
    await this.#showOutput();
    if (!this.#isGone) {
      await keeper.send({ do: 'quit' });
      while (!this.#isGone) await this.#lookAgain();
    }
    return this.#exitCode();
  }

  get #logDir(): string {
    return `${this.#parts.directory}/log/${this.#parts.spec.name}`;
  }

  #hear = (fact: KeeperFact): void => {
    this.#facts.push(fact);
    this.#wake();
  };

  #end = (): void => {
    this.#isGone = true;
    this.#wake();
  };

  #isOver(): boolean {
    return this.#isGone || this.#facts.some(({ type }) => type === 'gone' || type === 'fail');
  }

  async #lookAgain(): Promise<void> {
    const { clock } = this.#parts.io;
    await new Promise<void>((wake) => {
      const cancel = clock.after(LOOK_MS, wake);
      this.#wake = () => {
        cancel();
        wake();
      };
    });
    await this.#showOutput();
  }

  /** Ask it to finish, and kill it when its time is over, or when asked again. */
  async #stop(keeper: Keeper): Promise<void> {
    const { stopSignal, stopTimeoutMs, killMode } = this.#parts.spec.lifecycle;
    const kill = (): void => {
      this.#cancelKill?.();
      keeper.send({ do: 'kill', generation: GENERATION }).catch(() => this.#wake());
    };
    if (this.#cancelKill !== undefined) return kill();
    this.#cancelKill = this.#parts.io.clock.after(stopTimeoutMs, kill);
    const command = killMode === 'mixed' ? 'signal' : 'signal-all';
    try {
      await keeper.send({ do: command, generation: GENERATION, signal: stopSignal });
    } catch {
      kill();
    }
  }

  #blob(): Uint8Array {
    const { spec, loaded, directory, instance } = this.#parts;
    const own = privateUidOf(spec.file);
    const place = { instance, ownerUid: spec.owner.uid, name: spec.name, generation: GENERATION };
    const directives = planJail(spec, loaded.host, {
      uid: spec.identity.uid === 'auto' ? own : spec.identity.uid,
      gid: spec.identity.gid === 'auto' ? own : spec.identity.gid,
      cgroups: planCgroups(spec.limits, loaded.host.cgroups, place),
      scratchDir: `${directory}/jail`,
      notifyPath: `${directory}/notify/${spec.name}`,
      hide: [directory],
    });
    return encodeDirectives(directives);
  }

  /** What the keeper has written since the last look, without its stamps, each line to the stream it came from. */
  async #showOutput(): Promise<void> {
    const text = await this.#newOutput();
    const { io } = this.#parts;
    for (const line of text.split('\n').slice(0, -1)) {
      const [, stream, content] = /^\S+ (out|err) (.*)$/.exec(line) ?? [];
      if (stream === 'err') io.err(`${content}\n`);
      else io.out(`${content ?? line}\n`);
    }
  }

  async #newOutput(): Promise<string> {
    const file = await open(`${this.#logDir}/current`, 'r').catch(() => undefined);
    if (file === undefined) return '';
    try {
      const { size } = await file.stat();
      const buffer = Buffer.alloc(Math.max(0, size - this.#shownBytes));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, this.#shownBytes);
      // A line that is not complete yet waits for its end.
      const complete = buffer.subarray(0, bytesRead).lastIndexOf('\n') + 1;
      this.#shownBytes += complete;
      return buffer.toString('utf8', 0, complete);
    } finally {
      await file.close();
    }
  }

  #exitCode(): number {
    const { io, spec } = this.#parts;
    for (const fact of this.#facts) {
      if (fact.type === 'exited') return codeOf(fact.exit);
      if (fact.type !== 'fail') continue;
      const { message, hint } = hintForFailure(fact.failure, spec);
      io.err(`vassal ${spec.name} failed: ${message}\nhint: ${hint}\n`);
    }
    return EXIT.failure;
  }
}

/** 128 + number for a signal, as shells do. */
function codeOf(exit: Exit): number {
  if (exit.by === 'code') return exit.code;
  const numbers: Readonly<Record<string, number>> = constants.signals;
  return 128 + (numbers[exit.signal] ?? 0);
}

/** The same for the same file every time. */
function privateUidOf(file: string): number {
  return FIRST_UID + (createHash('sha256').update(resolve(file)).digest().readUInt32BE(0) % UIDS);
}

function logTo(io: CommandIo): Log {
  const say = (message: string): void => io.err(`${message}\n`);
  return { error: say, warn: say, info: () => undefined, debug: () => undefined };
}
