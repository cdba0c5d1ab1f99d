import type {
  Action,
  EventJson,
  OutcomeJson,
  StatusJson,
  VassalJson,
  WhyJson,
} from '@emperor/common/control/api';
import type { AuditJson, DrillJson, PlanJson } from '@emperor/common/control/proof';
import type { Diagnostic } from '@emperor/common/diagnostic';
import type { VassalName } from '@emperor/common/name';
import type { CgroupCounter } from '@emperor/vassal/cgroup/counters';
import type { Counters } from './core/counted.ts';

/** Identity and content of one vassal file, all from one descriptor. Times in ns since the epoch. */
export type SourceFile = {
  readonly name: VassalName;
  /** The path in the vassals directory (the link, when it is one). */
  readonly path: string;
  /** The file that was read: `path`, or where root's link led. */
  readonly target: string;
  /** The least trusted uid on the way: 0, or the one tenant whose directories, links and file these are. */
  readonly ownerUid: number;
  readonly mtimeNs: bigint;
  /** Changes whenever anything about file or link may have changed; equal = do not look again. */
  readonly fingerprint: string;
  readonly text: string;
};

/** A directory entry that names a vassal and may not be used: why. Its vassal keeps what it runs. */
export type RefusedFile = {
  readonly name: VassalName;
  readonly path: string;
  /** Whose it seems to be, when that much is known: a vassal of another owner ends at once. */
  readonly ownerUid: number | undefined;
  readonly diagnostic: Diagnostic;
};

/**
 * The source as it is now. `complete: false` (missing, replaced, unreadable directory, error on the way) proves
 * no absence: everything keeps running and `diagnostics` says why.
 */
export type Scan = {
  readonly complete: boolean;
  /** dev:ino of the directory that was read; undefined when it could not be. */
  readonly directory: string | undefined;
  readonly files: ReadonlyMap<VassalName, SourceFile>;
  readonly refused: ReadonlyMap<VassalName, RefusedFile>;
  readonly diagnostics: readonly Diagnostic[];
};

/** The set of vassal files now, and "look again". */
export type Monitor = {
  /** Begin to watch; `onHint` may come at any time, carries no meaning but "scan again". */
  readonly watch: (onHint: () => void) => Promise<void>;
  /** One pass over the directory; re-reads only files whose fingerprint changed. Never throws for what is on disk. */
  readonly scan: () => Promise<Scan>;
  /** Files whose content is too young to be trusted (§6: within 50 ms of its mtime): scan again after this many ms. */
  readonly unsettledMs: () => number | undefined;
  readonly close: () => Promise<void>;
};

/** What a running vassal uses now; undefined where nothing tells. */
export type Usage = {
  readonly memoryBytes: number | undefined;
  readonly cpuPercent: number | undefined;
  readonly tasks: number | undefined;
  /** Of the running generation. */
  readonly counters: Counters;
};

/** Where the sampler may look. Control group directories of the running generation, absolute. */
export type UsageTarget = {
  readonly name: VassalName;
  readonly appPid: number;
  readonly sinceMs: number;
  readonly v2: string | undefined;
  readonly memoryV1: string | undefined;
  readonly pidsV1: string | undefined;
  /** What the kernel counts of it beside that. */
  readonly counters: readonly CgroupCounter[];
};

export type Sampler = {
  /**
   * Usage of all targets. At most one pass per 2 s is made, when somebody asks; an answer waits at most `patienceMs`
   * for it and shows the last known values for what was not reached.
   */
  readonly sample: (
    targets: readonly UsageTarget[],
    patienceMs: number,
  ) => Promise<ReadonlyMap<VassalName, Usage>>;
  readonly forget: (name: VassalName) => void;
};

/** Reading what the keepers wrote: LOG_DIR/NAME/current and its rotated predecessors. */
export type LogReader = {
  /** The last `count` lines, oldest first, control characters neutralised. Empty when there is no log. */
  readonly tail: (name: VassalName, count: number) => Promise<readonly string[]>;
  /** Every line from now on (after the last `count`), over rotations, until `signal` aborts. */
  readonly follow: (name: VassalName, count: number, signal: AbortSignal) => AsyncIterable<string>;
};

/** Who asks: which socket it came in on. Later: a tenant's uid. */
export type Caller = { readonly rank: 'operator' };

export type ActRequest = {
  readonly action: Action;
  readonly name: VassalName;
  /** false: answer as soon as the wish is recorded. */
  readonly wait: boolean;
  readonly caller: Caller;
};

/** What shows that a jail is what was asked for. undefined: no such vassal. */
export type Proof = {
  readonly plan: (name: VassalName) => Promise<PlanJson | undefined>;
  /** Rejects with EmperorError('vassal_not_running') when nothing runs. */
  readonly audit: (name: VassalName) => Promise<AuditJson | undefined>;
  readonly drill: (name: VassalName) => Promise<DrillJson | undefined>;
};

/** What the control interface may ask of the emperor. */
export type ControlPort = {
  readonly status: () => Promise<StatusJson>;
  readonly vassal: (name: VassalName) => Promise<VassalJson | undefined>;
  readonly why: (name: VassalName) => Promise<WhyJson | undefined>;
  /** undefined: no such vassal. */
  readonly act: (request: ActRequest) => Promise<OutcomeJson | undefined>;
  readonly logs: LogReader;
  readonly proof: Proof;
  /** Returns how to end it. */
  readonly subscribe: (listener: (event: EventJson) => void) => () => void;
  /** Look again at everything, configuration included (SIGHUP, `GET` never). */
  readonly lookAgain: () => void;
};

/** The served control socket. */
export type ControlServer = { readonly close: () => Promise<void> };
