import { isBelow, unescapeOctal } from '../jail/path.ts';

/** The controllers that options of this release use, by their v2 names. */
export type Controller = 'memory' | 'cpu' | 'cpuset' | 'pids' | 'io';

export const CONTROLLERS: readonly Controller[] = ['memory', 'cpu', 'cpuset', 'pids', 'io'];

/** A mounted hierarchy and the directory of it that the emperor was started in. */
export type Hierarchy = {
  readonly mount: string;
  readonly own: string;
  /** The files that a group of ours has; undefined while no group has been made to look into. */
  readonly files?: ReadonlySet<string> | undefined;
};

/** CPUs and memory nodes that the emperor may use, as the kernel writes them: `0-3,7`. */
export type Cpuset = { readonly cpus: string; readonly mems: string };

/** Where the control groups of this host are. A hybrid host has both. */
export type CgroupHost = {
  readonly v2: (Hierarchy & { readonly controllers: ReadonlySet<string> }) | undefined;
  /** Every v1 hierarchy, by each name of the kernel for what is in it: `memory`, `blkio`, `net_cls`. */
  readonly v1: ReadonlyMap<string, Hierarchy>;
  /** undefined without the cpuset controller. */
  readonly cpuset?: Cpuset | undefined;
  /**
   * Time for real-time processes in the emperor's own v1 group of CPU time, in µs; undefined where the kernel does not
   * divide that. A new group has none.
   */
  readonly realtimeUsec?: number | undefined;
};

/** Which version of control groups holds a controller: v2 first, v1 where v2 has it not. */
export function versionOf(host: CgroupHost, controller: Controller): 'v2' | 'v1' | undefined {
  if (host.v2?.controllers.has(controller) === true) return 'v2';
  return host.v1.has(nameInV1(controller)) ? 'v1' : undefined;
}

/** What v1 calls a controller. */
export function nameInV1(controller: Controller): string {
  return controller === 'io' ? 'blkio' : controller;
}

/** The hierarchy that holds a controller. */
export function hierarchyOf(host: CgroupHost, controller: Controller): Hierarchy | undefined {
  return versionOf(host, controller) === 'v2' ? host.v2 : host.v1.get(nameInV1(controller));
}

/** Every hierarchy once, v2 first. Controllers may share one (cpu,cpuacct; or all in one). */
export function allHierarchies({ v2, v1 }: CgroupHost): readonly Hierarchy[] {
  const byMount = new Map([...v1.values()].map((hierarchy) => [hierarchy.mount, hierarchy]));
  return [...(v2 === undefined ? [] : [v2]), ...byMount.values()];
}

/** What /proc/self/{mountinfo,cgroup} say; `read` reads a small file of a control group, empty when it is not there. */
export type HierarchyTexts = {
  readonly mountinfo: string;
  readonly cgroup: string;
  readonly read: (path: string) => string;
};

/** The hierarchies of a host from the texts of its kernel. */
export function parseHierarchies({ mountinfo, cgroup, read }: HierarchyTexts): CgroupHost {
  const mounts = mountinfo.split('\n').flatMap((line) => parseMount(line) ?? []);
  const memberships = cgroup.split('\n').flatMap((line) => parseMembership(line) ?? []);
  const host = { v2: findV2(mounts, memberships, read), v1: findV1(mounts, memberships) };
  return { ...host, cpuset: readCpuset(host, read), realtimeUsec: readRealtime(host, read) };
}

function readRealtime({ v1 }: CgroupHost, read: (path: string) => string): number | undefined {
  const own = v1.get('cpu')?.own;
  const text = own === undefined ? '' : read(`${own}/cpu.rt_runtime_us`).trim();
  return /^-?\d+$/.test(text) ? Number(text) : undefined;
}

/** v1 has both files filled wherever a process may be; v2 shows what is in effect. */
function readCpuset(host: CgroupHost, read: (path: string) => string): Cpuset | undefined {
  const own = hierarchyOf(host, 'cpuset')?.own;
  if (own === undefined) return undefined;
  const isV2 = versionOf(host, 'cpuset') === 'v2';
  const [cpus = '', mems = ''] = ['cpus', 'mems'].map((what) =>
    read(`${own}/cpuset.${isV2 ? `${what}.effective` : what}`).trim(),
  );
  return cpus === '' || mems === '' ? undefined : { cpus, mems };
}

/**
 * The directory of a vassal's owner below the emperor's own; instance and owner make two emperors, and two owners of
 * one name, never meet.
 */
export function instanceDirectory(hierarchy: Hierarchy, instance: string): string {
  return join(baseOf(hierarchy.own, instance), `emperor-${instance}`);
}

/** One generation of one vassal in the tree below an instance. */
export type GenerationPlace = {
  readonly instance: string;
  readonly ownerUid: number;
  readonly name: string;
  readonly generation: number;
  /** Groups of the operator's choice (`cgroup`), at most one in each hierarchy, to be below instead. */
  readonly below?: readonly string[] | undefined;
};

/**
 * `emperor-INSTANCE/uOWNER/NAME/gGENERATION` below the group that the emperor was started in, or below the one that
 * `cgroup` names in this hierarchy.
 */
export function generationDirectory(hierarchy: Hierarchy, place: GenerationPlace): string {
  const { instance, ownerUid, name, generation, below } = place;
  const base = below?.find((dir) => isBelow(dir, hierarchy.mount));
  const top = base === undefined ? instanceDirectory(hierarchy, instance) : join(base, `emperor-${instance}`);
  return join(top, `u${ownerUid}`, name, `g${generation}`);
}

type Mount = {
  readonly root: string;
  readonly point: string;
  readonly type: string;
  readonly options: readonly string[];
};
type Membership = { readonly controllers: readonly string[]; readonly path: string };

/** `36 25 0:31 / /sys/fs/cgroup/memory rw,… shared:16 - cgroup cgroup rw,memory`. */
function parseMount(line: string): Mount | undefined {
  const [before, after] = line.split(' - ');
  const [, , , root, point] = (before ?? '').split(' ');
  const [type, , options] = (after ?? '').split(' ');
  if (root === undefined || point === undefined || (type !== 'cgroup' && type !== 'cgroup2'))
    return undefined;
  return {
    root: unescapeOctal(root),
    point: unescapeOctal(point),
    type,
    options: (options ?? '').split(','),
  };
}

/** `4:memory:/jobs/17`, and `0::/jobs/17` for v2. */
function parseMembership(line: string): Membership | undefined {
  const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
  if (controllers === undefined || path === undefined) return undefined;
  return { controllers: controllers === '' ? [] : controllers.split(','), path: delegated(path) };
}

function findV2(
  mounts: readonly Mount[],
  memberships: readonly Membership[],
  read: (path: string) => string,
): CgroupHost['v2'] {
  const mount = mounts.find(({ type }) => type === 'cgroup2');
  const membership = memberships.find(({ controllers }) => controllers.length === 0);
  const own = mount && membership && ownDirectory(mount, membership.path);
  if (mount === undefined || own === undefined) return undefined;
  const controllers = read(`${own}/cgroup.controllers`)
    .split(/\s+/)
    .filter((word) => word !== '');
  return { mount: mount.point, own, controllers: new Set(controllers) };
}

function findV1(mounts: readonly Mount[], memberships: readonly Membership[]): CgroupHost['v1'] {
  const found = new Map<string, Hierarchy>();
  for (const { controllers, path } of memberships) {
    for (const controller of controllers) {
      const mount = mounts.find(({ type, options }) => type === 'cgroup' && options.includes(controller));
      const own = mount && ownDirectory(mount, path);
      if (mount !== undefined && own !== undefined) found.set(controller, { mount: mount.point, own });
    }
  }
  return found;
}

/** A mount may show only a part of its hierarchy (a container's); undefined when our group lies outside of it. */
function ownDirectory(mount: Mount, path: string): string | undefined {
  if (mount.root === '/') return join(mount.point, path);
  if (path === mount.root) return mount.point;
  return path.startsWith(`${mount.root}/`) ? join(mount.point, path.slice(mount.root.length)) : undefined;
}

/** An emperor that was started from within its own leaf must not nest its tree in itself. */
function baseOf(own: string, instance: string): string {
  const at = own.indexOf(`/emperor-${instance}/`);
  return at < 0 ? own : own.slice(0, at);
}

/** What DelegateSubgroup= of our systemd units says. */
const SUBGROUP = '/emperor-main';

/**
 * The group that was given to us: a unit that says `DelegateSubgroup=emperor-main` delegates the one above. Were we
 * started in that one, systemd could not start us there again while vassals live below it, since a group that passes
 * controllers on takes no processes.
 */
function delegated(path: string): string {
  return path.endsWith(SUBGROUP) ? path.slice(0, -SUBGROUP.length) || '/' : path;
}

function join(...parts: readonly string[]): string {
  return parts
    .join('/')
    .replace(/\/{2,}/g, '/')
    .replace(/(.)\/$/, '$1');
}
