/**
 * `@init`: what the keeper's own code needs from the moment the filter counts until the app is running, and what init
 * needs as long as the app lives (native/init.c, app.c, environment.c, touch.c, probe.c). No list takes these away.
 */
export const INIT_CALLS: readonly string[] = [
  // fork, its end and its children
  'clone fork execve exit exit_group wait4 getpid getppid gettid setsid',
  'pidfd_open prctl set_tid_address restart_syscall kill',
  // signals
  'rt_sigaction rt_sigprocmask rt_sigreturn signalfd4',
  // descriptors and words to the keeper
  'close close_range dup dup2 dup3 fcntl read write poll ppoll sendmsg sendto recvmsg recvfrom',
  // chdir, env-file, /dev/null
  'chdir open openat fstat newfstatat',
  // memory given back, time
  'brk madvise mmap munmap mprotect clock_gettime futex',
].flatMap((line) => line.split(' '));

/** What watching the paths of touch-reload needs besides. */
export const TOUCH_CALLS: readonly string[] = ['inotify_init1', 'inotify_add_watch', 'stat', 'newfstatat'];

/** What the probe of ready = tcp needs besides. */
export const PROBE_CALLS: readonly string[] = ['socket', 'connect', 'getsockopt'];

/** What running hooks as the user needs besides; what an action does is the list's business. */
const HOOK_CALLS: readonly string[] = ['pipe2', 'umask', 'openat2', 'getdents64', 'lseek'];

/** What this vassal's init has to do besides running the app. */
export type InitWork = { readonly probes: boolean; readonly touches: boolean; readonly hooks: boolean };

/** The calls that stay allowed under any list. */
export function initCallsOf({ probes, touches, hooks }: InitWork): readonly string[] {
  return [
    ...INIT_CALLS,
    ...(touches ? TOUCH_CALLS : []),
    ...(probes ? PROBE_CALLS : []),
    ...(hooks ? HOOK_CALLS : []),
  ];
}
