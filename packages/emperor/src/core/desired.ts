import type { VassalSpec } from '@emperor/vassal/spec/spec';

/** How often somebody asked by command; a number that differs from the one a run was started with is due. */
export type Turns = { readonly start: number; readonly restart: number; readonly reload: number };

export const NO_TURNS: Turns = { start: 0, restart: 0, reload: 0 };

/**
 * What should be, for one vassal. `spec` is the newest good one; undefined when the file never was valid (then
 * what runs goes on) or when its owner lost the right to it (`revoked`: then what runs ends at once).
 */
export type Wanted = {
  readonly spec: VassalSpec | undefined;
  readonly revision: string | undefined;
  /** Whose file it is now; undefined when that is not known. */
  readonly ownerUid: number | undefined;
  /** The file's mtime: another stamp with the same revision is a touch. */
  readonly stamp: string;
  readonly revoked: boolean;
  /** false: stopped by command, autostart = no, or the emperor is closing down. */
  readonly run: boolean;
  readonly turns: Turns;
};

/** What the newest generation was started with. */
export type Attempt = {
  /** undefined for an adopted vassal whose file changed while no emperor ran. */
  readonly spec: VassalSpec | undefined;
  readonly revision: string;
  readonly ownerUid: number;
  readonly stamp: string;
  readonly turns: Turns;
};
