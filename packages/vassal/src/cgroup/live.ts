import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import { describeError, isErrno } from '@emperor/common/errors';
import type { LimitsSpec } from '../spec/limits.ts';
import { pidsOf } from './cgroup.ts';
import { liftDevices } from './controls.ts';
import { type CgroupHost, type GenerationPlace, generationDirectory } from './hierarchy.ts';
import { type CgroupWrite, type LiveLimit, planLiveLimits } from './limits.ts';

const MOST_ROUNDS = 20;

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
  const members = host.v2 && generationDirectory(host.v2, { ...place, below: limits.cgroups });
  for (const limit of await inOrder(planLiveLimits(limits, host, place))) {
    const line = await applyLimit(limit, members);
    if (line !== undefined) refused.push(line);
  }
  return refused;
}

async function applyLimit(limit: LiveLimit, members: string | undefined): Promise<string | undefined> {
  const { asked, dir, before, writes } = limit;
  const isThere = await exists(dir);
  if (!isThere && asked === undefined) return undefined;
  try {
    if (!isThere) await mkdir(dir, { recursive: true });
    for (const write of isThere && limit.version === 'v1' ? [] : before) await put(write);
    for (const write of [...(await freedDevices(limit)), ...writes]) {
      if (asked !== undefined || (await exists(`${dir}/${write.file}`))) await put(write);
    }
    if (!isThere) await moveAll(members, dir);
    return undefined;
  } catch (error) {
    const gives = isErrno(error, 'EBUSY')
      ? 'the old limit: more is in use'
      : `nothing: ${describeError(error)}`;
    return `asked ${asked ?? `no ${limit.name}`}, kernel gives ${gives}`;
  }
}

function put({ dir, file, value }: CgroupWrite): Promise<void> {
  return writeFile(`${dir}/${file}`, value);
}

/**
 * v1: memory and swap together may never be less than memory alone. Raising both begins with the sum, lowering both
 * with the memory.
 */
async function inOrder(limits: readonly LiveLimit[]): Promise<readonly LiveLimit[]> {
  const memory = limits.find(({ name, version }) => name === 'memory-max' && version === 'v1');
  const swap = limits.find(({ name, version }) => name === 'swap-max' && version === 'v1');
  const [write] = memory?.writes ?? [];
  if (memory === undefined || swap === undefined || write === undefined) return limits;
  const sum = await numberOf(`${memory.dir}/memory.memsw.limit_in_bytes`);
  const wanted = Number(write.value);
  const isRaised = sum !== undefined && (wanted < 0 || wanted > sum);
  return isRaised ? [swap, memory, ...limits.filter((limit) => limit !== swap && limit !== memory)] : limits;
}

async function numberOf(path: string): Promise<number | undefined> {
  try {
    return Number((await readFile(path, 'utf8')).trim());
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENODEV')) return undefined;
    throw error;
  }
}

/** Empty when it is not there: then there is nothing to free. */
async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENODEV')) return '';
    throw error;
  }
}

/** Devices that had a limit and have none any more. */
async function freedDevices({ dir, deviceFiles, writes }: LiveLimit): Promise<readonly CgroupWrite[]> {
  const freed: CgroupWrite[] = [];
  for (const file of deviceFiles) {
    const kept = new Set(writes.filter((write) => write.file === file).map(({ value }) => deviceOf(value)));
    const text = await textOf(`${dir}/${file}`);
    freed.push(...liftDevices(file, text, kept).map((write) => ({ dir, ...write })));
  }
  return freed;
}

function deviceOf(value: string): string {
  return value.split(' ')[0] ?? '';
}

/** Forks go on while we move: again, until all are there. */
async function moveAll(members: string | undefined, dir: string): Promise<void> {
  if (members === undefined)
    throw new Error('without control groups v2 nobody knows the processes of the jail');
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    const moved = new Set(await pidsOf(dir));
    const left = (await pidsOf(members)).filter((pid) => !moved.has(pid));
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
