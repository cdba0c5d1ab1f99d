import type { PlanStepJson } from '@emperor/common/control/proof';
import type { Directive, DirectiveWord } from '../jail/directive.ts';
import { rlimitName } from './names.ts';

/** The stages of a launch in the order of native/jail.c. */
const STAGES = [
  'the keeper, outside',
  'namespaces',
  'root and mounts',
  'host name and network',
  'limits',
  'identity',
  'filters',
  'the app',
] as const;

type Stage = (typeof STAGES)[number];
type Explanation = { readonly stage: Stage; readonly text: (args: readonly string[]) => string };

const OUTSIDE = STAGES[0];
const NAMESPACES = STAGES[1];
const MOUNTS = STAGES[2];
const NETWORK = STAGES[3];
const LIMITS = STAGES[4];
const IDENTITY = STAGES[5];
const FILTERS = STAGES[6];
const APP = STAGES[7];

const EXPLANATIONS: { readonly [K in DirectiveWord]?: Explanation } = {
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
  unshare: { stage: NAMESPACES, text: ([flags]) => `new namespaces: ${namespaceNames(Number(flags))}` },
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

/** The directives of a launch, for people, in the order in which the keeper and its child obey them. */
export function explainJail(directives: readonly Directive[]): readonly PlanStepJson[] {
  const steps = directives.map((directive) => explain(directive));
  return STAGES.flatMap((stage) => steps.filter((step) => step.stage === stage));
}

function explain({ word, args }: Directive): PlanStepJson {
  const { stage, text } = EXPLANATIONS[word] ?? { stage: MOUNTS, text: () => [word, ...args].join(' ') };
  return { stage, text: text(args), words: [word, ...args] };
}

/** CLONE_NEW* in the order of unshare(1). */
const CLONE_NAMES: readonly (readonly [number, string])[] = [
  [0x0002_0000, 'mnt'],
  [0x2000_0000, 'pid'],
  [0x0800_0000, 'ipc'],
  [0x0400_0000, 'uts'],
  [0x4000_0000, 'net'],
  [0x0200_0000, 'cgroup'],
  [0x1000_0000, 'user'],
  [0x0000_0080, 'time'],
];

function namespaceNames(flags: number): string {
  return CLONE_NAMES.filter(([bit]) => Math.floor(flags / bit) % 2 === 1)
    .map(([, name]) => name)
    .join(' ');
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
