import type { Descriptor, FoundProcess, Namespaces, Readable, Unread } from '@emperor/vassal/audit/found';
import { parseIdMap, parseLimits, parseStat, parseStatus } from '@emperor/vassal/audit/parse';
import { isGone, linkOf, readText, type Seen, someNames } from './proc.ts';

const MOST_BYTES = 64 * 1024;
const MOST_DESCRIPTORS = 1_024;
const NAMESPACES = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'time', 'user', 'uts'] as const;

/** The namespaces of a process; those that the kernel does not have are missing, `why` tells of others. */
export async function readNamespaces(
  process: string,
): Promise<{ readonly namespaces: Namespaces; readonly why: string | undefined }> {
  const namespaces = new Map<string, string>();
  let why: string | undefined;
  for (const name of NAMESPACES) {
    const target = await linkOf(`${process}/ns/${name}`);
    if (target.ok) namespaces.set(name, target.value);
    else if (!isGone(target)) why ??= target.why;
  }
  return { namespaces, why };
}

const ENDED = { ok: true, value: undefined } as const;

/** Everything about one process; undefined when it ended meanwhile or its pid is another's now. */
export async function readProcess(
  pid: number,
  role: FoundProcess['role'],
  proc = '/proc',
): Promise<Readable<FoundProcess | undefined>> {
  const process = `${proc}/${pid}`;
  const before = await startOf(process);
  if (!before.ok) return isGone(before) ? ENDED : before;
  const files = await readFiles(process);
  const { namespaces } = await readNamespaces(process);
  const { descriptors, unread } = await readDescriptors(process);
  const after = await startOf(process);
  if (!after.ok) return isGone(after) ? ENDED : after;
  const { start, nice, isDead, threads } = after.value;
  if (start !== before.value.start || (isDead && threads <= 1)) return ENDED;
  // What there is to see of a process is seen at its first thread.
  if (isDead) return { ok: false, why: 'its first thread ended, and others run on' };
  if (!files.ok) return files;
  return { ok: true, value: { pid, role, namespaces, nice, descriptors, unread, ...files.value } };
}

type Files = Pick<FoundProcess, 'status' | 'limits' | 'oomScoreAdj' | 'label' | 'uidMap' | 'gidMap'>;

/** A file that this kernel does not have is empty; one that cannot be read leaves nothing to judge. */
async function readFiles(process: string): Promise<Readable<Files>> {
  let why: string | undefined;
  const text = async (file: string, ...none: readonly string[]): Promise<string> => {
    const read = await readText(`${process}/${file}`, MOST_BYTES);
    if (read.ok) return read.value;
    if (!isGone(read) && !none.includes(read.code ?? '')) why ??= read.why;
    return '';
  };
  const status = parseStatus(await text('status'));
  const limits = parseLimits(await text('limits'));
  const adj = Number.parseInt(await text('oom_score_adj'), 10);
  const [uidMap, gidMap] = [parseIdMap(await text('uid_map')), parseIdMap(await text('gid_map'))];
  // So it answers without AppArmor and SELinux.
  const label = (await text('attr/current', 'EINVAL', 'EOPNOTSUPP')).replace(/[\0\n]+$/, '') || undefined;
  if (why !== undefined) return { ok: false, why };
  if (status === undefined) return { ok: false, why: `${process}/status does not tell of its rights` };
  const oomScoreAdj = Number.isNaN(adj) ? undefined : adj;
  return { ok: true, value: { status, limits, oomScoreAdj, label, uidMap, gidMap } };
}

type Start = NonNullable<ReturnType<typeof parseStat>> & { readonly isDead: boolean };

async function startOf(process: string): Promise<Seen<Start>> {
  const path = `${process}/stat`;
  const read = await readText(path, MOST_BYTES);
  if (!read.ok) return read;
  const parsed = parseStat(read.value);
  if (parsed === undefined) return { ok: false, why: `${path} is not what it should be`, code: undefined };
  return { ok: true, value: { ...parsed, isDead: /\) [ZX] [^)]*$/.test(read.value) } };
}

async function readDescriptors(process: string): Promise<Pick<FoundProcess, 'descriptors' | 'unread'>> {
  const directory = `${process}/fd`;
  const listed = await someNames(directory, MOST_DESCRIPTORS);
  const unread: Unread[] = [];
  const miss = (why: string) => unread.push({ group: 'descriptors', what: 'open descriptors', why });
  if (listed.why !== undefined) miss(listed.why);
  const found: Descriptor[] = [];
  let hidden = 0;
  for (const name of listed.names) {
    const read = await readDescriptor(process, name);
    if (read.ok) found.push(read.value);
    else if (!isGone(read)) hidden += 1;
  }
  if (hidden > 0) miss(`${hidden} of ${listed.names.length} cannot be read`);
  return { descriptors: found, unread };
}

async function readDescriptor(process: string, name: string): Promise<Seen<Descriptor>> {
  const target = await linkOf(`${process}/fd/${name}`);
  if (!target.ok) return target;
  const descriptor = { fd: Number(name), target: target.value, mountId: undefined };
  if (!target.value.startsWith('/')) return { ok: true, value: descriptor };
  const info = await readText(`${process}/fdinfo/${name}`, MOST_BYTES);
  if (!info.ok) return info;
  const [, digits] = /^mnt_id:\s*(\d{1,10})$/m.exec(info.value) ?? [];
  return { ok: true, value: { ...descriptor, mountId: digits === undefined ? undefined : Number(digits) } };
}
