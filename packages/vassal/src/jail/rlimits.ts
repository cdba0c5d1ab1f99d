/** RLIMIT_* of asm-generic/resource.h by number, as prlimit(1) calls them, with the titles of /proc/PID/limits. */
export const RLIMITS: readonly (readonly [name: string, title: string])[] = [
  ['cpu', 'Max cpu time'],
  ['fsize', 'Max file size'],
  ['data', 'Max data size'],
  ['stack', 'Max stack size'],
  ['core', 'Max core file size'],
  ['rss', 'Max resident set'],
  ['nproc', 'Max processes'],
  ['nofile', 'Max open files'],
  ['memlock', 'Max locked memory'],
  ['as', 'Max address space'],
  ['locks', 'Max file locks'],
  ['sigpending', 'Max pending signals'],
  ['msgqueue', 'Max msgqueue size'],
  ['nice', 'Max nice priority'],
  ['rtprio', 'Max realtime priority'],
  ['rttime', 'Max realtime timeout'],
];

/** `nofile`; the number itself for one that we do not know. */
export function rlimitName(number: number): string {
  return RLIMITS[number]?.[0] ?? `limit ${number}`;
}
