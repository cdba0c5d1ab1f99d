import type { Values } from '@emperor/common/options/option';
import type { root } from '../options/root.ts';
import type { VassalSpec } from './spec.ts';

/** Directories of which the first lies on top; changes go to `upper`, undefined = one that goes with the jail. */
export type Layers = { readonly lowers: readonly string[]; readonly upper: string | undefined };

/** What becomes `/`: the one native form of all spellings. */
export type RootForm =
  | { readonly by: 'host' }
  | { readonly by: 'minimal' }
  | { readonly by: 'tree'; readonly dir: string; readonly submounts: boolean }
  | ({ readonly by: 'layers' } & Layers)
  | { readonly by: 'pivot'; readonly to: string; readonly old: string }
  /** chroot(2), without a mount namespace. */
  | { readonly by: 'chroot'; readonly dir: string };

export type RootOption = 'root' | 'namespace' | 'pivot-root' | 'chroot' | 'overlay';

export type BindMount = {
  readonly by: 'bind';
  readonly option: 'bind' | 'bind-ro' | 'namespace-keep-mount';
  readonly source: string;
  readonly target: string;
};
export type TmpfsMount = { readonly by: 'tmpfs'; readonly target: string; readonly bytes: number };
export type OverlayMount = { readonly by: 'overlay'; readonly target: string } & Layers;

/** A mount that the operator asks for. */
export type OwnMount = BindMount | TmpfsMount | OverlayMount;

/** What the app sees as its file system. */
export type RootSpec = {
  readonly form: RootForm;
  /** Which option says so. */
  readonly spelling: RootOption;
  readonly protectHome: 'yes' | 'read-only' | 'no';
  /** Outer ones before those below them. */
  readonly mounts: readonly OwnMount[];
  readonly masks: readonly string[];
  readonly writes: readonly string[];
};

type RootValues = Values<typeof root>;

/** The part of a spec that the options of this group make. */
export function rootOf(values: RootValues, hasMounts = true): RootSpec {
  const { form, spelling } = formOf(values, hasMounts);
  return {
    form,
    spelling,
    protectHome: values['protect-home'],
    mounts: ownMounts(values).toSorted((a, b) => depth(a.target) - depth(b.target)),
    masks: values.mask,
    writes: values.write,
  };
}

/** All mounts that are asked for, but the root itself. */
export function ownMounts(values: RootValues): readonly OwnMount[] {
  const inside = values.namespace?.dir;
  const kept = values['namespace-keep-mount'].map(({ source, target }) =>
    inside !== undefined && source === target && source.startsWith(`${inside}/`)
      ? { source, target: source.slice(inside.length) }
      : { source, target },
  );
  return [
    ...bindsOf('namespace-keep-mount', kept),
    ...values.overlay.filter(({ target }) => target !== '/'),
    ...values.tmpfs,
    ...bindsOf('bind', values.bind),
    ...bindsOf('bind-ro', values['bind-ro']),
  ];
}

/** What a spec holds for each option of this group. */
export const ROOT_VALUES: { readonly [K in keyof typeof root]: (spec: VassalSpec) => unknown } = {
  root: spelled('root'),
  namespace: spelled('namespace'),
  'namespace-keep-mount': bound('namespace-keep-mount'),
  'pivot-root': spelled('pivot-root'),
  chroot: spelled('chroot'),
  overlay: ({ root: { form, mounts } }) => [
    form.by === 'layers' ? form : undefined,
    mounts.filter(({ by }) => by === 'overlay'),
  ],
  bind: bound('bind'),
  'bind-ro': bound('bind-ro'),
  tmpfs: ({ root: { mounts } }) => mounts.filter(({ by }) => by === 'tmpfs'),
  mask: ({ root: { masks } }) => masks,
  write: ({ root: { writes } }) => writes,
  'protect-home': ({ root: { protectHome } }) => protectHome,
};

function formOf(
  values: RootValues,
  hasMounts: boolean,
): { readonly form: RootForm; readonly spelling: RootOption } {
  const { namespace, chroot } = values;
  const pivot = values['pivot-root'];
  const layers = values.overlay.find(({ target }) => target === '/');
  if (namespace !== undefined)
    return { form: { by: 'tree', dir: namespace.dir, submounts: false }, spelling: 'namespace' };
  if (pivot !== undefined) return { form: { by: 'pivot', ...pivot }, spelling: 'pivot-root' };
  if (layers !== undefined) {
    const { lowers, upper } = layers;
    return { form: { by: 'layers', lowers, upper }, spelling: 'overlay' };
  }
  if (chroot !== undefined) {
    const form = hasMounts ? ({ by: 'tree', submounts: true } as const) : ({ by: 'chroot' } as const);
    return { form: { ...form, dir: chroot }, spelling: 'chroot' };
  }
  const { root: wish } = values;
  if (wish.by !== 'directory') return { form: wish, spelling: 'root' };
  return { form: { by: 'tree', dir: wish.dir, submounts: true }, spelling: 'root' };
}

function bindsOf(
  option: BindMount['option'],
  binds: readonly Pick<BindMount, 'source' | 'target'>[],
): readonly BindMount[] {
  return binds.map(({ source, target }) => ({ by: 'bind', option, source, target }));
}

function spelled(option: RootOption): (spec: VassalSpec) => unknown {
  return ({ root: { form, spelling } }) => (spelling === option ? form : undefined);
}

function bound(option: BindMount['option']): (spec: VassalSpec) => unknown {
  return ({ root: { mounts } }) => mounts.filter((mount) => mount.by === 'bind' && mount.option === option);
}

function depth(path: string): number {
  return path.split('/').length;
}
