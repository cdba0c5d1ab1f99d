import { fileURLToPath } from 'node:url';
import type { Clock } from '@emperor/common/clock';

/** What a command may touch of the world. */
export type CommandIo = {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly clock: Clock;
  /** Calls back for each SIGINT and SIGTERM, until the returned function is called. */
  readonly onSignal: (hear: () => void) => () => void;
};

/** The keeper that the build puts beside the bundled command. */
export const KEEPER_BINARY: string = fileURLToPath(new URL('./keeper', import.meta.url));
