import { readdirSync } from 'node:fs';
import type { Clock } from '@emperor/common/clock';
import { EmperorError, isErrno } from '@emperor/common/errors';
import type { VassalName } from '@emperor/common/name';
import { killAndRemove, listGenerations, removeOwner, sweepEmpty } from '@emperor/vassal/cgroup/cgroup';
import { type GenerationPlace, generationDirectory, versionOf } from '@emperor/vassal/cgroup/hierarchy';
import { planCgroups } from '@emperor/vassal/cgroup/limits';
import { applyLive } from '@emperor/vassal/cgroup/live';
import { isUndertakers, undertakersOf } from '@emperor/vassal/keeper/undertakers';
import type { VassalSpec } from '@emperor/vassal/spec/spec';
import { generationOf } from './core/state.ts';
import type { Groups } from './effects/world.ts';
import type { Held } from './held.ts';
import { type Host, pidsIn } from './host.ts';
import type { UsageTarget } from './ports.ts';

const UNDERTAKER_LOOK_MS = 50;
/** Longer than most hooks may take; then the operator is told, and it is waited for again. */
const UNDERTAKER_PATIENCE_MS = 60_000;

/** The control groups of the vassals, by name and generation. */
export function groupsOf(host: Host, clock: Clock): Groups {
  const { cgroups } = host.facts;
  return {
    adjust: (spec, generation, limits) => applyLive(limits, cgroups, placeOf(host, spec, generation)),
    sweep: (name, below) => sweepEmpty(cgroups, host.instance, { name, below }),
    removeOwner: (ownerUid) => removeOwner(cgroups, host.instance, ownerUid),
    reap: async (name, below) => {
      for (const found of await listGenerations(cgroups, host.instance, { name, below }))
        await killAndRemove(found, clock);
      await undertakersGone(host, clock, name);
    },
  };
}

/** Post-stop hooks outlive a keeper that was killed, and the next launch comes after them. Each has its own time limit. */
async function undertakersGone(host: Host, clock: Clock, name: string): Promise<void> {
  const until = clock.now() + UNDERTAKER_PATIENCE_MS;
  const look = () => undertakersOf(name, host.keeperLeaf === undefined ? allPids() : pidsIn(host.keeperLeaf));
  while ((await look()).length > 0) {
    if (clock.now() >= until) {
      throw new EmperorError('keeper_failed', `post-stop hooks of ${name} do not end`, {
        hint: `see which one: pgrep -af 'undertaker ${name}'; pstree shows what it runs`,
      });
    }
    await new Promise<void>((resolve) => {
      clock.after(UNDERTAKER_LOOK_MS, resolve);
    });
  }
}

function allPids(): readonly number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number);
}

/** Where one generation's groups are. */
export function placeOf(host: Host, spec: VassalSpec, generation: number): GenerationPlace {
  return { instance: host.instance, ownerUid: spec.owner.uid, name: spec.name, generation };
}

/** Names of vassals that have a group somewhere. */
export async function namesWithGroups(host: Host): Promise<ReadonlySet<string>> {
  return new Set((await listGenerations(host.facts.cgroups, host.instance)).map(({ name }) => name));
}

/**
 * End keepers of this instance that did not answer: whatever lives in the keepers' leaf and is none of `known`. What
 * they held is cleaned up as an orphan.
 */
export function killStrayKeepers(host: Host, known: readonly number[]): readonly number[] {
  if (host.keeperLeaf === undefined) return [];
  const strays = pidsIn(host.keeperLeaf).filter((pid) => !known.includes(pid) && !isUndertakers(pid));
  for (const pid of strays) killProcess(pid);
  return strays;
}

/** SIGKILL; a process that is gone already is fine. */
export function killProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!isErrno(error, 'ESRCH')) throw error;
  }
}

/** Where the sampler finds what a running vassal uses; undefined while nothing runs. */
export function usageTargetsOf(host: Host): (held: Held) => UsageTarget | undefined {
  // A status asks for all vassals at once, and a generation's groups stay where they are.
  const known = new WeakMap<VassalSpec, { readonly generation: number; readonly places: UsagePlaces }>();
  return ({ name, state, attempt }) => {
    const generation = generationOf(state);
    const spec = attempt?.spec;
    if (generation === undefined || spec === undefined || !('pids' in state) || state.pids === undefined)
      return undefined;
    const before = known.get(spec);
    const places = before?.generation === generation ? before.places : usagePlacesOf(host, spec, generation);
    known.set(spec, { generation, places });
    return { name, appPid: state.pids.app, sinceMs: state.since, ...places };
  };
}

type UsagePlaces = Omit<UsageTarget, 'name' | 'appPid' | 'sinceMs'>;

function usagePlacesOf(host: Host, spec: VassalSpec, generation: number): UsagePlaces {
  const { cgroups } = host.facts;
  const { limits } = spec;
  const place = { ...placeOf(host, spec, generation), below: limits.cgroups };
  const v1 = (controller: 'memory' | 'pids') => {
    const hierarchy = versionOf(cgroups, controller) === 'v1' ? cgroups.v1.get(controller) : undefined;
    return hierarchy === undefined ? undefined : generationDirectory(hierarchy, place);
  };
  return {
    v2: cgroups.v2 === undefined ? undefined : generationDirectory(cgroups.v2, place),
    memoryV1: limits.memoryMaxBytes === undefined ? undefined : v1('memory'),
    pidsV1: limits.pidsMax === undefined ? undefined : v1('pids'),
    counters: planCgroups(limits, cgroups, place).counters,
  };
}

/** The name of a vassal's log directory and of what an earlier owner of the name left there. */
export function logDirOf(host: Host, name: VassalName): string {
  return `${host.paths.logDir}/${name}`;
}
