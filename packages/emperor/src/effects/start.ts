import { describeError, EmperorError } from '@emperor/common/errors';
import type { VassalSpec } from '@emperor/vassal/spec/spec';
import { failuresOf } from '../core/state.ts';
import { encodeTag } from '../core/tag.ts';
import { type Held, seenOf } from '../held.ts';
import { logLimits } from './log-limits.ts';
import { memoryOf, textHash } from './record.ts';
import type { World } from './world.ts';

/** Start the next generation: a keeper if there is none, then a jail in it. */
export async function startVassal(world: World, held: Held, fresh: boolean): Promise<void> {
  const good = held.file?.good;
  if (good === undefined || held.file === undefined) return;
  const generation = held.generation + 1;
  held.generation = generation;
  held.statusText = undefined;
  if (!fresh) held.restarts += 1;
  const before = held.keptFor ?? held.attempt?.ownerUid;
  const { spec, revision, ownerUid } = good;
  held.attempt = { spec, revision, ownerUid, stamp: held.file.stamp, turns: held.turns };
  world.emperor.apply(held, { type: 'start-sent', generation, fresh });
  try {
    if (before !== undefined && before !== ownerUid) await disinherit(world, held);
    keepFor(world, held, ownerUid);
    await launch(world, held, { spec, revision, generation });
  } catch (error) {
    if (!(error instanceof EmperorError))
      world.log.error('start failed', { vassal: held.name, stack: stackOf(error) });
    const hint = error instanceof EmperorError ? error.hint : undefined;
    world.emperor.apply(held, {
      type: 'prepare-failed',
      message: describeError(error),
      hint,
      jitter: world.random(),
    });
  }
}

/** Another owner of the name inherits nothing: no log, and no word of what happened to the one before. */
async function disinherit(world: World, held: Held): Promise<void> {
  Object.assign(held, { lastEnded: undefined, restarts: 0, counted: {}, droppedLines: 0 });
  held.history.clear();
  await world.disinherit(held.name);
}

function keepFor(world: World, held: Held, ownerUid: number): void {
  if (held.keptFor === ownerUid) return;
  held.keptFor = ownerUid;
  const memory = memoryOf(held);
  if (memory !== undefined) world.store.saveLater(held.name, memory);
}

type What = { readonly spec: VassalSpec; readonly revision: string; readonly generation: number };

async function launch(world: World, held: Held, { spec, revision, generation }: What): Promise<void> {
  const starting = keeperOf(world, held);
  const preparing = world.prepare(spec, generation);
  // Also when one fails: a keeper that comes after all must find its vassal still held.
  await Promise.allSettled([starting, preparing]);
  const [keeper, { blob }] = [await starting, await preparing];
  const tag = encodeTag({
    revision,
    stamp: held.attempt?.stamp ?? '',
    mtime: held.file?.mtime ?? '',
    textHash: textHash(held.file?.text ?? ''),
    ownerUid: spec.owner.uid,
    failures: failuresOf(held.state),
    restarts: held.restarts,
    readyAfterMs: readyAfterMs(spec),
  });
  // The ends of earlier generations were kept until now, for an emperor that would have to know of them.
  for (const ended of held.unforgotten.splice(0)) forget(world, held, ended);
  // All at once: the keeper answers in order, and one turn of the loop less is half a millisecond.
  const limits = keeper.send({ do: 'log', limits: logLimits(spec.output) });
  const launched = keeper.send({ do: 'launch', generation, tag, blob });
  await Promise.all([limits, launched]);
}

function forget(world: World, held: Held, generation: number): void {
  held.keeper?.send({ do: 'forget', generation }).catch((error: unknown) => {
    world.log.debug('forget not acknowledged', { vassal: held.name, generation, error: String(error) });
  });
}

async function keeperOf(world: World, held: Held): ReturnType<World['startKeeper']> {
  if (seenOf(held).keeper === 'held' && held.keeper !== undefined) return held.keeper;
  const listener = world.listen(held);
  const keeper = await world.startKeeper(held.name, listener);
  held.keeper = keeper;
  held.listener = listener;
  return keeper;
}

/** What `launched` alone proves; undefined when the keeper will say `ready`. */
function readyAfterMs(spec: VassalSpec): number | undefined {
  const { ready } = spec.lifecycle;
  if (ready.by === 'auto' || ready.by === 'spawn') return 0;
  return ready.by === 'delay' ? ready.ms : undefined;
}

function stackOf(error: unknown): string | undefined {
  return error instanceof Error ? error.stack : undefined;
}
