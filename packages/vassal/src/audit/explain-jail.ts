import type { PlanStepJson } from '@emperor/common/control/proof';
import type { Directive, DirectiveWord } from '../jail/directive.ts';
import { namespacesIn } from '../jail/namespaces.ts';
import { rlimitName } from '../jail/rlimits.ts';

/** The stages of a launch in the order of native/jail.c. */
const STAGES = [
  'the keeper, outside',
  'namespaces',
  'hooks before the root',
  'root and mounts',
  'limits',
  'host name and network',
  'hooks as root',
  'identity',
  'filters',
  'hooks as the user',
  'the app',
  'after the end',
] as const;

type Stage = (typeof STAGES)[number];
type Explanation = { readonly stage: Stage; readonly text: (args: readonly string[]) => string };

const OUTSIDE = 'the keeper, outside';
const NAMESPACES = 'namespaces';
const MOUNTS = 'root and mounts';
const NETWORK = 'host name and network';
const LIMITS = 'limits';
const IDENTITY = 'identity';
const FILTERS = 'filters';
const APP = 'the app';

/** Where the hooks of a phase run. */
const PHASES: Readonly<Record<string, Stage>> = {
  'pre-jail': NAMESPACES,
  'post-jail': 'hooks before the root',
  'as-root': 'hooks as root',
  'as-user': 'hooks as the user',
  'post-stop': 'after the end',
};

const EXPLANATIONS: { readonly [K in DirectiveWord]: Explanation } = {
  cgroup: { stage: OUTSIDE, text: ([dir]) => `its control group is ${dir}` },
  'cgroup-set': { stage: OUTSIDE, text: ([dir, file, value]) => `${file} of ${dir} = ${value}` },
  counter: { stage: OUTSIDE, text: ([name, path]) => `at the end count ${name} in ${path}` },
  scratch: { stage: OUTSIDE, text: ([dir]) => `a closed file system of the keeper's own on ${dir}` },
  'private-tmp': {
    stage: OUTSIDE,
    text: ([bytes, inodes]) => `a tmpfs for its /tmp: ${bytes} bytes, ${inodes} files`,
  },
  'private-dev': { stage: OUTSIDE, text: () => 'a /dev of its own: null zero full random urandom tty' },
  notify: { stage: OUTSIDE, text: ([path]) => `listen to its notifications at ${path}` },
  'ready-notify': { stage: OUTSIDE, text: () => 'ready when it says READY=1' },
  'ready-log': { stage: OUTSIDE, text: ([text]) => `ready when it prints ${quoted(text)}` },
  'ready-tcp': { stage: APP, text: ([host, port]) => `ready when ${host} port ${port} answers, from inside` },
  unshare: {
    stage: NAMESPACES,
    text: ([flags]) => `new namespaces: ${namespacesIn(Number(flags)).join(' ')}`,
  },
  'cgroup-v1': { stage: NAMESPACES, text: ([dir]) => `enter the control group ${dir}` },
  keep: { stage: MOUNTS, text: ([path]) => `keep ${path} visible below what is hidden next` },
  hide: { stage: MOUNTS, text: ([path]) => `hide ${path} behind an empty read-only directory` },
  mask: { stage: MOUNTS, text: ([path]) => `mask ${path}: it reads as empty` },
  readonly: { stage: MOUNTS, text: ([path]) => `${path} is read-only, with everything below it` },
  bind: {
    stage: MOUNTS,
    text: ([source, target, flags]) => `${source} of the host at ${target}${bindFlags(flags)}`,
  },
  file: { stage: MOUNTS, text: ([path]) => `a ${path} of its own, read-only` },
  tmp: { stage: MOUNTS, text: () => 'its own /tmp, /var/tmp and /dev/shm' },
  dev: { stage: MOUNTS, text: () => 'its own /dev, with terminals of its own' },
  run: { stage: MOUNTS, text: () => 'an empty read-only /run with the notify socket' },
  proc: {
    stage: MOUNTS,
    text: ([hidepid]) => `a new /proc that shows its own processes (hidepid=${hidepid})`,
  },
  sysfs: { stage: MOUNTS, text: () => '/sys is read-only' },
  cgroup2: { stage: MOUNTS, text: ([path]) => `${path} shows its own control group, read-only` },
  hostname: { stage: NETWORK, text: ([name]) => `host name ${name}` },
  loopback: { stage: NETWORK, text: () => 'its own loopback comes up' },
  rlimit: {
    stage: LIMITS,
    text: ([number, soft, hard]) =>
      `${rlimitName(Number(number))}: at most ${limitText(soft)}, can be raised to ${limitText(hard)}`,
  },
  'add-gid': { stage: IDENTITY, text: ([gid]) => `further group ${gid}` },
  gid: { stage: IDENTITY, text: ([gid]) => `group ${gid}, and no group but the named ones` },
  uid: { stage: IDENTITY, text: ([uid]) => `user ${uid}` },
  caps: {
    stage: IDENTITY,
    text: ([set]) =>
      set === '0' ? 'no capability' : `capabilities 0x${set}, in all five sets, and no other`,
  },
  root: {
    stage: MOUNTS,
    text: ([kind, dir, flags]) => `the root is ${rootText(kind, dir)}${bindFlags(flags)}`,
  },
  'pivot-root': {
    stage: MOUNTS,
    text: ([to, old]) => `${to} becomes /, the host's tree stands at ${old} until hooks take it away`,
  },
  chroot: { stage: MOUNTS, text: ([dir]) => `chroot to ${dir}` },
  dir: { stage: MOUNTS, text: ([path, mode]) => `the directory ${path}, mode ${mode}` },
  link: { stage: MOUNTS, text: ([path, target]) => `the link ${path} to ${target}` },
  overlay: {
    stage: MOUNTS,
    text: ([path, lowers, upper]) =>
      `${path}: layers ${lowers}, changes go to ${upper || 'a tmpfs of its own'}`,
  },
  tmpfs: { stage: MOUNTS, text: ([path, bytes]) => `an empty file system of ${bytes} bytes at ${path}` },
  write: { stage: MOUNTS, text: ([path]) => `keep ${path} writable below what is restricted next` },
  'uid-map': {
    stage: NAMESPACES,
    text: ([inside, outside, count]) => idsText('uid', inside, outside, count),
  },
  'gid-map': {
    stage: NAMESPACES,
    text: ([inside, outside, count]) => idsText('gid', inside, outside, count),
  },
  'single-id': { stage: NAMESPACES, text: () => 'one user and one group only: the emperor is no root' },
  setns: {
    stage: NAMESPACES,
    text: ([path, kinds]) => `join ${namespacesIn(Number(kinds)).join(' ')} of ${path}`,
  },
  'setns-socket': {
    stage: IDENTITY,
    text: ([path, kinds]) => `hand out ${namespacesIn(Number(kinds)).join(' ')} at ${path}`,
  },
  'setns-preopen': {
    stage: IDENTITY,
    text: () => 'its namespaces for that are opened before it gives up its rights',
  },
  hook: { stage: MOUNTS, text: ([phase, , ms, text]) => `hook ${phase}: ${text} (at most ${ms} ms)` },
  'hook-arg': { stage: MOUNTS, text: ([text]) => `  with ${quoted(text)}` },
  'hook-env': { stage: OUTSIDE, text: ([pair]) => `environment of its hooks: ${pair}` },
  nice: { stage: LIMITS, text: ([value]) => `nice ${value}` },
  ionice: { stage: LIMITS, text: ([kind, level]) => `I/O class ${kind}, level ${level}` },
  sched: { stage: LIMITS, text: ([policy, priority]) => `scheduling policy ${policy}, priority ${priority}` },
  'oom-score-adj': { stage: LIMITS, text: ([value]) => `oom-score-adj ${value}` },
  securebits: { stage: IDENTITY, text: ([bits]) => `securebits 0x${Number(bits).toString(16)}` },
  'landlock-fs': {
    stage: FILTERS,
    text: ([rights]) => `Landlock denies file rights 0x${rights} but where a rule gives them`,
  },
  'landlock-net': {
    stage: FILTERS,
    text: ([rights]) => `Landlock denies TCP rights 0x${rights} but where a rule gives them`,
  },
  'landlock-path': { stage: FILTERS, text: ([rights, path]) => `rights 0x${rights} on ${path} and below` },
  'landlock-optional': {
    stage: FILTERS,
    text: ([rights, path]) => `rights 0x${rights} on ${path}, if it is there`,
  },
  'landlock-port': { stage: FILTERS, text: ([rights, port]) => `rights 0x${rights} on TCP port ${port}` },
  apparmor: { stage: FILTERS, text: ([profile]) => `AppArmor profile ${profile}` },
  selinux: { stage: FILTERS, text: ([context]) => `SELinux context ${context}` },
  seccomp: {
    stage: FILTERS,
    text: ([program = '']) => `a seccomp filter of ${program.length / 2 / BYTES_OF_INSTRUCTION} instructions`,
  },
  drill: { stage: APP, text: ([key, value]) => `the prober aims at ${key} ${value}` },
  'no-new-privs': {
    stage: IDENTITY,
    text: () => 'no program that it executes can give it more (no_new_privs)',
  },
  umask: { stage: APP, text: ([mask]) => `umask ${mask}` },
  'landlock-scope': { stage: FILTERS, text: ([bits]) => `Landlock: ${scopes(Number(bits))}` },
  touch: { stage: APP, text: ([path]) => `watch ${path}` },
  chdir: { stage: APP, text: ([path]) => `start in ${path}` },
  'env-file': { stage: APP, text: ([path]) => `environment from ${path}` },
  env: { stage: APP, text: ([pair]) => `environment ${pair}` },
  arg: { stage: APP, text: ([word]) => `command word ${quoted(word)}` },
};

/** struct sock_filter. */
const BYTES_OF_INSTRUCTION = 8;

/** The directives of a launch, for people, in the order in which the keeper and its child obey them. */
export function explainJail(directives: readonly Directive[]): readonly PlanStepJson[] {
  let phase: Stage = MOUNTS;
  const steps = directives.map(({ word, args }): PlanStepJson => {
    const { stage, text } = EXPLANATIONS[word];
    if (word === 'hook') phase = PHASES[args[0] ?? ''] ?? MOUNTS;
    const own = word === 'hook' || word === 'hook-arg' ? phase : stage;
    // A filter's bytes mean nothing to anybody.
    return { stage: own, text: text(args), words: word === 'seccomp' ? [word] : [word, ...args] };
  });
  return STAGES.flatMap((stage) => steps.filter((step) => step.stage === stage));
}

function rootText(kind = 'host', dir = '/'): string {
  switch (kind) {
    case 'host':
      return "the host's";
    case 'tmpfs':
      return 'an empty file system of its own, read-only at the end';
    case 'tree':
      return `${dir} with what is mounted below it`;
    case 'overlay':
      return `layers ${dir}`;
    default:
      return dir;
  }
}

function idsText(what: string, inside = '', outside = '', count = ''): string {
  return count === '1'
    ? `${what} ${inside} inside is ${outside} outside`
    : `${count} ${what}s from ${inside} inside are those from ${outside} outside`;
}

function bindFlags(flags = '-'): string {
  const names = ['r read-only', 's nosuid', 'd nodev', 'x noexec'].filter((each) =>
    flags.includes(each.charAt(0)),
  );
  return names.length === 0 ? '' : ` (${names.map((each) => each.slice(2)).join(', ')})`;
}

function scopes(bits: number): string {
  const names = [...(bits % 2 === 1 ? ['no abstract socket'] : []), ...(bits >= 2 ? ['no signal'] : [])];
  return `${names.join(' and ')} out of the jail`;
}

function limitText(value = '-'): string {
  return value === '-' ? 'unlimited' : value;
}

function quoted(text = ''): string {
  return JSON.stringify(text);
}
