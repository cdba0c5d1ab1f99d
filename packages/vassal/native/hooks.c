/* See hook.h. Run by whoever stands at the place of a phase: the starter (pre-jail), the child on its way
 * into the jail, the undertaker (post-stop). Each action is done by a process of its own, in a session of its
 * own, watched by hook_watch.c. */
#include "hook.h"

#include "init.h"
#include "io.h"
#include "sys.h"
#include "words.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TROUBLE_FD = 3 };
static int trouble_fd; /* where it is until then, and then TROUBLE_FD */

_Noreturn void hook_fail(const char *detail)
{
    struct hook_trouble trouble = {.error = errno};
    (void)snprintf(trouble.detail, sizeof trouble.detail, "%s", detail);
    (void)!write(trouble_fd, &trouble, sizeof trouble); /* nobody is left to tell if this fails */
    _exit(125);
}

long hook_must(long result, const char *detail)
{
    if (result < 0)
        hook_fail(detail);
    return result;
}

/* What the emperor gave, then what only we know. */
static char *const *environment_of(const struct spec *spec, const struct hook *hook)
{
    static char *entries[LENGTH(spec->hook_env.at) + 3];
    static char phase[32], jail[48];
    size_t count = 0;
    for (; count < spec->hook_env.count; count++)
        entries[count] = spec->hook_env.at[count];
    (void)format_text(phase, sizeof phase, "EMPEROR_PHASE=%s", hook_phase_name(hook->phase));
    entries[count++] = phase;
    if (spec->jail_pid && *spec->jail_pid && hook->phase != HOOK_PRE_JAIL && hook->phase != HOOK_POST_STOP) {
        (void)format_text(jail, sizeof jail, "EMPEROR_JAIL_PID=%d", (int)*spec->jail_pid);
        entries[count++] = jail;
    }
    entries[count] = NULL;
    return entries;
}

static void default_signals(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigset_t none;
    for (int number = 1; number < NSIG; number++)
        (void)sigaction(number, &action, NULL); /* KILL, STOP and the libc's own refuse */
    sigemptyset(&none);
    (void)hook_must(sigprocmask(SIG_SETMASK, &none, NULL), "");
}

/* Output and trouble where they belong, nothing else of ours; 0 stays /dev/null. As low as possible: the
 * limit of open files may already be the app's. */
static void take_descriptors(const int *write_ends)
{
    int high[3];
    trouble_fd = write_ends[2];
    for (size_t i = 0; i < LENGTH(high); i++)
        high[i] = (int)hook_must(fcntl(write_ends[i], F_DUPFD_CLOEXEC, TROUBLE_FD + 1), "");
    trouble_fd = high[2];
    (void)hook_must(dup3(high[2], TROUBLE_FD, O_CLOEXEC), "");
    trouble_fd = TROUBLE_FD;
    (void)hook_must(dup2(high[0], STDOUT_FILENO), "");
    (void)hook_must(dup2(high[1], STDERR_FILENO), "");
    (void)hook_must(sys_close_range(TROUBLE_FD + 1, ~0U, 0), "");
}

_Noreturn void hook_become(const struct spec *spec, const struct hook *hook, const int *write_ends,
                           pid_t parent)
{
    char *args[HOOK_ARGS_MAX + 1] = {NULL};
    struct hook_call call = {.args = args, .count = hook->count, .environment = environment_of(spec, hook)};
    for (size_t i = 0; i < hook->count; i++)
        args[i] = spec->hook_args.at[hook->first + i];
    take_descriptors(write_ends);
    (void)hook_must(prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0), "");
    if (getppid() != parent)
        _exit(125); /* it died before we asked to be told */
    (void)hook_must(setsid(), "");
    default_signals();
    /* Modes of our own actions are written out; a program has the usual mask. */
    umask(hook->action == hook_action_find("exec") ? 022 : 0);
    hook_action_run(hook->action, &call);
    _exit(0);
}

pid_t *hooks_share_pid(const struct spec *spec, size_t slot)
{
    static pid_t *pids;
    if (!spec->hooks.count)
        return NULL;
    if (!pids)
        pids = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (pids == MAP_FAILED) {
        pids = NULL;
        return NULL; /* hooks then have no EMPEROR_JAIL_PID */
    }
    pids[slot] = 0;
    return &pids[slot];
}

bool hooks_have(const struct spec *spec, enum hook_phase phase)
{
    for (size_t i = 0; i < spec->hooks.count; i++)
        if (spec->hooks.at[i].phase == phase)
            return true;
    return false;
}

bool hooks_need_mounts(const struct spec *spec)
{
    for (size_t i = 0; i < spec->hooks.count; i++)
        if (spec->hooks.at[i].phase != HOOK_AS_USER)
            return true;
    return false;
}

void hooks_run(const struct spec *spec, enum hook_phase phase)
{
    struct failure failure;
    if (!hooks_have(spec, phase))
        return;
    for (size_t i = 0; i < spec->hooks.count; i++) {
        const struct hook *hook = &spec->hooks.at[i];
        if (hook->phase != phase || hook_run(spec, hook, &failure) == 0)
            continue;
        hook_kill_descendants();
        errno = failure.error;
        fail((enum stage)failure.stage, failure.what);
    }
}
