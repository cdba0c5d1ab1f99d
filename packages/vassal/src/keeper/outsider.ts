import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Clock } from '@emperor/common/clock';
import { EmperorError } from '@emperor/common/errors';

const PATIENCE_MS = 5_000;

export type OutsiderOptions = {
  readonly keeperBinary: string;
  readonly uid: number;
  readonly gid: number;
  /** Of its abstract socket, its files and its key. */
  readonly name: string;
  readonly clock: Clock;
};

/** A process outside of every jail that a drill aims at; 0 where it has no such thing. */
export type Outsider = {
  readonly pid: number;
  readonly shmKey: number;
  readonly port: number;
  /** Resolves when it has taken away what it made and ended. */
  readonly close: () => Promise<void>;
};

/** Start it and wait until it says where it is. It ends with us. */
export async function startOutsider(options: OutsiderOptions): Promise<Outsider> {
  const { keeperBinary, uid, gid, name, clock } = options;
  const child = spawn(keeperBinary, ['outsider', String(uid), String(gid), name], {
    stdio: ['pipe', 'pipe', 'ignore'],
    cwd: '/',
    env: {},
    detached: true,
  });
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  child.stdin.on('error', () => undefined);
  const said = await hear(child, clock);
  const close = async (): Promise<void> => {
    const cancel = clock.after(PATIENCE_MS, () => child.kill('SIGKILL'));
    child.stdin.end();
    await closed;
    cancel();
  };
  const pid = said.get('outsider');
  if (pid === undefined) {
    await close();
    throw new EmperorError('keeper_failed', 'the process outside of the drill could not be started');
  }
  return { pid, shmKey: said.get('shm') ?? 0, port: said.get('port') ?? 0, close };
}

/** Its lines `WORD NUMBER`, up to the last one. */
function hear(child: ChildProcess, clock: Clock): Promise<ReadonlyMap<string, number>> {
  const said = new Map<string, number>();
  return new Promise((resolve) => {
    const end = (): void => {
      cancel();
      resolve(said);
    };
    const cancel = clock.after(PATIENCE_MS, end);
    child.on('error', end);
    child.once('close', end);
    if (child.stdout === null) return end();
    createInterface({ input: child.stdout }).on('line', (line) => {
      const [, word, digits] = /^([a-z]+) (\d{1,10})$/.exec(line) ?? [];
      if (word !== undefined) said.set(word, Number(digits));
      if (word === 'abstract') end();
    });
  });
}
