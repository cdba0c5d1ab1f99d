import { formatValue } from '@emperor/common/options/kinds';
import type { Option } from '@emperor/common/options/option';
import { capabilityName } from '../options/identity.ts';
import { type VassalOptionName, type VassalValues, vassalOptions } from '../options/index.ts';
import type { RlimitPair } from '../options/limits.ts';
import { type Draft, grant, type Rule, type RuleContext, report, unmet } from './draft.ts';
import type { RlimitName } from './limits.ts';
import { unmetSeverity } from './unmet.ts';

/** A capability that the kernel or the emperor does not have is refused. */
export const capabilityRule: Rule = (draft, context) => {
  // In a user namespace every capability that the kernel knows is there, with power over what is inside.
  const isInner = draft.values.unshare.includes('user') || context.host.rootless !== undefined;
  const refused = draft.values.cap.flatMap((number) => {
    const message = refusalOf(number, context, isInner);
    return message === undefined ? [] : [{ number, message }];
  });
  const [first] = refused;
  if (first === undefined) return draft;
  const severity = unmetSeverity(draft.values, 'isolation');
  const reported = refused.reduce(
    (before: Draft, { message }) =>
      report(before, context, { severity, key: 'cap', message, hint: 'remove it from cap' }),
    draft,
  );
  const left = draft.values.cap.filter((number) => !refused.some((each) => each.number === number));
  return grant(reported, 'cap', left, first.message);
};

/** A hard limit above the emperor's own can be had only with CAP_SYS_RESOURCE; a tenant never gets more. */
export const rlimitRule: Rule = (draft, context) =>
  rlimitNames().reduce((before, key) => clampRlimit(before, context, key), draft);

/** What this kernel and these privileges make of the wishes. */
export const HOST_RULES: readonly Rule[] = [capabilityRule, rlimitRule];

/** The options that are resource limits, from the table. */
export function rlimitNames(): readonly RlimitName[] {
  return RLIMIT_NAMES;
}

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys of the type, which has no others
const RLIMIT_NAMES = Object.keys(vassalOptions).filter((key) => key.startsWith('limit-')) as RlimitName[];

/** `limit-nofile` → `nofile`. */
export function resourceOf(key: RlimitName): string {
  return key.slice('limit-'.length);
}

function refusalOf(number: number, { host }: RuleContext, isInner: boolean): string | undefined {
  const name = capabilityName(number);
  if (number > host.capLastCap)
    return unmet('cap', name, 'none', `its last capability is ${host.capLastCap}`);
  const isBound = ((host.capBounding >> BigInt(number)) & 1n) === 1n;
  return isBound || isInner ? undefined : unmet('cap', name, 'none', 'the emperor itself has it not');
}

function clampRlimit(draft: Draft, context: RuleContext, key: RlimitName): Draft {
  const asked = draft.values[key];
  if (asked === undefined) return draft;
  const { most, because } = ceilingOf(key, context);
  if (most === undefined || (asked.hard ?? Number.POSITIVE_INFINITY) <= most) return draft;
  const granted: RlimitPair = { soft: Math.min(asked.soft ?? most, most), hard: most };
  const message = unmet(key, show(key, asked), show(key, granted), because);
  const reported = report(draft, context, {
    severity: unmetSeverity(draft.values, 'limit'),
    key,
    message,
    hint: 'ask for less, or raise the limit of the emperor',
  });
  return grant(reported, key, granted, message);
}

function ceilingOf(
  key: RlimitName,
  { host, source }: RuleContext,
): { most: number | undefined; because: string } {
  const resource = resourceOf(key);
  const own = host.hardRlimits.get(resource);
  const mayRaise = host.canRaiseRlimits && source.owner.powers === 'operator';
  if (!mayRaise && own !== undefined) return { most: own, because: "it is the emperor's own hard limit" };
  return { most: resource === 'nofile' ? host.openFilesMax : undefined, because: 'fs.nr_open is not higher' };
}

function show<K extends VassalOptionName>(key: K, value: VassalValues[K]): string {
  const row: Option<unknown> = vassalOptions[key];
  return formatValue(row.kind, value).join(',');
}
