/**
 * The vocabulary of the keeper's blob: one NUL-terminated word, then a fixed number of NUL-terminated arguments.
 * Mirrors native/directives.def; a test compares word and count of each. Meaning: docs/reference/keeper-protocol.md.
 */
export const DIRECTIVES = {
  cgroup: 1,
  'cgroup-v1': 1,
  'cgroup-set': 3,
  counter: 3,
  unshare: 1,
  hook: 4,
  'hook-arg': 1,
  'hook-env': 1,
  scratch: 1,
  'private-tmp': 2,
  'private-dev': 0,
  keep: 1,
  hide: 1,
  mask: 1,
  readonly: 1,
  bind: 3,
  file: 2,
  tmp: 0,
  dev: 0,
  run: 0,
  proc: 1,
  sysfs: 0,
  cgroup2: 1,
  hostname: 1,
  loopback: 0,
  rlimit: 3,
  'add-gid': 1,
  gid: 1,
  uid: 1,
  caps: 1,
  'no-new-privs': 0,
  'landlock-scope': 1,
  umask: 1,
  notify: 1,
  'ready-notify': 0,
  'ready-log': 1,
  'ready-tcp': 2,
  touch: 1,
  chdir: 1,
  'env-file': 1,
  env: 1,
  arg: 1,
} as const satisfies Readonly<Record<string, number>>;

export type DirectiveWord = keyof typeof DIRECTIVES;

export type Directive = { readonly word: DirectiveWord; readonly args: readonly string[] };
