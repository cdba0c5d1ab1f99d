import type { VassalName } from '@emperor/common/name';
import type { IdMap } from '../options/identity.ts';
import type { FiltersSpec } from './filters.ts';
import type { HooksSpec } from './hooks.ts';
import type { JoiningSpec } from './joining.ts';
import type { LimitsSpec, SchedulingSpec } from './limits.ts';
import type { RootSpec } from './root.ts';

/** Whose file it is decides the powers: root's file is the operator's, every other uid is a tenant. */
export type Powers = 'operator' | 'tenant';

export type Owner = { readonly uid: number; readonly name: string | undefined; readonly powers: Powers };

/** A namespace a vassal may have of its own. */
export type Namespace = 'mnt' | 'pid' | 'ipc' | 'uts' | 'net' | 'cgroup' | 'user' | 'time';

export type RestartPolicy = 'always' | 'on-failure' | 'never';

/** What proves that the app can serve. `auto` = exec succeeded. */
export type Ready =
  | { readonly by: 'auto' }
  | { readonly by: 'spawn' }
  | { readonly by: 'notify' }
  | { readonly by: 'tcp'; readonly host: string; readonly port: number }
  | { readonly by: 'log'; readonly text: string }
  | { readonly by: 'delay'; readonly ms: number };

export type ReloadMode = 'auto' | 'restart' | 'signal';

export type AppSpec = {
  /** The program and its arguments, words already split; never empty. */
  readonly command: readonly string[];
  readonly chdir: string | undefined;
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly envFile: string | undefined;
  readonly umask: number;
  readonly autostart: boolean;
};

/** `uid: 'auto'` is a private uid: the emperor gives a stable number before the first launch. */
export type IdentitySpec = {
  readonly uid: number | 'auto';
  /** 'auto' only together with `uid: 'auto'`: the same number. */
  readonly gid: number | 'auto';
  readonly groups: readonly number[];
  /** Name and home from the user database; undefined for a uid without an entry and for a private one. */
  readonly user: string | undefined;
  readonly home: string | undefined;
  readonly caps: readonly number[];
  /** Bits of linux/securebits.h. */
  readonly securebits: readonly number[];
  /** As written; empty = the vassal's own range, with its ids as they are. */
  readonly uidMap: readonly IdMap[];
  readonly gidMap: readonly IdMap[];
  readonly noNewPrivs: boolean;
};

export type JailSpec = {
  readonly namespaces: readonly Namespace[];
  /** undefined without a uts namespace. */
  readonly hostname: string | undefined;
  readonly privateTmp: boolean;
  readonly privateDev: boolean;
  readonly proc: 'private' | 'host';
  readonly protectSystem: 'full' | 'strict' | 'no';
  readonly whenUnsupported: 'default' | 'refuse' | 'warn';
};

export type LifecycleSpec = {
  readonly restart: RestartPolicy;
  readonly restartDelayMs: number;
  readonly restartMaxDelayMs: number;
  /** 0 = never give up. */
  readonly restartMax: number;
  readonly stableMs: number;
  readonly stopSignal: number;
  readonly stopTimeoutMs: number;
  readonly killMode: 'mixed' | 'control-group';
  readonly reload: ReloadMode;
  readonly reloadSignal: number;
  readonly ready: Ready;
  readonly readyTimeoutMs: number;
  /** undefined = no watchdog. */
  readonly watchdogMs: number | undefined;
  readonly startAfter: readonly VassalName[];
  readonly touchReload: readonly string[];
  /** The longest that hooks may take before the app starts, and after nothing of it is left; 0 without hooks. */
  readonly launchHooksMs: number;
  readonly stopHooksMs: number;
};

export type OutputSpec = {
  readonly logMaxBytes: number;
  readonly logKeep: number;
  /** Lines per second; 0 = no limit. */
  readonly logRate: number;
};

/** Everything that one vassal file means: decoded, resolved, permitted, immutable. Holds no run-time fact. */
export type VassalSpec = {
  readonly name: VassalName;
  readonly file: string;
  readonly owner: Owner;
  readonly app: AppSpec;
  readonly identity: IdentitySpec;
  readonly jail: JailSpec;
  readonly root: RootSpec;
  readonly joining: JoiningSpec;
  readonly hooks: HooksSpec;
  readonly filters: FiltersSpec;
  readonly limits: LimitsSpec;
  readonly scheduling: SchedulingSpec;
  readonly lifecycle: LifecycleSpec;
  readonly output: OutputSpec;
};
