import type { Diagnostic } from '@emperor/common/diagnostic';
import type { Values } from '@emperor/common/options/option';
import { decodeHook, HOOK_PHASES, type Hook, type HookAccount, type HookPhase } from '../options/hook.ts';
import type { hooks } from '../options/hooks.ts';
import type { Group, Lookup, User } from './accounts.ts';
import { type Draft, type Rule, type RuleContext, report } from './draft.ts';
import type { VassalSpec } from './spec.ts';

/** What the operator has done around the jail: by phase, all names resolved. */
export type HooksSpec = {
  readonly byPhase: Readonly<Record<HookPhase, readonly Hook[]>>;
  readonly timeoutMs: number;
};

/** The part of a spec that the options of this group make. */
export function hooksOf(values: Values<typeof hooks>): HooksSpec {
  return {
    byPhase: {
      'pre-jail': values['hook-pre-jail'],
      'post-jail': values['hook-post-jail'],
      'as-root': values['hook-as-root'],
      'as-user': values['hook-as-user'],
      'post-stop': values['hook-post-stop'],
    },
    timeoutMs: values['hook-timeout'],
  };
}

/** The keeper gives an undertaker this much beyond each hook's own time (native/undertaker_link.c), and once more. */
const SLACK_MS = 10_000;

/** How long the hooks of a launch, and those after a stop, may take in all. */
export function hookTimesOf(values: Values<typeof hooks>): {
  readonly launchHooksMs: number;
  readonly stopHooksMs: number;
} {
  const { byPhase, timeoutMs } = hooksOf(values);
  const stopCount = byPhase['post-stop'].length;
  const count = HOOK_PHASES.reduce((sum, phase) => sum + byPhase[phase].length, 0);
  return {
    launchHooksMs: (count - stopCount) * timeoutMs,
    stopHooksMs: stopCount === 0 ? 0 : stopCount * (timeoutMs + SLACK_MS) + SLACK_MS,
  };
}

/** What a spec holds for each option of this group. */
export const HOOK_VALUES: { readonly [K in keyof typeof hooks]: (spec: VassalSpec) => unknown } = {
  'hook-pre-jail': (spec) => spec.hooks.byPhase['pre-jail'],
  'hook-post-jail': (spec) => spec.hooks.byPhase['post-jail'],
  'hook-as-root': (spec) => spec.hooks.byPhase['as-root'],
  'hook-as-user': (spec) => spec.hooks.byPhase['as-user'],
  'hook-post-stop': (spec) => spec.hooks.byPhase['post-stop'],
  'hook-timeout': (spec) => spec.hooks.timeoutMs,
};

/** The names that a hook as written asks the user and group databases for. */
export function accountsOfHook(written: string): {
  readonly users: readonly string[];
  readonly groups: readonly string[];
} {
  const decoded = written.includes('chown') ? decodeHook(written) : undefined;
  if (decoded?.ok !== true || decoded.value.action !== 'chown') return { users: [], groups: [] };
  const { user, group } = decoded.value;
  return { users: nameOf(user), groups: nameOf(group) };
}

function nameOf(account: HookAccount): readonly string[] {
  return account.by === 'name' ? [account.name] : [];
}

type HookKey = `hook-${HookPhase}`;

/** More than the keeper takes in one launch. */
const MOST_HOOKS = 64;
const MOST_TEXT_BYTES = 24 * 1_024;
const MOST_WORDS = 900;

/** Names become numbers here: the keeper knows no user database. */
export const hookAccountsRule: Rule = (draft, context) => {
  let resolved = draft;
  for (const phase of HOOK_PHASES) resolved = resolvePhase(resolved, context, `hook-${phase}`);
  return resolved;
};

/**
 * Only in a uts namespace of its own a vassal's hook may set a host name: elsewhere it is the machine's. With `user` that
 * namespace is made after the hooks of post-jail (`namespaces_at_clone` in native/userns.c).
 */
export const hookHostnameRule: Rule = (draft, context) => {
  const { unshare } = draft.values;
  let judged = draft;
  for (const phase of HOOK_PHASES) {
    const key: HookKey = `hook-${phase}`;
    if (!draft.values[key].some(({ action }) => action === 'sethostname')) continue;
    const isEarly = phase === 'post-jail' && unshare.includes('user');
    const isOutside = phase === 'pre-jail' || phase === 'post-stop' || isEarly;
    if (!isOutside && unshare.includes('uts')) continue;
    judged = report(judged, context, {
      severity: 'error',
      key,
      message: 'sethostname would change the name of the machine',
      hint: isOutside ? 'move it to hook-as-root' : 'add uts to unshare',
    });
  }
  return judged;
};

/** With `user` a jail's network is made after the hooks of post-jail: there `ifup` would act on another one. */
export const hookInterfaceRule: Rule = (draft, context) => {
  const { unshare, 'hook-post-jail': hooksThere } = draft.values;
  const isEarly = unshare.includes('net') && unshare.includes('user');
  if (!isEarly || !hooksThere.some(({ action }) => action === 'ifup')) return draft;
  return report(draft, context, {
    severity: 'error',
    key: 'hook-post-jail',
    message:
      'ifup would act on the network of the machine: with user in unshare the jail has none of its own yet',
    hint: 'move it to hook-as-root',
  });
};

/** More than the keeper takes is refused here, with a line, not at the launch. */
export const hookSizeRule: Rule = (draft, context) => {
  const all = HOOK_PHASES.flatMap((phase) => draft.values[`hook-${phase}`]);
  const words = all.reduce((sum, hook) => sum + (hook.action === 'exec' ? hook.words.length : 10), 0);
  const bytes = all.reduce((sum, { written }) => sum + Buffer.byteLength(written), 0);
  if (all.length <= MOST_HOOKS && words <= MOST_WORDS && bytes <= MOST_TEXT_BYTES) return draft;
  const key = HOOK_PHASES.map((phase): HookKey => `hook-${phase}`).find(
    (name) => draft.values[name].length > 0,
  );
  return report(draft, context, {
    severity: 'error',
    key: key ?? 'hook-pre-jail',
    message: `all hooks together are too many: at most ${MOST_HOOKS}, with ${MOST_WORDS} words and ${MOST_TEXT_BYTES} bytes`,
    hint: 'put several into one script and exec that',
  });
};

/** Rules about options of this group, in the order in which they apply. */
export const HOOK_RULES: readonly Rule[] = [
  hookAccountsRule,
  hookHostnameRule,
  hookInterfaceRule,
  hookSizeRule,
];

function resolvePhase(draft: Draft, { source, accounts }: RuleContext, key: HookKey): Draft {
  const hooksBefore = draft.values[key];
  if (!hooksBefore.some(({ action }) => action === 'chown')) return draft;
  const diagnostics: Diagnostic[] = [];
  const resolved = hooksBefore.map((hook, index) => {
    if (hook.action !== 'chown') return hook;
    const refuse = (message: string): void => {
      const { file, line } = source.raw.get(key)?.[index] ?? { file: source.file, line: undefined };
      diagnostics.push({ severity: 'error', file, line, key, message, hint: 'correct the name, or make it' });
    };
    const user = numberOf(hook.user, (name) => userId(accounts.userByName(name), name), refuse);
    const group = numberOf(hook.group, (name) => groupId(accounts.groupByName(name), name), refuse);
    return { ...hook, user, group };
  });
  return {
    ...draft,
    values: { ...draft.values, [key]: resolved },
    diagnostics: [...draft.diagnostics, ...diagnostics],
  };
}

function numberOf(
  account: HookAccount,
  find: (name: string) => number | string,
  refuse: (message: string) => void,
): HookAccount {
  if (account.by !== 'name') return account;
  const found = find(account.name);
  if (typeof found === 'number') return { by: 'id', id: found };
  refuse(found);
  return account;
}

function userId(found: Lookup<User>, name: string): number | string {
  return found.is === 'found' ? found.entry.uid : missing('user', name, found);
}

function groupId(found: Lookup<Group>, name: string): number | string {
  return found.is === 'found' ? found.entry.gid : missing('group', name, found);
}

function missing(what: string, name: string, found: Lookup<User | Group>): string {
  return found.is === 'failed'
    ? `${what} ${name} could not be looked up: ${found.reason}`
    : `there is no ${what} ${name}`;
}
