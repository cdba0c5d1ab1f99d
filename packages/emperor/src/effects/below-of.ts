import type { Held } from '../held.ts';

/** Where else than below the emperor's own base this vassal's control groups may be (`cgroup`). */
export function belowOf({ attempt, file }: Held): readonly string[] {
  return (attempt?.spec ?? file?.good?.spec)?.limits.cgroups ?? [];
}
