/* The user namespace of a jail, entered late: after real root made the mounts. The mounts below are then
 * locked, and what is made together with it (net, uts, ipc, time, a copy of the mounts) belongs to it: root
 * inside has power over these and nothing else. Run by the child of the keeper, as root. */
#include "io.h"
#include "jail.h"
#include "report.h"
#include "sys.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The kernel takes less than a page. */
#define MAP_TEXT_MAX 4096

static const uint64_t late_kinds =
    (uint64_t)(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET) |
    KEEPER_CLONE_NEWTIME;

/* Ourselves in the /proc of the host: in a copy of that mount, which no step makes read-only. */
static int self = -1, host_proc = -1;

uint64_t namespaces_at_clone(const struct spec *spec)
{
    uint64_t kinds = spec->unshare & ~(uint64_t)CLONE_NEWCGROUP;
    return spec->unshare & CLONE_NEWUSER ? kinds & (CLONE_NEWNS | CLONE_NEWPID) : kinds;
}

void host_self_take(const struct spec *spec)
{
    if (!(spec->unshare & CLONE_NEWUSER) && !spec->setns_preopen)
        return;
    host_proc = (int)must(tree_take(AT_FDCWD, "/proc", true), STAGE_NAMESPACES, "/proc");
    self = (int)must(openat(host_proc, "self", O_PATH | O_DIRECTORY | O_CLOEXEC), STAGE_NAMESPACES,
                     "/proc/self");
}

int host_self(void)
{
    return self;
}

void host_self_leave(void)
{
    close_fd(&self);
    close_fd(&host_proc);
}

/* One write(): the kernel takes no second one. */
static void write_map(const char *file, const struct id_map *maps, size_t count)
{
    char text[MAP_TEXT_MAX];
    size_t used = 0;
    errno = E2BIG;
    for (size_t i = 0; i < count; i++) {
        if (!format_text(text + used, sizeof text - used, "%u %u %u\n", maps[i].inside, maps[i].outside,
                         maps[i].count))
            fail(STAGE_NAMESPACES, file);
        used += strlen(text + used);
    }
    autoclose int fd = (int)must(openat(self, file, O_WRONLY | O_CLOEXEC), STAGE_NAMESPACES, file);
    must(write(fd, text, used), STAGE_NAMESPACES, file);
}

/* Stays outside, where it has power over every id, until we are inside. */
static _Noreturn void write_maps(const struct spec *spec, int inside)
{
    char go;
    if (MUST(STAGE_NAMESPACES, read(inside, &go, 1)) != 1)
        _exit(125); /* unshare failed, and said so */
    write_map("uid_map", spec->uid_map.at, spec->uid_map.count);
    write_map("gid_map", spec->gid_map.at, spec->gid_map.count);
    _exit(0);
}

static void inner_root_become(void)
{
    /* Without a root inside we stay what we were: nobody inside, with all power over it. */
    if (setresgid(0, 0, 0) < 0 && errno != EINVAL)
        fail(STAGE_NAMESPACES, "setresgid(0)");
    if (setresuid(0, 0, 0) < 0 && errno != EINVAL)
        fail(STAGE_NAMESPACES, "setresuid(0)");
}

void user_namespace_enter(const struct spec *spec)
{
    int ends[2], status;
    if (!(spec->unshare & CLONE_NEWUSER))
        return;
    MUST(STAGE_NAMESPACES, pipe2(ends, O_CLOEXEC));
    pid_t helper = (pid_t)must(fork(), STAGE_NAMESPACES, "fork");
    if (helper == 0) {
        close(ends[1]);
        write_maps(spec, ends[0]);
    }
    must(unshare((int)(spec->unshare & late_kinds)), STAGE_NAMESPACES, "unshare(CLONE_NEWUSER)");
    must(write(ends[1], "", 1), STAGE_NAMESPACES, "id maps");
    close(ends[0]);
    close(ends[1]);
    must(waitpid(helper, &status, 0), STAGE_NAMESPACES, "id maps");
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        _exit(125); /* it has said why */
    inner_root_become();
}
