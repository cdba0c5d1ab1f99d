import type { Diagnostic } from '@emperor/common/diagnostic';
import type { LogLevel } from '@emperor/common/log/log';
import type { OperatorLayer } from '@emperor/vassal/file/check';
import type { UidRange } from './options.ts';
import type { UserPlaces } from './user-places.ts';

/** Absolute paths, all of them. */
export type EmperorPaths = {
  readonly config: string;
  readonly vassals: string;
  readonly runtimeDir: string;
  readonly logDir: string;
  readonly stateDir: string;
  readonly uidClaims: string;
};

/** What `emperor run` was told on its command line: option of [emperor] → text; relative paths already resolved. */
export type RunFlags = {
  /** undefined: the default file, which need not exist. */
  readonly config: string | undefined;
  readonly options: ReadonlyMap<string, string>;
  /** What stands for the built-in paths when an ordinary user runs it. */
  readonly places?: UserPlaces | undefined;
};

/** Everything `emperor run` was told: built-in defaults < emperor.ini < command line. */
export type EmperorSettings = {
  readonly paths: EmperorPaths;
  /** Group name or gid that may open the control socket; undefined: root alone. */
  readonly group: string | number | undefined;
  readonly uidRange: UidRange;
  readonly idmapRange: UidRange;
  /** Launches under way at once. */
  readonly maxStarting: number;
  readonly logLevel: LogLevel;
  readonly logFormat: 'text' | 'json';
  /** [defaults] and [force] as written; undefined where the file has no such section. */
  readonly defaults: OperatorLayer | undefined;
  readonly force: OperatorLayer | undefined;
  /** With an error among them the settings must not be used: refuse at start, keep the old ones on SIGHUP. */
  readonly diagnostics: readonly Diagnostic[];
  /** To read the file again (SIGHUP): `loadSettings(settings.flags)`. */
  readonly flags: RunFlags;
};
