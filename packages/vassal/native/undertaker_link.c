/* See undertaker.h. The keeper's half: starts one, tells it what it must know, hears what it says. */
#include "undertaker.h"

#include "descriptors.h"
#include "facts.h"
#include "hook.h"
#include "io.h"
#include "keeper.h"
#include "sys.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SLACK_NS (10 * NS_PER_S) /* beyond the hooks' own limits */

static int64_t limit_of_all(const struct spec *spec)
{
    int64_t limit_ns = SLACK_NS;
    for (size_t i = 0; i < spec->hooks.count; i++)
        if (spec->hooks.at[i].phase == HOOK_POST_STOP)
            limit_ns += spec->hooks.at[i].limit_ns + SLACK_NS;
    return limit_ns;
}

int undertaker_start(struct keeper *keeper, struct generation *g, const struct spec *spec, int out, int err)
{
    int ends[2];
    if (!hooks_have(spec, HOOK_POST_STOP))
        return 0;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return note_failure(&g->failure, STAGE_INIT, errno, "undertaker");
    pid_t pid = fork();
    if (pid == 0) {
        const int descriptors[] = {ends[1], out, err};
        undertaker_run(spec, keeper->name, descriptors);
    }
    int error = errno;
    close(ends[1]);
    int pidfd = pid < 0 ? -1 : sys_pidfd_open(pid);
    if (pidfd < 0) {
        error = pid < 0 ? error : errno;
        if (pid > 0)
            (void)kill(pid, SIGKILL);
        close(ends[0]);
        return note_failure(&g->failure, STAGE_INIT, error, "undertaker");
    }
    g->undertaker = (struct undertaker){.link = ends[0], .pidfd = pidfd, .limit_ns = limit_of_all(spec)};
    return 0;
}

void undertaker_meet(struct generation *g)
{
    if (g->undertaker.link < 0 || g->init_pidfd < 0)
        return;
    /* If it cannot be told, the control group still says when the jail is empty. */
    (void)descriptors_send(g->undertaker.link, "", 1, &g->init_pidfd, 1, MSG_DONTWAIT);
}

static void tell_trouble(struct keeper *keeper, int error, const char *what)
{
    char text[560];
    bool is_said =
        error == ECANCELED || error == ETIMEDOUT; /* what became of a program, and its last words */
    (void)format_text(text, sizeof text, "hook-post-stop failed: %.400s%s%s", what, is_said ? "" : ": ",
                      is_said ? "" : strerror(error));
    log_note(&keeper->log, text);
    fact_trouble(keeper, STAGE_HOOK_POST_STOP, error, what);
}

static void let_go(struct generation *g)
{
    close_fd(&g->undertaker.link);
    close_fd(&g->undertaker.pidfd);
}

/* Its end is reaped with those of all others. */
void undertaker_readable(struct keeper *keeper, struct generation *g)
{
    while (g->undertaker.link >= 0) {
        struct failure failure;
        ssize_t size = recv(g->undertaker.link, &failure, sizeof failure, MSG_DONTWAIT);
        if (size == (ssize_t)sizeof failure) {
            failure.what[sizeof failure.what - 1] = '\0';
            if (!g->undertaker.is_told && g->phase == PHASE_LAUNCHING) {
                g->failure = failure; /* nothing starts that nobody would clean up after */
                let_go(g);
                generation_fail(keeper, g);
                return;
            }
            tell_trouble(keeper, failure.error, failure.what);
            continue;
        }
        if (size < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (size < 0 && errno == ECONNRESET)
            continue; /* it left something unread; what it said before stands behind this */
        let_go(g);
        if (!g->undertaker.is_told && g->phase == PHASE_LAUNCHING) {
            (void)note_failure(&g->failure, STAGE_HOOK_POST_STOP, ECHILD, "the undertaker died");
            generation_fail(keeper, g);
            return;
        }
        if (!g->undertaker.is_told)
            tell_trouble(keeper, ECHILD, "the undertaker died before its time");
        generation_settle(keeper, g, monotonic_ns());
    }
}

bool undertaker_is_done(struct keeper *keeper, struct generation *g, int64_t now_ns)
{
    if (g->undertaker.link < 0)
        return true;
    if (!g->undertaker.is_told) {
        g->undertaker.is_told = true;
        g->undertaker.until_ns = now_ns + g->undertaker.limit_ns;
        if (send(g->undertaker.link, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
            g->undertaker.until_ns = now_ns; /* dead, or deaf */
    }
    if (now_ns < g->undertaker.until_ns) {
        g->retry_ns = g->undertaker.until_ns;
        return false;
    }
    (void)sys_pidfd_send_signal(g->undertaker.pidfd, SIGKILL);
    tell_trouble(keeper, ETIMEDOUT, "the undertaker did not end in time");
    let_go(g);
    return true;
}
