/**
 * Places where a launch can fail, in the order of jailing. Mirrors `STAGES` in native/report.h; a test compares
 * the two lists.
 */
export const STAGES = [
  'spec',
  'log',
  'cgroup',
  'namespaces',
  'mounts',
  'root',
  'hostname',
  'network',
  'limits',
  'notify',
  'identity',
  'landlock',
  'chdir',
  'env-file',
  'touch',
  'init',
  'exec',
] as const;

export type Stage = (typeof STAGES)[number];
