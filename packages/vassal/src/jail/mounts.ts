import type { HostPaths } from '../spec/host-facts.ts';
import type { VassalSpec } from '../spec/spec.ts';
import { type Directive, directive } from './directive.ts';
import { accountDirectives } from './environment.ts';
import { loopbackNotes } from './loopback.ts';
import { isBelow, outermost } from './path.ts';
import { ownMountDirectives } from './root.ts';
import type { JailRun } from './run.ts';
import { coverOf, HOMES, hiddenOf, ownHomes } from './views.ts';

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
  const { jail, root } = spec;
  if (!jail.namespaces.includes('mnt')) return [];
  return [
    directive('scratch', run.scratchDir),
    ...(root.form.by === 'pivot' ? privateNull(spec) : defaultMounts(spec, paths, run)),
    ...ownMountDirectives(spec),
    ...root.masks.map((path) => directive('mask', path)),
    ...hiddenOf(spec, run.hide).hidden.map((path) => directive('hide', path)),
  ];
}

/** What every jail has that does not make its root by hooks. */
function defaultMounts(spec: VassalSpec, paths: HostPaths, run: JailRun): readonly Directive[] {
  const { jail, root } = spec;
  const isMinimal = root.form.by === 'minimal';
  return [
    ...privateThings(spec),
    ...(isMinimal ? [] : [...protectSystem(spec, paths), ...hideHomes(spec, paths)]),
    ...accountDirectives(spec, run, paths),
    ...borrowed(spec),
    ...(jail.privateDev ? [directive('dev')] : []),
    ...(jail.privateTmp ? [directive('tmp')] : []),
    directive('run'),
    ...(paths.resolvConf === undefined ? [] : [directive('bind', paths.resolvConf, paths.resolvConf, 'r')]),
    ...kernelViews(spec, run),
  ];
}

/** What a root of its own takes from the host because the jail has nothing of its own instead. */
function borrowed({ jail, root }: VassalSpec): readonly Directive[] {
  if (root.form.by === 'host') return [];
  return [
    ...(jail.privateDev ? [] : [directive('bind', '/dev', '/dev', 's')]),
    ...(jail.proc === 'private' ? [] : [directive('bind', '/proc', '/proc', 'sdx')]),
    ...(jail.privateTmp || root.form.by !== 'minimal'
      ? []
      : ['/tmp', '/var/tmp'].map((path) => directive('bind', path, path, 'sd'))),
  ];
}

/** What a masked file becomes when the root brings no /dev. */
function privateNull({ root }: VassalSpec): readonly Directive[] {
  return root.masks.length === 0 ? [] : [directive('private-dev')];
}

/** What the operator should know about this jail: host paths that the vassal uses and the jail covers, and the like. */
export function jailNotes(spec: VassalSpec, hide: readonly string[]): readonly string[] {
  if (!spec.jail.namespaces.includes('mnt')) return loopbackNotes(spec);
  const visible = hiddenOf(spec, hide).visible.map(
    (path) => `${path} is not hidden from the app: its own files lie below`,
  );
  const lost = [...new Set([spec.app.chdir, spec.app.command[0]])].flatMap((path) => {
    const cover = path === undefined ? undefined : coverOf(path, spec);
    return cover === undefined
      ? []
      : [`the jail has a ${cover} of its own: ${path} of the host is not in it`];
  });
  return [...visible, ...lost, ...loopbackNotes(spec)];
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

/** What a directory as root has of these is known to the keeper only; it skips what is not there. */
function protectSystem({ jail, root }: VassalSpec, { directories }: HostPaths): readonly Directive[] {
  const writes = root.writes.map((path) => directive('write', path));
  const all = SYSTEM_DIRECTORIES.filter((path) => root.form.by !== 'host' || directories.has(path));
  switch (jail.protectSystem) {
    case 'full':
      return [...writes, ...all.map((path) => directive('readonly', path))];
    case 'strict':
      return [...writes, directive('readonly', '/')];
    case 'no':
      return writes;
  }
}

/** Homes but the own one and the working directory; a home that is all of /home cannot be told from the others. */
function hideHomes(spec: VassalSpec, { directories }: HostPaths): readonly Directive[] {
  const { form, protectHome, writes } = spec.root;
  if (protectHome === 'no') return [];
  const own = ownHomes(spec);
  const homes = HOMES.filter((home) => (form.by !== 'host' || directories.has(home)) && !own.includes(home));
  const kept = outermost([...own, ...writes].filter((path) => homes.some((home) => isBelow(path, home))));
  const word = protectHome === 'yes' ? 'hide' : 'readonly';
  return [...kept.map((path) => directive('keep', path)), ...homes.map((home) => directive(word, home))];
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
