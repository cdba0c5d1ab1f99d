import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '@emperor/common/clock';
import { STATUS_FORMAT } from '@emperor/common/control/api';
import type { DrillAttemptJson, DrillJson } from '@emperor/common/control/proof';
import { describeError, EmperorError } from '@emperor/common/errors';
import type { Log } from '@emperor/common/log/log';
import { judgeDrill } from '@emperor/vassal/audit/drill-judge';
import { type DrillPlan, drillPlan } from '@emperor/vassal/audit/drill-plan';
import { killAndRemove, listGenerations } from '@emperor/vassal/cgroup/cgroup';
import { encodeDirectives } from '@emperor/vassal/jail/encode';
import type { LaunchFailure } from '@emperor/vassal/keeper/facts';
import { hintForFailure } from '@emperor/vassal/keeper/failure';
import { type Outsider, startOutsider } from '@emperor/vassal/keeper/outsider';
import { revisionOf } from '@emperor/vassal/spec/revision';
import type { VassalSpec } from '@emperor/vassal/spec/spec';
import type { Held } from '../held.ts';
import type { Host } from '../host.ts';
import { type PlannedJail, planOf } from '../jails.ts';
import { KEEPER_BINARY } from '../keeper-binary.ts';
import { type ProberRun, runInKeeper } from './drill-run.ts';

export type DrillParts = { readonly host: Host; readonly clock: Clock; readonly log: Log };

/** Beside the control groups of vassals; no vassal has such a name. */
const GROUP_PREFIX = '.drill-';
const DIRECTORY_PREFIX = 'drill-';
const MOST_SOCKETS = 4;

/**
 * Drills, one at a time: a copy of a jail with the prober instead of the app. The copy has a keeper, a log, control
 * groups and a /tmp of its own, and leaves nothing behind.
 */
export class Drills {
  readonly #parts: DrillParts;
  #isRunning = false;

  constructor(parts: DrillParts) {
    this.#parts = parts;
  }

  /** @throws EmperorError when there is nothing to drill, or another drill is under way */
  async drill(held: Held): Promise<DrillJson> {
    const spec = held.attempt?.spec ?? held.file?.good?.spec;
    if (spec === undefined) {
      throw new EmperorError('outcome_failed', `${held.name} has no valid file: there is no jail to copy`, {
        hint: `emperor why ${held.name}`,
      });
    }
    if (this.#isRunning) {
      throw new EmperorError('outcome_failed', 'another drill is under way', {
        hint: 'try again in a moment',
      });
    }
    this.#isRunning = true;
    try {
      return await this.#drill(spec);
    } finally {
      this.#isRunning = false;
    }
  }

  /** End what a drill of an emperor that died in the middle of it left behind. */
  async sweep(): Promise<void> {
    const { host, clock, log } = this.#parts;
    const left = (await readdir(host.paths.runtimeDir)).filter((name) => name.startsWith(DIRECTORY_PREFIX));
    for (const name of left) {
      const directory = join(host.paths.runtimeDir, name);
      for (const id of await readdir(join(directory, 'keepers')).catch(() => [])) {
        await host.keepers.endForeign(join(directory, 'keepers', id), { signal: 9, timeoutMs: 0 });
      }
      await rm(directory, { recursive: true, force: true });
      log.info('what was left of a drill is gone', { directory });
    }
    for (const found of await listGenerations(host.facts.cgroups, host.instance)) {
      if (found.name.startsWith(GROUP_PREFIX)) await killAndRemove(found, clock);
    }
  }

  async #drill(spec: VassalSpec): Promise<DrillJson> {
    const { host, clock } = this.#parts;
    const id = randomBytes(6).toString('hex');
    const directory = join(host.paths.runtimeDir, `${DIRECTORY_PREFIX}${id}`);
    const name = `emperor-drill-${id}`;
    const jail = await planOf(host, spec, 1, {
      group: `${GROUP_PREFIX}${id}`,
      notifyPath: `${directory}/notify`,
    });
    let outsider: Outsider | undefined;
    try {
      for (const part of ['', 'keepers', 'log']) await mkdir(join(directory, part), { mode: 0o711 });
      const { uid, gid } = jail.run;
      outsider = await startOutsider({ keeperBinary: KEEPER_BINARY, uid, gid, name, clock });
      const plan = drillPlan(spec, jail.directives, await this.#targets(jail, outsider, name));
      const run = await runInKeeper({ ...this.#parts, directory, blob: encodeDirectives(plan.directives) });
      return documentOf({ spec, jail, plan, run, host });
    } finally {
      await outsider?.close();
      await rm(directory, { recursive: true, force: true });
    }
  }

  async #targets({ run, directives }: PlannedJail, outsider: Outsider, name: string) {
    const { runtimeDir } = this.#parts.host.paths;
    const keepers = await readdir(join(runtimeDir, 'keepers'));
    // One that the vassal's own files lie in is not hidden, and the plan says so.
    const covers = directives.filter(({ word }) => word === 'hide').map(({ args }) => args[0]);
    return {
      outsiderPid: outsider.pid,
      shmKey: outsider.shmKey,
      port: outsider.port,
      name,
      hidden: covers.length === 0 ? run.hide : run.hide.filter((path) => covers.includes(path)),
      sockets: [
        join(runtimeDir, 'control.sock'),
        ...keepers.slice(0, MOST_SOCKETS).map((id) => join(runtimeDir, 'keepers', id)),
      ],
    };
  }
}

type Document = {
  readonly spec: VassalSpec;
  readonly jail: PlannedJail;
  readonly plan: DrillPlan;
  readonly run: ProberRun;
  readonly host: Host;
};

function documentOf({ spec, jail, plan, run, host }: Document): DrillJson {
  const world = { spec, host: host.facts, uid: jail.run.uid, directives: jail.directives };
  const attempts: readonly DrillAttemptJson[] =
    run.failure === undefined ? judgeDrill(run.lines, world, run) : [];
  const failure = run.failure === undefined ? endOf(run) : launchFailure(run.failure, spec);
  return {
    format: STATUS_FORMAT,
    name: spec.name,
    revision: revisionOf(spec),
    holds: failure === undefined && attempts.every(({ ok }) => ok),
    failure: failure ?? null,
    notes: plan.notes,
    attempts,
  };
}

/** Of a prober that met its limit of memory the attempts tell. */
function endOf({ isComplete, isOutOfMemory, how }: ProberRun): string | undefined {
  return isComplete || isOutOfMemory ? undefined : `the prober did not come to its end: ${how}`;
}

function launchFailure(failure: LaunchFailure, spec: VassalSpec): string {
  const { message, hint } = hintForFailure(failure, spec);
  return `the copy of the jail could not be built: ${message} (${hint})`;
}

/** A sweep that fails is no reason not to run. */
export function sweepSoon(drills: Drills, log: Log): void {
  drills
    .sweep()
    .catch((error: unknown) => log.warn('what was left of a drill stays', { error: describeError(error) }));
}
