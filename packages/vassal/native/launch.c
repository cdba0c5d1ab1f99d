/* From `launch` to the child. Run by the keeper (root): it prepares what must exist outside the jail, then
 * clones; from the first instruction the child is in its v2 group and its namespaces (but the cgroup one). */
#include "hook.h"
#include "io.h"
#include "jail.h"
#include "keeper.h"
#include "starter.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

/* Decoded in place, used until clone; the child has its own copy from then on. */
static struct spec spec;

void generation_forget_spec(void)
{
    RELEASE(spec);
}

static int prepare(struct keeper *keeper, struct generation *g, char *blob, size_t blob_size)
{
    const char *wrong = spec_decode(&spec, blob, blob_size);
    if (wrong)
        return note_failure(&g->failure, STAGE_SPEC, EINVAL, wrong);
    int error = log_open(&keeper->log);
    if (error)
        return note_failure(&g->failure, STAGE_LOG, -error, keeper->log.path);
    if (spec.ready_log)
        (void)copy_text(g->ready_text, sizeof g->ready_text, spec.ready_log); /* spec.c checked the length */
    if (hooks_need_mounts(&spec) && scratch_leave_host(&keeper->scratch, &g->failure) < 0)
        return -1;
    if (scratch_prepare(&keeper->scratch, &spec, &g->failure) < 0 || cgroups_make(keeper, g, &spec) < 0)
        return -1;
    if (setns_socket_make(keeper, g, &spec) < 0)
        return -1;
    return notify_make(keeper, g, &spec);
}

/* Both ends belong to the app's uid, so that it can open /dev/stdout and /dev/stderr. */
static int make_stream(struct stream *stream, int *write_end)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    stream->fd = ends[0];
    *write_end = ends[1];
    if (fchown(ends[1], spec_outside_uid(&spec, spec.uid), spec_outside_gid(&spec, spec.gid)) < 0)
        return -1;
    return fcntl(ends[0], F_SETFL, O_NONBLOCK);
}

static int make_channels(struct generation *g, struct birth *birth)
{
    const int on = 1;
    int ends[2];
    if (make_stream(&g->streams[0], &birth->out) < 0 || make_stream(&g->streams[1], &birth->err) < 0)
        return -1;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    g->status = ends[0];
    birth->status = ends[1];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return -1;
    g->report = ends[0];
    birth->report = ends[1];
    if (setsockopt(g->report, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0)
        return -1;
    return fcntl(g->status, F_SETFL, O_NONBLOCK);
}

static int clone_child(struct generation *g, const struct birth *birth)
{
    int pidfd = -1;
    autoclose int group = g->has_v2 ? cgroup_open(g) : -1;
    if (g->has_v2 && group < 0)
        return note_failure(&g->failure, STAGE_CGROUP, errno, spec.cgroup);
    if (g->has_v2)
        g->events = openat(group, "cgroup.events", O_RDONLY | O_CLOEXEC);
    if (g->has_v2 && g->events < 0)
        return note_failure(&g->failure, STAGE_CGROUP, errno, "cgroup.events");

    bool by_starter = starter_is_needed(&spec);
    struct clone_request request = {
        .flags = (by_starter ? 0 : namespaces_at_clone(&spec)) | KEEPER_CLONE_PIDFD |
                 (spec.jail_pid ? KEEPER_CLONE_PARENT_SETTID : 0) |
                 (g->has_v2 ? KEEPER_CLONE_INTO_CGROUP : 0),
        .pidfd = (uint64_t)(uintptr_t)&pidfd,
        .parent_tid = (uint64_t)(uintptr_t)spec.jail_pid,
        .exit_signal = SIGCHLD,
        .cgroup = g->has_v2 ? (uint64_t)group : 0,
    };
    pid_t pid = sys_clone3(&request);
    if (pid < 0)
        return note_failure(&g->failure, STAGE_NAMESPACES, errno, "clone3");
    if (pid == 0 && by_starter)
        starter_run(birth);
    if (pid == 0)
        init_run(birth);
    *(by_starter ? &g->starter : &g->init) = pid;
    g->init_pidfd = pidfd;
    undertaker_meet(g);
    return 0;
}

static int start(struct keeper *keeper, struct generation *g)
{
    struct birth birth = {.spec = &spec, .generation = g->id, .name = keeper->name};
    birth.status = birth.report = birth.out = birth.err = -1;
    spec.jail_pid = hooks_share_pid(&spec, (size_t)(g - keeper->generations));
    int result = make_channels(g, &birth) < 0 ? note_failure(&g->failure, STAGE_INIT, errno, "pipes")
                 : undertaker_start(keeper, g, &spec, birth.out, birth.err) < 0 ? -1
                                                                                : clone_child(g, &birth);
    close_fd(&birth.status);
    close_fd(&birth.report);
    close_fd(&birth.out);
    close_fd(&birth.err);
    return result;
}

void generation_launch(struct keeper *keeper, struct generation *g, char *blob, size_t blob_size)
{
    if (prepare(keeper, g, blob, blob_size) < 0 || start(keeper, g) < 0)
        generation_fail(keeper, g);
    RELEASE(spec);
}
