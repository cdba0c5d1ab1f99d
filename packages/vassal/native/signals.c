/* Signals into a jail. Run by the keeper (root), from outside: by pidfd, never by a number that was kept. */
#include "generation.h"
#include "io.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

int generation_signal(struct generation *g, int number)
{
    if (g->app_pidfd < 0)
        return ESRCH;
    return sys_pidfd_send_signal(g->app_pidfd, number) < 0 ? errno : 0;
}

/* Lists of pids; their pages are given back after use. */
static page_aligned char members[65536], again[65536];

/* One that just left and whose number is another's already is outside the group: look again after opening it.
 */
static bool is_member(int dir, pid_t pid)
{
    int size = read_small(dir, "cgroup.procs", again, sizeof again);
    for (char *at = again; size > 0 && *at;) {
        if (strtol(at, &at, 10) == pid)
            return true;
        at += *at == '\n';
    }
    return false;
}

static void signal_member(int dir, pid_t pid, int number)
{
    autoclose int process = sys_pidfd_open(pid);
    if (process >= 0 && is_member(dir, pid))
        (void)sys_pidfd_send_signal(process, number); /* gone meanwhile: fine */
}

/* To every process but init, which must live to report (and ignores all but KILL and STOP). */
int generation_signal_all(struct generation *g, int number)
{
    if (g->phase != PHASE_LAUNCHING && g->phase != PHASE_RUNNING && g->phase != PHASE_ENDING)
        return ESRCH;
    if (!g->has_v2)
        return generation_signal(g, number);
    autoclose int dir = cgroup_open(g);
    int size = dir < 0 ? -errno : read_small(dir, "cgroup.procs", members, sizeof members);
    if (size < 0)
        return -size;
    for (char *at = members; *at;) {
        pid_t pid = (pid_t)strtol(at, &at, 10);
        at += *at == '\n';
        if (pid > 0 && pid != g->init)
            signal_member(dir, pid, number);
    }
    RELEASE(members);
    RELEASE(again);
    return 0;
}

/* Asked again by generation_settle() until nothing lives. */
void generation_kill(struct generation *g)
{
    if (g->phase == PHASE_FREE || g->phase == PHASE_OVER)
        return;
    g->killed = true;
    if (g->init_pidfd >= 0 && !g->init_reaped)
        (void)sys_pidfd_send_signal(g->init_pidfd, SIGKILL);
    if (g->app_pidfd >= 0)
        (void)sys_pidfd_send_signal(g->app_pidfd, SIGKILL);
    if (g->has_v2 && !cgroup_kill(g))
        (void)generation_signal_all(g, SIGKILL); /* a kernel before 5.14 */
}
