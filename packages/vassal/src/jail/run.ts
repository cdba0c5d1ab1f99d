import type { CgroupPlan } from '../cgroup/limits.ts';
import type { Rootless } from '../spec/host-facts.ts';

/** What a jail plan needs of this moment: numbers and places that no spec holds. */
export type JailRun = {
  /** The ids that `auto` became, or those of the spec. */
  readonly uid: number;
  readonly gid: number;
  /** The first of the vassal's own 65,536 ids, for a user namespace without maps of its own. */
  readonly idRange?: number | undefined;
  /** The ids of the ordinary user whose emperor this is: there are no others. */
  readonly rootless?: Rootless | undefined;
  readonly cgroups: CgroupPlan;
  /** An empty directory of root's for this vassal's keeper. */
  readonly scratchDir: string;
  /** Where the notify socket is made when the vassal has no mount namespace of its own. */
  readonly notifyPath: string;
  /** The emperor's own directories: no app's business. */
  readonly hide: readonly string[];
};
