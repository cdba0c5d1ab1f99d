import type { Descriptor, FoundProcess, Namespaces } from '@emperor/vassal/audit/found';
import { parseIdMap, parseLimits, parseStat, parseStatus } from '@emperor/vassal/audit/parse';
import { linkOf, readText, someNames } from './proc.ts';

const MOST_BYTES = 64 * 1024;
const MOST_DESCRIPTORS = 1_024;
const NAMESPACES = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'time', 'user', 'uts'] as const;

/** The namespaces of a process; those that the kernel does not have are missing. */
export async function readNamespaces(pid: number | 'self'): Promise<Namespaces> {
  const found = new Map<string, string>();
  for (const name of NAMESPACES) {
    const target = await linkOf(`/proc/${pid}/ns/${name}`);
    if (target !== undefined) found.set(name, target);
  }
  return found;
}

/** Everything about one process; undefined when it ended meanwhile or its pid is another's now. */
export async function readProcess(
  pid: number,
  role: FoundProcess['role'],
): Promise<FoundProcess | undefined> {
  const before = await startOf(pid);
  if (before === undefined) return undefined;
  const text = async (file: string): Promise<string> => {
    const read = await readText(`/proc/${pid}/${file}`, MOST_BYTES);
    return read.ok ? read.value : '';
  };
  const status = parseStatus(await text('status'));
  const namespaces = await readNamespaces(pid);
  const limits = parseLimits(await text('limits'));
  const adj = Number.parseInt(await text('oom_score_adj'), 10);
  const [uidMap, gidMap] = [parseIdMap(await text('uid_map')), parseIdMap(await text('gid_map'))];
  const descriptors = await readDescriptors(pid);
  const label = (await text('attr/current')).replace(/[\0\n]+$/, '') || undefined;
  const after = await startOf(pid);
  // A zombie has neither namespaces nor limits worth a look.
  if (status === undefined || after?.start !== before.start || after.isDead) return undefined;
  const { nice } = after;
  const oomScoreAdj = Number.isNaN(adj) ? undefined : adj;
  return { pid, role, namespaces, status, limits, nice, oomScoreAdj, descriptors, label, uidMap, gidMap };
}

async function startOf(pid: number) {
  const read = await readText(`/proc/${pid}/stat`, MOST_BYTES);
  const parsed = read.ok ? parseStat(read.value) : undefined;
  if (!read.ok || parsed === undefined) return undefined;
  return { ...parsed, isDead: /\) [ZX] [^)]*$/.test(read.value) };
}

async function readDescriptors(pid: number): Promise<readonly Descriptor[]> {
  const found: Descriptor[] = [];
  for (const name of await someNames(`/proc/${pid}/fd`, MOST_DESCRIPTORS)) {
    const target = await linkOf(`/proc/${pid}/fd/${name}`);
    if (target === undefined) continue;
    const mountId = target.startsWith('/') ? await mountIdOf(pid, name) : undefined;
    found.push({ fd: Number(name), target, mountId });
  }
  return found;
}

async function mountIdOf(pid: number, fd: string): Promise<number | undefined> {
  const read = await readText(`/proc/${pid}/fdinfo/${fd}`, MOST_BYTES);
  const [, digits] = /^mnt_id:\s*(\d{1,10})$/m.exec(read.ok ? read.value : '') ?? [];
  return digits === undefined ? undefined : Number(digits);
}
