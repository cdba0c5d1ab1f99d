import {
  type BigIntStats,
  close,
  closeSync,
  constants,
  fstat,
  fstatSync,
  lstatSync,
  open,
  openSync,
  readdirSync,
  readlinkSync,
} from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';

import type { Clock } from '@emperor/common/clock';
import { type ReadOwned, readOwned, readOwnedSync } from '@emperor/common/fs/read-owned';

type Awaitable<T> = T | Promise<T>;

/** A directory held open: `fd` walks on from it whatever happens to its name. */
export type OpenDirectory = { readonly fd: number; readonly stat: BigIntStats };

/** What the monitor asks of the file system. Errors are Node's, with a code. */
export type Disk = {
  readonly lstat: (at: string) => Awaitable<BigIntStats>;
  readonly readlink: (at: string) => Awaitable<string>;
  readonly readdir: (at: string) => Awaitable<readonly string[]>;
  /** Opens no content and follows no link. */
  readonly openDirectory: (at: string) => Awaitable<OpenDirectory>;
  readonly read: (at: string, maxBytes: number) => Awaitable<ReadOwned>;
};

/** Linux's O_PATH, which Node does not name. */
const O_PATH = 0o10000000;
const DIRECTORY_FLAGS = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** For file systems of this machine: a call costs microseconds, a round through the thread pool many times that. */
export const quickDisk: Disk = {
  lstat: (at) => lstatSync(at, { bigint: true }),
  readlink: (at) => readlinkSync(at),
  readdir: (at) => readdirSync(at),
  openDirectory: (at) => {
    const fd = openSync(at, DIRECTORY_FLAGS);
    return { fd, stat: fstatSync(fd, { bigint: true }) };
  },
  read: (at, maxBytes) => readOwnedSync(at, { maxBytes }),
};

/**
 * How many calls may hang at the same time. Each occupies one of the four threads of Node's pool for as long as it
 * hangs, and the emperor writes its own state through that pool.
 */
const MOST_HANGING = 2;

/** Calls that may hang, counted until they really end. */
export class HangingCalls {
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  /** Runs `call` when there is room; it counts until it ends, even if nobody waits for it any more. */
  async run<T>(call: () => Promise<T>): Promise<T> {
    if (this.#running >= MOST_HANGING) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running += 1;
    try {
      return await call();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }
}

/** A file system did not answer in time. */
export class TimedOut extends Error {}

/** For file systems that may hang: gives up after `patienceMs` in all and throws TimedOut. */
export function patientDisk(clock: Clock, calls: HangingCalls, patienceMs: number): Disk {
  const until = clock.now() + patienceMs;
  let over = false;
  const ask = async <T>(call: () => Promise<T>, discard?: (late: T) => void): Promise<T> => {
    const result = calls.run(async () => {
      if (over) throw new TimedOut();
      return call();
    });
    try {
      return await within(clock, until - clock.now(), result);
    } catch (error) {
      over ||= error instanceof TimedOut;
      void result.then(discard, ignore);
      throw error;
    }
  };
  return {
    lstat: async (at) => ask(async () => lstat(at, { bigint: true })),
    readlink: async (at) => ask(async () => readlink(at)),
    readdir: async (at) => ask(async () => readdir(at)),
    openDirectory: async (at) =>
      ask(
        async () => openDirectory(at),
        (late) => closeLater(late.fd),
      ),
    read: async (at, maxBytes) => ask(async () => readOwned(at, { maxBytes })),
  };
}

/** Never waits: what is closed may lie on a file system that hangs. */
export function closeLater(fd: number): void {
  close(fd, ignore);
}

async function within<T>(clock: Clock, ms: number, result: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(ms, () => reject(new TimedOut()));
    void result.then(resolve, reject).finally(cancel);
  });
}

async function openDirectory(at: string): Promise<OpenDirectory> {
  const fd = await new Promise<number>((resolve, reject) =>
    open(at, DIRECTORY_FLAGS, (error, opened) => (error === null ? resolve(opened) : reject(error))),
  );
  return new Promise((resolve, reject) =>
    fstat(fd, { bigint: true }, (error, stat) => {
      if (error === null) return resolve({ fd, stat });
      closeSync(fd);
      return reject(error);
    }),
  );
}

function ignore(): void {}
