import type { VassalOptionName, VassalValues } from '../options/index.ts';
import { type Draft, grant, isExplicit, type Rule, type RuleContext, report } from './draft.ts';
import { ownMounts, type RootOption } from './root.ts';

const MOST_MOUNTS = 64;
/** What fits beside a vassal's other directives. */
const MOST_TEXT_BYTES = 8 * 1024;

/** `/` can be one thing only: what the file says outranks what is preset. */
const oneRootRule: Rule = (draft, context) => {
  const said = rootsOf(draft.values);
  const explicit = said.filter((key) => isExplicit(context.source, key));
  const [winner] = explicit.length > 0 ? explicit : said;
  if (winner === undefined) return draft;
  const losers = said.filter((key) => key !== winner);
  return losers.reduce((before, key) => {
    if (!isExplicit(context.source, key)) return without(before, key, `${winner} says what is /`);
    const message = `says what is /, and so does ${winner}`;
    return report(before, context, { severity: 'error', key, message, hint: 'keep one of them' });
  }, draft);
};

/** Everything about mounts needs `mnt` in `unshare`, but chroot. */
const mountNamespaceRule: Rule = (draft, context) => {
  if (draft.values.unshare.includes('mnt')) return draft;
  const keys = [
    ...rootsOf(draft.values).filter((key) => key !== 'chroot'),
    ...(['overlay', 'bind', 'bind-ro', 'tmpfs', 'mask', 'write', 'protect-home'] as const),
    'namespace-keep-mount' as const,
  ];
  const hint = 'add mnt to unshare, or remove this line';
  return [...new Set(keys)].reduce(
    (before, key) => fallAway(before, context, { key, reason: 'needs mnt in unshare', hint }),
    draft,
  );
};

/** `namespace` brings a host name, and is what its mounts belong to. */
const namespaceRule: Rule = (draft, context) => {
  const { namespace, unshare } = draft.values;
  if (namespace === undefined)
    return fallAway(draft, context, {
      key: 'namespace-keep-mount',
      reason: 'needs namespace',
      hint: 'say bind = SRC:DST for another root',
    });
  if (namespace.hostname === undefined) return draft;
  if (isExplicit(context.source, 'hostname') && draft.values.hostname !== namespace.hostname)
    return report(draft, context, {
      severity: 'error',
      key: 'hostname',
      message: `is ${draft.values.hostname ?? 'none'}, and namespace says ${namespace.hostname}`,
      hint: 'remove one of the two',
    });
  if (!unshare.includes('uts'))
    return report(draft, context, {
      severity: 'error',
      key: 'namespace',
      message: 'a host name needs uts in unshare',
      hint: 'add uts to unshare, or say no host name',
    });
  return grant(draft, 'hostname', namespace.hostname, 'namespace says so');
};

/** Below `pivot-root` hooks make the root, and a chroot has no mounts: what the default jail mounts falls away. */
const bareRootRule: Rule = (draft, context) => {
  const pivots = draft.values['pivot-root'] !== undefined;
  const chroots = draft.values.chroot !== undefined && !draft.values.unshare.includes('mnt');
  if (!pivots && !chroots) return draft;
  const reason = pivots ? 'hooks make what pivot-root leads to' : 'a bare chroot has nothing of the kind';
  const keys = [
    'private-tmp',
    'private-dev',
    'proc',
    'protect-system',
    'protect-home',
    'write',
  ] as const satisfies readonly VassalOptionName[];
  const bare = keys.reduce(
    (before, key) => fallAway(before, context, { key, reason, hint: 'remove this line' }),
    draft,
  );
  return silenceRule(bare, context, reason);
};

/** Without a /run of ours there is no notify socket. */
function silenceRule(draft: Draft, context: RuleContext, reason: string): Draft {
  const { ready, watchdog } = draft.values;
  const message = `needs a notify socket, and ${reason}`;
  const hint = 'use ready = log:TEXT, tcp:PORT or delay:TIME, and no watchdog';
  const keys = [
    ...(ready.by === 'notify' ? ['ready' as const] : []),
    ...(watchdog === undefined ? [] : ['watchdog' as const]),
  ];
  return keys.reduce(
    (before, key) => report(before, context, { severity: 'error', key, message, hint }),
    draft,
  );
}

/** The host's tree, the emperor's directories in it, is what a forgotten `umount` leaves to the app. */
const oldRootRule: Rule = (draft, context) => {
  const pivot = draft.values['pivot-root'];
  if (pivot === undefined) return draft;
  const inside = pivot.old.slice(pivot.to.length);
  const hooks = context.source.raw.get('hook-as-root') ?? [];
  const isLeft = !hooks.some(({ value }) => value.replace(/^!/, '').trim().startsWith(`umount:${inside}`));
  if (!isLeft) return draft;
  return report(draft, context, {
    severity: 'warning',
    key: 'pivot-root',
    message: `leaves the whole tree of the host to the app at ${inside}`,
    hint: `add hook-as-root = umount:${inside} rec,detach`,
  });
};

/** Nothing in a minimal root is writable that nobody names. */
const minimalRule: Rule = (draft, context) => {
  const { root, 'protect-system': protect } = draft.values;
  if (root.by !== 'minimal' || protect === 'strict') return draft;
  const reason = 'root = minimal is read-only but for what write and bind name';
  if (protect === 'full' || !isExplicit(context.source, 'protect-system'))
    return grant(draft, 'protect-system', 'strict', reason);
  const hint = 'remove this line';
  return report(draft, context, { severity: 'error', key: 'protect-system', message: reason, hint });
};

/** Every place is mounted on once, and no place of ours is taken. */
const targetsRule: Rule = (draft, context) => {
  const mounts = ownMounts(draft.values);
  const texts = mounts.flatMap((mount) => Object.values(mount).flat());
  const bytes = Buffer.byteLength([...texts, ...draft.values.mask, ...draft.values.write].join('\n'));
  const count = mounts.length + draft.values.mask.length + draft.values.write.length;
  if (count > MOST_MOUNTS || bytes > MOST_TEXT_BYTES) {
    const key = mounts[0] === undefined ? 'mask' : optionOf(mounts[0]);
    const message = `and the other mounts are too many: ${MOST_MOUNTS} with ${MOST_TEXT_BYTES} bytes of paths are possible`;
    return report(draft, context, { severity: 'error', key, message, hint: 'mount directories above them' });
  }
  const ours = ownPlaces(draft.values);
  return mounts.reduce((before, mount, index) => {
    const { target } = mount;
    const twice = mounts.slice(0, index).some((other) => other.target === target);
    const owner = twice ? 'another mount' : ours.get(target);
    if (owner === undefined) return before;
    const message = `${target} is taken by ${owner}`;
    const hint = 'mount it elsewhere, or turn that off';
    return report(before, context, { severity: 'error', key: optionOf(mount), message, hint });
  }, draft);
};

/** Rules about what `/` is and what is mounted in it, in the order in which they apply. */
export const ROOT_RULES: readonly Rule[] = [
  oneRootRule,
  mountNamespaceRule,
  namespaceRule,
  bareRootRule,
  oldRootRule,
  minimalRule,
  targetsRule,
];

/** What each option is when it is not there. */
const NOTHING = {
  root: { by: 'host' },
  namespace: undefined,
  'namespace-keep-mount': [],
  'pivot-root': undefined,
  chroot: undefined,
  overlay: [],
  bind: [],
  'bind-ro': [],
  tmpfs: [],
  mask: [],
  write: [],
  'protect-home': 'no',
  'private-tmp': false,
  'private-dev': false,
  proc: 'host',
  'protect-system': 'no',
} as const satisfies { readonly [K in VassalOptionName]?: VassalValues[K] };

type Dispensable = keyof typeof NOTHING;

function rootsOf(values: VassalValues): readonly RootOption[] {
  return [
    ...(values.root.by === 'host' ? [] : ['root' as const]),
    ...(values.namespace === undefined ? [] : ['namespace' as const]),
    ...(values['pivot-root'] === undefined ? [] : ['pivot-root' as const]),
    ...(values.chroot === undefined ? [] : ['chroot' as const]),
    ...values.overlay.flatMap(({ target }) => (target === '/' ? ['overlay' as const] : [])),
  ];
}

function without(draft: Draft, key: Dispensable, reason: string): Draft {
  if (key === 'overlay') {
    const rest = draft.values.overlay.filter(({ target }) => target !== '/');
    return grant(draft, key, rest, reason);
  }
  return grant(draft, key, NOTHING[key], reason);
}

/** A default that cannot be falls away; written for this vassal it is an error. */
function fallAway(
  draft: Draft,
  context: RuleContext,
  { key, reason, hint }: { readonly key: Dispensable; readonly reason: string; readonly hint: string },
): Draft {
  const value = draft.values[key];
  const isNothing = JSON.stringify(value) === JSON.stringify(NOTHING[key]);
  if (isNothing) return draft;
  if (!isExplicit(context.source, key)) return grant(draft, key, NOTHING[key], reason);
  return report(draft, context, { severity: 'error', key, message: reason, hint });
}

function optionOf(mount: ReturnType<typeof ownMounts>[number]): VassalOptionName {
  return mount.by === 'bind' ? mount.option : mount.by;
}

/** What the jail itself mounts, and which option turns it off. */
function ownPlaces(values: VassalValues): ReadonlyMap<string, string> {
  if (values['pivot-root'] !== undefined) return new Map();
  return new Map([
    ['/run', 'the jail’s own /run'],
    ['/sys', 'the jail’s own /sys'],
    ...(values['private-tmp']
      ? (['/tmp', '/var/tmp', '/dev/shm'] as const).map((path) => [path, 'private-tmp'] as const)
      : []),
    ...(values['private-dev'] ? ([['/dev', 'private-dev']] as const) : []),
    ...(values.proc === 'private' ? ([['/proc', 'proc']] as const) : []),
  ]);
}
