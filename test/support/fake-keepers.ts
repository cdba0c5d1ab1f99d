import type { Clock } from '@emperor/common/clock';
import { EmperorError } from '@emperor/common/errors';
import { signalName } from '@emperor/common/signals';
import { DIRECTIVES } from '@emperor/vassal/jail/directive';
import type { Exit, KeeperCommand, KeeperFact, LaunchFailure } from '@emperor/vassal/keeper/facts';
import type {
  AdoptResult,
  ForeignFound,
  Keeper,
  KeeperListener,
  KeeperStart,
  Keepers,
} from '@emperor/vassal/keeper/keeper';

const ESRCH = 3;
const EBUSY = 16;
const EEXIST = 17;
const EINVAL = 22;
const SIGKILL = 9;
/** Signals that do not end a process by default: CHLD CONT URG WINCH, and 0. */
const HARMLESS: readonly number[] = [0, 17, 18, 23, 28];

/** What a program does when it is started: nothing yet, an end, or a failure of the launch. */
export type Behaviour =
  | { readonly does: 'run' }
  | { readonly does: 'exit'; readonly exit: Exit }
  | { readonly does: 'fail'; readonly failure: LaunchFailure };

type LaunchedFact = Extract<KeeperFact, { type: 'launched' }>;

type Generation = {
  readonly launched: LaunchedFact | undefined;
  failed: KeeperFact | undefined;
  ready: KeeperFact | undefined;
  exited: KeeperFact | undefined;
  gone: boolean;
};

/**
 * Keepers without processes: a world of them that outlives any one emperor. `port()` is what an emperor gets; a second
 * `port()` after `close()` finds the same keepers. Programs are played by `behaviour`, by default `true false sleep`
 * and `sh -c 'exit N'`.
 */
export class FakeKeepers {
  readonly #clock: Clock;
  readonly #keepers = new Set<FakeKeeper>();
  #nextPid = 10_000;
  behaviour: (words: readonly string[]) => Behaviour = playProgram;
  /** Keepers of other protocol versions. */
  foreign: readonly ForeignFound[] = [];
  /** Refuses to start keepers while set. */
  broken = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The newest living keeper of that name. */
  keeper(name: string): FakeKeeper {
    const found = [...this.#keepers].findLast((keeper) => keeper.name === name);
    if (found === undefined) throw new Error(`no keeper of ${name}`);
    return found;
  }

  get names(): readonly string[] {
    return [...this.#keepers].map(({ name }) => name);
  }

  port(): Keepers {
    const clients: FakeKeeper[] = [];
    return {
      start: async ({ name }: KeeperStart, listener: KeeperListener): Promise<Keeper> => {
        await Promise.resolve();
        if (this.broken) throw new EmperorError('keeper_failed', 'no keeper: the spawner is broken');
        const keeper = this.#make(name);
        clients.push(keeper);
        return keeper.attach(listener);
      },
      adopt: async (listen): Promise<AdoptResult> => {
        await Promise.resolve();
        const keepers = [...this.#keepers].map((keeper) => keeper.attach(listen(keeper.name)));
        clients.push(...this.#keepers);
        return { keepers, foreign: this.foreign, unreachable: [] };
      },
      endForeign: async (path) => {
        await Promise.resolve();
        this.foreign = this.foreign.filter((one) => one.path !== path);
      },
      close: () => {
        for (const keeper of clients) keeper.drop();
        return Promise.resolve();
      },
    };
  }

  #make(name: string): FakeKeeper {
    const keeper = new FakeKeeper({
      name,
      clock: this.#clock,
      takePid: () => this.#nextPid++,
      play: (words) => this.behaviour(words),
      onEnd: () => this.#keepers.delete(keeper),
    });
    this.#keepers.add(keeper);
    return keeper;
  }
}

type Setting = {
  readonly name: string;
  readonly clock: Clock;
  readonly takePid: () => number;
  readonly play: (words: readonly string[]) => Behaviour;
  readonly onEnd: () => void;
};

/** One keeper, and the hand that moves its app: `exit`, `ready`, `say`, `die`. */
export class FakeKeeper {
  readonly name: string;
  readonly pid: number;
  readonly commands: KeeperCommand[] = [];
  /** While set, commands are neither done nor acknowledged. */
  stalled = false;
  readonly #setting: Setting;
  readonly #generations = new Map<number, Generation>();
  #listener: KeeperListener | undefined;
  #detached = true;
  #dead = false;

  constructor(setting: Setting) {
    this.#setting = setting;
    this.name = setting.name;
    this.pid = setting.takePid();
  }

  /** A new client: hears the whole state at once; the one before hears nothing more. */
  attach(listener: KeeperListener): Keeper {
    this.#listener = listener;
    this.#detached = false;
    listener.onFact({ type: 'hello', version: 1, pid: this.pid, startTicks: this.pid, name: this.name });
    for (const fact of this.#replay()) listener.onFact(fact);
    listener.onFact({ type: 'replayed' });
    return {
      pid: this.pid,
      name: this.name,
      send: (command) => this.#send(command),
      detach: () => this.drop(),
    };
  }

  /** The client goes away, the keeper lives on. */
  drop(): void {
    this.#listener = undefined;
    this.#detached = true;
  }

  say(fact: KeeperFact): void {
    this.#listener?.onFact(fact);
  }

  ready(generation: number): void {
    const found = this.#running(generation);
    found.ready = { type: 'ready', generation, at: this.#setting.clock.now() };
    this.say(found.ready);
  }

  /** The app ends, and with it its jail. */
  exit(generation: number, exit: Exit, counters: Readonly<Record<string, number>> = {}): void {
    const found = this.#running(generation);
    found.exited = { type: 'exited', generation, at: this.#setting.clock.now(), exit, counters };
    found.gone = true;
    this.say(found.exited);
    this.say({ type: 'gone', generation });
  }

  /** SIGKILL to the keeper: its jails go with it, nobody reports. */
  die(): void {
    this.#end();
  }

  async #send(command: KeeperCommand): Promise<number> {
    await Promise.resolve();
    if (this.#dead || this.#detached) throw new EmperorError('keeper_failed', 'no connection to the keeper');
    this.commands.push(command);
    if (this.stalled) return new Promise(() => {});
    const generation = 'generation' in command ? command.generation : 0;
    const { errno, after } = this.#obey(command);
    this.say({ type: 'ack', command: command.do, generation, errno });
    if (errno === 0) queueMicrotask(after);
    return errno;
  }

  #obey(command: KeeperCommand): { errno: number; after: () => void } {
    const nothing = (): void => {};
    switch (command.do) {
      case 'launch':
        if (this.#generations.has(command.generation)) return { errno: EEXIST, after: nothing };
        return { errno: 0, after: this.#launch(command) };
      case 'signal':
      case 'signal-all':
        return this.#signal(command.generation, command.signal);
      case 'kill':
        if (!this.#generations.has(command.generation)) return { errno: ESRCH, after: nothing };
        return { errno: 0, after: () => this.#signal(command.generation, SIGKILL).after() };
      case 'forget':
        return { errno: this.#forget(command.generation), after: nothing };
      case 'log':
        return { errno: 0, after: nothing };
      case 'quit': {
        const isBusy = [...this.#generations.values()].some(({ gone }) => !gone);
        return isBusy ? { errno: EBUSY, after: nothing } : { errno: 0, after: () => this.#end() };
      }
    }
  }

  #launch({ generation, tag, blob }: Extract<KeeperCommand, { do: 'launch' }>): () => void {
    const words = argumentsOf(blob);
    const at = this.#setting.clock.now();
    const behaviour: Behaviour =
      words === undefined ? failure('spec', EINVAL, 'blob') : this.#setting.play(words);
    if (behaviour.does === 'fail') {
      const failed: KeeperFact = { type: 'fail', generation, failure: behaviour.failure };
      this.#generations.set(generation, {
        launched: undefined,
        failed,
        ready: undefined,
        exited: undefined,
        gone: true,
      });
      return () => this.say(failed);
    }
    const launched: LaunchedFact = {
      type: 'launched',
      generation,
      at,
      initPid: this.#setting.takePid(),
      appPid: this.#setting.takePid(),
      tag,
    };
    this.#generations.set(generation, {
      launched,
      failed: undefined,
      ready: undefined,
      exited: undefined,
      gone: false,
    });
    return () => {
      this.say(launched);
      if (behaviour.does === 'exit') queueMicrotask(() => this.exit(generation, behaviour.exit));
    };
  }

  #signal(generation: number, signal: number): { errno: number; after: () => void } {
    const found = this.#generations.get(generation);
    if (found === undefined || found.gone) return { errno: ESRCH, after: () => {} };
    if (HARMLESS.includes(signal)) return { errno: 0, after: () => {} };
    const end = (): void => {
      if (!found.gone) this.exit(generation, { by: 'signal', signal: signalName(signal) });
    };
    return { errno: 0, after: end };
  }

  #forget(generation: number): number {
    const found = this.#generations.get(generation);
    if (found === undefined) return ESRCH;
    if (!found.gone) return EBUSY;
    this.#generations.delete(generation);
    return 0;
  }

  #replay(): readonly KeeperFact[] {
    return [...this.#generations].flatMap(([generation, { launched, failed, ready, exited, gone }]) => {
      const told = [launched, failed, ready, exited].filter((fact) => fact !== undefined);
      return gone && failed === undefined ? [...told, { type: 'gone', generation } as const] : told;
    });
  }

  #running(generation: number): Generation {
    const found = this.#generations.get(generation);
    if (found?.launched === undefined || found.gone)
      throw new Error(`generation ${generation} of ${this.name} does not run`);
    return found;
  }

  #end(): void {
    if (this.#dead) return;
    this.#dead = true;
    const listener = this.#listener;
    this.#setting.onEnd();
    listener?.onGone();
  }
}

/** `true`, `false`, `sh -c 'exit N'` end at once; what lies in /nonexistent cannot start; everything else runs. */
export function playProgram(words: readonly string[]): Behaviour {
  const [path = '', flag, script] = words;
  if (path.startsWith('/nonexistent')) return failure('exec', 2, path);
  const program = path.slice(path.lastIndexOf('/') + 1);
  if (program === 'true') return { does: 'exit', exit: { by: 'code', code: 0 } };
  if (program === 'false') return { does: 'exit', exit: { by: 'code', code: 1 } };
  const [, code] = /^exit (\d+)$/.exec(flag === '-c' ? (script ?? '') : '') ?? [];
  return code === undefined ? { does: 'run' } : { does: 'exit', exit: { by: 'code', code: Number(code) } };
}

function failure(stage: LaunchFailure['stage'], errno: number, what: string): Behaviour {
  return { does: 'fail', failure: { stage, errno, what } };
}

/** The `arg` words of a blob; undefined when it is none. */
function argumentsOf(blob: Uint8Array): readonly string[] | undefined {
  const counts: ReadonlyMap<string, number> = new Map(Object.entries(DIRECTIVES));
  const words = Buffer.from(blob).toString('utf8').split('\0').slice(0, -1);
  const found: string[] = [];
  while (words.length > 0) {
    const [word = ''] = words;
    const count = counts.get(word);
    if (count === undefined) return undefined;
    const [, argument] = words.splice(0, 1 + count);
    if (word === 'arg' && argument !== undefined) found.push(argument);
  }
  return found.length === 0 ? undefined : found;
}
