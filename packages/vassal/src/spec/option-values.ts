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

/**
 * `value` as text that is equal for equal values, whatever the order of their keys. Revisions are made of it, and a vassal
 * whose revision is another is launched again: what it gives for a value must stay.
 */
export function canonical(value: unknown): string {
  return textOf(value) ?? 'undefined';
}

/** As JSON.stringify does, with sorted keys; by hand because every option of every file comes here. */
function textOf(value: unknown): string | undefined {
  if (Array.isArray(value))
    return value.length === 0 ? '[]' : `[${value.map((item) => textOf(item) ?? 'null').join()}]`;
  if (!isPlainObject(value)) return JSON.stringify(value);
  return canonicalFields(
    Object.keys(value)
      .toSorted()
      .map((key) => [key, value[key]]),
  );
}

/** The same of an object with these fields, which are in the order of their keys. */
export function canonicalFields(sorted: readonly (readonly [string, unknown])[]): string {
  let fields = '';
  for (const [key, value] of sorted) {
    const text = textOf(value);
    if (text !== undefined) fields += `${fields === '' ? '' : ','}${JSON.stringify(key)}:${text}`;
  }
  return `{${fields}}`;
}

function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
