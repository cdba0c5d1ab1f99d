import type { Log } from '@emperor/common/log/log';
import { decodeVassalName } from '@emperor/common/name';
import type { Keeper, KeeperListener } from '@emperor/vassal/keeper/keeper';
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
  for (const { path, version, name } of found.foreign) {
    log.error('keeper of another version', { vassal: name, version, path });
    const held = holdForeign(world, name, version);
    if (held !== undefined) foreign.add(name);
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

/** It goes on as it is and is left alone: we do not speak its language beyond the frozen core. */
function holdForeign(world: World, text: string, version: number): Held | undefined {
  const name = decodeVassalName(text);
  if (name === undefined) return undefined;
  const held = world.emperor.hold(name);
  held.foreign = version;
  held.trouble = `held by a keeper that speaks version ${version} of the protocol`;
  return held;
}

function listenerOf(world: World, text: string): KeeperListener {
  const name = decodeVassalName(text);
  if (name === undefined) return { onFact: () => undefined, onGone: () => undefined };
  return listenTo(world, world.emperor.hold(name));
}

function attach(world: World, keeper: Keeper): void {
  const name = decodeVassalName(keeper.name);
  if (name === undefined) return;
  const held = world.emperor.hold(name);
  held.keeper = keeper;
  for (const generation of held.unforgotten.splice(0)) {
    keeper.send({ do: 'forget', generation }).catch((error: unknown) => {
      world.log.debug('forget not acknowledged', { vassal: name, generation, error: String(error) });
    });
  }
}
