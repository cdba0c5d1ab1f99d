import { join } from 'node:path';

/** Where an emperor of an ordinary user keeps its things, as the XDG base directories say. */
export type UserPlaces = {
  readonly config: string;
  readonly vassals: string;
  readonly runtimeDir: string;
  readonly logDir: string;
  readonly stateDir: string;
};

/** undefined for root, who has the system's; a user without a home has them below /tmp. */
export function userPlaces(
  environment: Readonly<Record<string, string | undefined>>,
  uid: number | undefined,
): UserPlaces | undefined {
  if (uid === undefined || uid === 0) return undefined;
  const own = `/tmp/emperor-${uid}`;
  const absolute = (name: string): string | undefined =>
    environment[name]?.startsWith('/') === true ? environment[name] : undefined;
  const home = absolute('HOME') ?? own;
  const config = join(absolute('XDG_CONFIG_HOME') ?? join(home, '.config'), 'emperor');
  const state = join(absolute('XDG_STATE_HOME') ?? join(home, '.local/state'), 'emperor');
  const runtime = absolute('XDG_RUNTIME_DIR');
  return {
    config: join(config, 'emperor.ini'),
    vassals: join(config, 'vassals'),
    runtimeDir: runtime === undefined ? own : join(runtime, 'emperor'),
    logDir: join(state, 'log'),
    stateDir: state,
  };
}
