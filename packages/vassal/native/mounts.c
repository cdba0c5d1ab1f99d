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

/* Sources are taken before anything changes, so that they are what the operator named: the host's tree,
 * writable if the host's is, whatever `readonly` and `hide` do to the view. */
static int take_tree(struct mounting *m, const struct mount_step *step)
{
    char path[64];
    if (step->kind == MOUNT_OVERLAY)
        return overlay_take(m, step->source, step->upper, step->flags);
    if (step->kind == MOUNT_SHM)
        return m->spec->tmp ? tree_take(m->scratch, "tmp/shm", true) : tree_take(AT_FDCWD, "/dev/shm", true);
    if (strcmp(step->source, "@/run") == 0) {
        must_format(format_text(path, sizeof path, "run/%llu", (unsigned long long)m->generation),
                    step->path);
        return tree_take(m->scratch, path, true);
    }
    bool own = step->source[0] == '@';
    return tree_take(own ? m->scratch : AT_FDCWD, own ? step->source + 2 : step->source, true);
}

static void take_source(struct mounting *m, struct mount_step *step)
{
    if (step->kind != MOUNT_BIND && step->kind != MOUNT_SHM && step->kind != MOUNT_OVERLAY)
        return;
    bool optional = step->optional || (step->kind == MOUNT_SHM && !m->spec->tmp); /* the host may have none */
    step->tree = take_tree(m, step);
    if (step->tree < 0 && errno == ENOENT && optional)
        return;
    must_mount(step->tree, step->source ? step->source : step->path);
    if (step->kind != MOUNT_OVERLAY)
        must_mount(tree_restrict(step->tree, step->flags, true), step->path);
}

static void put_bind(struct mounting *m, struct mount_step *step)
{
    if (step->tree >= 0)
        target_put(m, &step->tree, step->path);
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
#define DEVPTS_OPTIONS "newinstance,ptmxmode=0666,mode=0620,max=64"

static void put_devpts(struct mounting *m, struct mount_step *step)
{
    target_mount(m, step->path, "devpts", MS_NOSUID | MS_NOEXEC,
                 m->spec->single_id ? DEVPTS_OPTIONS : DEVPTS_OPTIONS ",gid=5");
}

static void put_proc(struct mounting *m, struct mount_step *step)
{
    char options[32];
    must_format(format_text(options, sizeof options, "hidepid=%s", step->source), step->path);
    target_mount(m, step->path, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, options);
}

/* Without what the host mounted below: debugfs, tracefs, and the cgroups of all. */
static void put_sysfs(struct mounting *m, struct mount_step *step)
{
    /* Together with a user namespace the network namespace is made later: the plan masks the host's. */
    bool own_network = (m->spec->unshare & (CLONE_NEWNET | CLONE_NEWUSER)) == CLONE_NEWNET;
    if (own_network && !m->spec->single_id) {
        target_mount(m, step->path, "sysfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
        return;
    }
    /* What was mounted in another user namespace is locked to what it stands on. */
    bool whole = m->spec->single_id;
    step->tree = tree_take(AT_FDCWD, step->path, whole);
    must_mount(step->tree, step->path);
    must_mount(tree_restrict(step->tree, COVER, whole), step->path);
    target_put(m, &step->tree, step->path);
}

static void put_cgroup2(struct mounting *m, struct mount_step *step)
{
    target_mount(m, step->path, "cgroup2", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

/* The app's; empty, and gone with the jail. */
static void put_tmpfs(struct mounting *m, struct mount_step *step)
{
    char options[128];
    must_format(format_text(options, sizeof options, "mode=0755,size=%s,nr_inodes=16384,uid=%u,gid=%u",
                            step->source, spec_outside_uid(m->spec, m->spec->uid),
                            spec_outside_gid(m->spec, m->spec->gid)),
                step->path);
    target_mount(m, step->path, "tmpfs", MS_NOSUID | MS_NODEV, options);
    autoclose int made = target_open(m, step->path);
    must_mount(made, step->path);
    target_own(m, made, step->path);
}

static void (*const appliers[])(struct mounting *m, struct mount_step *step) = {
    [MOUNT_KEEP] = mount_keep,     [MOUNT_HIDE] = mount_hide,
    [MOUNT_MASK] = mount_mask,     [MOUNT_READONLY] = mount_readonly,
    [MOUNT_BIND] = put_bind,       [MOUNT_FILE] = put_file,
    [MOUNT_SHM] = put_bind,        [MOUNT_DEVPTS] = put_devpts,
    [MOUNT_PROC] = put_proc,       [MOUNT_SYSFS] = put_sysfs,
    [MOUNT_CGROUP2] = put_cgroup2, [MOUNT_WRITE] = mount_keep,
    [MOUNT_TMPFS] = put_tmpfs,     [MOUNT_OVERLAY] = put_bind,
    [MOUNT_DIR] = target_mkdir,    [MOUNT_LINK] = target_symlink,
};

/* `@/run` and `@/dev` are read-only once everything in them has its place. */
static void restrict_place(const struct mounting *m, const char *path)
{
    struct mount_attributes readonly = {.set = KEEPER_MOUNT_RDONLY};
    autoclose int place = target_open(m, path);
    must_mount(place, path);
    must_mount(sys_mount_setattr(place, "", KEEPER_AT_EMPTY_PATH, &readonly), path);
}

/* Our own file systems that stand in every jail: what is mounted in them gets its place. */
static void own_scratch(struct mounting *m)
{
    m->scratch = open(m->spec->scratch, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    must_mount(m->scratch, m->spec->scratch);
    target_own(m, m->scratch, "scratch");
    if (!m->spec->private_tmp)
        return;
    autoclose int tmp = tree_open(m->scratch, "tmp");
    must_mount(tmp, "private-tmp");
    target_own(m, tmp, "private-tmp");
}

void mounts_leave_host(const struct spec *spec)
{
    if (spec->unshare & CLONE_NEWNS)
        must_mount(mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL), "/");
}

void mounts_apply(struct spec *spec, uint64_t generation)
{
    struct mounting m = {.spec = spec, .generation = generation, .scratch = -1, .root = -1};
    if (!(spec->unshare & CLONE_NEWNS)) {
        root_change(spec);
        return;
    }
    if (spec->scratch)
        own_scratch(&m);
    for (size_t i = 0; i < spec->mounts.count; i++)
        take_source(&m, &spec->mounts.at[i]);
    root_prepare(&m);
    for (size_t i = 0; i < spec->mounts.count; i++)
        appliers[spec->mounts.at[i].kind](&m, &spec->mounts.at[i]);
    if (spec->run)
        restrict_place(&m, "/run");
    if (spec->dev)
        restrict_place(&m, "/dev");
    root_become(&m);
}
