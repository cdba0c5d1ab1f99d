import { generationOf } from '../core/state.ts';
import type { Held } from '../held.ts';
import { logLimits } from './log-limits.ts';
import { recordApplied } from './record.ts';
import type { World } from './world.ts';

/** Apply an edit that needs no new jail: limits to the running generation, output limits to the keeper. */
export async function adjustVassal(world: World, held: Held): Promise<void> {
  const generation = generationOf(held.state);
  const good = held.file?.good;
  const { attempt, keeper } = held;
  if (good === undefined || attempt === undefined || keeper === undefined || generation === undefined) return;
  const refused = await world.groups.adjust(good.spec, generation, good.spec.limits);
  await keeper.send({ do: 'log', limits: logLimits(good.spec.output) });
  held.attempt = { ...attempt, spec: good.spec, revision: good.revision };
  held.refused = refused;
  held.adjusted = true;
  recordApplied(world, held);
  world.log.info('limits changed live', { vassal: held.name, revision: good.revision });
}
