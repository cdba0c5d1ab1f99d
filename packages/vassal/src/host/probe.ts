import { lstatSync, readFileSync } from 'node:fs';
import { lstat, readFile, realpath } from 'node:fs/promises';
import { isErrno } from '@emperor/common/errors';
import { type CgroupHost, parseHierarchies } from '../cgroup/hierarchy.ts';
import { RLIMITS } from '../jail/rlimits.ts';
import { architectureOf } from '../seccomp/architecture.ts';
import type { HostFacts, HostPaths } from '../spec/host-facts.ts';
import { askKeeper, parseProbe } from './kernel-probe.ts';
import { probeLimits } from './limit-facts.ts';
import { minimalParts } from './minimal-parts.ts';

const TOP_DIRECTORIES: readonly string[] = [
  '/bin',
  '/boot',
  '/efi',
  '/etc',
  '/home',
  '/lib',
  '/lib32',
  '/lib64',
  '/libx32',
  '/root',
  '/sbin',
  '/usr',
];
const CAP_SYS_RESOURCE = 24n;
const FIRST_PERSON = 1_000;
const NOBODY = 65_534;

/** By title. */
const RESOURCES: ReadonlyMap<string, string> = new Map(RLIMITS.map(([name, title]) => [title, name]));

/** The first kernel with each Landlock ABI, newest first. */
const LANDLOCK_SINCE: readonly (readonly [number, number, number])[] = [
  [6, 12, 6],
  [6, 10, 5],
  [6, 7, 4],
  [6, 2, 3],
  [5, 19, 2],
  [5, 13, 1],
];

/** What this kernel and these privileges give; asked once at start. */
export async function probeHost(keeperBinary: string): Promise<HostFacts> {
  const kernelRelease = (await readFile('/proc/sys/kernel/osrelease', 'utf8')).trim();
  const status = await readFile('/proc/self/status', 'utf8');
  const probe = parseProbe(await askKeeper(keeperBinary), {
    unprivilegedClone: readOr('/proc/sys/kernel/unprivileged_userns_clone', undefined),
    appArmorRestricts: readOr('/proc/sys/kernel/apparmor_restrict_unprivileged_userns', undefined),
    most: (kind) => readOr(`/proc/sys/user/max_${kind}_namespaces`, undefined),
  });
  return {
    kernelRelease,
    unavailable: probe.unavailable,
    rootless: rootlessUser(),
    features: probe.features,
    landlockAbi:
      probe.landlockAbi ?? landlockOf(kernelRelease, readOr('/sys/kernel/security/lsm', undefined)),
    architecture: architectureOf(process.arch),
    hasSeccomp: readOr('/proc/sys/kernel/seccomp/actions_avail', '').split(/\s/).includes('errno'),
    securityModules: securityModules(),
    capLastCap: Number(await readFile('/proc/sys/kernel/cap_last_cap', 'utf8')),
    capBounding: capabilitiesOf(status, 'CapBnd'),
    hardRlimits: parseHardRlimits(await readFile('/proc/self/limits', 'utf8')),
    canRaiseRlimits: ((capabilitiesOf(status, 'CapEff') >> CAP_SYS_RESOURCE) & 1n) === 1n,
    openFilesMax: Number(await readFile('/proc/sys/fs/nr_open', 'utf8')),
    cgroups: await probeCgroups(),
    limits: await probeLimits(),
    paths: await probePaths(),
  };
}

/** undefined for root, who can become everybody. */
function rootlessUser(): HostFacts['rootless'] {
  const [uid, gid, groups] = [process.geteuid?.(), process.getegid?.(), process.getgroups?.()];
  if (uid === undefined || gid === undefined || uid === 0) return undefined;
  return { uid, gid, groups: groups ?? [] };
}

/** The hard column of /proc/self/limits by resource; undefined = unlimited. */
export function parseHardRlimits(text: string): ReadonlyMap<string, number | undefined> {
  const limits = new Map<string, number | undefined>();
  for (const line of text.split('\n')) {
    const [, title, hard] = /^(Max .*?)\s{2,}\S+\s+(\S+)/.exec(line) ?? [];
    const resource = RESOURCES.get(title ?? '');
    if (resource !== undefined) limits.set(resource, hard === 'unlimited' ? undefined : Number(hard));
  }
  return limits;
}

/** The Landlock ABI that a kernel of this release has, unless its list of security modules leaves it out. */
export function landlockOf(release: string, modules: string | undefined): number {
  if (modules !== undefined && !modules.trim().split(',').includes('landlock')) return 0;
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  const version = Number(major) * 1_000 + Number(minor);
  return LANDLOCK_SINCE.find(([since, sub]) => version >= since * 1_000 + sub)?.[2] ?? 0;
}

/** Each has a file of its own; the list of all needs securityfs, which may not be mounted. */
function securityModules(): ReadonlySet<string> {
  const listed = readOr('/sys/kernel/security/lsm', '').trim().split(',');
  const hasAppArmor = readOr('/sys/module/apparmor/parameters/enabled', '').trim() === 'Y';
  const hasSelinux = readOr('/sys/fs/selinux/enforce', '') !== '' || listed.includes('selinux');
  return new Set([...(hasAppArmor ? ['apparmor'] : []), ...(hasSelinux ? ['selinux'] : [])]);
}

/** Lines of system accounts: ids below those of people, and nobody. */
export function systemLines(text: string): readonly string[] {
  return text.split('\n').filter((line) => {
    const id = Number(line.split(':')[2] ?? Number.NaN);
    return id < FIRST_PERSON || id === NOBODY;
  });
}

/** Who is in a system group is no app's business. */
export function withoutMembers(groupLine: string): string {
  return `${groupLine.split(':').slice(0, 3).join(':')}:`;
}

function capabilitiesOf(status: string, which: string): bigint {
  const [, digits] = new RegExp(`^${which}:\\s*([0-9a-f]+)$`, 'm').exec(status) ?? [];
  return digits === undefined ? 0n : BigInt(`0x${digits}`);
}

async function probeCgroups(): Promise<CgroupHost> {
  return parseHierarchies({
    mountinfo: await readFile('/proc/self/mountinfo', 'utf8'),
    cgroup: await readFile('/proc/self/cgroup', 'utf8'),
    read: (path) => readOr(path, ''),
  });
}

async function probePaths(): Promise<HostPaths> {
  return {
    directories: new Set(TOP_DIRECTORIES.filter(isDirectory)),
    resolvConf: await resolvConf(),
    systemUsers: systemLines(readOr('/etc/passwd', '')),
    systemGroups: systemLines(readOr('/etc/group', '')).map(withoutMembers),
    minimal: minimalParts(),
  };
}

/** A symlink (to /usr/bin, say) is protected with what it leads to. */
function isDirectory(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

async function resolvConf(): Promise<string | undefined> {
  try {
    if (!(await lstat('/etc/resolv.conf')).isSymbolicLink()) return undefined;
    const target = await realpath('/etc/resolv.conf');
    return target.startsWith('/run/') ? target : undefined;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ELOOP', 'EACCES')) return undefined;
    throw error;
  }
}

function readOr<T>(path: string, otherwise: T): string | T {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'EACCES', 'ENODEV', 'EOPNOTSUPP')) return otherwise;
    throw error;
  }
}
