import type { Held } from '../held.ts';
import { tombstone } from '../store/memory.ts';
import { adjustVassal } from './adjust.ts';
import {
  abandonKeeper,
  killVassal,
  reapOrphan,
  releaseKeeper,
  reloadBySignal,
  replaceForeign,
  stopVassal,
} from './end.ts';
import type { Executors } from './executors.ts';
import { startVassal } from './start.ts';
import type { World } from './world.ts';

/** Every kind of step, done for real in `world`. */
export function executorsIn(world: World): Executors {
  return {
    start: (held, { fresh }) => startVassal(world, held, fresh),
    stop: (held, { cause }) => stopVassal(world, held, cause),
    kill: (held, { cause }) => killVassal(world, held, cause),
    abandon: (held) => abandonKeeper(world, held),
    reload: (held) => reloadBySignal(world, held),
    adjust: (held) => adjustVassal(world, held),
    reap: (held) => reapOrphan(world, held),
    replace: (held, { cause }) => replaceForeign(world, held, cause),
    release: (held) => releaseKeeper(held),
    settle: async (held) => world.emperor.apply(held, { type: 'unwanted' }),
    forget: (held) => forgetVassal(world, held),
  };
}

async function forgetVassal(world: World, held: Held): Promise<void> {
  const ownerUid = held.keptFor ?? held.attempt?.ownerUid;
  if (ownerUid !== undefined) world.store.saveLater(held.name, tombstone(ownerUid));
  world.freeUid(held.name);
  world.emperor.drop(held);
  if (ownerUid !== undefined && !hasOthers(world, ownerUid)) await world.groups.removeOwner(ownerUid);
  world.log.info('vassal forgotten', { vassal: held.name });
}

function hasOthers(world: World, ownerUid: number): boolean {
  for (const other of world.emperor.vassals.values()) {
    if ((other.attempt?.ownerUid ?? other.file?.ownerUid) === ownerUid) return true;
  }
  return false;
}
