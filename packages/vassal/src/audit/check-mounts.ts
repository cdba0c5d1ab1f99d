import { isBelow } from '../jail/path.ts';
import { equal, type Finding, type Subject } from './finding.ts';
import type { Mount } from './found.ts';
import { type MountPromise, mountPromises } from './mount-promises.ts';
import { MountTree } from './mount-tree.ts';

/** Root and mounts: what was promised is there with its options, and nothing else is. */
export function checkMounts(subject: Subject): readonly Finding[] {
  const { spec, found, directives } = subject;
  if (!spec.jail.namespaces.includes('mnt')) return [SHARED];
  if (!found.mounts.ok)
    return [{ ...SHARED, what: 'mountinfo', verdict: 'cannot-tell', reason: found.mounts.why }];
  const tree = new MountTree(found.mounts.value);
  const promises = mountPromises(directives);
  const there = promises.filter(({ optional, path }) => !optional || found.existing.has(path));
  return [
    ...rootFinding(subject, tree),
    ...there.map((promise) => judge(promise, tree, there)),
    ...unexpected(subject, tree, promises),
  ];
}

const SHARED: Finding = {
  group: 'mounts',
  what: 'mounts',
  promised: 'none of its own',
  found: "the host's",
  verdict: 'note',
};

/** A path that is not shown since a directory above it is hidden is as good as hidden. */
function judge(promise: MountPromise, tree: MountTree, all: readonly MountPromise[]): Finding {
  const { path, promised } = promise;
  const finding = { group: 'mounts', what: path, promised };
  const mount = tree.at(path);
  if (mount === undefined) return { ...finding, found: 'nothing', verdict: 'violated' };
  const seen = describe(mount);
  if (mount.point !== path && all.some((other) => isCover(other) && other.path === mount.point)) {
    return { ...finding, found: `hidden with ${mount.point}`, verdict: 'ok' };
  }
  const wrong = wrongWith(promise, mount);
  if (wrong !== undefined) return { ...finding, found: `${wrong}: ${seen}`, verdict: 'violated' };
  const open = promise.below === 'tree' ? writableBelow(path, tree, all) : undefined;
  if (open !== undefined)
    return { ...finding, found: `writable below: ${describe(open)}`, verdict: 'violated' };
  return { ...finding, found: seen, verdict: 'ok' };
}

function wrongWith({ path, options, exact, types, root }: MountPromise, mount: Mount): string | undefined {
  if (exact && mount.point !== path) return 'nothing is mounted there';
  if (types.length > 0 && !types.includes(mount.type)) return `a ${mount.type}`;
  if (root !== undefined && !root.test(mount.root)) return `shows ${mount.root}`;
  const missing = options.filter((option) => !mount.options.has(option));
  return missing.length === 0 ? undefined : `not ${missing.join(', ')}`;
}

function isCover({ promised }: MountPromise): boolean {
  return promised === 'hidden' || promised === 'masked';
}

function writableBelow(path: string, tree: MountTree, all: readonly MountPromise[]): Mount | undefined {
  return tree.visible.find(
    (mount) =>
      mount.point !== path &&
      isBelow(mount.point, path) &&
      isWritable(mount) &&
      !isPromised(mount, path, all),
  );
}

/** Does a promise about something further down than `path` speak of this mount? */
function isPromised(mount: Mount, path: string, all: readonly MountPromise[]): boolean {
  return all.some(
    (promise) =>
      promise.path !== path &&
      isBelow(promise.path, path) &&
      (promise.path === mount.point || (promise.below === 'open' && isBelow(mount.point, promise.path))),
  );
}

function isWritable({ options, superOptions }: Mount): boolean {
  return options.has('rw') && superOptions.has('rw');
}

/** Which directory of the host is `/`: its own root, or the one that the root word names; undefined = another one. */
function rootOfHost({ directives, spec }: Subject): string | undefined {
  if (spec.joining.setns !== undefined || directives.some(({ word }) => word === 'pivot-root'))
    return undefined;
  const [kind = 'host', directory = '/'] = directives.find(({ word }) => word === 'root')?.args ?? [];
  if (kind === 'host') return '/';
  return kind === 'tree' || kind === 'single' ? directory : undefined;
}

function rootFinding(subject: Subject, tree: MountTree): readonly Finding[] {
  const directory = rootOfHost(subject);
  const { root } = tree;
  if (directory === undefined || root === undefined) return [];
  const host = new MountTree(subject.found.host.mounts).at(directory);
  if (host === undefined) return [];
  const below = directory === host.point ? '' : directory.slice(host.point === '/' ? 0 : host.point.length);
  const promised = `${host.device} ${below === '' ? host.root : `${host.root === '/' ? '' : host.root}${below}`}`;
  const what = directory === '/' ? 'root' : `root ${directory}`;
  return [equal({ group: 'mounts', what, promised, found: `${root.device} ${root.root}` })];
}

/** What can be seen and is neither promised nor where the host has it. */
function unexpected(
  subject: Subject,
  tree: MountTree,
  promises: readonly MountPromise[],
): readonly Finding[] {
  const finding = { group: 'mounts', what: 'further mounts', promised: "none but the host's own" };
  const strangers = tree.visible.filter(
    (mount) => mount.point !== '/' && !isKnown(mount, promises) && !isHosts(mount, subject),
  );
  if (strangers.length === 0) return [{ ...finding, found: 'none', verdict: 'ok' }];
  const reason = otherHands(subject);
  return strangers.map((mount) => ({
    ...finding,
    what: mount.point,
    found: describe(mount),
    verdict: reason === undefined ? 'violated' : 'note',
    reason,
  }));
}

/** Does the host have the same at the same place, seen from the root of the jail? */
function isHosts(mount: Mount, subject: Subject): boolean {
  const directory = rootOfHost(subject);
  if (directory === undefined) return false;
  const point = `${directory === '/' ? '' : directory}${mount.point}`;
  return subject.found.host.mounts.some(
    (each) => each.point === point && each.device === mount.device && each.root === mount.root,
  );
}

/** Who else may have mounted something with the operator's consent. */
function otherHands({ spec, directives }: Subject): string | undefined {
  if (spec.joining.setns !== undefined) return 'setns joined a mount namespace of others';
  const hooks = Object.values(spec.hooks.byPhase).flat();
  if (hooks.some(({ action }) => action === 'mount' || action === 'exec' || action === 'umount')) {
    return 'hooks of the operator may have mounted it';
  }
  return directives.some(({ word }) => word === 'pivot-root') ? 'hooks made its root' : undefined;
}

function isKnown(mount: Mount, promises: readonly MountPromise[]): boolean {
  return promises.some(
    ({ path, below }) => path === mount.point || (below === 'open' && isBelow(mount.point, path)),
  );
}

function describe({ type, source, root, options, device }: Mount): string {
  return `${type} ${source} ${root} (${device}) ${[...options].join(',')}`;
}
