/* See report.h. Run by the child of the keeper until it execs the app; the keeper uses the names only. */
#include "report.h"

#include "io.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

static const char *const stage_names[] = {
#define X(id, name) name,
    STAGES(X)
#undef X
};

static int status_fd = -1;

const char *stage_name(int stage)
{
    return stage >= 0 && stage < STAGE_COUNT ? stage_names[stage] : "init";
}

int note_failure(struct failure *failure, enum stage stage, int error, const char *what)
{
    memset(failure, 0, sizeof *failure);
    failure->stage = (int32_t)stage;
    failure->error = error;
    strncpy(failure->what, what, sizeof failure->what - 1);
    return -1;
}

void report_to(int fd)
{
    status_fd = fd;
}

_Noreturn void fail(enum stage stage, const char *what)
{
    _Static_assert(sizeof(struct failure) <= PIPE_BUF, "a failure must be written atomically");
    struct failure failure;
    (void)note_failure(&failure, stage, errno, what);
    (void)!write(status_fd, &failure, sizeof failure); /* nobody is left to tell if this fails */
    _exit(125);
}

long must(long result, enum stage stage, const char *what)
{
    if (result < 0)
        fail(stage, what);
    return result;
}
