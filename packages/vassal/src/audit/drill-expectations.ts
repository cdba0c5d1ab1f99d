import type { DrillAttemptJson } from '@emperor/common/control/proof';
import type { Directive, DirectiveWord } from '../jail/directive.ts';
import { CAPABILITIES } from '../options/identity.ts';
import { CALL_TABLES } from '../seccomp/architecture.ts';
import { filterOf } from '../seccomp/filter.ts';
import type { HostFacts } from '../spec/host-facts.ts';
import type { VassalSpec } from '../spec/spec.ts';
import { forksOf } from './drill-plan.ts';

/** What should become of an attempt in this jail, and why. */
export type Expectation = Pick<DrillAttemptJson, 'expected' | 'reason'>;

/** What decides it. A right that the operator gave may be used; a way out of the jail is never expected. */
export type DrillWorld = {
  readonly spec: VassalSpec;
  readonly host: Pick<HostFacts, 'landlockAbi' | 'architecture'>;
  readonly uid: number;
  readonly directives: readonly Directive[];
};

export type Attempt = {
  readonly name: string;
  readonly what: string;
  readonly expect: (jail: Jail) => Expectation;
};

/** Questions about a jail. */
export class Jail {
  readonly #world: DrillWorld;
  readonly #denied: (call: string) => boolean;

  constructor(world: DrillWorld) {
    this.#world = world;
    this.#denied = deniedCalls(world);
  }

  get spec(): VassalSpec {
    return this.#world.spec;
  }

  get landlockAbi(): number {
    return this.#world.host.landlockAbi;
  }

  /** uid 0 of the host: in a user namespace it is nobody outside. */
  get isRoot(): boolean {
    return this.#world.uid === 0 && !this.owns('user');
  }

  owns(kind: string): boolean {
    const kinds: readonly string[] = this.spec.jail.namespaces;
    return kinds.includes(kind);
  }

  hasWord(word: DirectiveWord, argument?: string): boolean {
    return this.#world.directives.some(
      (directive) => directive.word === word && (argument === undefined || directive.args.includes(argument)),
    );
  }

  has(...names: readonly string[]): boolean {
    return names.some((name) => this.spec.identity.caps.includes(CAPABILITIES.indexOf(name)));
  }

  /** Does the seccomp filter refuse this call, or most uses of it? */
  denies(call: string): boolean {
    return this.#denied(call);
  }

  /** A root of its own, joined namespaces: what is there is not ours to know. */
  get isElsewhere(): boolean {
    const own = this.#world.directives.some(({ word, args }) => word === 'root' && args[0] !== 'host');
    return own || (['pivot-root', 'chroot', 'setns'] as const).some((word) => this.hasWord(word));
  }
}

function deniedCalls({ spec, host }: DrillWorld): (call: string) => boolean {
  const words = spec.filters.seccomp;
  const { architecture } = host;
  if (words === undefined || architecture === undefined || !spec.identity.noNewPrivs) return () => false;
  const { verdicts } = filterOf({ words, architecture, capabilities: spec.identity.caps, needed: [] });
  const { numbers } = CALL_TABLES[architecture];
  return (call) => {
    const number = numbers.get(call);
    return number !== undefined && verdicts.get(number) !== 'allow';
  };
}

const denied = (reason: string): Expectation => ({ expected: 'denied', reason });
const either = (reason: string): Expectation => ({ expected: 'either', reason });

const NEVER = denied('no option gives this');

/** Only with a capability. */
function needs(what: string, ...names: readonly string[]): (jail: Jail) => Expectation {
  return (jail) => {
    const named = names.find((name) => jail.has(name));
    return named === undefined
      ? denied(`${what} needs cap = ${names.join(' or ')}`)
      : either(`cap = ${named}`);
  };
}

/** With sys_admin, and only where it stays in the jail. */
function inside(kind: string, what: string): (jail: Jail) => Expectation {
  return (jail) => {
    if (!jail.has('sys_admin')) return denied(`${what} needs cap = sys_admin`);
    return jail.owns(kind)
      ? either(`cap = sys_admin, in its own ${kind} namespace`)
      : denied(`unshare leaves out ${kind}: it would be the host's`);
  };
}

/** Left to the filter, or else to the host's settings. */
function filtered(call: string, setting: string, ...names: readonly string[]): (jail: Jail) => Expectation {
  return (jail) => {
    const named = names.find((name) => jail.has(name));
    if (named !== undefined) return either(`cap = ${named}`);
    return jail.denies(call)
      ? denied('the seccomp filter refuses it')
      : either(`no filter refuses it: ${setting} decides`);
  };
}

/** What root's own files and devices decide: with uid 0 it is open where the jail covers nothing. */
function covered(isCovered: (jail: Jail) => boolean, option: string): (jail: Jail) => Expectation {
  return (jail) => {
    if (jail.isElsewhere) return either('its root is another one');
    if (!jail.owns('mnt')) return denied('the file modes of the host');
    if (isCovered(jail)) return denied(option);
    const isMighty = jail.isRoot || jail.has('dac_override');
    return isMighty ? either(`not ${option}, and it is root`) : denied('the file modes of the host');
  };
}

const kernelFiles = covered(({ spec }) => spec.jail.proc === 'private', 'proc = private');

function unlessShared(kind: string): (jail: Jail) => Expectation {
  return (jail) => {
    if (jail.hasWord('setns')) return either('setns joined namespaces of others');
    return jail.owns(kind)
      ? denied(`its own ${kind} namespace`)
      : denied(`unshare leaves out ${kind}: nothing keeps it in`);
  };
}

/** Every attempt of the prober, in its order. */
export const ATTEMPTS: readonly Attempt[] = [
  {
    name: 'write-system',
    what: 'open files of /etc, /usr and /boot for writing',
    expect: covered(({ spec }) => spec.jail.protectSystem !== 'no', 'protect-system'),
  },
  {
    name: 'write-host',
    what: 'make a file in /, /var, /srv, /opt, /root, /home',
    expect: covered(({ spec }) => spec.jail.protectSystem === 'strict', 'protect-system = strict'),
  },
  {
    name: 'other-homes',
    what: "open other people's homes",
    expect: (jail) => {
      if (jail.isElsewhere) return either('its root is another one');
      const hides = jail.hasWord('hide', '/home') || jail.hasWord('hide', '/root') || !jail.owns('mnt');
      return hides ? denied('homes are hidden') : either('homes are not hidden: their modes decide');
    },
  },
  { name: 'emperor-directories', what: "look into the emperor's directories", expect: () => NEVER },
  { name: 'emperor-sockets', what: "connect to the emperor's sockets", expect: () => NEVER },
  {
    name: 'host-sockets',
    what: 'connect to docker, containerd, D-Bus and the like',
    expect: (jail) =>
      jail.spec.root.mounts.length > 0 || jail.isElsewhere
        ? either('what is bound decides')
        : denied('its own /run'),
  },
  {
    name: 'tmp-of-others',
    what: "see a neighbour's files in /tmp, /var/tmp, /dev/shm",
    expect: (jail) => {
      if (jail.isElsewhere) return either('its root is another one');
      return jail.owns('mnt') && !jail.spec.jail.privateTmp
        ? either('private-tmp = no')
        : denied('private-tmp');
    },
  },
  {
    name: 'hard-link',
    what: 'link files of root into its own directories',
    expect: (jail) => (jail.isRoot || jail.has('fowner') ? either('it is root') : denied('not its files')),
  },
  {
    name: 'symlink',
    what: 'reach /etc/shadow, also by a symlink in /tmp',
    expect: (jail) => {
      if (jail.isRoot || jail.has('dac_override', 'dac_read_search')) return either('it is root');
      return jail.spec.identity.groups.length > 0 ? either('add-gid decides') : denied('file modes');
    },
  },
  {
    name: 'setuid-programs',
    what: 'gain rights by a setuid program',
    expect: ({ spec }) => (spec.identity.noNewPrivs ? denied('no-new-privs') : either('no-new-privs = no')),
  },
  { name: 'open-by-handle', what: 'open any file by its number', expect: needs('it', 'dac_read_search') },
  { name: 'mknod', what: 'make a device node', expect: needs('it', 'mknod') },
  {
    name: 'raw-disk',
    what: 'open disks',
    expect: covered(({ spec }) => spec.jail.privateDev, 'private-dev'),
  },
  { name: 'kernel-memory', what: 'open /dev/mem, /proc/kcore, I/O ports', expect: needs('it', 'sys_rawio') },
  {
    name: 'other-devices',
    what: 'open kvm, tun, input, consoles, watchdog',
    expect: ({ spec, isElsewhere }) => {
      if (isElsewhere) return either('its root is another one');
      const isHosts = !spec.jail.privateDev && spec.jail.namespaces.includes('mnt');
      return isHosts ? either("private-dev = no: the host's modes decide") : denied('private-dev');
    },
  },
  {
    name: 'kernel-log',
    what: "read the kernel's log",
    expect: filtered('syslog', 'kernel.dmesg_restrict', 'syslog', 'sys_admin'),
  },
  { name: 'sysrq', what: 'open sysrq for writing', expect: kernelFiles },
  { name: 'core-pattern', what: 'open core_pattern, modprobe, binfmt_misc for writing', expect: kernelFiles },
  { name: 'write-proc-sys', what: 'open settings of /proc/sys for writing', expect: kernelFiles },
  {
    name: 'write-sys',
    what: 'open settings of /sys for writing',
    expect: covered(() => true, 'a read-only /sys'),
  },
  {
    name: 'release-agent',
    what: "open a control group's release_agent",
    expect: covered(() => true, 'a read-only /sys'),
  },
  {
    name: 'leave-group',
    what: 'open files of control groups for writing',
    expect: covered(() => true, 'a read-only /sys'),
  },
  { name: 'tiocsti', what: "reach somebody's terminal", expect: () => NEVER },
  { name: 'kernel-module', what: 'load or unload a kernel module', expect: needs('it', 'sys_module') },
  { name: 'kexec', what: 'load another kernel', expect: needs('it', 'sys_boot') },
  { name: 'reboot', what: 'reboot', expect: needs('it', 'sys_boot') },
  { name: 'swapon', what: 'change swap', expect: needs('it', 'sys_admin') },
  {
    name: 'bpf',
    what: 'make a BPF map',
    expect: filtered('bpf', 'kernel.unprivileged_bpf_disabled', 'sys_admin', 'bpf'),
  },
  {
    name: 'perf-event',
    what: 'watch a whole CPU',
    expect: filtered('perf_event_open', 'kernel.perf_event_paranoid', 'sys_admin', 'perfmon'),
  },
  {
    name: 'io-uring',
    what: 'make an io_uring',
    expect: filtered('io_uring_setup', 'kernel.io_uring_disabled'),
  },
  {
    name: 'userfaultfd',
    what: 'hold up the kernel at page faults',
    expect: filtered('userfaultfd', 'vm.unprivileged_userfaultfd', 'sys_ptrace'),
  },
  { name: 'raw-socket', what: 'open raw sockets', expect: needs('it', 'net_raw') },
  { name: 'net-admin', what: 'change network devices', expect: needs('it', 'net_admin') },
  { name: 'set-clock', what: 'change the clock', expect: needs('it', 'sys_time') },
  {
    name: 'become-root',
    what: 'become uid 0',
    expect: (jail) => {
      if (jail.isRoot) return either('uid = root');
      return jail.owns('user')
        ? either('uid 0 of its user namespace is nobody outside')
        : needs('it', 'setuid')(jail);
    },
  },
  { name: 'raise-limits', what: 'raise a hard limit', expect: needs('it', 'sys_resource') },
  {
    name: 'raise-priority',
    what: 'take a higher priority',
    expect: (jail) => {
      const isGiven = jail.spec.limits.rlimits.some(
        ({ resource }) => resource === 'nice' || resource === 'rtprio',
      );
      return isGiven ? either('limit-nice and limit-rtprio decide') : needs('it', 'sys_nice')(jail);
    },
  },
  { name: 'mount', what: 'mount something', expect: inside('mnt', 'it') },
  { name: 'open-tree', what: 'take a copy of a mount', expect: inside('mnt', 'it') },
  { name: 'unmount', what: 'unmount something, or change the root', expect: inside('mnt', 'it') },
  { name: 'chroot', what: 'leave the root by a second chroot', expect: () => NEVER },
  { name: 'setns', what: 'enter namespaces of init, of pid 1, of a neighbour', expect: () => NEVER },
  { name: 'new-namespaces', what: 'make namespaces', expect: needs('it', 'sys_admin') },
  {
    name: 'user-namespace',
    what: 'make a user namespace',
    expect: filtered('unshare', 'user.max_user_namespaces', 'sys_admin'),
  },
  {
    name: 'user-namespace-mounts',
    what: "undo the jail's mounts in a user namespace of its own",
    expect: () => denied('mounts of the jail are locked'),
  },
  { name: 'set-hostname', what: 'set the host name', expect: inside('uts', 'it') },
  { name: 'leaked-descriptors', what: 'find open descriptors that nobody gave', expect: () => NEVER },
  { name: 'signal-outsider', what: 'signal a process outside, of its own uid', expect: unlessShared('pid') },
  {
    name: 'trace-outsider',
    what: 'trace or read a process outside, of its own uid',
    expect: unlessShared('pid'),
  },
  { name: 'trace-init', what: 'trace or read the init of the jail', expect: needs('it', 'sys_ptrace') },
  {
    name: 'proc-of-others',
    what: 'see processes of others in /proc',
    expect: (jail) => {
      const isHosts = jail.spec.jail.proc === 'host' && jail.owns('mnt') && jail.owns('pid');
      return isHosts && !jail.isElsewhere ? either('proc = host') : unlessShared('pid')(jail);
    },
  },
  {
    name: 'abstract-socket',
    what: 'connect to an abstract socket outside',
    expect: (jail) => {
      if (jail.owns('net')) return denied('its own net namespace');
      if (!jail.spec.identity.noNewPrivs) return either('no-new-privs = no takes Landlock away');
      return jail.landlockAbi >= 6
        ? denied('Landlock')
        : either('known: the net namespace is shared, and the Landlock of this kernel is too old to help');
    },
  },
  {
    name: 'loopback',
    what: "connect to a port of the host's loopback",
    expect: (jail) => {
      if (jail.owns('net')) return denied('its own net namespace');
      const { tcpConnect } = jail.spec.filters;
      return tcpConnect !== undefined && jail.landlockAbi >= 4
        ? denied('tcp-connect')
        : either('known: the loopback is shared; net in unshare, or tcp-connect, ends that');
    },
  },
  { name: 'sysv-ipc', what: 'attach shared memory of a process outside', expect: unlessShared('ipc') },
  { name: 'keyring', what: "find a key of the emperor's session", expect: () => NEVER },
  {
    name: 'fork-bomb',
    what: 'start more processes than pids-max',
    expect: ({ spec }) => {
      if (forksOf(spec) > 0) return denied(`pids-max = ${spec.limits.pidsMax ?? 0}`);
      return spec.limits.pidsMax === undefined
        ? either('pids-max = unlimited')
        : either('not tried: limit-nproc would let the vassal itself feel it, or pids-max is too large');
    },
  },
];
