import { type Diagnostic, hasErrors } from '@emperor/common/diagnostic';
import { decodeTable } from '@emperor/common/options/decode';
import { formatValue } from '@emperor/common/options/kinds';
import type { Layer, Option } from '@emperor/common/options/option';
import { coverOf } from '../jail/views.ts';
import { HOOK_PHASES } from '../options/hook.ts';
import { type VassalOptionName, type VassalValues, vassalOptions } from '../options/index.ts';
import type { AccountsQuery } from './accounts.ts';
import { type Draft, grant, type Rule, type RuleContext, report, writtenOf } from './draft.ts';
import { FILTER_RULES, filtersOf } from './filters.ts';
import { accountsOfHook, HOOK_RULES, hooksOf, hookTimesOf } from './hooks.ts';
import { HOST_RULES } from './host-rules.ts';
import { type Persona, resolvePersona } from './identity-rules.ts';
import { JOINING_RULES, joiningOf } from './joining.ts';
import { LIMIT_RULES } from './limit-rules.ts';
import { limitsOf, schedulingOf } from './limits.ts';
import { NAMESPACE_RULES } from './namespace-rules.ts';
import { applyBounds, type Bounds, builtInBounds } from './policy.ts';
import { rootOf } from './root.ts';
import { ROOT_RULES } from './root-rules.ts';
import { CROSS_OPTION_RULES } from './rules.ts';
import type { SpecSource } from './source.ts';
import type { JailSpec, LifecycleSpec, VassalSpec } from './spec.ts';

/** Where the value of one option came from, and what became of it. */
export type Provenance = {
  readonly key: VassalOptionName;
  readonly layer: Layer;
  readonly file: string | undefined;
  readonly line: number | undefined;
  /** As written; undefined when nobody wrote it. */
  readonly asked: string | undefined;
  /** The value that counts, as it would be written; empty = none. */
  readonly granted: string;
  /** Why granted is not what was asked or preset. */
  readonly reason: string | undefined;
};

export type BuiltSpec = {
  /** undefined when the diagnostics hold an error. */
  readonly spec: VassalSpec | undefined;
  readonly diagnostics: readonly Diagnostic[];
  readonly granted: readonly Provenance[];
};

/** What a source means under its owner's powers, the policy, these accounts and this host. Pure. */
export function buildSpec(source: SpecSource, world: Omit<RuleContext, 'source'>): BuiltSpec {
  const context = { ...world, source };
  const refused = refuseOperatorKeys(source);
  const allowed = new Map(
    [...source.raw].filter(([key]) => !refused.some((diagnostic) => diagnostic.key === key)),
  );
  const { values, diagnostics } = decodeTable(vassalOptions, allowed);
  const bounded = bound({ values, diagnostics: [...refused, ...diagnostics], reasons: new Map() }, context, [
    builtInBounds(source.owner.powers),
  ]);
  const draft = RULES.reduce((before, rule) => rule(before, context), bounded);
  const resolved = resolvePersona(draft.values, context);
  const spec = assemble(source, draft.values, resolved.persona);
  const lost = spec === undefined ? [] : lostPaths(spec, source);
  const all = [...draft.diagnostics, ...resolved.diagnostics, ...lost].toSorted(byLine);
  return {
    spec: hasErrors(all) ? undefined : spec,
    diagnostics: all,
    // Only `plan` asks for it, and it costs as much as all the rest.
    get granted() {
      return provenance(source, draft);
    },
  };
}

/** Options that take others away come before those that these rules judge; what the host can give comes last. */
const RULES: readonly Rule[] = [
  ...JOINING_RULES,
  ...NAMESPACE_RULES,
  ...ROOT_RULES,
  ...CROSS_OPTION_RULES,
  ...HOOK_RULES,
  ...FILTER_RULES,
  ...HOST_RULES,
  ...LIMIT_RULES,
];

/** Which users and groups `buildSpec` is going to ask for; what a tenant may not set costs no question. */
export function accountsAsked(sources: Iterable<Pick<SpecSource, 'owner' | 'raw'>>): AccountsQuery {
  const [userNames, groupNames] = [new Set<string>(), new Set<string>()];
  const uids = new Set<number>();
  for (const { owner, raw } of sources) {
    const written = (key: VassalOptionName) =>
      (raw.get(key) ?? []).filter(({ layer }) => owner.powers === 'operator' || layer !== 'file');
    uids.add(owner.uid);
    for (const { value } of written('uid')) addAccount(value, userNames, uids);
    for (const { value } of [...written('gid'), ...written('add-gid')]) {
      for (const name of value.split(',')) addAccount(name.trim(), groupNames, undefined);
    }
    for (const { value } of HOOK_PHASES.flatMap((phase) => written(`hook-${phase}`))) {
      const { users, groups } = accountsOfHook(value);
      for (const name of users) userNames.add(name);
      for (const name of groups) groupNames.add(name);
    }
  }
  return { userNames, uids, groupNames };
}

function addAccount(written: string, names: Set<string>, ids: Set<number> | undefined): void {
  if (/^\d{1,10}$/.test(written)) ids?.add(Number(written));
  else if (written !== '' && written !== 'auto') names.add(written);
}

/** A tenant's own line may set only what tenants may; the layers of the operator may set anything. */
function refuseOperatorKeys({ owner, raw }: SpecSource): readonly Diagnostic[] {
  if (owner.powers === 'operator') return [];
  const rows: Readonly<Record<string, Option<unknown>>> = vassalOptions;
  return [...raw].flatMap(([key, [first]]) => {
    if (first?.layer !== 'file' || !Object.hasOwn(rows, key) || rows[key]?.who !== 'operator') return [];
    const hint = 'remove the line, or ask the operator to set it for you';
    const message = `only the operator may set this, and the file belongs to ${owner.name ?? `uid ${owner.uid}`}`;
    return [{ severity: 'error', file: first.file, line: first.line, key, message, hint } as const];
  });
}

function bound(draft: Draft, context: RuleContext, layers: readonly Bounds[]): Draft {
  const { values, cuts } = applyBounds(draft.values, layers);
  let bounded: Draft = { ...draft, values };
  for (const { key, asked, granted, reason } of cuts) {
    bounded = grant(bounded, key, values[key], reason);
    if (writtenOf(context.source, key) === undefined) continue;
    const message = `asked ${asked}, policy gives ${granted}: ${reason}`;
    bounded = report(bounded, context, { severity: 'warning', key, message, hint: undefined });
  }
  return bounded;
}

function assemble(
  source: SpecSource,
  values: VassalValues,
  persona: Persona | undefined,
): VassalSpec | undefined {
  const { name, file, owner } = source;
  if (values.command === undefined || persona === undefined) return undefined;
  return {
    name,
    file,
    owner,
    app: {
      command: values.command,
      chdir: values.chdir,
      env: values.env,
      envFile: values['env-file'],
      umask: values.umask,
      autostart: values.autostart,
    },
    identity: {
      ...persona,
      caps: [...new Set(values.cap)].toSorted((a, b) => a - b),
      securebits: [...new Set(values.securebits)].toSorted((a, b) => a - b),
      uidMap: values['uid-map'],
      gidMap: values['gid-map'],
      noNewPrivs: values['no-new-privs'],
    },
    jail: jailOf(values),
    root: rootOf(values, values.unshare.includes('mnt')),
    joining: joiningOf(values),
    hooks: hooksOf(values),
    filters: filtersOf(values),
    limits: limitsOf(values),
    scheduling: schedulingOf(values),
    lifecycle: lifecycleOf(values),
    output: {
      logMaxBytes: values['log-max-size'],
      logKeep: values['log-keep'],
      logRate: values['log-rate'],
    },
  };
}

function jailOf(values: VassalValues): JailSpec {
  return {
    namespaces: values.unshare,
    hostname: values.hostname,
    privateTmp: values['private-tmp'],
    privateDev: values['private-dev'],
    proc: values.proc,
    protectSystem: values['protect-system'],
    whenUnsupported: values['when-unsupported'],
  };
}

function lifecycleOf(values: VassalValues): LifecycleSpec {
  return {
    restart: values.restart,
    restartDelayMs: values['restart-delay'],
    restartMaxDelayMs: values['restart-max-delay'],
    restartMax: values['restart-max'],
    stableMs: values.stable,
    stopSignal: values['stop-signal'],
    stopTimeoutMs: values['stop-timeout'],
    killMode: values['kill-mode'],
    reload: values.reload,
    reloadSignal: values['reload-signal'],
    ready: values.ready,
    readyTimeoutMs: values['ready-timeout'],
    watchdogMs: values.watchdog,
    startAfter: values['start-after'],
    touchReload: values['touch-reload'],
    ...hookTimesOf(values),
  };
}

/** A program or directory of the host that is not in the jail: said before the launch fails of it. */
function lostPaths(spec: VassalSpec, source: SpecSource): readonly Diagnostic[] {
  const { app } = spec;
  const paths: readonly (readonly [VassalOptionName, string | undefined])[] = [
    ['command', app.command[0]],
    ['chdir', app.chdir],
    ['env-file', app.envFile],
  ];
  return paths.flatMap(([key, path]) => {
    const cover = path === undefined ? undefined : coverOf(path, spec);
    if (cover === undefined) return [];
    const message = `${path} is not in the jail, which has a ${cover} of its own`;
    const { file, line } = writtenOf(source, key) ?? { file: source.file, line: undefined };
    return [{ severity: 'warning', file, line, key, message, hint: hintForLost(path ?? '', cover) }];
  });
}

function hintForLost(path: string, cover: string): string {
  if (cover === '/') return `show it to the app: bind-ro = ${path}`;
  return cover.endsWith('/tmp') ? 'put it elsewhere, or say private-tmp = no' : 'put it elsewhere';
}

function provenance(source: SpecSource, { values, reasons }: Draft): readonly Provenance[] {
  return optionRows().map(([key, row]) => {
    const written = writtenOf(source, key);
    const asked = source.raw
      .get(key)
      ?.map(({ value }) => value)
      .join(', ');
    return {
      key,
      layer: written?.layer ?? 'built-in',
      file: written?.file,
      line: written?.line,
      asked,
      granted: formatValue(row.kind, values[key]).join(', '),
      reason: reasons.get(key),
    };
  });
}

function optionRows(): readonly (readonly [VassalOptionName, Option<unknown>])[] {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the rows of the type, which has no others
  return Object.entries(vassalOptions) as unknown as [VassalOptionName, Option<unknown>][];
}

function byLine(a: Diagnostic, b: Diagnostic): number {
  return (a.line ?? 0) - (b.line ?? 0);
}
