/** The controllers that options of this release use. */
export type Controller = 'memory' | 'cpu' | 'pids';

export const CONTROLLERS: readonly Controller[] = ['memory', 'cpu', 'pids'];

/** A mounted hierarchy and the directory of it that the emperor was started in. */
export type Hierarchy = { readonly mount: string; readonly own: string };

/** Where the control groups of this host are. A hybrid host has both. */
export type CgroupHost = {
  readonly v2: (Hierarchy & { readonly controllers: ReadonlySet<string> }) | undefined;
  readonly v1: ReadonlyMap<Controller, Hierarchy>;
};

/** Which version of control groups holds a controller: v2 first, v1 where v2 has it not. */
export function versionOf(host: CgroupHost, controller: Controller): 'v2' | 'v1' | undefined {
  if (host.v2?.controllers.has(controller) === true) return 'v2';
  return host.v1.has(controller) ? 'v1' : undefined;
}

/** What /proc/self/{mountinfo,cgroup} say; `controllersOf` reads cgroup.controllers of a v2 directory. */
export type HierarchyTexts = {
  readonly mountinfo: string;
  readonly cgroup: string;
  readonly controllersOf: (directory: string) => string;
};

/** The hierarchies of a host from the texts of its kernel. */
export function parseHierarchies({ mountinfo, cgroup, controllersOf }: HierarchyTexts): CgroupHost {
  const mounts = mountinfo.split('\n').flatMap((line) => parseMount(line) ?? []);
  const memberships = cgroup.split('\n').flatMap((line) => parseMembership(line) ?? []);
  return { v2: findV2(mounts, memberships, controllersOf), v1: findV1(mounts, memberships) };
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
};

/** `emperor-INSTANCE/uOWNER/NAME/gGENERATION` below the group that the emperor was started in. */
export function generationDirectory(hierarchy: Hierarchy, place: GenerationPlace): string {
  const { instance, ownerUid, name, generation } = place;
  return join(instanceDirectory(hierarchy, instance), `u${ownerUid}`, name, `g${generation}`);
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
  return { controllers: controllers === '' ? [] : controllers.split(','), path };
}

function findV2(
  mounts: readonly Mount[],
  memberships: readonly Membership[],
  controllersOf: (directory: string) => string,
): CgroupHost['v2'] {
  const mount = mounts.find(({ type }) => type === 'cgroup2');
  const membership = memberships.find(({ controllers }) => controllers.length === 0);
  const own = mount && membership && ownDirectory(mount, membership.path);
  if (mount === undefined || own === undefined) return undefined;
  const controllers = controllersOf(own)
    .split(/\s+/)
    .filter((word) => word !== '');
  return { mount: mount.point, own, controllers: new Set(controllers) };
}

function findV1(mounts: readonly Mount[], memberships: readonly Membership[]): CgroupHost['v1'] {
  const found = new Map<Controller, Hierarchy>();
  for (const controller of CONTROLLERS) {
    const mount = mounts.find(({ type, options }) => type === 'cgroup' && options.includes(controller));
    const membership = memberships.find(({ controllers }) => controllers.includes(controller));
    const own = mount && membership && ownDirectory(mount, membership.path);
    if (mount !== undefined && own !== undefined) found.set(controller, { mount: mount.point, own });
  }
  return found;
}

/** A mount may show only a part of its hierarchy (a container's); undefined when our group lies outside of it. */
function ownDirectory(mount: Mount, path: string): string | undefined {
  if (mount.root === '/') return join(mount.point, path);
  if (path === mount.root) return mount.point;
  return path.startsWith(`${mount.root}/`) ? join(mount.point, path.slice(mount.root.length)) : undefined;
}

/** What DelegateSubgroup= of our systemd units says. */
const SUBGROUP = '/emperor-main';

/**
 * The group that was given to us. An emperor that was started from within its own leaf must not nest its tree in
 * itself; and a unit that says `DelegateSubgroup=emperor-main` delegates the group above: were we started in that one,
 * systemd could not start us there again while vassals live below it (a group that passes controllers on takes no
 * processes).
 */
function baseOf(own: string, instance: string): string {
  const at = own.indexOf(`/emperor-${instance}/`);
  if (at >= 0) return own.slice(0, at);
  return own.endsWith(SUBGROUP) ? own.slice(0, -SUBGROUP.length) : own;
}

function join(...parts: readonly string[]): string {
  return parts
    .join('/')
    .replace(/\/{2,}/g, '/')
    .replace(/(.)\/$/, '$1');
}

function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
