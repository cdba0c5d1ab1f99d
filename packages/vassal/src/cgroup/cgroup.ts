import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import type { Clock } from '@emperor/common/clock';
import { describeError, EmperorError, isErrno } from '@emperor/common/errors';
import { isBelow, parentOf } from '../jail/path.ts';
import {
  allHierarchies,
  type CgroupHost,
  CONTROLLERS,
  type GenerationPlace,
  instanceDirectory,
  nameInV1,
  versionOf,
} from './hierarchy.ts';

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

/**
 * Make the tree of this emperor: `emperor-INSTANCE` in each hierarchy that a limit may ask for, on v2 the leaves
 * `keepers` and `emperor` with the emperor's own process in the latter, and controllers passed on to what is below.
 */
export async function ensureBase(host: CgroupHost, instance: string, ownPid: number): Promise<CgroupBase> {
  const troubles = new Set<string>();
  const attempt = async (what: string, effect: () => Promise<unknown>): Promise<void> => {
    try {
      await effect();
    } catch (error) {
      troubles.add(`${what}: ${describeError(error)}`);
    }
  };
  const v1 = new Map(host.v1);
  for (const controller of CONTROLLERS) {
    const name = nameInV1(controller);
    const hierarchy = host.v1.get(name);
    if (hierarchy === undefined) continue;
    const dir = instanceDirectory(hierarchy, instance);
    await attempt(dir, () => mkdir(dir, { recursive: true }));
    v1.set(name, { ...hierarchy, files: await filesIn(dir) });
  }
  if (host.v2 === undefined)
    return { keeperLeaf: undefined, cgroups: { ...host, v1 }, troubles: [...troubles] };
  const dir = instanceDirectory(host.v2, instance);
  const keeperLeaf = `${dir}/keepers`;
  await attempt(keeperLeaf, () => mkdir(keeperLeaf, { recursive: true }));
  await attempt(`${dir}/emperor`, () => mkdir(`${dir}/emperor`, { recursive: true }));
  await attempt(`${dir}/emperor`, () => writeFile(`${dir}/emperor/cgroup.procs`, String(ownPid)));
  for (const parent of [parentOf(dir), dir]) {
    // One by one: a controller that cannot be had takes no other with it.
    for (const controller of passedOn(host)) {
      await attempt(`${parent}/cgroup.subtree_control`, () =>
        writeFile(`${parent}/cgroup.subtree_control`, `+${controller}`),
      );
    }
  }
  let text = '';
  await attempt(`${dir}/cgroup.subtree_control`, async () => {
    text = await readFile(`${dir}/cgroup.subtree_control`, 'utf8');
  });
  const controllers = new Set(text.split(/\s+/).filter((word) => word !== ''));
  const files = await filesIn(keeperLeaf);
  return {
    keeperLeaf: [...troubles].some((line) => line.startsWith(`${keeperLeaf}:`)) ? undefined : keeperLeaf,
    cgroups: { ...host, v1, v2: { ...host.v2, controllers, files } },
    troubles: [...troubles],
  };
}

function passedOn(host: CgroupHost): readonly string[] {
  return CONTROLLERS.filter((controller) => versionOf(host, controller) === 'v2');
}

/** undefined when it cannot be read: then nothing is known of what groups have. */
async function filesIn(directory: string): Promise<ReadonlySet<string> | undefined> {
  try {
    return new Set(await readdir(directory));
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'EACCES', 'ENODEV')) return undefined;
    throw error;
  }
}

/** Take the tree down at the end: our process goes back to where it was started. What is in use stays. */
export async function releaseBase(host: CgroupHost, instance: string, ownPid: number): Promise<void> {
  if (host.v2 !== undefined) {
    const dir = instanceDirectory(host.v2, instance);
    // A group passes on what one below it passes on: owners without vassals go first.
    for (const name of (await directoriesIn(dir)).filter((entry) => numberAfter('u', entry) !== undefined))
      await unlessRefused(() => removeEmpty(`${dir}/${name}`));
    // v2 lets no process back into a group that passes controllers on; the order undoes ensureBase. The root is
    // everybody's: what it passes on stays.
    for (const parent of [dir, parentOf(dir)].filter((directory) => directory !== host.v2?.mount)) {
      for (const controller of passedOn(host))
        await unlessRefused(() => writeFile(`${parent}/cgroup.subtree_control`, `-${controller}`));
    }
    await unlessRefused(() => writeFile(`${parentOf(dir)}/cgroup.procs`, String(ownPid)));
    await unlessRefused(() => rmdir(`${dir}/emperor`));
    await unlessRefused(() => rmdir(`${dir}/keepers`));
  }
  await removeInstance(host, instance);
}

/** Remove what is left of an instance's tree, whatever runs in it stays. */
async function removeInstance(host: CgroupHost, instance: string): Promise<void> {
  for (const hierarchy of allHierarchies(host))
    await unlessRefused(() => removeEmpty(instanceDirectory(hierarchy, instance)));
}

/** One vassal's groups: its name, and where else than below the emperor's own base they may be (`cgroup`). */
export type VassalGroups = { readonly name: string; readonly below: readonly string[] };

/**
 * Remove the groups of one vassal in which nothing runs; those of running generations stay. Below a directory of the
 * operator's, which several vassals may share, also what no keeper made alone.
 */
export async function sweepEmpty(host: CgroupHost, instance: string, of: VassalGroups): Promise<void> {
  for (const found of await listGenerations(host, instance, of)) {
    for (const directory of found.directories) await removeWithParents(directory, of.below);
  }
  for (const base of of.below.map((dir) => `${dir}/emperor-${instance}`)) {
    for (const owner of await directoriesIn(base)) {
      await unlessRefused(() => rmdir(`${base}/${owner}/${of.name}`));
      await unlessRefused(() => rmdir(`${base}/${owner}`));
    }
    await unlessRefused(() => rmdir(base));
  }
}

/** No vassal of this owner is left: its group goes in every hierarchy, unless something is in it after all. */
export async function removeOwner(host: CgroupHost, instance: string, ownerUid: number): Promise<void> {
  for (const hierarchy of allHierarchies(host)) {
    await unlessRefused(() => rmdir(`${instanceDirectory(hierarchy, instance)}/u${ownerUid}`));
  }
}

/** Every generation of this instance that has a group somewhere, of all vassals or of one. */
export async function listGenerations(
  host: CgroupHost,
  instance: string,
  only?: VassalGroups,
): Promise<readonly FoundGeneration[]> {
  const found = new Map<string, FoundGeneration>();
  for (const hierarchy of allHierarchies(host)) {
    const raw = (only?.below ?? []).filter((dir) => isBelow(dir, hierarchy.mount));
    const bases = [instanceDirectory(hierarchy, instance), ...raw.map((dir) => `${dir}/emperor-${instance}`)];
    for (const base of bases) {
      for (const place of await generationsIn(base, instance, only?.name)) {
        const { ownerUid, name, generation } = place;
        const key = `${ownerUid}/${name}/${generation}`;
        const directory = `${base}/u${ownerUid}/${name}/g${generation}`;
        const directories = [...new Set([...(found.get(key)?.directories ?? []), directory])];
        found.set(key, { ...place, below: only?.below, directories });
      }
    }
  }
  return [...found.values()];
}

/**
 * Kill whatever is in the groups of a generation whose keeper is dead, wait until nothing is, and remove them with
 * the parents that are empty then. Rejects with `keeper_failed` while something does not die.
 */
export async function killAndRemove(
  { directories, name, below = [] }: FoundGeneration,
  clock: Clock,
): Promise<void> {
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
  for (const directory of directories) await removeWithParents(directory, below);
}

async function generationsIn(
  base: string,
  instance: string,
  onlyName: string | undefined,
): Promise<readonly GenerationPlace[]> {
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
  const pids = await pidsOf(directory);
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

/** Every process in a group or below it. */
export async function pidsOf(directory: string): Promise<readonly number[]> {
  const below = await directoriesIn(directory);
  const inside = await Promise.all(below.map((name) => pidsOf(`${directory}/${name}`)));
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

async function removeWithParents(directory: string, below: readonly string[]): Promise<void> {
  for (const name of await directoriesIn(directory))
    await unlessRefused(() => removeEmpty(`${directory}/${name}`));
  await removeEmpty(directory);
  const vassal = parentOf(directory);
  const owner = parentOf(vassal);
  await unlessRefused(() => rmdir(vassal));
  await unlessRefused(() => rmdir(owner));
  // The emperor's own base stays as long as the emperor.
  if (below.includes(parentOf(parentOf(owner)))) await unlessRefused(() => rmdir(parentOf(owner)));
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

function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => void clock.after(ms, resolve));
}
