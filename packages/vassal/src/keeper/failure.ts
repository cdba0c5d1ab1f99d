import { getSystemErrorMap } from 'node:util';
import { coverOf } from '../jail/views.ts';
import type { VassalSpec } from '../spec/spec.ts';
import type { LaunchFailure } from './facts.ts';
import { type HookStage, hookFailure, isHookStage } from './hook-failure.ts';
import { ROOT_TEXTS } from './root-failures.ts';
import type { Stage } from './stages.ts';

/** A failed launch for people: what happened, and what to do about it. */
export type FailureText = { readonly message: string; readonly hint: string };

/** What the texts may know of the vassal; undefined where its spec is not at hand. */
type About = { readonly what: string; readonly spec: VassalSpec | undefined };
type Text = (about: About) => FailureText;

/** Message and hint for a failure of one stage with one errno; no tenant code has run. */
export function hintForFailure(failure: LaunchFailure, spec?: VassalSpec): FailureText {
  if (isHookStage(failure.stage)) return hookFailure(failure, errorText(failure.errno));
  const error = errorName(failure.errno);
  const about = { what: failure.what, spec };
  const known = KNOWN.get(`${failure.stage} ${error}`)?.(about);
  if (known !== undefined) return known;
  return {
    message: `${WHILE[failure.stage]} failed: ${failure.what}: ${errorText(failure.errno)}`,
    hint: HINTS[failure.stage],
  };
}

/** `ENOENT`, or the number where it has no name. */
export function errorName(errno: number): string {
  return getSystemErrorMap().get(-errno)?.[0] ?? `errno ${errno}`;
}

/** `no such file or directory (ENOENT)`. */
export function errorText(errno: number): string {
  const [name, text] = getSystemErrorMap().get(-errno) ?? [];
  return name === undefined ? `errno ${errno}` : `${text} (${name})`;
}

type OwnStage = Exclude<Stage, HookStage>;

/** What was being done in each stage. */
const WHILE: Readonly<Record<OwnStage, string>> = {
  spec: 'reading the plan of the jail',
  log: 'opening the log',
  cgroup: 'making the control groups',
  namespaces: 'making the namespaces',
  mounts: 'mounting the jail',
  root: 'changing the root',
  hostname: 'setting the host name',
  network: 'bringing up the loopback',
  limits: 'setting a limit',
  notify: 'making the notify socket',
  identity: 'becoming the user',
  lsm: 'setting the profile of the next exec',
  landlock: 'restricting with Landlock',
  seccomp: 'loading the system call filter',
  chdir: 'entering the working directory',
  'env-file': 'reading env-file',
  touch: 'watching a touch-reload path',
  init: 'starting init',
  exec: 'starting the program',
};

const HINTS: Readonly<Record<OwnStage, string>> = {
  spec: 'this is a bug of the emperor, or its keeper is of another version: restart the vassal',
  log: 'make room in the log directory and see that it is writable',
  cgroup: 'see /sys/fs/cgroup: is it mounted writable, and below a group that is delegated to the emperor?',
  namespaces:
    'see `emperor check --host` and /proc/sys/user/max_*_namespaces, or leave the namespace out of unshare',
  mounts: 'see that the path is there and no symlink leads to it, or turn off the option that asks for it',
  root: 'see root, namespace, chroot or pivot-root',
  hostname: 'remove hostname, or add uts to unshare',
  network: 'remove net from unshare',
  limits: 'ask for a lower limit, or raise that of the emperor',
  notify: 'see that the runtime directory is there and has room',
  identity: 'see uid, gid, add-gid and cap',
  lsm: 'see apparmor and selinux: is the profile loaded and the context known?',
  landlock: 'see landlock-ro, landlock-rw and landlock-exec; no-new-privs = no turns Landlock off',
  seccomp: 'see seccomp; seccomp = none loads no filter',
  chdir: 'see chdir',
  'env-file': 'see env-file',
  touch: 'see touch-reload',
  init: 'the machine may be short of memory or processes; see pids-max and memory-max',
  exec: 'see command',
};

const KNOWN: ReadonlyMap<string, Text> = new Map<string, Text>([
  ...ROOT_TEXTS,
  ['exec ENOENT', noProgram],
  [
    'exec EACCES',
    ({ what, spec }) => ({
      message: `${what} may not be executed by ${userOf(spec)}`,
      hint:
        closedByLandlock(spec) ??
        'give it the x bit (chmod +x), and its directories too; a file system mounted noexec never runs anything',
    }),
  ],
  [
    'exec ENOEXEC',
    ({ what }) => ({
      message: `${what} is no program that this machine can run`,
      hint: 'a script begins with #! and its interpreter; a binary is made for this architecture',
    }),
  ],
  [
    'exec E2BIG',
    () => ({
      message: 'command and environment together are too long',
      hint: 'shorten command and env; env-file counts too',
    }),
  ],
  ['chdir ENOENT', noDirectory],
  [
    'chdir EACCES',
    ({ what, spec }) => ({
      message: `${userOf(spec)} may not enter ${what}`,
      hint: 'every directory on the way needs the x bit for that user; a closed home (0700) is in the way of a private uid',
    }),
  ],
  [
    'chdir ENOTDIR',
    ({ what }) => ({ message: `${what} is not a directory`, hint: 'name the directory in chdir' }),
  ],
  [
    'env-file ENOENT',
    ({ what }) => ({
      message: `there is no ${what} inside the jail`,
      hint: 'homes of others and /tmp of the host are not in the jail; name a file that is',
    }),
  ],
  [
    'env-file EACCES',
    ({ what, spec }) => ({
      message: `${userOf(spec)} may not read ${what}`,
      hint: 'env-file is read as the app, not as root',
    }),
  ],
  [
    'env-file EINVAL',
    ({ what }) => ({
      message: `${what} is not a line NAME=VALUE of a regular file`,
      hint: 'correct that line',
    }),
  ],
  ['env-file EFBIG', ({ what }) => ({ message: `${what} is longer than 64 KiB`, hint: 'shorten it' })],
  [
    'log ENOSPC',
    ({ what }) => ({
      message: `no space for the log ${what}`,
      hint: 'make room; nothing starts without its log',
    }),
  ],
  [
    'cgroup ENOSPC',
    ({ what }) => ({
      message: `no more control groups are allowed: ${what}`,
      hint: 'raise cgroup.max.descendants above the emperor',
    }),
  ],
  ['cgroup EAGAIN', tooManyProcesses],
  [
    'cgroup EINVAL',
    ({ what }) => ({
      message: `the kernel does not take what is asked of a control group: ${what}`,
      hint: 'see the limits of the vassal file, cgroup-opt first',
    }),
  ],
  [
    'cgroup ENOENT',
    ({ what }) => ({
      message: `the control group has no such file: ${what}`,
      hint: 'cgroup-opt names a file that this kernel has not; or somebody took its controller away: restart the emperor',
    }),
  ],
  [
    'cgroup EBUSY',
    ({ what }) => ({
      message: `processes are in the way: ${what}`,
      hint: 'on control groups v2 a directory that cgroup names, and every one above it but the root, may hold groups or processes, not both',
    }),
  ],
  ['namespaces EAGAIN', tooManyProcesses],
  ['init EAGAIN', tooManyProcesses],
  [
    'namespaces ENOENT',
    notJoined('is not there, or has nothing of what is asked', 'is its vassal or process running?'),
  ],
  ['namespaces ECONNREFUSED', notJoined('has nobody who listens', 'is its vassal or uwsgi running?')],
  [
    'namespaces ETIMEDOUT',
    notJoined('did not hand out its namespaces in 5 s', 'does it speak the setns protocol?'),
  ],
  [
    'namespaces EPROTO',
    notJoined('does not speak the setns protocol', 'name the setns-socket of a vassal or of uwsgi'),
  ],
  [
    'namespaces ESRCH',
    notJoined('leads to a jail that has ended', 'it is tried again when its process runs'),
  ],
  [
    'namespaces ELOOP',
    notJoined('has a symlink on its way', 'root follows no symlink here: name the real path'),
  ],
  [
    'namespaces EADDRINUSE',
    ({ what }) => ({
      message: `${what} is in use: somebody listens there, or it is no socket of ours`,
      hint: 'name another path in setns-socket, or remove what is there',
    }),
  ],
  [
    'namespaces EPERM',
    ({ what }) => ({
      message: `the kernel refuses a namespace: ${what}`,
      hint: 'see `emperor check --host`',
    }),
  ],
  [
    'namespaces ENOSPC',
    () => ({
      message: 'the kernel allows no more namespaces',
      hint: 'raise /proc/sys/user/max_*_namespaces',
    }),
  ],
  [
    'limits EPERM',
    ({ what }) => ({
      message: `the limit ${what} is above what the emperor may give`,
      hint: 'ask for less, or raise the hard limit of the emperor itself',
    }),
  ],
  [
    'landlock ENOENT',
    ({ what }) => ({
      message: `there is no ${what} inside the jail, which a landlock list names`,
      hint: 'make it, or remove it from landlock-ro, landlock-rw and landlock-exec',
    }),
  ],
  [
    'landlock EACCES',
    ({ what, spec }) => ({
      message: `${userOf(spec)} may not reach ${what}, which a landlock list names`,
      hint: 'a list opens nothing that is closed to the user: every directory on the way needs the x bit for it',
    }),
  ],
  [
    'lsm ENOENT',
    ({ what }) => ({
      message: `the kernel has no profile ${what}`,
      hint: 'load it with apparmor_parser, or correct apparmor',
    }),
  ],
  [
    'lsm EINVAL',
    ({ what }) => ({
      message: `the kernel knows no context ${what}`,
      hint: 'correct selinux: user:role:type:level',
    }),
  ],
  [
    'limits EACCES',
    ({ what }) => ({
      message: `the emperor may not give ${what}`,
      hint: 'run it as root, with CAP_SYS_NICE and CAP_SYS_RESOURCE, or remove the option',
    }),
  ],
  [
    'landlock EOPNOTSUPP',
    () => ({
      message: 'Landlock is turned off in this kernel',
      hint: 'add landlock to the lsm= boot parameter, or restart the emperor so that it looks again',
    }),
  ],
]);

function closedByLandlock(spec: VassalSpec | undefined): string | undefined {
  return spec?.filters.landlock === undefined
    ? undefined
    : 'its landlock lists close everything they do not name: it, the interpreter after #! and its libraries need landlock-exec, besides the x bit for its user';
}

/** A source of `setns`; other steps of this stage name a call. */
function notJoined(trouble: string, hint: string): Text {
  return ({ what }) =>
    what.startsWith('/')
      ? { message: `setns: ${what} ${trouble}`, hint }
      : { message: `making the namespaces failed: ${what} ${trouble}`, hint: HINTS.namespaces };
}

function noProgram({ what, spec }: About): FailureText {
  const covered = spec === undefined ? undefined : withoutCover(what, spec);
  if (covered !== undefined) {
    return { message: `no such program: ${what}`, hint: covered };
  }
  if (what.startsWith('/')) {
    return {
      message: `no such program: ${what}`,
      hint: 'the path is looked up inside the jail; for a script, the interpreter after #! may be what is missing',
    };
  }
  const at = what.includes('/') ? 'below the working directory' : 'in PATH inside the jail';
  return {
    message: `no such program: ${what} (looked up ${at})`,
    hint: 'install it, write its whole path, or set PATH with env',
  };
}

function noDirectory({ what, spec }: About): FailureText {
  const covered = spec === undefined ? undefined : withoutCover(what, spec);
  const isHome = spec !== undefined && spec.app.chdir === undefined;
  return {
    message: isHome
      ? `the home directory ${what} does not exist`
      : `there is no directory ${what} inside the jail`,
    hint: covered ?? (isHome ? 'make it, or say chdir = /' : 'make it, or name another one in chdir'),
  };
}

function tooManyProcesses(): FailureText {
  return {
    message: 'the machine has no room for one more process',
    hint: 'see pids-max of what runs here, /proc/sys/kernel/pid_max and the limits of the emperor',
  };
}

/** Which part of the jail takes a host path away, and what to do about it. */
function withoutCover(path: string, spec: VassalSpec): string | undefined {
  const { jail, identity, owner, root } = spec;
  const cover = coverOf(path, spec);
  if (cover === '/') return `a minimal root shows what is named only: bind-ro = ${path}`;
  if (cover === '/tmp' || cover === '/var/tmp') {
    return 'private-tmp gives the app a /tmp of its own: put it elsewhere, or say private-tmp = no';
  }
  if (cover !== undefined) return `the jail has a ${cover} of its own: put it elsewhere`;
  if (!jail.namespaces.includes('mnt') || root.protectHome !== 'yes') return undefined;
  const under = (directory: string): boolean => path.startsWith(`${directory}/`);
  const inHome = (under('/home') || under('/root')) && !(identity.home !== undefined && under(identity.home));
  if (!inHome) return undefined;
  return owner.powers === 'tenant'
    ? 'homes of others are hidden from the app: put it into your own'
    : 'homes are hidden from the app: put it elsewhere, or say chdir = the directory it is in';
}

function userOf(spec: VassalSpec | undefined): string {
  if (spec === undefined) return 'the user of the app';
  if (spec.identity.uid === 'auto') return 'the private uid of the vassal';
  return spec.identity.user ?? `uid ${spec.identity.uid}`;
}
