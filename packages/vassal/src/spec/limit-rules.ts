import { formatValue } from '@emperor/common/options/kinds';
import type { Option } from '@emperor/common/options/option';
import { CONTROL_NAMES, CONTROLS, type ControlName, holdLimit } from '../cgroup/controls.ts';
import { hierarchyOfDirectory, hierarchyOfFile } from '../cgroup/raw.ts';
import { type VassalOptionName, type VassalValues, vassalOptions } from '../options/index.ts';
import { commonCpus, parseCpuList } from '../options/limit-forms.ts';
import { type Draft, grant, isExplicit, type Rule, type RuleContext, report, unmet } from './draft.ts';
import { type IoMax, limitsOf, type Scheduler } from './limits.ts';
import { unmetSeverity } from './unmet.ts';

/** CPUs that there are not cannot be had. */
export const cpusetRule: Rule = (draft, context) => {
  const { cpuset: asked } = draft.values;
  const { cpuset } = context.host.cgroups;
  if (asked.length === 0 || cpuset === undefined) return draft;
  const common = commonCpus(asked, parseCpuList(cpuset.cpus));
  if (show('cpuset', common) === show('cpuset', asked)) return draft;
  const because = `the emperor may use ${cpuset.cpus}`;
  return cut(draft, context, { key: 'cpuset', granted: common, because, hint: 'name other CPUs' });
};

/** A disk is known to the kernel by its numbers; one that is not there is a mistake. */
export const deviceRule: Rule = (draft, context) => {
  const { blockDevices } = context.host.limits;
  const asked = draft.values['io-max'];
  const known: IoMax[] = [];
  let judged = draft;
  for (const limit of asked) {
    const device = limit.device.startsWith('/dev/')
      ? blockDevices.get(limit.device.slice('/dev/'.length))
      : limit.device;
    if (device === undefined) {
      const message = `there is no disk ${limit.device}`;
      const hint = `a whole disk, no partition: ${[...blockDevices.keys()].map((name) => `/dev/${name}`).join(' ')}`;
      judged = report(judged, context, { severity: 'error', key: 'io-max', message, hint });
    } else {
      known.push({ ...limit, device });
    }
  }
  const isSame = known.every(({ device }, index) => device === asked[index]?.device);
  return isSame ? judged : grant(judged, 'io-max', known, 'the numbers of the disk');
};

/** A limit that this kernel does not have is not granted: a warning, the vassal is no less apart from its neighbours. */
export const controlRule: Rule = (draft, context) => {
  const limits = limitsOf(draft.values);
  const asked = CONTROL_NAMES.filter((name) => CONTROLS[name].asked(limits) !== undefined);
  return asked.reduce((before, name) => withControl(before, context, name), draft);
};

/** Groups of the operator's choice lie in a hierarchy that there is, one in each. */
export const cgroupRule: Rule = (draft, context) => {
  const mounts = new Set<string>();
  let judged = draft;
  for (const dir of draft.values.cgroup) {
    const mount = hierarchyOfDirectory(dir, context.host.cgroups)?.mount;
    const message =
      mount === undefined
        ? `${dir} is in no hierarchy of control groups`
        : `a second directory in the hierarchy ${mount}`;
    if (mount === undefined || mounts.has(mount)) {
      const hint = 'name a directory below a mount of control groups: see /proc/self/mountinfo';
      judged = report(judged, context, { severity: 'error', key: 'cgroup', message, hint });
    }
    if (mount !== undefined) mounts.add(mount);
  }
  return judged;
};

/** A raw setting of a controller that there is not is not granted. */
export const cgroupOptionRule: Rule = (draft, context) => {
  const asked = draft.values['cgroup-opt'];
  const held = asked.filter(({ file }) => hierarchyOfFile(file, context.host.cgroups) !== undefined);
  const missing = asked.find((each) => !held.includes(each));
  if (missing === undefined) return draft;
  const because = `no ${missing.file.split('.')[0]} controller`;
  return cut(draft, context, { key: 'cgroup-opt', granted: held, because, hint: MOUNT_HINT });
};

/** A tenant may give way to others, not the other way round. Numbers are bounded by policy. */
export const tenantPriorityRule: Rule = (draft, context) => {
  if (context.source.owner.powers === 'operator') return draft;
  const { sched, ionice } = draft.values;
  let judged = draft;
  if (isRealtime(sched)) judged = lower(judged, context, 'sched', { policy: 'other' });
  if (ionice?.class === 'realtime') judged = lower(judged, context, 'ionice', undefined);
  if (ionice?.class === 'best-effort' && ionice.level < USUAL_IO_LEVEL)
    judged = lower(judged, context, 'ionice', { class: 'best-effort', level: USUAL_IO_LEVEL });
  return judged;
};

/** What only a privileged emperor can give. */
export const privilegeRule: Rule = (draft, context) => {
  const { nice, ionice, sched, 'oom-score-adj': oomScoreAdj } = draft.values;
  const own = context.host.limits;
  const hint = 'run the emperor as root, with this capability';
  const noNice = 'the emperor has not CAP_SYS_NICE';
  let judged = draft;
  if (nice < own.nice && !own.canRaisePriority)
    judged = cut(judged, context, { key: 'nice', granted: own.nice, because: noNice, hint });
  if (ionice?.class === 'realtime' && !own.canRaisePriority)
    judged = cut(judged, context, { key: 'ionice', granted: undefined, because: noNice, hint });
  if (isRealtime(sched) && !own.canRaisePriority)
    judged = cut(judged, context, { key: 'sched', granted: { policy: 'other' }, because: noNice, hint });
  if (oomScoreAdj < own.oomScoreAdj && !own.canLowerOomScore) {
    const because = 'the emperor has not CAP_SYS_RESOURCE';
    judged = cut(judged, context, { key: 'oom-score-adj', granted: own.oomScoreAdj, because, hint });
  }
  return judged;
};

/** v1 groups of CPU time have none for real time, where the kernel divides that too. */
export const realtimeGroupRule: Rule = (draft, context) => {
  const { sched, 'cpu-max': max, 'cpu-weight': weight } = draft.values;
  const { realtimeUsec } = context.host.cgroups;
  const isGrouped = max !== undefined || weight !== undefined;
  if (!isRealtime(sched) || realtimeUsec === undefined || (realtimeUsec !== 0 && !isGrouped)) return draft;
  const because = isGrouped
    ? 'the control group of cpu-max and cpu-weight has no real time (cpu.rt_runtime_us)'
    : "the emperor's own control group has no real time (cpu.rt_runtime_us)";
  const hint = isGrouped ? 'remove cpu-max and cpu-weight, or sched' : 'give its group some, or remove sched';
  return cut(draft, context, { key: 'sched', granted: { policy: 'other' }, because, hint });
};

/** All rules about limits and scheduling, in the order in which they apply. */
export const LIMIT_RULES: readonly Rule[] = [
  cpusetRule,
  deviceRule,
  controlRule,
  cgroupRule,
  cgroupOptionRule,
  tenantPriorityRule,
  privilegeRule,
  realtimeGroupRule,
];

const USUAL_IO_LEVEL = 4;
const MOUNT_HINT = 'mount the controller, or delegate it to the emperor (Delegate=yes)';

type Cut<K extends VassalOptionName> = {
  readonly key: K;
  readonly granted: VassalValues[K];
  readonly because: string;
  readonly hint: string;
};

function withControl(draft: Draft, context: RuleContext, name: ControlName): Draft {
  const limits = limitsOf(draft.values);
  if (CONTROLS[name].asked(limits) === undefined) return draft;
  const held = holdLimit(name, limits, context.host.cgroups);
  if (held.gives === 'all') return draft;
  const { because } = held;
  const hint = because.startsWith('no ') ? MOUNT_HINT : `remove ${name}: it would have no effect here`;
  const none: VassalValues[ControlName] = vassalOptions[name].kind.repeat ? [] : undefined;
  return cut(draft, context, { key: name, granted: none, because, hint });
}

/** The kernel gives something else: said at the line, or nowhere when nobody wrote it and nothing is lost. */
function cut<K extends VassalOptionName>(
  draft: Draft,
  context: RuleContext,
  { key, granted, because, hint }: Cut<K>,
): Draft {
  const isNone = granted === undefined || (Array.isArray(granted) && granted.length === 0);
  const message = unmet(key, show(key, draft.values[key]), isNone ? 'none' : show(key, granted), because);
  const isAsked = isExplicit(context.source, key);
  // A bound that nobody wrote and that memory-max needs only where there is swap: `plan` tells.
  if (!isAsked && key === 'swap-max') return grant(draft, key, granted, message);
  // What nobody asked for cannot be refused.
  const severity = isAsked ? unmetSeverity(draft.values, 'limit') : 'warning';
  return grant(report(draft, context, { severity, key, message, hint }), key, granted, message);
}

function lower<K extends VassalOptionName>(
  draft: Draft,
  context: RuleContext,
  key: K,
  granted: VassalValues[K],
): Draft {
  const reason = 'a tenant may only give way to others';
  const message = `asked ${show(key, draft.values[key])}, policy gives ${show(key, granted)}: ${reason}`;
  const reported = report(draft, context, { severity: 'warning', key, message, hint: undefined });
  return grant(reported, key, granted, reason);
}

function isRealtime({ policy }: Scheduler): boolean {
  return policy === 'fifo' || policy === 'rr';
}

function show<K extends VassalOptionName>(key: K, value: VassalValues[K]): string {
  const row: Option<unknown> = vassalOptions[key];
  return formatValue(row.kind, value).join(', ');
}
