import { posix } from 'node:path';
import type { HostPaths } from '../spec/host-facts.ts';
import type { JailSpec, VassalSpec } from '../spec/spec.ts';
import type { Directive, DirectiveWord } from './directive.ts';
import { accountDirectives, workingDirectoryOf } from './environment.ts';
import { loopbackNotes } from './loopback.ts';
import type { JailRun } from './run.ts';

const SYSTEM_DIRECTORIES: readonly string[] = [
  '/usr',
  '/boot',
  '/efi',
  '/etc',
  '/bin',
  '/sbin',
  '/lib',
  '/lib32',
  '/lib64',
  '/libx32',
];
const HOMES: readonly string[] = ['/home', '/root'];

/** 2: processes of other users are not even names. The rest is what the container engines mask and write-protect. */
const PRIVATE_PROC: readonly Directive[] = [
  directive('proc', '2'),
  directive('mask', '/proc/acpi'),
  directive('mask', '/proc/asound'),
  directive('mask', '/proc/interrupts'),
  directive('mask', '/proc/kcore'),
  directive('mask', '/proc/keys'),
  directive('mask', '/proc/kmsg'),
  directive('mask', '/proc/latency_stats'),
  directive('mask', '/proc/sched_debug'),
  directive('mask', '/proc/scsi'),
  directive('mask', '/proc/timer_list'),
  directive('mask', '/proc/timer_stats'),
  directive('readonly', '/proc/bus'),
  directive('readonly', '/proc/fs'),
  directive('readonly', '/proc/irq'),
  directive('readonly', '/proc/sys'),
  directive('readonly', '/proc/sysrq-trigger'),
];
const READONLY_SYS: readonly Directive[] = [
  directive('sysfs'),
  directive('mask', '/sys/firmware'),
  directive('mask', '/sys/devices/virtual/powercap'),
];

const MIB = 1024 ** 2;
const MOST_TMP_BYTES = 512 * MIB;
const MOST_TMP_INODES = 131_072;
const BYTES_PER_INODE = 4_096;

/** The mount words of a jail, in the order in which they apply; none without a mount namespace. */
export function mountDirectives(spec: VassalSpec, paths: HostPaths, run: JailRun): readonly Directive[] {
  if (!spec.jail.namespaces.includes('mnt')) return [];
  return [
    directive('scratch', run.scratchDir),
    ...privateThings(spec),
    ...protectSystem(spec, paths),
    ...hideHomes(spec, paths),
    ...hiddenOf(spec, run.hide).hidden.map((path) => directive('hide', path)),
    ...accountDirectives(spec, run, paths),
    ...(spec.jail.privateDev ? [directive('dev')] : []),
    ...(spec.jail.privateTmp ? [directive('tmp')] : []),
    directive('run'),
    ...(paths.resolvConf === undefined ? [] : [directive('bind', paths.resolvConf, paths.resolvConf, 'r')]),
    ...kernelViews(spec, run),
  ];
}

/** Which of the emperor's directories are hidden, and which cannot be since the vassal's own files lie there. */
export function hiddenOf(
  spec: VassalSpec,
  hide: readonly string[],
): { readonly hidden: readonly string[]; readonly visible: readonly string[] } {
  const covered = coveredDirectories(spec.jail);
  const own = ownPaths(spec);
  const asked = [...new Set(hide.map(plain))].filter((path) => !covered.some((dir) => isBelow(path, dir)));
  const visible = asked.filter((path) => own.some((used) => isBelow(used, path)));
  return { hidden: asked.filter((path) => !visible.includes(path)), visible };
}

/** What the operator should know about this jail: host paths that the vassal uses and the jail covers, and the like. */
export function jailNotes(spec: VassalSpec, hide: readonly string[]): readonly string[] {
  if (!spec.jail.namespaces.includes('mnt')) return loopbackNotes(spec);
  const visible = hiddenOf(spec, hide).visible.map(
    (path) => `${path} is not hidden from the app: its own files lie below`,
  );
  const lost = [...new Set([spec.app.chdir, spec.app.command[0]])].flatMap((path) => {
    const cover = path === undefined ? undefined : coverOf(path, spec.jail);
    return cover === undefined
      ? []
      : [`the jail has a ${cover} of its own: ${path} of the host is not in it`];
  });
  return [...visible, ...lost, ...loopbackNotes(spec)];
}

/** The directory of the host above `path` that the jail puts something of its own over. */
export function coverOf(path: string, jail: JailSpec): string | undefined {
  if (!path.startsWith('/')) return undefined;
  return coveredDirectories(jail).find(
    (directory) => plain(path) !== directory && isBelow(plain(path), directory),
  );
}

/** `path` without double, trailing or dot parts, as the keeper wants it. */
export function plain(path: string): string {
  const normal = posix.normalize(path);
  return normal.length > 1 && normal.endsWith('/') ? normal.slice(0, -1) : normal;
}

function directive(word: DirectiveWord, ...args: readonly string[]): Directive {
  return { word, args };
}

function privateThings({ jail, limits }: VassalSpec): readonly Directive[] {
  // What the tmpfs holds is charged to the vassal: half of its memory, so that /tmp alone cannot kill it.
  const bytes = Math.min(MOST_TMP_BYTES, Math.floor((limits.memoryMaxBytes ?? 2 * MOST_TMP_BYTES) / 2));
  const inodes = Math.min(MOST_TMP_INODES, Math.ceil(bytes / BYTES_PER_INODE));
  return [
    ...(jail.privateTmp ? [directive('private-tmp', String(bytes), String(inodes))] : []),
    ...(jail.privateDev ? [directive('private-dev')] : []),
  ];
}

function protectSystem({ jail }: VassalSpec, { directories }: HostPaths): readonly Directive[] {
  switch (jail.protectSystem) {
    case 'full':
      return SYSTEM_DIRECTORIES.filter((path) => directories.has(path)).map((path) =>
        directive('readonly', path),
      );
    case 'strict':
      return [directive('readonly', '/')];
    case 'no':
      return [];
  }
}

/**
 * Homes but the own one and the working directory; a home that is all of /home cannot be told from the others. A kept
 * tree stands in the cover without the closed directories above it, so a tenant's own word keeps nothing.
 */
function hideHomes(spec: VassalSpec, { directories }: HostPaths): readonly Directive[] {
  const cwd = spec.owner.powers === 'operator' ? workingDirectoryOf(spec) : undefined;
  const own = [spec.identity.home, cwd].flatMap((path) => (path === undefined ? [] : [plain(path)]));
  const homes = HOMES.filter((home) => directories.has(home) && !own.includes(home));
  const kept = outermost(own.filter((path) => homes.some((home) => isBelow(path, home))));
  return [...kept.map((path) => directive('keep', path)), ...homes.map((home) => directive('hide', home))];
}

/** What the host's /sys shows of its network, where a jail's own is made too late to be shown. */
const HOST_NETWORK: readonly Directive[] = [
  directive('mask', '/sys/class/net'),
  directive('mask', '/sys/devices/virtual/net'),
];
/** What the host mounted below /sys, where it cannot be left out. */
const BELOW_SYS: readonly Directive[] = [
  directive('mask', '/sys/fs/cgroup'),
  directive('mask', '/sys/fs/bpf'),
  directive('mask', '/sys/fs/pstore'),
  directive('mask', '/sys/kernel/debug'),
  directive('mask', '/sys/kernel/security'),
  directive('mask', '/sys/kernel/tracing'),
];

/** /proc and /sys as the app may see them. */
function kernelViews({ jail }: VassalSpec, { cgroups, rootless }: JailRun): readonly Directive[] {
  const ownGroup = jail.namespaces.includes('cgroup') && cgroups.v2 !== undefined;
  return [
    ...(jail.proc === 'private' ? PRIVATE_PROC : []),
    ...READONLY_SYS,
    ...(jail.namespaces.includes('net') && (rootless !== undefined || jail.namespaces.includes('user'))
      ? HOST_NETWORK
      : []),
    ...(rootless === undefined ? [] : BELOW_SYS),
    ...(ownGroup ? [directive('cgroup2', '/sys/fs/cgroup')] : []),
  ];
}

/** Directories of the host that the jail puts something of its own over. */
function coveredDirectories(jail: JailSpec): readonly string[] {
  if (!jail.namespaces.includes('mnt')) return [];
  return [
    '/run',
    '/var/run',
    ...(jail.privateTmp ? ['/tmp', '/var/tmp', '/dev/shm'] : []),
    ...(jail.privateDev ? ['/dev'] : []),
  ];
}

/** Host paths that the operator says the vassal uses; a tenant's word opens nothing of the emperor's. */
function ownPaths({ app, identity, lifecycle, owner }: VassalSpec): readonly string[] {
  const written = [...app.command, app.chdir, app.envFile, ...lifecycle.touchReload];
  return [identity.home, ...(owner.powers === 'operator' ? written : [])].flatMap((path) =>
    path?.startsWith('/') === true ? [plain(path)] : [],
  );
}

/** Those that lie below none of the others. */
function outermost(paths: readonly string[]): readonly string[] {
  const unique = [...new Set(paths)];
  return unique.filter((path) => !unique.some((other) => other !== path && isBelow(path, other)));
}

function isBelow(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory === '/' ? '/' : `${directory}/`);
}
