/** The control interface as types: shared by emperor and command line, and the source of the stable JSON. */

export const STATUS_FORMAT = 1;

/** `because`: the limit behind it, where one was met: `killed by the kernel: memory-max 64M reached`. */
export type ExitJson =
  | { readonly by: 'code'; readonly code: number; readonly because?: string | undefined }
  | { readonly by: 'signal'; readonly signal: string; readonly because?: string | undefined };

export const STATE_NAMES = [
  'stopped',
  'listening',
  'starting',
  'running',
  'stopping',
  'backing-off',
  'failed',
] as const;
export type StateName = (typeof STATE_NAMES)[number];

export type DiagnosticJson = {
  readonly severity: 'error' | 'warning';
  readonly file: string;
  readonly line: number | null;
  readonly key: string | null;
  readonly message: string;
  readonly hint: string | null;
};

export type VassalJson = {
  readonly name: string;
  readonly file: string | null;
  readonly owner: string;
  readonly state: StateName;
  readonly ready: boolean;
  readonly since: string;
  readonly pid: number | null;
  readonly keeperPid: number | null;
  readonly generation: number | null;
  readonly revision: string | null;
  readonly user: string | null;
  readonly uid: number | null;
  readonly gid: number | null;
  readonly restarts: number;
  readonly lastExit: ExitJson | null;
  /** Processes that the kernel killed for want of memory. These four count from the start of the emperor. */
  readonly oomKills: number;
  /** How often pids-max refused a new process. */
  readonly pidsMaxHits: number;
  /** How often memory-high slowed it down. */
  readonly memoryHighHits: number;
  /** How long cpu-max made it wait. */
  readonly throttledMs: number;
  /** Of the running generation: in how many of the spans of 100 ms with work to do. null without cpu-max. */
  readonly throttledPercent: number | null;
  readonly daemons: readonly never[];
  readonly sockets: readonly string[];
  readonly namespaces: readonly string[];
  readonly memoryBytes: number | null;
  readonly cpuPercent: number | null;
  readonly tasks: number | null;
  readonly note: string | null;
  readonly diagnostics: readonly DiagnosticJson[];
};

export type EmperorJson = {
  readonly version: string;
  readonly pid: number;
  readonly since: string;
  readonly vassals: number;
  /** What is wrong with the source of vassal files or the host; empty when all is well. */
  readonly diagnostics: readonly DiagnosticJson[];
};

export type StatusJson = {
  readonly format: typeof STATUS_FORMAT;
  readonly emperor: EmperorJson;
  readonly vassals: readonly VassalJson[];
};

/** One thing that happened to a vassal, oldest first in `WhyJson.history`. */
export type HistoryJson = {
  readonly at: string;
  /** What happened, one phrase: `started generation 3`, `ready`, `exited with code 1`. */
  readonly what: string;
  /** How long the state before it lasted. */
  readonly afterMs: number | null;
};

export type WhyJson = {
  readonly format: typeof STATUS_FORMAT;
  readonly vassal: VassalJson;
  /** The answer in one sentence. */
  readonly answer: string;
  /** The next action, one line. */
  readonly hint: string | null;
  readonly history: readonly HistoryJson[];
  /** The app's last output, already safe for a terminal. */
  readonly output: readonly string[];
};

export type Action = 'start' | 'stop' | 'restart' | 'reload';
export const ACTIONS: readonly Action[] = ['start', 'stop', 'restart', 'reload'];

/** Outcome of POST /v1/vassals/NAME/ACTION. `ok: false` carries the explanation. */
export type OutcomeJson = {
  readonly format: typeof STATUS_FORMAT;
  readonly name: string;
  readonly action: Action;
  readonly ok: boolean;
  /** `running (pid 4711, generation 3)`, or why it did not work. */
  readonly message: string;
  readonly hint: string | null;
  readonly vassal: VassalJson | null;
};

/** Something that happened, one line of `GET /v1/events`. */
export type EventJson = {
  readonly at: string;
  readonly vassal: string | null;
  readonly event: string;
  readonly detail: string | null;
};

export type ErrorJson = {
  readonly error: { readonly code: string; readonly message: string; readonly hint: string | null };
};
