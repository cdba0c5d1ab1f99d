import { oneOf, optional, parsed, repeated, text } from '@emperor/common/options/kinds';
import { type Kind, option } from '@emperor/common/options/option';
import type { BindMount, OverlayMount, TmpfsMount } from '../spec/root.ts';
import {
  decodeBind,
  decodeNamespace,
  decodeOverlay,
  decodePivot,
  decodePlace,
  decodeRoot,
  decodeTmpfs,
  formatBind,
  formatOverlay,
  formatTmpfs,
  type NamespaceWish,
  type PivotWish,
  type RootWish,
} from './root-forms.ts';

const group = 'root';
const shape = { since: '0.2', who: 'operator', onChange: 'restart', group } as const;

const place: Kind<string> = parsed(
  text,
  (written) => {
    const value = decodePlace(written);
    return value === undefined
      ? { ok: false, message: 'expected an absolute path other than /' }
      : { ok: true, value };
  },
  { name: 'path', hint: 'absolute path', schema: { type: 'string', pattern: '^/.' } },
);

const rootKind: Kind<RootWish> = parsed(text, decodeRoot, {
  name: 'root',
  hint: 'host, minimal, or an absolute directory',
  schema: { type: 'string', pattern: '^(host|minimal|/.+)$' },
  format: (wish) => [wish.by === 'directory' ? wish.dir : wish.by],
});

const namespace: Kind<NamespaceWish> = parsed(text, decodeNamespace, {
  name: 'directory and host name',
  hint: 'DIR or DIR:HOSTNAME',
  format: ({ dir, hostname }) => [hostname === undefined ? dir : `${dir}:${hostname}`],
});

const pivot: Kind<PivotWish> = parsed(text, decodePivot, {
  name: 'two directories',
  hint: 'NEW OLD, such as /ns /ns/.old_root',
  format: ({ to, old }) => [`${to} ${old}`],
});

const bind: Kind<Pick<BindMount, 'source' | 'target'>> = parsed(text, decodeBind, {
  name: 'bind mount',
  hint: 'SRC or SRC:DST',
  format: (mount) => [formatBind(mount)],
});

const tmpfs: Kind<TmpfsMount> = parsed(text, decodeTmpfs, {
  name: 'tmpfs',
  hint: 'PATH or PATH:SIZE',
  format: (mount) => [formatTmpfs(mount)],
});

const overlay: Kind<OverlayMount> = parsed(text, decodeOverlay, {
  name: 'overlay',
  hint: 'LOWER:UPPER:DST',
  format: (mount) => [formatOverlay(mount)],
});

/** What the app sees as its file system. */
export const root = {
  root: option({
    ...shape,
    kind: rootKind,
    default: { by: 'host' },
    help: "What is `/`. host: the host's tree, with parts of it hidden or read-only. minimal: an empty one with /usr read-only (and /bin, /lib as the host has them), the few files of /etc that programs need, the home, `chdir`, and what `bind`, `bind-ro` and `write` name. A directory: that tree with what is mounted below it; /proc /dev /sys /run /tmp /var/tmp must be there to be mounted on. Needs `mnt` in `unshare`.",
  }),
  namespace: option({
    ...shape,
    kind: optional(namespace),
    default: undefined,
    help: 'A directory as `/`, without what is mounted below it, and the host name that goes with it. Else as `root`. Needs `mnt` in `unshare`, with a host name also `uts`.',
  }),
  'namespace-keep-mount': option({
    ...shape,
    kind: repeated(bind),
    default: [],
    help: 'A mount that `namespace` shows: one below its directory, at the same place, or SRC:DST from elsewhere. Writable, nosuid, nodev.',
  }),
  'pivot-root': option({
    ...shape,
    kind: optional(pivot),
    default: undefined,
    help: "For roots that hooks make: a `hook-post-jail` mounts NEW, which becomes `/`; the host's tree stands at OLD until a `hook-as-root` says `umount:/OLD rec,detach`. Every mount of the default jail falls away. Needs `mnt` in `unshare`.",
  }),
  chroot: option({
    ...shape,
    kind: optional(place),
    default: undefined,
    help: 'A directory as `/`. With `mnt` in `unshare` the same as `root`; without it nothing but chroot(2), and no mount of its own.',
  }),
  overlay: option({
    ...shape,
    kind: repeated(overlay),
    default: [],
    help: 'Directories in layers, the first on top, changes kept in UPPER, which must be there; UPPER.work beside it is made. With an empty UPPER they go with the jail. DST `/` is the root. One UPPER serves one jail at a time. nosuid, nodev. Needs `mnt` in `unshare`.',
  }),
  bind: option({
    ...shape,
    kind: repeated(bind),
    default: [],
    help: 'A path of the host, with what is mounted below it, at the same place of the jail or at DST. Writable as far as the host lets its user; nosuid, and nodev unless it is below /dev. No symlink is followed. Needs `mnt` in `unshare`.',
  }),
  'bind-ro': option({
    ...shape,
    kind: repeated(bind),
    default: [],
    help: 'As `bind`, read-only for everybody, with everything mounted below it.',
  }),
  tmpfs: option({
    ...shape,
    kind: repeated(tmpfs),
    default: [],
    help: 'An empty file system in memory that belongs to the app, 64M without a SIZE; what it holds counts for `memory-max` and goes with the jail. Needs `mnt` in `unshare`.',
  }),
  mask: option({
    ...shape,
    kind: repeated(place),
    default: [],
    help: 'A file that is empty or a directory that is closed for the app, if it is there at the start. Needs `mnt` in `unshare`.',
  }),
  write: option({
    ...shape,
    kind: repeated(place),
    default: [],
    help: 'What stays writable under `protect-system` and `root = minimal`; it must be there. Needs `mnt` in `unshare`.',
  }),
  'protect-home': option({
    ...shape,
    kind: oneOf('yes', 'read-only', 'no'),
    default: 'yes',
    help: 'yes: /home and /root are empty but for the own home and `chdir`. read-only: they can be read as far as their owners let. no: as on the host. Needs `mnt` in `unshare`.',
  }),
};
