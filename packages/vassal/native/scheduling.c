/* How the kernel treats the app beside others. Run by the child of the keeper as root. Nothing of the
 * emperor's own is handed on: what nobody asked for is reset to what is usual. Where even that needs a
 * privilege that the emperor has not (it runs niced, say), what it has stays; `buildSpec` has said so. */
#include "io.h"
#include "jail.h"
#include "report.h"
#include "sys.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#define IO_WHO_PROCESS 1
#define IO_CLASS_SHIFT 13
#define MOST_CPUS 8192

static void must_or_keep(bool asked, long result, const char *what)
{
    if (result < 0 && (asked || (errno != EPERM && errno != EACCES)))
        fail(STAGE_LIMITS, what);
}

/* Before the mounts: the /proc of the jail may be masked, or not there. */
void oom_score_set(const struct spec *spec)
{
    char text[16];
    (void)snprintf(text, sizeof text, "%d", spec->scheduling.oom_score_adj);
    int error = write_small("/proc/self/oom_score_adj", text);
    errno = -error;
    must_or_keep(spec->scheduling.has_oom_score_adj, error ? -1 : 0, "oom-score-adj");
}

/* Of the CPUs named here the kernel takes those that the cpuset allows. */
static void free_affinity(void)
{
    unsigned long cpus[MOST_CPUS / (8 * sizeof(unsigned long))];
    memset(cpus, 0xff, sizeof cpus);
    MUST(STAGE_LIMITS, syscall(SYS_sched_setaffinity, 0, sizeof cpus, cpus));
}

void scheduling_apply(const struct spec *spec)
{
    const struct scheduling *asked = &spec->scheduling;
    const struct sched_param param = {.sched_priority = asked->priority};
    free_affinity();
    /* musl has no sched_setscheduler(). The policy first: a nice value counts only without real time. */
    must_or_keep(asked->has_sched, syscall(SYS_sched_setscheduler, 0, asked->policy, &param), "sched");
    must_or_keep(asked->has_nice, setpriority(PRIO_PROCESS, 0, asked->nice), "nice");
    must_or_keep(asked->has_ionice,
                 syscall(SYS_ioprio_set, IO_WHO_PROCESS, 0,
                         (int)(asked->io_class << IO_CLASS_SHIFT | asked->io_level)),
                 "ionice");
}
