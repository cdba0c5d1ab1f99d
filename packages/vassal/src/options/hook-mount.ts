import { posix } from 'node:path';
import { nearestName } from '@emperor/common/options/nearest';
import type { Decoded } from '@emperor/common/options/option';

/** A mount as the kernel wants it. */
export type HookMount = {
  /** `change` gives a mount that is there other attributes or another propagation. */
  readonly kind: 'new' | 'bind' | 'move' | 'change';
  readonly recursive: boolean;
  readonly fsType: string;
  readonly source: string;
  readonly target: string;
  /** MOUNT_ATTR_* of mount_setattr, for what is no new file system. */
  readonly set: number;
  readonly clear: number;
  /** MS_PRIVATE and its kin, or 0. */
  readonly propagation: number;
  /** MS_* of a new file system. */
  readonly flags: number;
  readonly data: string;
};

export type HookUmount = { readonly target: string; readonly flags: number; readonly recursive: boolean };

/** What a flag does: set or clear an attribute, as MOUNT_ATTR_* and as MS_*. */
type Attribute = { readonly set?: number; readonly clear?: number; readonly ms?: number };

const ATIME = 0x70;
const ATTRIBUTES: Readonly<Record<string, Attribute>> = {
  ro: { set: 0x1, ms: 1 },
  rw: { clear: 0x1 },
  nosuid: { set: 0x2, ms: 2 },
  suid: { clear: 0x2 },
  nodev: { set: 0x4, ms: 4 },
  dev: { clear: 0x4 },
  noexec: { set: 0x8, ms: 8 },
  exec: { clear: 0x8 },
  noatime: { set: 0x10, clear: ATIME, ms: 1_024 },
  strictatime: { set: 0x20, clear: ATIME, ms: 1 << 24 },
  relatime: { clear: ATIME, ms: 1 << 21 },
  nodiratime: { set: 0x80, ms: 2_048 },
  nosymfollow: { set: 0x20_0000, ms: 256 },
};
/** Of the file system itself: only a new one can be given them. */
const OF_FILE_SYSTEM: Readonly<Record<string, number>> = {
  sync: 16,
  mandlock: 64,
  dirsync: 128,
  lazytime: 1 << 25,
};
const PROPAGATION: Readonly<Record<string, number>> = {
  unbindable: 1 << 17,
  private: 1 << 18,
  slave: 1 << 19,
  shared: 1 << 20,
};
const KINDS: readonly string[] = ['bind', 'move', 'remount'];
/** uWSGI's other spellings. */
const SYNONYMS: Readonly<Record<string, string>> = { readonly: 'ro', rdonly: 'ro', recursive: 'rec' };
const MOUNT_FLAGS: readonly string[] = [
  ...KINDS,
  'rec',
  'defaults',
  ...Object.keys(ATTRIBUTES),
  ...Object.keys(OF_FILE_SYSTEM),
  ...Object.keys(PROPAGATION),
];
const UMOUNT_FLAGS: Readonly<Record<string, number>> = { force: 1, detach: 2, rec: 0 };

/** TYPE SOURCE TARGET [FLAGS [DATA]]: every flag is known, and none is silently without effect. */
export function decodeMount(words: readonly string[]): Decoded<HookMount> {
  const [fsType = '', source = '', written = '', flagText = '', ...rest] = words;
  const target = plainPath(written);
  if (target === undefined) return refuse('expected an absolute path as the target, without . and ..');
  const flags = decodeFlags(flagText, MOUNT_FLAGS);
  if (!flags.ok) return flags;
  const names = new Set(flags.value);
  const kind = kindOf(fsType, names);
  if (!kind.ok) return kind;
  const wrong = misfit(kind.value, names, rest);
  if (wrong !== undefined) return refuse(wrong);
  const from = kind.value === 'bind' || kind.value === 'move' ? plainPath(source) : source;
  if (from === undefined) return refuse('expected an absolute path as the source, without . and ..');
  return {
    ok: true,
    value: {
      kind: kind.value,
      recursive: names.has('rec'),
      fsType,
      source: from,
      target,
      set: sum(names, (name) => (kind.value === 'new' ? 0 : ATTRIBUTES[name]?.set)),
      clear: sum(names, (name) => (kind.value === 'new' ? 0 : ATTRIBUTES[name]?.clear)),
      propagation: sum(names, (name) => PROPAGATION[name]),
      flags: sum(names, (name) =>
        kind.value === 'new' ? (ATTRIBUTES[name]?.ms ?? OF_FILE_SYSTEM[name]) : 0,
      ),
      data: rest.join(' '),
    },
  };
}

/** TARGET [rec,detach,force]. */
export function decodeUmount(words: readonly string[]): Decoded<HookUmount> {
  const [written = '', flagText = ''] = words;
  const target = plainPath(written);
  if (target === undefined || target === '/' || words.length > 2)
    return refuse('expected one absolute path, and flags');
  const flags = decodeFlags(flagText, Object.keys(UMOUNT_FLAGS));
  if (!flags.ok) return flags;
  const names = new Set(flags.value);
  return {
    ok: true,
    value: { target, flags: sum(names, (name) => UMOUNT_FLAGS[name]), recursive: names.has('rec') },
  };
}

/** An absolute path as the keeper takes it; undefined when it is none. */
export function plainPath(written: string): string | undefined {
  if (!written.startsWith('/') || Buffer.byteLength(written) > 4_000) return undefined;
  if (written.split('/').some((part) => part === '.' || part === '..')) return undefined;
  const normal = posix.normalize(written);
  return normal.length > 1 && normal.endsWith('/') ? normal.slice(0, -1) : normal;
}

function decodeFlags(text: string, known: readonly string[]): Decoded<readonly string[]> {
  const names = text.split(',').flatMap((part) => {
    const name = part.trim();
    return name === '' ? [] : [SYNONYMS[name] ?? name];
  });
  const unknown = names.find((name) => !known.includes(name));
  if (unknown === undefined) return { ok: true, value: names };
  const nearest = nearestName(unknown, [...known, ...Object.keys(SYNONYMS)]);
  const hint = nearest === undefined ? `the flags are ${known.join(' ')}` : `did you mean ${nearest}?`;
  return refuse(`unknown flag ${unknown.slice(0, 40)}: ${hint}`);
}

function kindOf(fsType: string, names: ReadonlySet<string>): Decoded<HookMount['kind']> {
  const [kind, ...others] = KINDS.filter((name) => names.has(name));
  if (others.length > 0) return refuse('bind, move and remount exclude each other');
  if (kind === 'bind' || kind === 'move') return { ok: true, value: kind };
  if (kind === 'remount') return { ok: true, value: 'change' };
  if (fsType !== 'none' && fsType !== '') {
    return /^[\w.-]+$/.test(fsType) ? { ok: true, value: 'new' } : refuse('expected a type of file system');
  }
  return Object.keys(PROPAGATION).some((name) => names.has(name))
    ? { ok: true, value: 'change' }
    : refuse('expected a type of file system, or one of the flags bind, move, remount');
}

/** What would be without effect, or means two things at once. */
function misfit(
  kind: HookMount['kind'],
  names: ReadonlySet<string>,
  data: readonly string[],
): string | undefined {
  const propagations = Object.keys(PROPAGATION).filter((name) => names.has(name));
  const ofFileSystem = Object.keys(OF_FILE_SYSTEM).find((name) => names.has(name));
  const opposite = [
    ['ro', 'rw'],
    ['nosuid', 'suid'],
    ['nodev', 'dev'],
    ['noexec', 'exec'],
    ['noatime', 'strictatime'],
    ['noatime', 'relatime'],
    ['relatime', 'strictatime'],
  ].find((pair) => pair.every((name) => names.has(name)));
  if (opposite !== undefined) return `${opposite.join(' and ')} exclude each other`;
  if (propagations.length > 1) return `${propagations.join(' and ')} exclude each other`;
  if (kind !== 'new' && ofFileSystem !== undefined)
    return `${ofFileSystem} can be given to a new file system only`;
  if (kind !== 'new' && data.length > 0) return 'DATA can be given to a new file system only';
  if (kind === 'new' && names.has('rec') && propagations.length === 0)
    return 'rec goes with bind, remount or a propagation';
  return undefined;
}

function sum(names: ReadonlySet<string>, worth: (name: string) => number | undefined): number {
  let total = 0;
  for (const name of names) total |= worth(name) ?? 0;
  return total;
}

function refuse(message: string): { readonly ok: false; readonly message: string } {
  return { ok: false, message };
}
