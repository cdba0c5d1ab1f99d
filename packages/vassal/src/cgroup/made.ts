import { existsSync } from 'node:fs';
import { type CgroupHost, type Hierarchy, instanceDirectory } from './hierarchy.ts';

/** The hierarchies in which the tree of this instance could be made: an ordinary user has those that were delegated. */
export function madeGroups({ v1, v2, ...rest }: CgroupHost, instance: string): CgroupHost {
  const isMade = (hierarchy: Hierarchy): boolean => existsSync(instanceDirectory(hierarchy, instance));
  return {
    ...rest,
    v2: v2 !== undefined && isMade(v2) ? v2 : undefined,
    v1: new Map([...v1].filter(([, hierarchy]) => isMade(hierarchy))),
  };
}
