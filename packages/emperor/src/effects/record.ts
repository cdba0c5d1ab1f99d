import { hash } from 'node:crypto';
import { generationOf } from '../core/state.ts';
import type { Held } from '../held.ts';
import type { Memory } from '../store/memory.ts';
import type { World } from './world.ts';

/** Hash of a file's text, only ever compared with itself. */
export function textHash(text: string): string {
  return hash('sha256', text, 'base64url').slice(0, 22);
}

/** What of this vassal must outlive the emperor; undefined while there is no file to speak of. */
export function memoryOf(held: Held): Memory | undefined {
  const { file } = held;
  if (file === undefined || file.ownerUid === undefined) return undefined;
  return {
    mtime: file.mtime,
    textHash: textHash(file.text),
    stamp: file.stamp,
    good: file.good === undefined ? undefined : { text: file.good.text, ownerUid: file.good.ownerUid },
    ownerUid: held.keptFor ?? file.ownerUid,
    stopped: held.stopMark,
    applied: held.memory?.applied,
  };
}

/** The running generation was changed after its launch: note it for the next emperor. */
export function recordApplied(world: Pick<World, 'store'>, held: Held): void {
  const { attempt, keeper } = held;
  const generation = generationOf(held.state);
  const memory = memoryOf(held);
  if (attempt === undefined || keeper === undefined || generation === undefined || memory === undefined)
    return;
  const { revision, stamp } = attempt;
  held.memory = { ...memory, applied: { generation, keeperPid: keeper.pid, revision, stamp } };
  world.store.saveLater(held.name, held.memory);
}
