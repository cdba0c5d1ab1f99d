import { vassalOptions } from '@emperor/vassal/options';
import type { LifecycleSpec } from '@emperor/vassal/spec/spec';

/** The lifecycle of a vassal that sets nothing, from the option table. */
export const DEFAULT_LIFECYCLE: LifecycleSpec = {
  restart: vassalOptions.restart.default,
  restartDelayMs: vassalOptions['restart-delay'].default,
  restartMaxDelayMs: vassalOptions['restart-max-delay'].default,
  restartMax: vassalOptions['restart-max'].default,
  stableMs: vassalOptions.stable.default,
  stopSignal: vassalOptions['stop-signal'].default,
  stopTimeoutMs: vassalOptions['stop-timeout'].default,
  killMode: vassalOptions['kill-mode'].default,
  reload: vassalOptions.reload.default,
  reloadSignal: vassalOptions['reload-signal'].default,
  ready: vassalOptions.ready.default,
  readyTimeoutMs: vassalOptions['ready-timeout'].default,
  watchdogMs: vassalOptions.watchdog.default,
  startAfter: [],
  touchReload: vassalOptions['touch-reload'].default,
  launchHooksMs: 0,
  stopHooksMs: 0,
};
