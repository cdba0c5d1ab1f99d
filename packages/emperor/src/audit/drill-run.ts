import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '@emperor/common/clock';
import type { Log } from '@emperor/common/log/log';
import type { KeeperFact, LaunchFailure } from '@emperor/vassal/keeper/facts';
import type { Keeper } from '@emperor/vassal/keeper/keeper';
import { nativeKeepers } from '@emperor/vassal/keeper/native-keepers';
import type { Host } from '../host.ts';
import { KEEPER_BINARY } from '../keeper-binary.ts';

/** What became of a prober. */
export type ProberRun = {
  /** The jail could not be built. */
  readonly failure: LaunchFailure | undefined;
  readonly lines: readonly string[];
  readonly isComplete: boolean;
  readonly isOutOfMemory: boolean;
  readonly how: string;
};

export type RunParts = {
  readonly host: Host;
  readonly clock: Clock;
  readonly log: Log;
  readonly directory: string;
  readonly blob: Uint8Array;
};

const NAME = 'drill';
const GENERATION = 1;
const PATIENCE_MS = 60_000;
const END_PATIENCE_MS = 15_000;
const LOOK_MS = 20;
const MOST_LOG_BYTES = 256 * 1024;
const LOG_LIMITS = { maxBytes: 2 ** 30, keep: 0, linesPerSecond: 0 };
const LAST_LINE = 'end';

/** One run of the prober in a keeper of its own, which is gone afterwards. */
export async function runInKeeper(parts: RunParts): Promise<ProberRun> {
  const { host, clock, log, directory, blob } = parts;
  const keepers = nativeKeepers({
    keeperBinary: KEEPER_BINARY,
    keepersDir: join(directory, 'keepers'),
    cgroupLeaf: host.keeperLeaf,
    clock,
    log,
  });
  const facts: KeeperFact[] = [];
  let isGone = false;
  try {
    const keeper = await keepers.start(
      { name: NAME, logDir: join(directory, 'log') },
      {
        onFact: (fact) => facts.push(fact),
        onGone: () => {
          isGone = true;
        },
      },
    );
    const isOver = (): boolean => isGone || facts.some(({ type }) => type === 'gone' || type === 'fail');
    await keeper.send({ do: 'log', limits: LOG_LIMITS });
    await keeper.send({ do: 'launch', generation: GENERATION, tag: '', blob });
    if (!(await until(clock, PATIENCE_MS, isOver))) {
      await keeper.send({ do: 'kill', generation: GENERATION });
      await until(clock, END_PATIENCE_MS, isOver);
    }
    const run = describe(facts, await readLog(join(directory, 'log', 'current')));
    await endKeeper(keeper, () => isGone, clock);
    return run;
  } finally {
    await keepers.close();
  }
}

async function endKeeper(keeper: Keeper, isGone: () => boolean, clock: Clock): Promise<void> {
  if (isGone()) return;
  await keeper.send({ do: 'forget', generation: GENERATION });
  await keeper.send({ do: 'quit' });
  await until(clock, END_PATIENCE_MS, isGone);
}

function describe(facts: readonly KeeperFact[], lines: readonly string[]): ProberRun {
  const failed = facts.find((fact) => fact.type === 'fail');
  const exited = facts.find((fact) => fact.type === 'exited');
  const isComplete = lines.at(-1) === LAST_LINE;
  const killed = exited?.exit.by === 'signal' && exited.exit.signal === 'SIGKILL';
  const oomKills = exited?.counters['oom_kill'] ?? 0;
  return {
    failure: failed?.failure,
    lines,
    isComplete,
    isOutOfMemory: !isComplete && killed && oomKills > 0,
    how: exited === undefined ? 'it was killed when its time was over' : howOf(exited.exit),
  };
}

function howOf(exit: Extract<KeeperFact, { type: 'exited' }>['exit']): string {
  return exit.by === 'code' ? `exit code ${exit.code}` : `signal ${exit.signal}`;
}

/** Lines of the log, without stamp and stream. */
async function readLog(path: string): Promise<readonly string[]> {
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return [];
  try {
    const buffer = Buffer.alloc(MOST_LOG_BYTES);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
    const lines = buffer.toString('utf8', 0, bytesRead).split('\n');
    return lines.slice(0, -1).flatMap((line) => /^\S+ out (.*)$/.exec(line)?.[1] ?? []);
  } finally {
    await file.close();
  }
}

async function until(clock: Clock, ms: number, holds: () => boolean): Promise<boolean> {
  const end = clock.now() + ms;
  while (!holds()) {
    if (clock.now() >= end) return false;
    await new Promise<void>((resolve) => void clock.after(LOOK_MS, resolve));
  }
  return true;
}
