import { constants } from 'node:os';
import { EmperorError } from '@emperor/common/errors';
import type { GracefulStop } from '@emperor/vassal/keeper/keeper';
import { generationOf, type StopCause } from '../core/state.ts';
import type { Held } from '../held.ts';
import { belowOf } from './below-of.ts';
import { recordApplied } from './record.ts';
import type { World } from './world.ts';

const AT_ONCE: GracefulStop = { signal: constants.signals.SIGKILL, timeoutMs: 0 };

/** Ask the app to stop: its stop-signal, to itself or to the whole jail. SIGKILL follows when its time is over. */
export async function stopVassal(world: World, held: Held, cause: StopCause): Promise<void> {
  const generation = generationOf(held.state);
  const lifecycle = held.attempt?.spec?.lifecycle;
  world.emperor.apply(held, { type: 'stop-sent', cause });
  if (held.keeper === undefined || generation === undefined) return;
  const signal = lifecycle?.stopSignal ?? constants.signals.SIGTERM;
  const command = lifecycle?.killMode === 'control-group' ? 'signal-all' : 'signal';
  await held.keeper.send({ do: command, generation, signal });
}

/** SIGKILL to everything in the jail. */
export async function killVassal(world: World, held: Held, cause: StopCause): Promise<void> {
  const generation = generationOf(held.state);
  world.emperor.apply(held, { type: 'kill-sent', cause });
  if (held.keeper === undefined || generation === undefined) return;
  await held.keeper.send({ do: 'kill', generation });
}

/** The jail does not end, or its keeper does not answer: give up the keeper; its end leads to `reap`. */
export async function abandonKeeper(world: World, held: Held): Promise<void> {
  const { keeper } = held;
  world.log.error('keeper given up: its jail does not end', { vassal: held.name, keeperPid: keeper?.pid });
  if (keeper !== undefined) world.killProcess(keeper.pid);
  keeperLost(world, held);
}

/** The connection ended and we did not end it: the keeper is dead and its jail an orphan. */
export function keeperLost(world: World, held: Held): void {
  if (held.keeper === undefined && held.lost) return;
  held.keeper = undefined;
  held.lost = true;
  world.emperor.apply(held, { type: 'keeper-lost' });
}

/** End a keeper of another version; what it may have left is cleaned up as after a dead one. */
export async function replaceForeign(world: World, held: Held, cause: StopCause): Promise<void> {
  const { foreign } = held;
  if (foreign === undefined) return;
  const { version, path, pid } = foreign;
  world.log.info('ending a keeper of another version', { vassal: held.name, version, keeperPid: pid });
  world.emperor.apply(held, { type: 'stop-sent', cause });
  await world.endForeign(path, cause === 'rights' ? AT_ONCE : stopOf(held));
  held.foreign = undefined;
  held.lost = true;
}

function stopOf({ file }: Held): GracefulStop | undefined {
  const lifecycle = file?.good?.spec.lifecycle;
  return lifecycle === undefined
    ? undefined
    : { signal: lifecycle.stopSignal, timeoutMs: lifecycle.stopTimeoutMs };
}

/** Clean up after a dead keeper: kill what it held, remove its control groups. */
export async function reapOrphan(world: World, held: Held): Promise<void> {
  await world.groups.reap(held.name, belowOf(held));
  held.lost = false;
  const generation = generationOf(held.state);
  if (generation !== undefined)
    world.emperor.apply(held, { type: 'gone', generation, jitter: world.random() });
}

/** End the keeper of a vassal that is at rest; its private /tmp goes with it. Tried again until it is gone. */
export async function releaseKeeper(held: Held): Promise<void> {
  const { keeper } = held;
  if (keeper === undefined) return;
  // From here on its end is no loss.
  held.leaving = keeper;
  const errno = await keeper.send({ do: 'quit' }).catch(() => undefined);
  const hasEnded = held.leaving === undefined;
  held.leaving = undefined;
  if (!hasEnded && errno !== 0) {
    const why = errno === undefined ? 'it does not answer' : `errno ${errno}`;
    throw new EmperorError('keeper_failed', `keeper ${keeper.pid} of ${held.name} did not quit: ${why}`);
  }
  held.keeper = undefined;
  held.listener = undefined;
}

/** `reload = signal`: the jail stays, the app is told. */
export async function reloadBySignal(world: World, held: Held): Promise<void> {
  const generation = generationOf(held.state);
  const { file, keeper, attempt } = held;
  if (file === undefined || keeper === undefined || attempt === undefined || generation === undefined) return;
  const rule = attempt.spec?.lifecycle ?? file.good?.spec.lifecycle;
  if (rule === undefined) return;
  held.attempt = { ...attempt, stamp: file.stamp, turns: { ...attempt.turns, reload: held.turns.reload } };
  const errno = await keeper.send({ do: 'signal', generation, signal: rule.reloadSignal });
  recordApplied(world, held);
  if (errno !== 0)
    throw new EmperorError('keeper_failed', `reload signal was not delivered (errno ${errno})`);
  world.log.info('reload signal sent', { vassal: held.name, signal: rule.reloadSignal });
}
