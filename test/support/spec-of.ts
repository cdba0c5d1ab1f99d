import { decodeVassalName, type VassalName } from '@emperor/common/name';
import { decodeTable } from '@emperor/common/options/decode';
import { vassalOptions } from '@emperor/vassal/options';
import { filtersOf } from '@emperor/vassal/spec/filters';
import { hooksOf } from '@emperor/vassal/spec/hooks';
import { joiningOf } from '@emperor/vassal/spec/joining';
import { NO_LIMITS } from '@emperor/vassal/spec/limits';
import { rootOf } from '@emperor/vassal/spec/root';
import type { LifecycleSpec, VassalSpec } from '@emperor/vassal/spec/spec';

/** A legal name, for tests. */
export function named(text: string): VassalName {
  const name = decodeVassalName(text);
  if (name === undefined) throw new Error(`not a vassal name: ${text}`);
  return name;
}

/** The lifecycle of a vassal that sets nothing. */
export const LIFECYCLE: LifecycleSpec = {
  restart: 'always',
  restartDelayMs: 100,
  restartMaxDelayMs: 60_000,
  restartMax: 0,
  stableMs: 10_000,
  stopSignal: 15,
  stopTimeoutMs: 30_000,
  killMode: 'mixed',
  reload: 'auto',
  reloadSignal: 1,
  ready: { by: 'auto' },
  readyTimeoutMs: 60_000,
  watchdogMs: undefined,
  startAfter: [],
  touchReload: [],
  launchHooksMs: 0,
  stopHooksMs: 0,
};

const DEFAULTS = decodeTable(vassalOptions, new Map()).values;

/** A spec with one lifecycle and otherwise what an empty file gives. */
export function specOf(name: string, lifecycle: Partial<LifecycleSpec> = {}, ownerUid = 0): VassalSpec {
  return {
    name: named(name),
    file: `/etc/emperor/vassals/${name}.ini`,
    owner: { uid: ownerUid, name: undefined, powers: ownerUid === 0 ? 'operator' : 'tenant' },
    app: { command: ['true'], chdir: undefined, env: [], envFile: undefined, umask: 0o022, autostart: true },
    identity: {
      uid: 'auto',
      gid: 'auto',
      groups: [],
      user: undefined,
      home: undefined,
      caps: [],
      securebits: [],
      uidMap: [],
      gidMap: [],
      noNewPrivs: true,
    },
    jail: {
      namespaces: ['mnt', 'pid', 'ipc', 'uts', 'cgroup'],
      hostname: name,
      privateTmp: true,
      privateDev: true,
      proc: 'private',
      protectSystem: 'full',
      whenUnsupported: 'default',
    },
    root: rootOf(DEFAULTS),
    joining: joiningOf(DEFAULTS),
    hooks: hooksOf(DEFAULTS),
    filters: filtersOf(DEFAULTS),
    limits: { ...NO_LIMITS, pidsMax: 512 },
    scheduling: { nice: 0, ionice: undefined, sched: { policy: 'other' }, oomScoreAdj: 0 },
    lifecycle: { ...LIFECYCLE, ...lifecycle },
    output: { logMaxBytes: 16_777_216, logKeep: 5, logRate: 0 },
  };
}
