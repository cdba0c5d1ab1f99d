import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { describeError, EmperorError, isErrno } from '@emperor/common/errors';
import { type Attached, attachKeeper, removeSocket } from './attach.ts';
import { endForeignKeeper, seeForeignKeeper } from './foreign.ts';
import type {
  AdoptResult,
  ForeignFound,
  GracefulStop,
  Keeper,
  KeeperListener,
  KeeperStart,
  Keepers,
} from './keeper.ts';
import { Spawner, type SpawnerOptions } from './spawner.ts';

/** Keeper sockets have short names: a path of a unix socket has 107 bytes. */
const ID_BYTES = 6;
const ID = /^[0-9a-f]{12}$/;
const MOST_ATTACHING = 256;

/** Keepers as processes of the native program. `keepersDir` is root's, 0700, and exists. */
export function nativeKeepers(options: SpawnerOptions): Keepers {
  return new NativeKeepers(options);
}

class NativeKeepers implements Keepers {
  readonly #options: SpawnerOptions;
  readonly #spawner: Spawner;
  readonly #attached = new Set<Keeper>();

  constructor(options: SpawnerOptions) {
    this.#options = options;
    this.#spawner = new Spawner(options);
  }

  start = async (start: KeeperStart, listener: KeeperListener): Promise<Keeper> => {
    const id = randomBytes(ID_BYTES).toString('hex');
    const pid = await this.#spawner.spawnKeeper(id, start);
    const attached = await this.#attach(id, () => listener);
    if (attached.is === 'attached') return attached.keeper;
    // It may be alive and deaf: nobody would ever find it again.
    killIfAlive(pid);
    await removeSocket(this.#pathOf(id));
    throw new EmperorError(
      'keeper_failed',
      `the new keeper of ${start.name} is no use: ${explain(attached)}`,
    );
  };

  adopt = async (listen: (name: string) => KeeperListener): Promise<AdoptResult> => {
    const ids = (await readdir(this.#options.keepersDir)).filter((entry) => ID.test(entry));
    const results: Found[] = [];
    const next = ids.values();
    const worker = async (): Promise<void> => {
      for (const id of next) results.push(await this.#find(id, listen));
    };
    await Promise.all(Array.from({ length: Math.min(MOST_ATTACHING, ids.length) }, worker));
    return sortOut(results);
  };

  endForeign = (path: string, stop?: GracefulStop): Promise<void> => {
    const { clock, log } = this.#options;
    return endForeignKeeper({ path, clock, log, stop });
  };

  close = async (): Promise<void> => {
    for (const keeper of this.#attached) keeper.detach();
    this.#attached.clear();
    await this.#spawner.close();
  };

  async #attach(id: string, listen: (name: string) => KeeperListener): Promise<Attached> {
    const { clock, log } = this.#options;
    let keeper: Keeper | undefined;
    const listenAndForget = (name: string): KeeperListener => {
      const listener = listen(name);
      const onGone = () => {
        if (keeper !== undefined) this.#attached.delete(keeper);
        listener.onGone();
      };
      return { onFact: listener.onFact, onGone };
    };
    const attached = await attachKeeper({ path: this.#pathOf(id), clock, log, listen: listenAndForget });
    if (attached.is === 'attached') {
      keeper = attached.keeper;
      this.#attached.add(keeper);
    }
    return attached;
  }

  async #find(id: string, listen: (name: string) => KeeperListener): Promise<Found> {
    const path = this.#pathOf(id);
    const attached = await this.#attach(id, listen);
    if (attached.is !== 'foreign') return { ...attached, path };
    const { clock, log } = this.#options;
    try {
      return { ...attached, path, launched: await seeForeignKeeper({ path, clock, log }) };
    } catch (error) {
      return { is: 'unreachable', path, reason: describeError(error) };
    }
  }

  #pathOf(id: string): string {
    return `${this.#options.keepersDir}/${id}`;
  }
}

function killIfAlive(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!isErrno(error, 'ESRCH')) throw error;
  }
}

type Found = { readonly path: string } & (
  | Exclude<Attached, { is: 'foreign' }>
  | ({ readonly is: 'foreign' } & ForeignFound)
);

function sortOut(results: readonly Found[]): AdoptResult {
  return {
    keepers: results.flatMap((found) => (found.is === 'attached' ? [found.keeper] : [])),
    foreign: results.flatMap((found) => (found.is === 'foreign' ? [found] : [])),
    unreachable: results.flatMap((found) =>
      found.is === 'unreachable' ? [{ path: found.path, reason: found.reason }] : [],
    ),
  };
}

function explain(attached: Exclude<Attached, { is: 'attached' }>): string {
  switch (attached.is) {
    case 'foreign':
      return `it speaks version ${attached.version} of the protocol`;
    case 'dead':
      return 'it died at once';
    case 'unreachable':
      return attached.reason;
  }
}
