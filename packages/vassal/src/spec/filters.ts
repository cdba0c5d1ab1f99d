import type { Values } from '@emperor/common/options/option';
import type { filters } from '../options/filters.ts';
import { CALL_TABLES } from '../seccomp/architecture.ts';
import { filterOf, stubbornCalls } from '../seccomp/filter.ts';
import { initCallsOf, PROBE_CALLS, TOUCH_CALLS } from '../seccomp/init-calls.ts';
import { decodeWord, splitList } from '../seccomp/words.ts';
import { type Draft, grant, isExplicit, type Rule, type RuleContext, report, unmet } from './draft.ts';
import type { VassalSpec } from './spec.ts';
import { unmetSeverity } from './unmet.ts';

/** What the kernel refuses to the app beyond its rights. */
export type FiltersSpec = {
  /** Words of the list; undefined = no filter. */
  readonly seccomp: readonly string[] | undefined;
  /** undefined = Landlock restricts no file. */
  readonly landlock: LandlockLists | undefined;
  /** undefined = any port. */
  readonly tcpBind: readonly number[] | undefined;
  readonly tcpConnect: readonly number[] | undefined;
  readonly apparmor: string | undefined;
  readonly selinux: string | undefined;
};

export type LandlockLists = {
  readonly ro: readonly string[];
  readonly rw: readonly string[];
  readonly exec: readonly string[];
};

/** The part of a spec that the options of this group make. */
export function filtersOf(values: Values<typeof filters>): FiltersSpec {
  const { seccomp, 'landlock-ro': ro, 'landlock-rw': rw, 'landlock-exec': exec } = values;
  return {
    seccomp: seccomp.by === 'words' ? seccomp.words : undefined,
    landlock: ro.length + rw.length + exec.length === 0 ? undefined : { ro, rw, exec },
    tcpBind: values['tcp-bind'],
    tcpConnect: values['tcp-connect'],
    apparmor: values.apparmor,
    selinux: values.selinux,
  };
}

/** What a spec holds for each option of this group. */
export const FILTER_VALUES: { readonly [K in keyof typeof filters]: (spec: VassalSpec) => unknown } = {
  seccomp: ({ filters: { seccomp } }) => seccomp,
  'landlock-ro': ({ filters: { landlock } }) => landlock?.ro,
  'landlock-rw': ({ filters: { landlock } }) => landlock?.rw,
  'landlock-exec': ({ filters: { landlock } }) => landlock?.exec,
  'tcp-bind': ({ filters: { tcpBind } }) => tcpBind,
  'tcp-connect': ({ filters: { tcpConnect } }) => tcpConnect,
  apparmor: ({ filters: { apparmor } }) => apparmor,
  selinux: ({ filters: { selinux } }) => selinux,
};

/** A file of words becomes its words, so that a change of it is a change of the spec. */
const seccompFileRule: Rule = (draft, context) => {
  const wish = draft.values.seccomp;
  if (wish.by !== 'file') return draft;
  const refuse = (message: string, hint: string): Draft =>
    grant(
      report(draft, context, { severity: 'error', key: 'seccomp', message, hint }),
      'seccomp',
      { by: 'none' },
      message,
    );
  const read = context.readList(wish.path);
  if (!read.ok)
    return refuse(`${wish.path} ${read.reason}`, "name a file of root's that nobody else may write");
  const lines = read.text.split('\n').map((line) => line.replace(/[#;].*$/, ''));
  for (const [index, line] of lines.entries()) {
    const wrong = splitList(line)
      .map(decodeWord)
      .find(({ ok }) => !ok);
    if (wrong !== undefined && !wrong.ok)
      return refuse(`${wish.path}:${index + 1}: ${wrong.message}`, 'correct the file');
  }
  const words = [...new Set(lines.flatMap(splitList))];
  if (words.length === 0)
    return refuse(`${wish.path} has no words`, 'write default, or names of system calls, into it');
  return grant(draft, 'seccomp', { by: 'words', words }, `the words of ${wish.path}`);
};

/** A filter can be loaded after the fall from root only by who can gain no privileges. */
const seccompRule: Rule = (draft, context) => {
  const { seccomp: wish, 'no-new-privs': noNewPrivs } = draft.values;
  if (wish.by !== 'words') return draft;
  const { architecture, hasSeccomp } = context.host;
  const asked = wish.words.join(',');
  if (!noNewPrivs) return withoutPrivs(draft, context);
  if (architecture === undefined || !hasSeccomp) {
    const because = hasSeccomp ? 'no system calls are known of this machine' : 'it has no seccomp filters';
    return withoutKernel(draft, context, unmet('seccomp', asked, 'none', because));
  }
  const needed = initCallsOf({ probes: false, touches: false, hooks: false });
  const { cap: capabilities } = draft.values;
  const stubborn = stubbornCalls({ words: wish.words, architecture, capabilities, needed });
  if (stubborn.length === 0) return draft;
  const message = unmet('seccomp', asked, `${stubborn.join(', ')} all the same`, 'init needs them');
  return report(draft, context, { severity: 'warning', key: 'seccomp', message, hint: undefined });
};

/** The default is nothing that anybody asked for. */
function withoutPrivs(draft: Draft, context: RuleContext): Draft {
  const message = 'needs no-new-privs';
  const none = grant(draft, 'seccomp', { by: 'none' }, message);
  if (!isExplicit(context.source, 'seccomp')) return none;
  const hint = 'remove this line, or say seccomp = none';
  return report(none, context, { severity: 'error', key: 'seccomp', message, hint });
}

function withoutKernel(draft: Draft, context: RuleContext, message: string): Draft {
  const none = grant(draft, 'seccomp', { by: 'none' }, message);
  const isWish = isExplicit(context.source, 'seccomp');
  const severity = unmetSeverity(draft.values, isWish ? 'isolation' : 'limit');
  return report(none, context, {
    severity,
    key: 'seccomp',
    message,
    hint: 'seccomp = none asks for nothing',
  });
}

type LandlockKey = 'landlock-ro' | 'landlock-rw' | 'landlock-exec' | 'tcp-bind' | 'tcp-connect';

/** The first Landlock that knows files, and that knows ports. */
const FILES_ABI = 1;
const PORTS_ABI = 4;

const LANDLOCK_KEYS: readonly (readonly [LandlockKey, number, string])[] = [
  ['landlock-ro', FILES_ABI, '5.13'],
  ['landlock-rw', FILES_ABI, '5.13'],
  ['landlock-exec', FILES_ABI, '5.13'],
  ['tcp-bind', PORTS_ABI, '6.7'],
  ['tcp-connect', PORTS_ABI, '6.7'],
];

/** Landlock needs a kernel that has it, and an app that can gain no privileges. */
const landlockRule: Rule = (draft, context) =>
  LANDLOCK_KEYS.reduce((before, [key, abi, since]) => {
    const asked = before.values[key];
    if (asked === undefined || (key.startsWith('landlock-') && asked.length === 0)) return before;
    if (!before.values['no-new-privs']) {
      const hint = 'remove this line, or no-new-privs = no';
      return report(before, context, { severity: 'error', key, message: 'needs no-new-privs', hint });
    }
    const { landlockAbi } = context.host;
    if (landlockAbi >= abi) return before;
    const because = landlockAbi === 0 ? 'it has no Landlock' : `its Landlock is of ABI ${landlockAbi}`;
    const message = unmet(key, asked.join(',') || 'none', 'none', because);
    const reported = report(before, context, {
      severity: unmetSeverity(before.values, 'isolation'),
      key,
      message,
      hint: `Linux ${since} has it, with landlock in lsm=`,
    });
    return grant(reported, key, key === 'tcp-bind' || key === 'tcp-connect' ? undefined : [], message);
  }, draft);

/** The first Landlock that knows truncation; what else came later, nobody can do with a file that he cannot open. */
const TRUNCATE_ABI = 3;

/** What an older Landlock does not restrict, though the lists ask for it, is said. */
const partialLandlockRule: Rule = (draft, context) => {
  const { landlockAbi } = context.host;
  const key = LANDLOCK_KEYS.map(([name]) => name).find(
    (name) => name.startsWith('landlock-') && (draft.values[name]?.length ?? 0) > 0,
  );
  if (key === undefined || landlockAbi === 0 || landlockAbi >= TRUNCATE_ABI) return draft;
  const message = unmet(
    key,
    draft.values[key]?.join(',') ?? '',
    'all but truncate: files outside can still be cut off by whoever may write them',
    `its Landlock is of ABI ${landlockAbi}`,
  );
  const severity = unmetSeverity(draft.values, 'limit');
  return report(draft, context, { severity, key, message, hint: 'Linux 6.2 has it' });
};

/** A profile of a module that the kernel does not run is refused. */
const securityModuleRule: Rule = (draft, context) => {
  const modules: readonly (readonly ['apparmor' | 'selinux', string])[] = [
    ['apparmor', 'AppArmor'],
    ['selinux', 'SELinux'],
  ];
  return modules.reduce((before, [key, name]) => {
    const asked = before.values[key];
    if (asked === undefined || context.host.securityModules.has(key)) return before;
    const message = unmet(key, asked, 'none', `${name} is not active`);
    const hint = `remove this line, or add ${key} to the lsm= boot parameter`;
    const severity = unmetSeverity(before.values, 'isolation');
    return grant(report(before, context, { severity, key, message, hint }), key, undefined, message);
  }, draft);
};

/** What init does for a tenant's own words opens nothing to its app that the operator's filters close. */
const tenantFilterRule: Rule = (draft, context) => {
  if (context.source.owner.powers === 'operator') return draft;
  const { ready, 'tcp-connect': ports, 'touch-reload': touched } = draft.values;
  const refuse = (before: Draft, key: 'ready' | 'touch-reload', message: string): Draft =>
    report(before, context, { severity: 'error', key, message, hint: 'remove this line' });
  let judged = draft;
  if (ready.by === 'tcp' && ports !== undefined && !ports.includes(ready.port))
    judged = refuse(judged, 'ready', `needs port ${ready.port}, which tcp-connect does not allow`);
  const works = [
    { key: 'ready', is: ready.by === 'tcp', needed: PROBE_CALLS },
    { key: 'touch-reload', is: touched.length > 0, needed: TOUCH_CALLS },
  ] as const;
  for (const { key, is, needed } of works) {
    const closed = is ? closedCalls(draft, context, needed) : [];
    if (closed.length > 0) judged = refuse(judged, key, `needs ${closed.join(', ')}, which seccomp denies`);
  }
  return judged;
};

/** Those of `calls` that the list denies to the app. */
function closedCalls({ values }: Draft, { host }: RuleContext, calls: readonly string[]): readonly string[] {
  const { seccomp, cap: capabilities } = values;
  const { architecture } = host;
  if (seccomp.by !== 'words' || architecture === undefined) return [];
  const needed = initCallsOf({ probes: false, touches: false, hooks: false });
  const { verdicts } = filterOf({ words: seccomp.words, architecture, capabilities, needed });
  const { numbers } = CALL_TABLES[architecture];
  return calls.filter((call) => verdicts.get(numbers.get(call) ?? -1) === 'deny');
}

/** Rules about options of this group, in the order in which they apply. */
export const FILTER_RULES: readonly Rule[] = [
  seccompFileRule,
  seccompRule,
  landlockRule,
  partialLandlockRule,
  securityModuleRule,
  tenantFilterRule,
];
