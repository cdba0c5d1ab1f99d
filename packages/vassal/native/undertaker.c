/* See undertaker.h. A child of the keeper: root, in the keeper's namespaces and control group, forked before
 * the jail is made, so that it needs nothing of it. A vassal without hook-post-stop has none. */
#include "undertaker.h"

#include "descriptors.h"
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
        int pidfd;
        if (descriptors_of(&message, &pidfd, 1) == 0)
            return true;
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

_Noreturn void undertaker_run(const struct spec *spec, const char *name, const int *descriptors)
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
