import type { Clock } from '@emperor/common/clock';
import type { UserPlaces } from '../user-places.ts';

export const DEFAULT_RUNTIME_DIR = '/run/emperor';

/** Not on any command line: the place of NOTIFY_SOCKET among the flags of `run`. */
export const NOTIFY_FLAG = 'notify-socket';

/** What a command may touch of the world: where it writes, whether in colour, what time it is, when to end. */
export type CommandIo = {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly colors: boolean;
  readonly clock: Clock;
  /** Where an ordinary user's own emperor is; undefined for root. */
  readonly places?: UserPlaces | undefined;
  /** Aborted when the reader of our output went away or the user interrupted. */
  readonly signal: AbortSignal;
};

/** A parsed command line: the words after the command, and every option that was given or has a default. */
export type Arguments = {
  readonly names: readonly string[];
  readonly flags: Readonly<Record<string, string | boolean>>;
};

/** Runs a command and resolves with the exit code; expected failures are thrown as EmperorError. */
export type RunCommand = (args: Arguments, io: CommandIo) => Promise<number>;

/** One option of a command. `value` is the word shown for its value; without one it is a switch. */
export type OptionRow = {
  readonly value?: string;
  readonly short?: string;
  readonly default?: string;
  readonly help: string;
};

/** One command: parser, `--help`, reference page and dispatch all come from this row. */
export type CommandRow = {
  readonly name: string;
  /** The words it takes, as shown: `NAME…`. Empty when it takes none. */
  readonly operands: string;
  readonly fewest: number;
  readonly most: number;
  readonly summary: string;
  /** What else a user must know; whole sentences for the reference page. */
  readonly details: string;
  readonly options: Readonly<Record<string, OptionRow>>;
  readonly examples: readonly string[];
  readonly load: () => Promise<RunCommand>;
};

/** Was the switch given? */
export function isSet(args: Arguments, option: string): boolean {
  return args.flags[option] === true;
}

/** The text of an option that takes a value; undefined when it was not given and has no default. */
export function textOf(args: Arguments, option: string): string | undefined {
  const value = args.flags[option];
  return typeof value === 'string' ? value : undefined;
}
