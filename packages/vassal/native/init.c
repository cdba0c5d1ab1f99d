/* pid 1 of the jail. Run by the child of the keeper: as root until jail_enter() returns, then as the tenant,
 * with the app's full restrictions. Forks the app, reaps everything, ends with the app's status; the kernel
 * kills the rest of a pid namespace with it. It also ends when its keeper is gone: nothing runs that nobody
 * holds. */
#include "init.h"

#include "descriptors.h"
#include "io.h"
#include "jail.h"
#include "keeper.h"
#include "report.h"
#include "sys.h"
#include "title.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define TOUCH_PAUSE_MS 1000

/* Everything the keeper has open is a way out of the jail: only four descriptors come along. */
void init_take_descriptors(const struct birth *birth)
{
    const int from[] = {birth->status, birth->report, birth->out, birth->err};
    int high[LENGTH(from)];
    report_to(birth->status);
    for (size_t i = 0; i < LENGTH(from); i++)
        high[i] = (int)MUST(STAGE_INIT, fcntl(from[i], F_DUPFD_CLOEXEC, 64));
    report_to(high[0]);
    for (size_t i = 0; i < LENGTH(from); i++)
        MUST(STAGE_INIT, dup3(high[i], CHILD_STATUS + (int)i, O_CLOEXEC));
    report_to(CHILD_STATUS);
    MUST(STAGE_INIT, sys_close_range(CHILD_FD_END, ~0U, 0));
}

void say(enum word_kind kind, int value)
{
    struct word word = {kind, value};
    ssize_t sent;
    do
        sent = send(CHILD_REPORT, &word, sizeof word, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR); /* a keeper that is gone needs no word */
}

int say_with(enum word_kind kind, int value, const int *descriptors, size_t count)
{
    struct word word = {kind, value};
    return descriptors_send(CHILD_REPORT, &word, sizeof word, descriptors, count, 0);
}

static pid_t fork_app(const struct spec *spec)
{
    pid_t init = getpid();
    pid_t pid = (pid_t)MUST(STAGE_INIT, fork());
    if (pid == 0) {
        /* Without a pid namespace nothing else ties the app to its init. */
        if (!(spec->unshare & CLONE_NEWPID)) {
            MUST(STAGE_INIT, prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0));
            if (getppid() != init)
                _exit(125); /* it died before we asked to be told */
        }
        app_exec(spec);
    }
    return pid;
}

/* All signals are blocked: those to pid 1 wait for ever, the children's arrive here. */
static int watch_children(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    return (int)MUST(STAGE_INIT, signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

static _Noreturn void end_with(int status)
{
    say(WORD_EXIT, status);
    _exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

static void reap(int signals, pid_t app)
{
    struct signalfd_siginfo info;
    int status;
    pid_t pid;
    while (read(signals, &info, sizeof info) > 0)
        ;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (pid == app)
            end_with(status);
}

/* A watch that fired rests for a second: one word tells as much as a thousand. */
static _Noreturn void serve(int signals, int watch, pid_t app)
{
    bool resting = false;
    for (;;) {
        struct pollfd fds[] = {{.fd = signals, .events = POLLIN},
                               {.fd = CHILD_REPORT, .events = 0},
                               {.fd = resting ? -1 : watch, .events = POLLIN}};
        int count = poll(fds, LENGTH(fds), resting ? TOUCH_PAUSE_MS : -1);
        if (fds[1].revents)
            _exit(125); /* the keeper is gone */
        if (fds[0].revents)
            reap(signals, app);
        if (count == 0)
            resting = false;
        if (fds[2].revents && touch_changed(watch)) {
            say(WORD_TOUCHED, 0);
            resting = true;
        }
    }
}

/* We are a copy of the keeper and need nothing of it any more, but the paths of `touch`. */
static void become_small(bool needs_paths)
{
    keeper_forget();
    generation_forget_spec();
    if (!needs_paths)
        client_forget_payload();
    release_stack();
}

_Noreturn void init_run(const struct birth *birth)
{
    struct spec *spec = birth->spec;
    init_take_descriptors(birth);
    title_set("init", birth->name);
    MUST(STAGE_INIT, setsid());
    if (!(spec->unshare & CLONE_NEWPID))
        MUST(STAGE_INIT, prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));

    jail_enter(spec, birth->generation);

    MUST(STAGE_INIT, sys_close_range(CHILD_FD_END, ~0U, 0));
    int signals = watch_children();
    int watch = touch_watch(spec);
    probe_start(spec); /* before the app: a launch that fails has run no tenant code */
    pid_t app = fork_app(spec);
    close(CHILD_OUT);
    close(CHILD_ERR);
    close(CHILD_STATUS);
    become_small(watch >= 0);
    serve(signals, watch, app);
}
