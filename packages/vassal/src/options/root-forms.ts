import { posix } from 'node:path';
import { decodeBytes, formatBytes } from '@emperor/common/bytes';
import type { Decoded } from '@emperor/common/options/option';
import type { BindMount, Layers, OverlayMount, TmpfsMount } from '../spec/root.ts';

/** What `root` says: the host's tree, one made of the least, or a directory. */
export type RootWish =
  | { readonly by: 'host' }
  | { readonly by: 'minimal' }
  | { readonly by: 'directory'; readonly dir: string };

/** `DIR[:HOSTNAME]`. */
export type NamespaceWish = { readonly dir: string; readonly hostname: string | undefined };

/** `NEW OLD`, OLD below NEW. */
export type PivotWish = { readonly to: string; readonly old: string };

const PRESET_TMPFS_BYTES = 64 * 1024 ** 2;
const LEAST_TMPFS_BYTES = 4_096;
const MOST_LAYERS = 8;
const LONGEST_PATH_BYTES = 4_095;
const HOSTNAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** An absolute path without double, trailing or dot parts; undefined when it is none, or is `/`. */
export function decodePlace(written: string): string | undefined {
  const path = decodePath(written);
  return path === '/' ? undefined : path;
}

export function decodeRoot(written: string): Decoded<RootWish> {
  if (written === 'host' || written === 'minimal') return { ok: true, value: { by: written } };
  const dir = decodePlace(written);
  return dir === undefined
    ? { ok: false, message: 'expected host, minimal, or an absolute directory other than /' }
    : { ok: true, value: { by: 'directory', dir } };
}

export function decodeNamespace(written: string): Decoded<NamespaceWish> {
  const [path = '', hostname, ...more] = written.split(':');
  const dir = decodePlace(path);
  if (dir === undefined || more.length > 0)
    return { ok: false, message: 'expected DIR or DIR:HOSTNAME, DIR an absolute directory other than /' };
  if (hostname !== undefined && !HOSTNAME.test(hostname))
    return { ok: false, message: 'expected a host name after the colon: letters, digits, dots and hyphens' };
  return { ok: true, value: { dir, hostname } };
}

export function decodePivot(written: string): Decoded<PivotWish> {
  const [first = '', second = '', ...more] = written.trim().split(/\s+/);
  const [to, old] = [decodePlace(first), decodePlace(second)];
  if (to === undefined || old === undefined || more.length > 0)
    return { ok: false, message: 'expected two absolute directories: NEW OLD' };
  return old.startsWith(`${to}/`)
    ? { ok: true, value: { to, old } }
    : { ok: false, message: 'OLD must lie below NEW, as seen from outside: /ns /ns/.old_root' };
}

/** `SRC[:DST]`; SRC may be `/` when DST is there. */
export function decodeBind(written: string): Decoded<Pick<BindMount, 'source' | 'target'>> {
  const [first = '', second, ...more] = written.split(':');
  const source = decodePath(first);
  const target = decodePlace(second ?? first);
  return source === undefined || target === undefined || more.length > 0
    ? { ok: false, message: 'expected SRC or SRC:DST, both absolute paths, DST not /' }
    : { ok: true, value: { source, target } };
}

export function formatBind({ source, target }: Pick<BindMount, 'source' | 'target'>): string {
  return source === target ? source : `${source}:${target}`;
}

/** `PATH[:SIZE]`. */
export function decodeTmpfs(written: string): Decoded<TmpfsMount> {
  const [path = '', size, ...more] = written.split(':');
  const target = decodePlace(path);
  const bytes = size === undefined ? PRESET_TMPFS_BYTES : decodeBytes(size);
  return target === undefined || bytes === undefined || bytes < LEAST_TMPFS_BYTES || more.length > 0
    ? { ok: false, message: 'expected PATH or PATH:SIZE, such as /var/cache/app:64M' }
    : { ok: true, value: { by: 'tmpfs', target, bytes } };
}

export function formatTmpfs({ target, bytes }: TmpfsMount): string {
  return `${target}:${formatBytes(bytes)}`;
}

/** `LOWER[:LOWER…]:UPPER:DST`; DST may be `/`. */
export function decodeOverlay(written: string): Decoded<OverlayMount> {
  const parts = written.split(':');
  const target = decodePath(parts.at(-1) ?? '');
  const upperPart = parts.at(-2) ?? '';
  const upper = upperPart === '' ? undefined : decodePlace(upperPart);
  const lowers = parts.slice(0, -2).map(decodePath);
  const isWhole = lowers.length > 0 && target !== undefined && (upperPart === '' || upper !== undefined);
  const known = lowers.flatMap((path) => (path === undefined ? [] : [path]));
  if (!isWhole || known.length < lowers.length)
    return {
      ok: false,
      message: 'expected LOWER:UPPER:DST, absolute paths; UPPER may be empty, more LOWERs go before it',
    };
  if (lowers.length > MOST_LAYERS) return { ok: false, message: `has more than ${MOST_LAYERS} lower layers` };
  return { ok: true, value: { by: 'overlay', target, lowers: known, upper } };
}

export function formatOverlay({ target, lowers, upper }: Layers & { readonly target: string }): string {
  return [...lowers, upper ?? '', target].join(':');
}

function decodePath(written: string): string | undefined {
  if (!written.startsWith('/') || Buffer.byteLength(written) > LONGEST_PATH_BYTES) return undefined;
  const path = posix.normalize(written);
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}
