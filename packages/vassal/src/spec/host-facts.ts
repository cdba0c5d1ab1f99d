import type { CgroupHost } from '../cgroup/hierarchy.ts';
import type { Architecture } from '../seccomp/architecture.ts';
import type { Namespace } from './spec.ts';

/** An ordinary user; its groups stay, and cannot be changed. */
export type Rootless = {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
};

export type HostFeature = { readonly name: string; readonly missing: string | undefined };

/** What this kernel and these privileges can give, probed once at start. */
export type HostFacts = {
  readonly kernelRelease: string;
  /** Kinds that cannot be made here, and why. */
  readonly unavailable: ReadonlyMap<Namespace, string>;
  /** The user whose emperor this is when that is not root: nobody else can be become. */
  readonly rootless: Rootless | undefined;
  /** What the kernel has beside these, by name; why not where it has it not. */
  readonly features: readonly HostFeature[];
  /** 0 = no Landlock. */
  readonly landlockAbi: number;
  /** The machine, where its system calls are known. */
  readonly architecture: Architecture | undefined;
  /** The kernel loads seccomp filters. */
  readonly hasSeccomp: boolean;
  /** `apparmor` and `selinux`, as far as they are active. */
  readonly securityModules: ReadonlySet<string>;
  /** The highest capability number of the kernel. */
  readonly capLastCap: number;
  /** The emperor's bounding set, bit by number. */
  readonly capBounding: bigint;
  /** The emperor's own hard limits, names as in prlimit(1); undefined = infinity. */
  readonly hardRlimits: ReadonlyMap<string, number | undefined>;
  /** CAP_SYS_RESOURCE: hard limits may be raised. */
  readonly canRaiseRlimits: boolean;
  /** The most open files that the kernel lets any process have. */
  readonly openFilesMax: number;
  readonly cgroups: CgroupHost;
  readonly limits: LimitFacts;
  /** Directories and files of the host that jails have to know about, by path. */
  readonly paths: HostPaths;
};

/** What the emperor may give of the kernel's attention. */
export type LimitFacts = {
  /** Its own nice value and oom_score_adj. */
  readonly nice: number;
  readonly oomScoreAdj: number;
  /** CAP_SYS_NICE: nice values below its own, real time. */
  readonly canRaisePriority: boolean;
  /** CAP_SYS_RESOURCE: an oom_score_adj below its own. */
  readonly canLowerOomScore: boolean;
  /** Whole disks by name below /dev, as MAJOR:MINOR. */
  readonly blockDevices: ReadonlyMap<string, string>;
};

export type HostPaths = {
  /** Top directories that exist and are no symlinks, e.g. /usr, /boot, /home. */
  readonly directories: ReadonlySet<string>;
  /** Where /etc/resolv.conf leads when that is below /run. */
  readonly resolvConf: string | undefined;
  /** System accounts (uid or gid < 1000, and nobody) as passwd and group lines. */
  readonly systemUsers: readonly string[];
  readonly systemGroups: readonly string[];
  /** What of the host stands in every minimal root: /usr, what leads to it, and some files of /etc. */
  readonly minimal: readonly MinimalPart[];
};

export type MinimalPart =
  | { readonly by: 'bind'; readonly path: string }
  | { readonly by: 'link'; readonly path: string; readonly target: string };
