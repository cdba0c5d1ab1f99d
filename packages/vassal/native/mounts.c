/* The mount steps of a jail, in the order of the blob. Run by the child of the keeper, as root, in its own
 * mount namespace. Every path is resolved without following a symlink; what is asked and missing is an error
 * unless the protocol says it is skipped. */
#include "io.h"
#include "jail.h"
#include "mounting.h"
#include "report.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>

/* Sources of binds are taken before anything changes, so that they are what the operator named: the host's
 * tree, writable if the host's is, whatever `readonly` and `hide` do to the view. */
static void take_source(struct mounting *m, struct mount_step *step)
{
    char path[64];
    bool own = step->source && step->source[0] == '@';
    if (step->kind == MOUNT_BIND && strcmp(step->source, "@/run") == 0) {
        must_format(format_text(path, sizeof path, "run/%llu", (unsigned long long)m->generation),
                    step->path);
        step->tree = tree_take(m->scratch, path, true);
    } else if (step->kind == MOUNT_BIND) {
        step->tree = tree_take(own ? m->scratch : AT_FDCWD, own ? step->source + 2 : step->source, true);
    } else if (step->kind == MOUNT_SHM) {
        step->tree =
            m->spec->tmp ? tree_take(m->scratch, "tmp/shm", true) : tree_take(AT_FDCWD, "/dev/shm", true);
        if (step->tree < 0 && errno == ENOENT && !m->spec->tmp)
            return; /* the host has none */
    } else {
        return;
    }
    must_mount(step->tree, step->source ? step->source : step->path);
    must_mount(tree_restrict(step->tree, step->flags, true), step->path);
}

/* /run is ours alone: what is bound into it gets its place there. */
static void make_place_in_run(struct mounting *m, const struct mount_step *step)
{
    char path[4200];
    if (!m->spec->run || !is_below(step->path, "/run") || !step->path[4])
        return;
    must_format(
        format_text(path, sizeof path, "run/%llu%s", (unsigned long long)m->generation, step->path + 4),
        step->path);
    make_place(m, path, step);
}

static void put_bind(struct mounting *m, struct mount_step *step)
{
    if (step->tree < 0)
        return;
    if (tree_put(step->tree, step->path) == 0) {
        close_fd(&step->tree);
        return;
    }
    must_mount(errno == ENOENT ? 0 : -1, step->path);
    make_place_in_run(m, step);
    must_mount(tree_put(step->tree, step->path), step->path);
    close_fd(&step->tree);
}

/* The name is gone before the tenant runs; the mount keeps the file. */
static void put_file(struct mounting *m, struct mount_step *step)
{
    char name[64];
    size_t size = strlen(step->source);
    must_format(format_text(name, sizeof name, "files/%llu", (unsigned long long)m->generation), step->path);
    autoclose int file = openat(m->scratch, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0444);
    must_mount(file, step->path);
    ssize_t written = write(file, step->source, size);
    if (written >= 0 && (size_t)written != size)
        errno = ENOSPC;
    must_mount(written >= 0 && (size_t)written == size ? 0 : -1, step->path);
    close_fd(&file); /* a file open for writing could not be restricted to read-only */

    step->tree = tree_take(m->scratch, name, false);
    must_mount(step->tree, step->path);
    must_mount(tree_restrict(step->tree, COVER, false), step->path);
    put_bind(m, step);
    must_mount(unlinkat(m->scratch, name, 0),
               step->path); /* after: what has no name cannot be put anywhere */
}

/* All jails share the kernel's pty numbers: none may take them all. */
#define DEVPTS_OPTIONS "newinstance,ptmxmode=0666,mode=0620,gid=5,max=64"

static void put_devpts(struct mounting *m, struct mount_step *step)
{
    (void)m;
    must_mount(mount("devpts", step->path, "devpts", MS_NOSUID | MS_NOEXEC, DEVPTS_OPTIONS), step->path);
}

static void put_proc(struct mounting *m, struct mount_step *step)
{
    char options[32];
    (void)m;
    must_format(format_text(options, sizeof options, "hidepid=%s", step->source), step->path);
    must_mount(mount("proc", step->path, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, options), step->path);
}

/* Without what the host mounted below: debugfs, tracefs, and the cgroups of all. */
static void put_sysfs(struct mounting *m, struct mount_step *step)
{
    if (m->spec->unshare & CLONE_NEWNET) {
        must_mount(mount("sysfs", step->path, "sysfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL),
                   step->path);
        return;
    }
    autoclose int tree = tree_take(AT_FDCWD, step->path, false);
    must_mount(tree, step->path);
    must_mount(tree_restrict(tree, COVER, false), step->path);
    must_mount(tree_put(tree, step->path), step->path);
}

static void put_cgroup2(struct mounting *m, struct mount_step *step)
{
    (void)m;
    must_mount(mount("cgroup2", step->path, "cgroup2", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL),
               step->path);
}

static void (*const appliers[])(struct mounting *m, struct mount_step *step) = {
    [MOUNT_KEEP] = mount_keep,     [MOUNT_HIDE] = mount_hide,
    [MOUNT_MASK] = mount_mask,     [MOUNT_READONLY] = mount_readonly,
    [MOUNT_BIND] = put_bind,       [MOUNT_FILE] = put_file,
    [MOUNT_SHM] = put_bind,        [MOUNT_DEVPTS] = put_devpts,
    [MOUNT_PROC] = put_proc,       [MOUNT_SYSFS] = put_sysfs,
    [MOUNT_CGROUP2] = put_cgroup2,
};

/* What the view has no use for must not be in it: the scratch directory, with the tenant's and other things.
 */
static void leave_scratch(int scratch)
{
    must_mount(fchdir(scratch), "scratch");
    must_mount(umount2(".", MNT_DETACH), "scratch");
}

static void restrict_run(void)
{
    struct mount_attributes readonly = {.set = KEEPER_MOUNT_RDONLY};
    autoclose int run = tree_open(AT_FDCWD, "/run");
    must_mount(run, "/run");
    must_mount(sys_mount_setattr(run, "", KEEPER_AT_EMPTY_PATH, &readonly), "/run");
}

void mounts_apply(struct spec *spec, uint64_t generation)
{
    struct mounting m = {.spec = spec, .generation = generation, .scratch = -1};
    if (!(spec->unshare & CLONE_NEWNS))
        return;
    must_mount(mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL), "/");
    if (spec->scratch) {
        m.scratch = open(spec->scratch, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        must_mount(m.scratch, spec->scratch);
    }
    for (size_t i = 0; i < spec->mounts.count; i++)
        take_source(&m, &spec->mounts.at[i]);
    for (size_t i = 0; i < spec->mounts.count; i++)
        appliers[spec->mounts.at[i].kind](&m, &spec->mounts.at[i]);
    if (spec->run)
        restrict_run();
    if (m.scratch >= 0)
        leave_scratch(m.scratch);
    close_fd(&m.scratch);
    must_mount(chdir("/"), "/");
}
