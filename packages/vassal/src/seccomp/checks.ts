/**
 * What is asked of one argument before a call is allowed. Only its low 32 bits are looked at, since that is all that
 * the kernel takes of these: a filter that compared more could be passed with rubbish in the upper half.
 */
export type Check = { readonly argument: number } & (
  | { readonly is: 'without'; readonly bits: number }
  | { readonly is: 'none-of'; readonly values: readonly number[] }
  | { readonly is: 'one-of'; readonly values: readonly number[] }
);

/** CLONE_NEW* of linux/sched.h: cgroup, user, pid, net, ipc, uts, mnt. */
const NEW_NAMESPACES = 0x7e02_0000;
/** A bit of the exit signal for clone, a namespace for unshare. */
const NEW_TIME = 0x80;
const TIOCSTI = 0x5412;
const TIOCLINUX = 0x541c;
const AF_VSOCK = 40;
/** Linux, Linux with 32-bit uname, either with the version of 2.6, and the question "which?". */
const PERSONALITIES: readonly number[] = [0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/** Calls that are dangerous by their argument: allowed by a group or by `default` they are still looked at. */
export const CHECKS = {
  clone: { argument: 0, is: 'without', bits: NEW_NAMESPACES },
  unshare: { argument: 0, is: 'without', bits: NEW_NAMESPACES + NEW_TIME },
  // Input for the terminal as if typed, and the same for the console.
  ioctl: { argument: 1, is: 'none-of', values: [TIOCSTI, TIOCLINUX] },
  personality: { argument: 0, is: 'one-of', values: PERSONALITIES },
  // The hypervisor and its other guests, past every network namespace.
  socket: { argument: 0, is: 'none-of', values: [AF_VSOCK] },
} as const satisfies Readonly<Record<string, Check>>;

export type CheckName = keyof typeof CHECKS;

/** The check of a call; undefined when it has none. */
export function checkOf(call: string): CheckName | undefined {
  return isChecked(call) ? call : undefined;
}

function isChecked(call: string): call is CheckName {
  return Object.hasOwn(CHECKS, call);
}
