/* From a fork of the spawner to a process that belongs to nobody. Run by the keeper before its loop. */
#include "session.h"

#include "io.h"
#include "sys.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

/* Field 22 of stat, counted from the last `)`: the name may hold anything. */
uint64_t session_start_ticks(void)
{
    char text[1024];
    uint64_t ticks = 0;
    if (read_small(AT_FDCWD, "/proc/self/stat", text, sizeof text) < 0)
        return 0;
    char *at = strrchr(text, ')');
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    if (!at)
        return 0;
    at[1 + strcspn(at + 1, " ")] = '\0';
    return parse_number(at + 1, UINT64_MAX, &ticks) ? ticks : 0;
}

/* All others have their default disposition there, and so here. */
static const int ignored_by_spawner[] = {SIGCHLD, SIGPIPE};

/* Nothing of who started us: no terminal, no descriptor, no environment, no disposition. All signals are
 * blocked; the only ones read are those of children. */
void session_leave_parent(struct keeper *keeper, const struct keeper_start *start)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigset_t set;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int listener = fcntl(start->listener, F_DUPFD_CLOEXEC, 64);
    int dir = fcntl(start->keepers_dir, F_DUPFD_CLOEXEC, 64);
    for (int fd = 0; fd <= 2; fd++)
        if (null < 0 || dup2(null, fd) < 0)
            _exit(1);
    keeper->listener = dup3(listener, 3, O_CLOEXEC);
    keeper->keepers_dir = dup3(dir, 4, O_CLOEXEC);
    if (keeper->listener < 0 || keeper->keepers_dir < 0 || sys_close_range(5, ~0U, 0) < 0)
        _exit(1);

    for (size_t i = 0; i < LENGTH(ignored_by_spawner); i++)
        (void)sigaction(ignored_by_spawner[i], &action, NULL);
    sigfillset(&set);
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGCHLD);
    keeper->signals = signalfd(-1, &action.sa_mask, SFD_CLOEXEC | SFD_NONBLOCK);
    if (sigprocmask(SIG_SETMASK, &set, NULL) < 0 || keeper->signals < 0 || setsid() < 0 || chdir("/") < 0 ||
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
        _exit(1);
    umask(0); /* every mode in this program is written out; the app's own is set in the jail */
}
