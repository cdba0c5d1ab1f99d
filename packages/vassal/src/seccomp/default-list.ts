import { CAPABILITIES } from '../options/identity.ts';
import type { CheckName } from './checks.ts';
import { callsOfGroup } from './groups.ts';

/** Calls that `default` denies unless the vassal has one of the capabilities. */
type Denied = { readonly unless: readonly string[]; readonly calls: readonly string[] };

/**
 * What no ordinary program needs and an escape does, much as the container engines have it: whatever reaches the whole
 * machine, and kernel interfaces with a record of holes. A capability that was granted brings its calls along.
 */
const DENIED: readonly Denied[] = [
  { unless: [], calls: ['@obsolete', '@cpu-emulation', '@io-uring', '@keyring', 'userfaultfd', 'vmsplice'] },
  {
    unless: ['sys_admin'],
    calls: ['@mount', '@swap', 'setns', 'listns', 'sethostname', 'setdomainname', 'fanotify_init'],
  },
  { unless: ['sys_admin'], calls: ['lookup_dcookie', 'quotactl', 'quotactl_fd'] },
  { unless: ['sys_chroot', 'sys_admin'], calls: ['chroot'] },
  { unless: ['sys_admin', 'bpf'], calls: ['bpf'] },
  { unless: ['sys_admin', 'perfmon'], calls: ['perf_event_open'] },
  { unless: ['sys_admin', 'syslog'], calls: ['syslog'] },
  {
    unless: ['sys_ptrace'],
    calls: ['ptrace', 'process_vm_readv', 'process_vm_writev', 'kcmp', 'pidfd_getfd'],
  },
  { unless: ['sys_nice'], calls: ['migrate_pages', 'move_pages'] },
  { unless: ['sys_module'], calls: ['@module'] },
  { unless: ['sys_boot'], calls: ['@reboot'] },
  { unless: ['sys_rawio'], calls: ['@raw-io'] },
  { unless: ['sys_time'], calls: ['clock_settime', 'settimeofday'] },
  { unless: ['sys_pacct'], calls: ['acct'] },
  { unless: ['sys_tty_config'], calls: ['vhangup'] },
  { unless: ['dac_read_search'], calls: ['open_by_handle_at'] },
];

/** The calls that `default` denies to an app with these capabilities. */
export function deniedByDefault(capabilities: readonly number[]): ReadonlySet<string> {
  const has = (name: string): boolean => capabilities.includes(CAPABILITIES.indexOf(name));
  const isAllowed = (call: string): boolean =>
    DENIED.some(({ unless, calls }) => calls.includes(call) && unless.some(has));
  const denied = DENIED.filter(({ unless }) => !unless.some(has)).flatMap(({ calls }) =>
    calls.flatMap((word) => (word.startsWith('@') ? (callsOfGroup(word) ?? []) : [word])),
  );
  return new Set(denied.filter((call) => !isAllowed(call)));
}

/** Checks of arguments that a capability makes pointless: who may make namespaces may make them. */
export function liftedByCapabilities(capabilities: readonly number[]): readonly (CheckName | 'clone3')[] {
  return capabilities.includes(CAPABILITIES.indexOf('sys_admin')) ? ['clone', 'clone3', 'unshare'] : [];
}
