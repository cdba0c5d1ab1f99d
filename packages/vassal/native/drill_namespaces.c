/* Attempts on mounts, roots and namespaces. No mount is made or moved where others could see it: what is
 * mounted is detached, or in a mount namespace that ends with the attempt. */
#include "drill.h"

#include "io.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

static void mount_something(const struct spec *spec, struct outcome *outcome)
{
    (void)spec;
    autoclose int context = (int)syscall(NR_fsopen, "tmpfs", KEEPER_FSOPEN_CLOEXEC);
    judge_permission(outcome, context, "fsopen");
    if (outcome->verdict != DRILL_ALLOWED)
        judge_permission(outcome, mount("none", "/", "emperor-drill-no-such", 0, NULL), "mount");
}

static void take_tree(const struct spec *spec, struct outcome *outcome)
{
    (void)spec;
    autoclose int tree = sys_open_tree(AT_FDCWD, "/", KEEPER_OPEN_TREE_CLONE | KEEPER_OPEN_TREE_CLOEXEC);
    judge_permission(outcome, tree, "open_tree");
}

/* Of a path that is no mount point. */
static void unmount_something(const struct spec *spec, struct outcome *outcome)
{
    (void)spec;
    judge_permission(outcome, umount2("/proc/self", 0), "umount");
    if (outcome->verdict != DRILL_ALLOWED)
        judge_permission(outcome, syscall(SYS_pivot_root, "/", "/"), "pivot_root");
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* The classic: a second chroot below the first, with a directory outside of it still open. */
static void chroot_out(const struct spec *spec, struct outcome *outcome)
{
    struct stat before, after;
    (void)spec;
    autoclose int outside = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (outside < 0 || stat("/", &before) < 0) {
        denied(outcome, errno, "/");
        return;
    }
    if (chroot("/tmp") < 0) {
        denied(outcome, errno, "chroot");
        return;
    }
    (void)!fchdir(outside);
    for (int i = 0; i < 64; i++)
        (void)!chdir("..");
    if (chroot(".") < 0 || stat("/", &after) < 0)
        denied(outcome, errno, "the second chroot");
    else if (is_same(&before, &after))
        denied(outcome, EXDEV, "chroot works, and leads to the same root");
    else
        allowed(outcome, "it is out: / is another directory now");
}

static bool is_ours(int fd, const char *name)
{
    struct stat there, here;
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/self/ns/%s", name);
    return fstat(fd, &there) == 0 && stat(path, &here) == 0 && is_same(&there, &here);
}

static void enter_namespaces(const struct spec *spec, struct outcome *outcome)
{
    static const char *const names[] = {"mnt", "pid", "ipc", "uts", "net", "cgroup", "user", "time"};
    const long pids[] = {1, (long)getppid(), drill_number(spec, "outsider")};
    char path[64];
    for (size_t p = 0; p < LENGTH(pids); p++) {
        for (size_t i = 0; i < LENGTH(names); i++) {
            (void)snprintf(path, sizeof path, "/proc/%ld/ns/%s", pids[p], names[i]);
            autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
            if (fd >= 0 && is_ours(fd, names[i]))
                continue; /* to enter where one is already is no way out */
            if (fd >= 0 && setns(fd, 0) == 0) {
                allowed(outcome, "%s", path);
                return;
            }
            denied(outcome, errno, "%s", path);
        }
    }
}

static void new_namespaces(const struct spec *spec, struct outcome *outcome)
{
    static const int flags[] = {CLONE_NEWNS,  CLONE_NEWUTS,    CLONE_NEWIPC,
                                CLONE_NEWNET, CLONE_NEWCGROUP, CLONE_NEWPID};
    (void)spec;
    for (size_t i = 0; i < LENGTH(flags) && outcome->verdict != DRILL_ALLOWED; i++)
        judge_permission(outcome, unshare(flags[i]), "unshare");
}

static void user_namespace(const struct spec *spec, struct outcome *outcome)
{
    (void)spec;
    judge_permission(outcome, unshare(CLONE_NEWUSER), "unshare");
    if (outcome->verdict == DRILL_DENIED && outcome->error == 0)
        outcome->error = EPERM;
}

static void map_self(uid_t uid, gid_t gid)
{
    char line[64];
    (void)write_small("/proc/self/setgroups", "deny");
    (void)snprintf(line, sizeof line, "0 %u 1", uid);
    (void)write_small("/proc/self/uid_map", line);
    (void)snprintf(line, sizeof line, "0 %u 1", gid);
    (void)write_small("/proc/self/gid_map", line);
}

/* With all capabilities in a user namespace of our own: do the mounts of the jail hold? */
static void user_namespace_escape(const struct spec *spec, struct outcome *outcome)
{
    static const char *const covers[] = {"/run", "/home", "/root", "/proc/sys", "/proc/keys", "/dev", "/sys"};
    static const char *const readonly[] = {"/usr", "/etc", "/sys", "/proc/sys", "/run"};
    uid_t uid = geteuid();
    gid_t gid = getegid();
    struct statvfs system;
    if (unshare(CLONE_NEWUSER) < 0 || unshare(CLONE_NEWNS) < 0) {
        denied(outcome, errno, "no user namespace of its own");
        return;
    }
    map_self(uid, gid);
    denied(outcome, EPERM, "in a user namespace of its own: the jail's mounts are locked");
    for (size_t i = 0; i < LENGTH(covers); i++)
        if (umount2(covers[i], MNT_DETACH) == 0)
            allowed(outcome, "in a user namespace of its own: %s can be unmounted", covers[i]);
    for (size_t i = 0; i < LENGTH(readonly); i++)
        if (statvfs(readonly[i], &system) == 0 && (system.f_flag & ST_RDONLY) &&
            mount(NULL, readonly[i], NULL, MS_REMOUNT | MS_BIND, NULL) == 0)
            allowed(outcome, "in a user namespace of its own: %s can be made writable", readonly[i]);
    const char *path;
    for (size_t i = 0; (path = drill_value(spec, "hidden", i)) != NULL; i++)
        if (umount2(path, MNT_DETACH) == 0)
            allowed(outcome, "in a user namespace of its own: the cover of %s can be taken away", path);
    try_open(outcome, "/proc/sys/kernel/core_pattern", O_WRONLY);
    if (outcome->verdict == DRILL_DENIED && mount("proc", "/proc", "proc", 0, NULL) == 0)
        allowed(outcome, "in a user namespace of its own: a new /proc without masks");
}

static void set_hostname(const struct spec *spec, struct outcome *outcome)
{
    char name[65];
    (void)spec;
    if (gethostname(name, sizeof name) < 0)
        denied(outcome, errno, "gethostname");
    else
        judge_permission(outcome, sethostname(name, strlen(name)), "sethostname to what it is");
}

const struct attempt drill_namespaces[] = {
    {"mount", mount_something, false},         {"open-tree", take_tree, false},
    {"unmount", unmount_something, false},     {"chroot", chroot_out, false},
    {"setns", enter_namespaces, false},        {"new-namespaces", new_namespaces, false},
    {"user-namespace", user_namespace, false}, {"user-namespace-mounts", user_namespace_escape, false},
    {"set-hostname", set_hostname, false},     {NULL, NULL, false},
};
