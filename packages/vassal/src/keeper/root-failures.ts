import type { VassalSpec } from '../spec/spec.ts';
import type { FailureText } from './failure.ts';

type About = { readonly what: string; readonly spec: VassalSpec | undefined };

/** What is said when a root or a mount in it cannot be made, by stage and errno. */
export const ROOT_TEXTS: readonly (readonly [string, (about: About) => FailureText])[] = [
  ['mounts ENOENT', nothingToMount],
  ['mounts ELOOP', symlink],
  ['root ELOOP', symlink],
  [
    'mounts EBUSY',
    ({ what }) => ({
      message: `${what} is in use by another jail`,
      hint: 'give each vassal an upper directory of its own: overlay = LOWER:/srv/%(name)/upper:DST',
    }),
  ],
  [
    'mounts EINVAL',
    ({ what }) => ({
      message: `the kernel makes no overlay of ${what}`,
      hint: 'no layer may lie in another, and upper and UPPER.work must be on one writable file system',
    }),
  ],
  [
    'mounts ENOTDIR',
    ({ what }) => ({
      message: `what is mounted at ${what} is no directory there and one here, or the other way round`,
      hint: 'mount files on files and directories on directories',
    }),
  ],
  [
    'mounts EROFS',
    ({ what }) => ({
      message: `no place can be made for ${what}: what it lies in is read-only`,
      hint: 'make it on the host, or mount it elsewhere',
    }),
  ],
  [
    'root ENOENT',
    ({ what }) => ({
      message: `there is no directory ${what} to be the root`,
      hint: 'make it, or name another one; for pivot-root a hook-post-jail makes it',
    }),
  ],
  ['root ENOTDIR', ({ what }) => ({ message: `${what} is no directory`, hint: 'name a directory as root' })],
  ['root EBUSY', notAMount],
  ['root EINVAL', notAMount],
];

function symlink({ what }: About): FailureText {
  return {
    message: `a symlink stands at or on the way to ${what}`,
    hint: 'root follows no symlink here: name the real path',
  };
}

function notAMount({ what }: About): FailureText {
  return {
    message: `${what} is no mount, so it cannot become the root`,
    hint: `mount it first: hook-post-jail = mount:none /path/to/the/tree ${what} bind`,
  };
}

/** Sources are looked up on the host, places in the root that is to be. */
function nothingToMount({ what, spec }: About): FailureText {
  const form = spec?.root.form;
  const isSource =
    spec?.root.mounts.some(
      (mount) =>
        (mount.by === 'bind' && mount.source === what) ||
        (mount.by === 'overlay' && (mount.upper === what || mount.lowers.includes(what))),
    ) === true;
  if (isSource || (form?.by === 'minimal' && spec?.root.writes.includes(what) === true))
    return { message: `there is no ${what} on the host`, hint: 'make it, or name another path' };
  if (spec?.root.writes.includes(what) === true)
    return { message: `there is no ${what} to be written`, hint: 'make it, or remove the line write' };
  const dir = form?.by === 'tree' ? form.dir : undefined;
  if (dir !== undefined)
    return {
      message: `there is no ${what} in the root ${dir}`,
      hint: `mkdir ${dir}${what}, or turn off the option that mounts it`,
    };
  return {
    message: `there is no ${what} to mount on`,
    hint: 'make it (for a file, an empty file), or say root = minimal, where places are made',
  };
}
