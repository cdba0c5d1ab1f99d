import type { IdMap } from '../options/identity.ts';
import { type Draft, grant, isExplicit, type Rule, type RuleContext, report, unmet } from './draft.ts';
import type { HostFacts } from './host-facts.ts';
import { unmetSeverity } from './unmet.ts';

/** A kind that cannot be made here; comes before the rules about options that need it. */
const availableRule: Rule = (draft, context) => {
  const { unavailable } = context.host;
  const missing = draft.values.unshare.filter((kind) => unavailable.has(kind));
  if (missing.length === 0) return draft;
  const because = missing.map((kind) => `${kind}: ${unavailable.get(kind) ?? ''}`).join('; ');
  const left = draft.values.unshare.filter((kind) => !unavailable.has(kind));
  const message = unmet('unshare', draft.values.unshare.join(','), left.join(',') || 'none', because);
  const reported = report(draft, context, {
    severity: unmetSeverity(draft.values, 'isolation'),
    key: 'unshare',
    message,
    hint: 'see `emperor check --host`; when-unsupported = warn runs without it',
  });
  return grant(reported, 'unshare', left, message);
};

/** Maps belong to a user namespace, hold each id once, and the kernel takes so many of them. */
const mapRule: Rule = (draft, context) =>
  (['uid-map', 'gid-map'] as const).reduce((before: Draft, key) => judgeMap(before, context, key), draft);

const MOST_MAPS = 150;

function judgeMap(draft: Draft, context: RuleContext, key: 'uid-map' | 'gid-map'): Draft {
  const maps = draft.values[key];
  if (maps.length === 0) return draft;
  if (!draft.values.unshare.includes('user')) {
    const hint = 'add user to unshare, or remove this line';
    return report(draft, context, { severity: 'error', key, message: 'needs user in unshare', hint });
  }
  const wrong = faultOf(maps);
  if (wrong === undefined) return draft;
  return report(draft, context, { severity: 'error', key, message: wrong, hint: 'every id stands once' });
}

function faultOf(maps: readonly IdMap[]): string | undefined {
  if (maps.length > MOST_MAPS) return `has ${maps.length} lines, at most ${MOST_MAPS} are possible`;
  if (overlaps(maps, 'inside')) return 'maps an id of inside twice';
  return overlaps(maps, 'outside') ? 'maps two ids of inside to the same one outside' : undefined;
}

function overlaps(maps: readonly IdMap[], side: 'inside' | 'outside'): boolean {
  const sorted = maps.toSorted((a, b) => a[side] - b[side]);
  return sorted.some((map, index) => {
    const before = sorted[index - 1];
    return before !== undefined && map[side] < before[side] + before.count;
  });
}

/** Who and what cannot be had without root; what was a default falls away silently, `plan` shows it. */
const rootlessRule: Rule = (draft, context) => {
  const { rootless } = context.host;
  if (rootless === undefined || context.source.owner.powers === 'tenant') return draft;
  const isInnerRoot = draft.values.unshare.includes('user') && isRoot(draft.values.uid);
  const withIds = isInnerRoot ? draft : ownIds(draft, context, rootless);
  const withoutGroups = without(withIds, context, 'add-gid', 'the groups of the user stay as they are');
  const withoutUids = without(withoutGroups, context, 'uid-map', WITHOUT_ROOT);
  return without(withoutUids, context, 'gid-map', WITHOUT_ROOT);
};

const WITHOUT_ROOT = 'an emperor without root has no id but its own';

function ownIds(draft: Draft, context: RuleContext, { uid, gid }: NonNullable<HostFacts['rootless']>): Draft {
  const asked = draft.values.uid;
  const isAsked = asked !== undefined && asked.by !== 'auto' && isExplicit(context.source, 'uid');
  const isOwn = isAsked && isUser(asked, uid, context);
  const wish = isAsked ? (asked.by === 'name' ? asked.name : String(asked.id)) : 'auto';
  const message = unmet('uid', wish, String(uid), WITHOUT_ROOT);
  const said =
    isAsked && !isOwn
      ? report(draft, context, {
          severity: unmetSeverity(draft.values, 'isolation'),
          key: 'uid',
          message,
          hint: 'remove the line, or run the emperor as root',
        })
      : draft;
  const become = grant(said, 'uid', { by: 'id', id: uid }, WITHOUT_ROOT);
  return grant(become, 'gid', { by: 'id', id: gid }, WITHOUT_ROOT);
}

function isUser(
  asked: { by: 'name'; name: string } | { by: 'id'; id: number },
  uid: number,
  context: RuleContext,
): boolean {
  if (asked.by === 'id') return asked.id === uid;
  const found = context.accounts.userByName(asked.name);
  return found.is === 'found' && found.entry.uid === uid;
}

function isRoot(uid: Draft['values']['uid']): boolean {
  return uid !== undefined && (uid.by === 'name' ? uid.name === 'root' : uid.by === 'id' && uid.id === 0);
}

function without(
  draft: Draft,
  context: RuleContext,
  key: 'add-gid' | 'uid-map' | 'gid-map',
  because: string,
): Draft {
  if (draft.values[key].length === 0) return draft;
  const asked =
    context.source.raw
      .get(key)
      ?.map(({ value }) => value)
      .join(', ') ?? '';
  const message = unmet(key, asked, 'none', because);
  const severity = unmetSeverity(draft.values, 'isolation');
  const reported = report(draft, context, { severity, key, message, hint: 'remove the line' });
  return grant(reported, key, [], message);
}

/** A map of one's own and a uid that nobody knows yet do not go together. */
const autoMapRule: Rule = (draft, context) => {
  const { uid, 'uid-map': maps } = draft.values;
  if (maps.length === 0 || (uid !== undefined && uid.by !== 'auto')) return draft;
  if (context.source.owner.powers === 'tenant') return draft;
  return report(draft, context, {
    severity: 'error',
    key: 'uid-map',
    message: 'needs a uid that is known: a private one is given at the first launch',
    hint: 'say which user of the map the app is, such as uid = 1000',
  });
};

/** Rules about namespaces and ids; before those about options that need a namespace. */
export const NAMESPACE_RULES: readonly Rule[] = [availableRule, mapRule, autoMapRule, rootlessRule];
