import type { Remembered } from '../core/file-state.ts';

/**
 * What outlives the emperor about one vassal: the file as it was last seen with its last good text, the stop mark,
 * and which revision was applied live to which generation (the launch's tag cannot change).
 */
export type Memory = Remembered & {
  readonly ownerUid: number;
  readonly stopped: boolean;
  readonly applied: Applied | undefined;
};

/** What a running generation was changed to since its launch, whose tag cannot change. */
export type Applied = {
  readonly generation: number;
  readonly keeperPid: number;
  readonly revision: string;
  readonly stamp: string;
};

/** What is left of a vassal that is gone: whose it was, so that another owner of the name inherits nothing. */
export function tombstone(ownerUid: number): Memory {
  return {
    mtime: '',
    textHash: '',
    stamp: '',
    good: undefined,
    ownerUid,
    stopped: false,
    applied: undefined,
  };
}

/** Where memories are kept. `saveNow` resolves when it is durable and rejects with EmperorError('state_unwritable'). */
export type MemoryStore = {
  readonly load: (name: string) => Memory | undefined;
  /** Soon, in the background, newest wins. */
  readonly saveLater: (name: string, memory: Memory) => void;
  readonly saveNow: (name: string, memory: Memory) => Promise<void>;
  /** Wait for everything that is on its way. */
  readonly flush: () => Promise<void>;
};
