import { access, mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import type { Clock } from '@emperor/common/clock';
import { describeError, EmperorError, isErrno } from '@emperor/common/errors';
import type { LimitsSpec } from '../spec/spec.ts';
import {
  type CgroupHost,
  CONTROLLERS,
  type GenerationPlace,
  generationDirectory,
  type Hierarchy,
  instanceDirectory,
  versionOf,
} from './hierarchy.ts';
import { type CgroupCounter, type LiveLimit, planLiveLimits } from './limits.ts';

/** What `ensureBase` made: where keepers are born, and what could not be had. */
export type CgroupBase = {
  /** The v2 leaf for keepers; undefined without v2. */
  readonly keeperLeaf: string | undefined;
  /** The hierarchies with those v2 controllers only that could be passed on to vassals: plan with these. */
  readonly cgroups: CgroupHost;
  /** What could not be made, one line each, for the operator. */
  readonly troubles: readonly string[];
};

/** The groups of a generation that exist, in every hierarchy. */
export type FoundGeneration = GenerationPlace & { readonly directories: readonly string[] };

const KILL_PATIENCE_MS = 10_000;
const FIRST_LOOK_MS = 2;
const SLOWEST_LOOK_MS = 100;
const MOST_ROUNDS = 20;

/**
 * Make the tree of this emperor: `emperor-INSTANCE` in each hierarchy, on v2 the leaves `keepers` and `emperor` with
 * the emperor's own process in the latter, and controllers passed on to what is below.
 */
export async function ensureBase(host: CgroupHost, instance: string, ownPid: number): Promise<CgroupBase> {
  const troubles: string[] = [];
  const attempt = async (what: string, effect: () => Promise<unknown>): Promise<void> => {
    try {
      await effect();
    } catch (error) {
      troubles.push(`${what}: ${describeError(error)}`);
    }
  };
  for (const hierarchy of host.v1.values()) {
    const dir = instanceDirectory(hierarchy, instance);
    await attempt(dir, () => mkdir(dir, { recursive: true }));
  }
  if (host.v2 === undefined) return { keeperLeaf: undefined, cgroups: host, troubles };
  const dir = instanceDirectory(host.v2, instance);
  const keeperLeaf = `${dir}/keepers`;
  await attempt(keeperLeaf, () => mkdir(keeperLeaf, { recursive: true }));
  await attempt(`${dir}/emperor`, () => mkdir(`${dir}/emperor`, { recursive: true }));
  await attempt(`${dir}/emperor`, () => writeFile(`${dir}/emperor/cgroup.procs`, String(ownPid)));
  const passed = CONTROLLERS.filter((controller) => versionOf(host, controller) === 'v2');
  for (const parent of passed.length === 0 ? [] : [parentOf(dir), dir]) {
    const value = passed.map((controller) => `+${controller}`).join(' ');
    await attempt(`${parent}/cgroup.subtree_control`, () =>
      writeFile(`${parent}/cgroup.subtree_control`, value),
    );
  }
  const text = await readFile(`${dir}/cgroup.subtree_control`, 'utf8').catch(() => '');
  const controllers = new Set(text.split(/\s+/).filter((word) => word !== ''));
  return {
    keeperLeaf: troubles.some((line) => line.startsWith(`${keeperLeaf}:`)) ? undefined : keeperLeaf,
    cgroups: { ...host, v2: { ...host.v2, controllers } },
    troubles,
  };
}

/** Take the tree down at the end: our process goes back to where it was started. What is in use stays. */
export async function releaseBase(host: CgroupHost, instance: string, ownPid: number): Promise<void> {
  if (host.v2 !== undefined) {
    const dir = instanceDirectory(host.v2, instance);
    const removed = CONTROLLERS.filter((controller) => versionOf(host, controller) === 'v2');
    // v2 lets no process back into a group that passes controllers on; the order undoes ensureBase.
    for (const parent of removed.length === 0 ? [] : [dir, parentOf(dir)]) {
      const value = removed.map((controller) => `-${controller}`).join(' ');
      await unlessRefused(() => writeFile(`${parent}/cgroup.subtree_control`, value));
    }
    await unlessRefused(() => writeFile(`${parentOf(dir)}/cgroup.procs`, String(ownPid)));
    await unlessRefused(() => rmdir(`${dir}/emperor`));
    await unlessRefused(() => rmdir(`${dir}/keepers`));
  }
  await removeInstance(host, instance);
}

/** Remove what is left of an instance's tree, whatever runs in it stays. */
export async function removeInstance(host: CgroupHost, instance: string): Promise<void> {
  for (const hierarchy of hierarchiesOf(host))
    await unlessRefused(() => removeEmpty(instanceDirectory(hierarchy, instance)));
}

/**
 * Make a running generation obey other limits; returns a line for each that the kernel did not take. On v1 a limit may
 * need a group that the generation was started without: it is made, and every process of the generation moved there.
 * The keeper does not know of such a group: `sweepEmpty` removes it when the generation is gone.
 */
export async function applyLive(
  limits: LimitsSpec,
  host: CgroupHost,
  place: GenerationPlace,
): Promise<readonly string[]> {
  const refused: string[] = [];
  const v2 = host.v2 && generationDirectory(host.v2, place);
  for (const limit of planLiveLimits(limits, host, place)) {
    const line = await applyLimit(limit, v2);
    if (line !== undefined) refused.push(line);
  }
  return refused;
}

/** Remove the groups of one vassal in which nothing runs; those of running generations stay. */
export async function sweepEmpty(host: CgroupHost, instance: string, name: string): Promise<void> {
  for (const { directories } of await listGenerations(host, instance, name)) {
    for (const directory of directories) await removeWithParents(directory);
  }
}

/** No vassal of this owner is left: its group goes in every hierarchy, unless something is in it after all. */
export async function removeOwner(host: CgroupHost, instance: string, ownerUid: number): Promise<void> {
  for (const hierarchy of hierarchiesOf(host)) {
    await unlessRefused(() => rmdir(`${instanceDirectory(hierarchy, instance)}/u${ownerUid}`));
  }
}

/** Every generation of this instance that has a group somewhere, of all vassals or of one. */
export async function listGenerations(
  host: CgroupHost,
  instance: string,
  onlyName?: string,
): Promise<readonly FoundGeneration[]> {
  const found = new Map<string, FoundGeneration>();
  for (const hierarchy of hierarchiesOf(host)) {
    for (const place of await generationsIn(hierarchy, instance, onlyName)) {
      const key = `${place.ownerUid}/${place.name}/${place.generation}`;
      const directory = generationDirectory(hierarchy, place);
      const directories = [...new Set([...(found.get(key)?.directories ?? []), directory])];
      found.set(key, { ...place, directories });
    }
  }
  return [...found.values()];
}

/**
 * Kill whatever is in the groups of a generation whose keeper is dead, wait until nothing is, and remove them with
 * the parents that are empty then. Rejects with `keeper_failed` while something does not die.
 */
export async function killAndRemove({ directories, name }: FoundGeneration, clock: Clock): Promise<void> {
  const until = clock.now() + KILL_PATIENCE_MS;
  let pauseMs = FIRST_LOOK_MS;
  for (;;) {
    const left = (await Promise.all(directories.map(killOnce))).flat();
    if (left.length === 0) break;
    if (clock.now() >= until) {
      throw new EmperorError(
        'keeper_failed',
        `processes of ${name} do not die: ${left.slice(0, 5).join(' ')}`,
        {
          hint: `look at them: cat /proc/${left[0]}/wchan`,
        },
      );
    }
    await pause(clock, pauseMs);
    pauseMs = Math.min(pauseMs * 2, SLOWEST_LOOK_MS);
  }
  for (const directory of directories) await removeWithParents(directory);
}

/** The counters of a generation, of those that can be read. */
export async function readCounters(
  counters: readonly CgroupCounter[],
): Promise<Readonly<Record<string, number>>> {
  const read = await Promise.all(
    counters.map(async ({ name, path, key }) => ({ name, value: await readCounter(path, key) })),
  );
  return Object.fromEntries(read.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]])));
}

async function applyLimit(
  { asked, dir, writes }: LiveLimit,
  members: string | undefined,
): Promise<string | undefined> {
  const isThere = await exists(dir);
  if (!isThere && asked === undefined) return undefined;
  try {
    if (!isThere) await mkdir(dir, { recursive: true });
    for (const { dir: into, file, value } of writes) await writeFile(`${into}/${file}`, value);
    if (!isThere) await moveAll(members, dir);
    return undefined;
  } catch (error) {
    const gives = isErrno(error, 'EBUSY')
      ? 'the old limit: more is in use'
      : `nothing: ${describeError(error)}`;
    return `asked ${asked ?? `no limit in ${dir}`}, kernel gives ${gives}`;
  }
}

/** Forks go on while we move: again, until all are there. */
async function moveAll(members: string | undefined, dir: string): Promise<void> {
  if (members === undefined)
    throw new Error('without control groups v2 nobody knows the processes of the jail');
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    const moved = new Set(await ownPids(dir));
    const left = (await pidsIn(members)).filter((pid) => !moved.has(pid));
    if (left.length === 0) return;
    for (const pid of left) await unlessGone(() => writeFile(`${dir}/cgroup.procs`, String(pid)));
  }
  throw new Error('its processes fork faster than they can be moved');
}

async function unlessGone(effect: () => Promise<unknown>): Promise<void> {
  try {
    await effect();
  } catch (error) {
    if (!isErrno(error, 'ESRCH')) throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}

async function generationsIn(
  hierarchy: Hierarchy,
  instance: string,
  onlyName: string | undefined,
): Promise<readonly GenerationPlace[]> {
  const base = instanceDirectory(hierarchy, instance);
  const places: GenerationPlace[] = [];
  for (const owner of await directoriesIn(base)) {
    const ownerUid = numberAfter('u', owner);
    if (ownerUid === undefined) continue;
    const names = onlyName === undefined ? await directoriesIn(`${base}/${owner}`) : [onlyName];
    for (const name of names) {
      const generations = (await directoriesIn(`${base}/${owner}/${name}`)).map((entry) =>
        numberAfter('g', entry),
      );
      for (const generation of generations.filter((number) => number !== undefined)) {
        places.push({ instance, ownerUid, name, generation });
      }
    }
  }
  return places;
}

/** 1001 of `u1001`; undefined for other directories. */
function numberAfter(letter: string, entry: string): number | undefined {
  const digits = entry.slice(letter.length);
  return entry.startsWith(letter) && /^\d{1,15}$/.test(digits) ? Number(digits) : undefined;
}

async function directoriesIn(path: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENODEV')) return [];
    throw error;
  }
}

/** SIGKILL to all of a group and below; the pids that were still there. */
async function killOnce(directory: string): Promise<readonly number[]> {
  const pids = await pidsIn(directory);
  if (pids.length === 0) return [];
  try {
    await writeFile(`${directory}/cgroup.kill`, '1');
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'EACCES', 'EPERM')) throw error;
    // v1 has no cgroup.kill. A pid read from the group a moment ago is still one of it: only we remove groups.
    for (const pid of pids) killProcess(pid);
  }
  return pids;
}

function killProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!isErrno(error, 'ESRCH')) throw error;
  }
}

async function pidsIn(directory: string): Promise<readonly number[]> {
  const below = await directoriesIn(directory);
  const inside = await Promise.all(below.map((name) => pidsIn(`${directory}/${name}`)));
  return [...(await ownPids(directory)), ...inside.flat()];
}

async function ownPids(directory: string): Promise<readonly number[]> {
  try {
    const text = await readFile(`${directory}/cgroup.procs`, 'utf8');
    return text
      .split('\n')
      .filter((line) => line !== '' && line !== '0')
      .map(Number);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENODEV')) return [];
    throw error;
  }
}

async function removeWithParents(directory: string): Promise<void> {
  for (const name of await directoriesIn(directory))
    await unlessRefused(() => removeEmpty(`${directory}/${name}`));
  await removeEmpty(directory);
  const vassal = parentOf(directory);
  await unlessRefused(() => rmdir(vassal));
  await unlessRefused(() => rmdir(parentOf(vassal)));
}

async function removeEmpty(directory: string): Promise<void> {
  for (const name of await directoriesIn(directory)) await removeEmpty(`${directory}/${name}`);
  await unlessRefused(() => rmdir(directory));
}

/** In use, gone already, or not ours to take down (an ordinary user's emperor). */
const EXPECTED_REFUSALS: readonly string[] =
  'ENOENT EBUSY ENOTEMPTY EINVAL EOPNOTSUPP ENODEV EACCES EPERM EROFS'.split(' ');

async function unlessRefused(effect: () => Promise<unknown>): Promise<void> {
  try {
    await effect();
  } catch (error) {
    if (!isErrno(error, ...EXPECTED_REFUSALS)) throw error;
  }
}

async function readCounter(path: string, key: string): Promise<number | undefined> {
  try {
    const line = (await readFile(path, 'utf8')).split('\n').find((text) => text.startsWith(`${key} `));
    return line === undefined ? undefined : Number(line.slice(key.length + 1));
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENODEV')) return undefined;
    throw error;
  }
}

function hierarchiesOf(host: CgroupHost): readonly Hierarchy[] {
  return [...(host.v2 === undefined ? [] : [host.v2]), ...host.v1.values()];
}

function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => void clock.after(ms, resolve));
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}
