import type { Log } from '@emperor/common/log/log';
import { decodeVassalName } from '@emperor/common/name';
import type { ForeignFound, Keeper, KeeperListener } from '@emperor/vassal/keeper/keeper';
import { listenTo } from './effects/listen.ts';
import type { World } from './effects/world.ts';
import { killStrayKeepers, namesWithGroups } from './groups.ts';
import type { Held } from './held.ts';
import type { Host } from './host.ts';

type Parts = { readonly world: World; readonly host: Host; readonly log: Log };

/**
 * Take over what an earlier emperor left: keepers that answer are adopted with what they replay, jails whose keeper
 * is gone or does not answer are marked for cleaning up. Resolves with the number of adopted keepers.
 */
export async function adoptKeepers({ world, host, log }: Parts): Promise<number> {
  const found = await host.keepers.adopt((text) => listenerOf(world, text));
  for (const keeper of found.keepers) attach(world, keeper);
  const foreign = new Set<string>();
  for (const keeper of found.foreign) {
    const { path, version, pid, name } = keeper;
    log.error('keeper of another version', { vassal: name, version, path, keeperPid: pid });
    if (holdForeign(world, keeper) !== undefined) foreign.add(name);
  }
  for (const { path, reason } of found.unreachable) log.error('keeper does not answer', { path, reason });
  // A keeper of another version is alive and well: then nothing in the leaf can be told to be a stray.
  const strays =
    found.foreign.length > 0
      ? []
      : killStrayKeepers(
          host,
          found.keepers.map(({ pid }) => pid),
        );
  for (const pid of strays) log.error('keeper without an answer killed', { keeperPid: pid });
  const adopted = new Set(found.keepers.map(({ name }) => name));
  for (const text of await namesWithGroups(host)) {
    const name = decodeVassalName(text);
    if (name === undefined || adopted.has(text) || foreign.has(text)) continue;
    log.warn('jail without a keeper', { vassal: name });
    world.emperor.hold(name).lost = true;
  }
  return found.keepers.length;
}

/** What runs in it goes on as it is: we do not speak its language beyond the frozen core. */
export function holdForeign(world: Pick<World, 'emperor'>, found: ForeignFound): Held | undefined {
  const name = decodeVassalName(found.name);
  if (name === undefined) return undefined;
  const held = world.emperor.hold(name);
  const { version, path, pid, launched } = found;
  held.foreign = { version, path, pid };
  if (launched === undefined) return held;
  const { generation, at, appPid, initPid } = launched;
  held.generation = Math.max(held.generation, generation);
  const pids = { app: appPid, init: initPid };
  world.emperor.apply(held, { type: 'launched', generation, at, pids, readyAfterMs: 0, failures: 0 });
  return held;
}

function listenerOf(world: World, text: string): KeeperListener {
  const name = decodeVassalName(text);
  if (name === undefined) return { onFact: () => undefined, onGone: () => undefined };
  const held = world.emperor.hold(name);
  held.listener = listenTo(world, held);
  return held.listener;
}

function attach(world: World, keeper: Keeper): void {
  const name = decodeVassalName(keeper.name);
  if (name === undefined) return;
  const held = world.emperor.hold(name);
  held.keeper = keeper;
}
