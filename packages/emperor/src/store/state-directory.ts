import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cancel, Clock } from '@emperor/common/clock';
import { describeError, EmperorError } from '@emperor/common/errors';
import { atomicWrite } from '@emperor/common/fs/atomic-write';
import type { Log } from '@emperor/common/log/log';
import type { Memory, MemoryStore } from './memory.ts';
import { decodeMemory, encodeMemory } from './memory-json.ts';

const SAVE_AFTER_MS = 5;
/** So few are written at once, whatever else is going on. */
const A_FEW = 4;
const LOOK_AGAIN_MS = 200;
const LONGEST_WAIT_MS = 10_000;
const WRITES_AT_ONCE = 4;

export type StateDirectoryParts = {
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Log;
  /** false while there is something better to do: background saves then wait, for ten seconds at most. */
  readonly isQuiet: () => boolean;
};

/**
 * Memories as files `DIRECTORY/vassals/NAME.json`. Background saves wait while vassals are being launched, so
 * that a boot of 1,000 is not slowed by 1,000 writes; what a command promises (`saveNow`) is on disk before it is answered.
 */
export function stateDirectory({ directory, clock, log, isQuiet }: StateDirectoryParts): MemoryStore {
  const vassals = join(directory, 'vassals');
  mkdirSync(vassals, { recursive: true, mode: 0o700 });
  const pending = new Map<string, Memory>();
  /** The newest of each name that is not on disk yet: what was saved counts at once. */
  const unwritten = new Map<string, Memory>();
  let timer: Cancel | undefined;
  let writing: Promise<void> = Promise.resolve();
  const pathOf = (name: string) => join(vassals, `${name}.json`);

  const write = async (name: string, memory: Memory, durable: boolean) => {
    await atomicWrite(pathOf(name), encodeMemory(memory), { mode: 0o600, durable });
    if (unwritten.get(name) === memory) unwritten.delete(name);
  };
  const drain = async (batch: Iterable<readonly [string, Memory]>) => {
    for (const [name, memory] of batch) {
      await write(name, memory, false).catch((error: unknown) =>
        log.warn('state not saved', { vassal: name, error: describeError(error) }),
      );
    }
  };
  /** What is pending now: what comes while it is written waits for a quiet moment of its own. */
  const flush = () => {
    timer?.();
    timer = undefined;
    const batch = [...pending].values();
    pending.clear();
    writing = writing.then(async () => {
      await Promise.all(Array.from({ length: WRITES_AT_ONCE }, () => drain(batch)));
    });
    return writing;
  };

  const whenQuiet = (since: number) => {
    if (pending.size <= A_FEW || isQuiet() || clock.now() - since > LONGEST_WAIT_MS) void flush();
    else timer = clock.after(LOOK_AGAIN_MS, () => whenQuiet(since));
  };

  return {
    load: (name) => unwritten.get(name) ?? load(pathOf(name), log),
    saveLater: (name, memory) => {
      pending.set(name, memory);
      unwritten.set(name, memory);
      timer ??= clock.after(SAVE_AFTER_MS, () => whenQuiet(clock.now()));
    },
    saveNow: async (name, memory) => {
      pending.delete(name);
      unwritten.set(name, memory);
      const written = writing.then(() => write(name, memory, true));
      writing = written.catch(() => undefined);
      await written.catch((cause: unknown) => {
        throw new EmperorError('state_unwritable', `cannot write ${pathOf(name)}`, { cause });
      });
    },
    flush,
  };
}

function load(path: string, log: Log): Memory | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
  const memory = decodeMemory(text);
  if (memory === undefined) log.warn('state file ignored: it is not one of ours', { path });
  return memory;
}
