/**
 * Places where a launch can fail, in the order of jailing. Mirrors `STAGES` in native/report.h; a test compares
 * the two lists.
 */
export const STAGES = [
  'spec',
  'log',
  'cgroup',
  'notify',
  'hook-pre-jail',
  'namespaces',
  'hook-post-jail',
  'mounts',
  'root',
  'limits',
  'hostname',
  'network',
  'hook-as-root',
  'identity',
  'lsm',
  'landlock',
  'seccomp',
  'hook-as-user',
  'chdir',
  'env-file',
  'touch',
  'init',
  'exec',
  'hook-post-stop',
] as const;

export type Stage = (typeof STAGES)[number];
