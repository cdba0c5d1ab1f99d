import { NAMESPACES } from '../options/isolation.ts';
import type { Namespace } from '../spec/spec.ts';

/** CLONE_NEW* of linux/sched.h. */
const CLONE_FLAGS: Readonly<Record<Namespace, number>> = {
  time: 0x0000_0080,
  mnt: 0x0002_0000,
  cgroup: 0x0200_0000,
  uts: 0x0400_0000,
  ipc: 0x0800_0000,
  user: 0x1000_0000,
  pid: 0x2000_0000,
  net: 0x4000_0000,
};

/** The sum of the clone flags of these namespaces. */
export function cloneFlags(namespaces: readonly Namespace[]): number {
  let flags = 0;
  for (const namespace of new Set(namespaces)) flags += CLONE_FLAGS[namespace];
  return flags;
}

/** The namespaces that these clone flags make, in the order of unshare(1). */
export function namespacesIn(flags: number): readonly Namespace[] {
  return NAMESPACES.filter((namespace) => Math.floor(flags / CLONE_FLAGS[namespace]) % 2 === 1);
}
