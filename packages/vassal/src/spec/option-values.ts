import type { VassalOptionName } from '../options/index.ts';
import { FILTER_VALUES } from './filters.ts';
import { HOOK_VALUES } from './hooks.ts';
import { JOINING_VALUES } from './joining.ts';
import { LIMIT_VALUES } from './limits.ts';
import { ROOT_VALUES } from './root.ts';
import type { VassalSpec } from './spec.ts';

/**
 * What a spec holds for each option. The compiler demands an entry for every row of the table, so that whatever
 * compares or hashes specs by option can forget none.
 */
export const OPTION_VALUES: { readonly [K in VassalOptionName]: (spec: VassalSpec) => unknown } = {
  command: ({ app }) => app.command,
  // Without chdir the app starts in its home.
  chdir: ({ app, identity }) => [app.chdir, identity.home],
  env: ({ app }) => app.env,
  'env-file': ({ app }) => app.envFile,
  umask: ({ app }) => app.umask,
  autostart: ({ app }) => app.autostart,
  uid: ({ identity }) => [identity.uid, identity.user],
  gid: ({ identity }) => identity.gid,
  'add-gid': ({ identity }) => identity.groups,
  cap: ({ identity }) => identity.caps,
  securebits: ({ identity }) => identity.securebits,
  'uid-map': ({ identity }) => identity.uidMap,
  'gid-map': ({ identity }) => identity.gidMap,
  'no-new-privs': ({ identity }) => identity.noNewPrivs,
  unshare: ({ jail }) => jail.namespaces,
  hostname: ({ jail }) => jail.hostname,
  'private-tmp': ({ jail }) => jail.privateTmp,
  'private-dev': ({ jail }) => jail.privateDev,
  proc: ({ jail }) => jail.proc,
  'protect-system': ({ jail }) => jail.protectSystem,
  'when-unsupported': ({ jail }) => jail.whenUnsupported,
  ...ROOT_VALUES,
  ...JOINING_VALUES,
  ...HOOK_VALUES,
  ...FILTER_VALUES,
  ...LIMIT_VALUES,
  restart: ({ lifecycle }) => lifecycle.restart,
  'restart-delay': ({ lifecycle }) => lifecycle.restartDelayMs,
  'restart-max-delay': ({ lifecycle }) => lifecycle.restartMaxDelayMs,
  'restart-max': ({ lifecycle }) => lifecycle.restartMax,
  stable: ({ lifecycle }) => lifecycle.stableMs,
  'stop-signal': ({ lifecycle }) => lifecycle.stopSignal,
  'stop-timeout': ({ lifecycle }) => lifecycle.stopTimeoutMs,
  'kill-mode': ({ lifecycle }) => lifecycle.killMode,
  reload: ({ lifecycle }) => lifecycle.reload,
  'reload-signal': ({ lifecycle }) => lifecycle.reloadSignal,
  ready: ({ lifecycle }) => lifecycle.ready,
  'ready-timeout': ({ lifecycle }) => lifecycle.readyTimeoutMs,
  watchdog: ({ lifecycle }) => lifecycle.watchdogMs,
  'start-after': ({ lifecycle }) => lifecycle.startAfter,
  'touch-reload': ({ lifecycle }) => lifecycle.touchReload,
  'log-max-size': ({ output }) => output.logMaxBytes,
  'log-keep': ({ output }) => output.logKeep,
  'log-rate': ({ output }) => output.logRate,
};

/** `value` as text that is equal for equal values, whatever the order of their keys. */
export function canonical(value: unknown): string {
  return (
    JSON.stringify(value, (_, inner: unknown) =>
      isPlainObject(inner)
        ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
        : inner,
    ) ?? 'undefined'
  );
}

function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
