/* See undertaker.h. The first half is run by the keeper; undertaker_run() by a child of it: root, in the
 * keeper's namespaces and control group, forked before the jail is made, so that it needs nothing of it. A
 * vassal without hook-post-stop has none. */
#include "undertaker.h"

#include "facts.h"
#include "hook.h"
#include "init.h"
#include "io.h"
#include "keeper.h"
#include "sys.h"
#include "title.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Where its descriptors stand; CHILD_OUT and CHILD_ERR as in every process that runs hooks. */
#define LINK CHILD_STATUS
#define INIT_PIDFD CHILD_REPORT

#define ORPHAN_PATIENCE_NS (10 * NS_PER_S) /* for what is left of the jail when the keeper is gone */
#define KILL_PAUSE_MS 20
#define SLACK_NS (10 * NS_PER_S) /* beyond the hooks' own limits */

/* --- the undertaker */

static int link_fd; /* where the link is until it is LINK */

static _Noreturn void give_up(const char *what)
{
    struct failure failure;
    (void)note_failure(&failure, STAGE_HOOK_POST_STOP, errno, what);
    (void)send(link_fd, &failure, sizeof failure, MSG_NOSIGNAL);
    _exit(125);
}

static void take_descriptors(const int *from)
{
    int high[3];
    const int to[] = {LINK, CHILD_OUT, CHILD_ERR};
    link_fd = from[0];
    for (size_t i = 0; i < LENGTH(high); i++)
        if ((high[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 64)) < 0)
            give_up("the undertaker's descriptors");
    link_fd = high[0];
    for (size_t i = 0; i < LENGTH(high); i++)
        if (dup3(high[i], to[i], O_CLOEXEC) < 0)
            give_up("the undertaker's descriptors");
    link_fd = LINK;
    close(INIT_PIDFD); /* somebody's of the keeper */
    if (sys_close_range(CHILD_FD_END, ~0U, 0) < 0)
        give_up("the undertaker's descriptors");
}

/* True when the keeper says that it is time; false when it is gone. A message with a descriptor is of the
 * init. */
static bool wait_for_turn(void)
{
    for (;;) {
        char byte;
        struct iovec part = {&byte, 1};
        union {
            char bytes[CMSG_SPACE(sizeof(int))];
            struct cmsghdr align;
        } control;
        struct msghdr message = {.msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = control.bytes,
                                 .msg_controllen = sizeof control.bytes};
        ssize_t size = recvmsg(LINK, &message, MSG_CMSG_CLOEXEC);
        if (size == 0)
            return false;
        if (size < 0) {
            (void)poll(NULL, 0, KILL_PAUSE_MS); /* short of memory: the next one tells */
            continue;
        }
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        if (!header || header->cmsg_type != SCM_RIGHTS)
            return true;
        int pidfd;
        memcpy(&pidfd, CMSG_DATA(header), sizeof pidfd);
        (void)dup3(pidfd, INIT_PIDFD, O_CLOEXEC);
        if (pidfd != INIT_PIDFD)
            close(pidfd);
    }
}

static bool is_populated(const char *group)
{
    char path[4200], text[128];
    if (!group || !format_text(path, sizeof path, "%s/cgroup.events", group) ||
        read_small(AT_FDCWD, path, text, sizeof text) < 0)
        return false; /* gone, or never made */
    return strstr(text, "populated 1") != NULL;
}

/* The jail dies with its keeper; nobody but us is there to see to it. */
static void end_the_jail(const char *group)
{
    const int64_t until_ns = monotonic_ns() + ORPHAN_PATIENCE_NS;
    struct pollfd init = {.fd = INIT_PIDFD, .events = POLLIN};
    char path[4200];
    bool has_init = fcntl(INIT_PIDFD, F_GETFD) >= 0;
    while (monotonic_ns() < until_ns) {
        if (has_init)
            (void)sys_pidfd_send_signal(INIT_PIDFD, SIGKILL);
        if (is_populated(group) && format_text(path, sizeof path, "%s/cgroup.kill", group))
            (void)write_small(path, "1");
        bool init_lives = has_init && poll(&init, 1, KILL_PAUSE_MS) == 0;
        if (!init_lives && !is_populated(group))
            return;
        (void)poll(NULL, 0, KILL_PAUSE_MS);
    }
}

static _Noreturn void undertaker_run(const struct spec *spec, const char *name, const int *descriptors)
{
    struct failure failure;
    take_descriptors(descriptors);
    title_set("undertaker", name);
    if (setsid() < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
        give_up("the undertaker");
    keeper_forget(); /* what it says of the vassal is nothing to us */
    release_stack();
    if (!wait_for_turn())
        end_the_jail(spec->cgroup);
    for (size_t i = 0; i < spec->hooks.count; i++) {
        if (spec->hooks.at[i].phase != HOOK_POST_STOP)
            continue;
        /* One that fails is told; the others may still clean up. */
        if (hook_run(spec, &spec->hooks.at[i], &failure) < 0)
            (void)send(LINK, &failure, sizeof failure, MSG_NOSIGNAL | MSG_DONTWAIT);
        hook_kill_descendants();
    }
    _exit(0);
}

/* --- the keeper */

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
    struct iovec part = {"", 1};
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (g->undertaker.link < 0 || g->init_pidfd < 0)
        return;
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof g->init_pidfd);
    memcpy(CMSG_DATA(header), &g->init_pidfd, sizeof g->init_pidfd);
    /* If it cannot be told, the control group still says when the jail is empty. */
    (void)sendmsg(g->undertaker.link, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
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
