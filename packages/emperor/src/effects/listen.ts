import { assertNever } from '@emperor/common/assert';
import type { KeeperFact } from '@emperor/vassal/keeper/facts';
import { hintForFailure } from '@emperor/vassal/keeper/failure';
import type { KeeperListener } from '@emperor/vassal/keeper/keeper';
import { addCounters } from '../core/counted.ts';
import { decodeTag } from '../core/tag.ts';
import type { Held } from '../held.ts';
import { belowOf } from './below-of.ts';
import { keeperLost } from './end.ts';
import type { World } from './world.ts';

type FactOf<T extends KeeperFact['type']> = Extract<KeeperFact, { type: T }>;

/** What one vassal's keeper says becomes events, live and replayed alike. */
export function listenTo(world: World, held: Held): KeeperListener {
  const listener: KeeperListener = {
    onFact: (fact) => hearInTime(world, held, fact),
    // The end of a keeper that was let go may be heard when the next one is held already.
    onGone: () => (held.listener === listener ? lost(world, held) : undefined),
  };
  return listener;
}

/** Before the emperor has begun, facts wait; what a generation was launched with is needed to read the files. */
function hearInTime(world: World, held: Held, fact: KeeperFact): void {
  if (world.emperor.hasBegun) return hear(world, held, fact);
  if (fact.type === 'launched' || fact.type === 'launching') remember(held, fact);
  held.replay.push(fact);
}

/** A keeper that quits at our word is no loss. */
function lost(world: World, held: Held): void {
  if (held.keeper === undefined) return;
  if (held.leaving !== undefined) {
    held.leaving = undefined;
    return;
  }
  world.log.error('keeper died', { vassal: held.name, keeperPid: held.keeper.pid });
  keeperLost(world, held);
}

function hear(world: World, held: Held, fact: KeeperFact): void {
  const { emperor } = world;
  switch (fact.type) {
    case 'launching':
      return launching(world, held, fact);
    case 'launched':
      return launched(world, held, fact);
    case 'ready':
      return emperor.apply(held, fact);
    case 'notify':
      return notified(world, held, fact);
    case 'touched':
      held.turns = { ...held.turns, reload: held.turns.reload + 1 };
      return emperor.mark(held);
    case 'fail':
      emperor.apply(held, {
        type: 'launch-failed',
        generation: fact.generation,
        failure: fact.failure,
        jitter: world.random(),
      });
      return settled(world, held, fact.generation);
    case 'exited':
      return exited(world, held, fact);
    case 'gone':
      emperor.apply(held, { type: 'gone', generation: fact.generation, jitter: world.random() });
      return settled(world, held, fact.generation);
    case 'dropped':
      held.droppedLines = fact.lines;
      return;
    case 'trouble':
      held.trouble = hintForFailure(fact.failure).message;
      return;
    case 'hello':
    case 'ack':
    case 'replayed':
      return;
    default:
      return assertNever(fact);
  }
}

/** Another emperor's launch that has not succeeded yet, or failed. */
function launching(world: World, held: Held, { generation, tag }: FactOf<'launching'>): void {
  held.generation = Math.max(held.generation, generation);
  const failures = decodeTag(tag)?.failures ?? 0;
  world.emperor.apply(held, { type: 'start-sent', generation, fresh: false, failures });
}

function launched(world: World, held: Held, fact: FactOf<'launched'>): void {
  const { generation, at, appPid, initPid, tag } = fact;
  held.generation = Math.max(held.generation, generation);
  const carried = decodeTag(tag);
  world.emperor.apply(held, {
    type: 'launched',
    generation,
    at,
    pids: { app: appPid, init: initPid },
    readyAfterMs: carried?.readyAfterMs,
    failures: carried?.failures ?? 0,
  });
}

/** For a generation that another emperor started: what it was started with. */
function remember(held: Held, fact: FactOf<'launched' | 'launching'>): void {
  const tag = decodeTag(fact.tag);
  if (tag === undefined) return;
  const applied = held.memory?.applied;
  const { revision, stamp } = applied?.generation === fact.generation ? applied : tag;
  const good = held.file?.good;
  held.restarts = tag.restarts;
  held.launchedWith = { mtime: tag.mtime, textHash: tag.textHash, stamp, good: undefined };
  held.attempt = {
    spec: good?.revision === revision ? good.spec : undefined,
    revision,
    ownerUid: tag.ownerUid,
    stamp,
    turns: held.turns,
  };
}

function notified(world: World, held: Held, { generation, key, value }: FactOf<'notify'>): void {
  switch (key) {
    case 'STATUS':
      held.statusText = value;
      return;
    case 'WATCHDOG':
      return world.emperor.apply(held, { type: 'heard', generation });
    case 'EXTEND_TIMEOUT_USEC': {
      const byMs = Number(value) / 1_000;
      return Number.isFinite(byMs)
        ? world.emperor.apply(held, { type: 'extend', generation, byMs })
        : undefined;
    }
    case 'ERRNO':
      held.statusText = `errno ${value}`;
      return;
    case 'STOPPING':
    case 'RELOADING':
    case 'WATCHDOG_USEC':
      return;
    default:
      return assertNever(key);
  }
}

function exited(world: World, held: Held, fact: FactOf<'exited'>): void {
  const { generation, at, exit, counters } = fact;
  held.lastEnded = { by: 'exit', exit, counters };
  held.counted = addCounters(held.counted, counters);
  world.emperor.apply(held, { type: 'exited', generation, at, exit, counters });
}

/** It is over; the keeper keeps the record of it until the next launch, for an emperor that comes after a crash. */
function settled(world: World, held: Held, generation: number): void {
  held.unforgotten.push(generation);
  if (!held.adjusted && belowOf(held).length === 0) return;
  held.adjusted = false;
  world.groups.sweep(held.name, belowOf(held)).catch((error: unknown) => {
    world.log.warn('groups not removed', { vassal: held.name, error: String(error) });
  });
}

/**
 * What keepers replayed while they were being adopted, now that the files have been read: the rules of a vassal
 * decide what its end means.
 */
export function replayAdopted(world: World): void {
  for (const held of world.emperor.vassals.values()) {
    for (const fact of held.replay.splice(0)) hear(world, held, fact);
    if (held.lost) world.emperor.apply(held, { type: 'keeper-lost' });
  }
}
