import { isBelow } from '../jail/path.ts';
import { allHierarchies, type CgroupHost, type Hierarchy } from './hierarchy.ts';

/** The hierarchy that a directory of `cgroup` lies in; undefined when it is in none. */
export function hierarchyOfDirectory(dir: string, host: CgroupHost): Hierarchy | undefined {
  return allHierarchies(host).find(({ mount }) => isBelow(dir, mount));
}

/** The hierarchies that these directories lie in. */
export function rawHierarchies(dirs: readonly string[], host: CgroupHost): readonly Hierarchy[] {
  return dirs.flatMap((dir) => hierarchyOfDirectory(dir, host) ?? []);
}

/** The hierarchy whose groups have this file: by its controller, and v2 for `cgroup.…`. */
export function hierarchyOfFile(file: string, host: CgroupHost): Hierarchy | undefined {
  const [controller = ''] = file.split('.');
  if (controller === 'cgroup' || host.v2?.controllers.has(controller) === true) return host.v2;
  return host.v1.get(controller);
}
