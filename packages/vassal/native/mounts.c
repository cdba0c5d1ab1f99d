/* The mount steps of a jail, in the order of the blob. Run by the child of the keeper, as root, in its own
 * mount namespace. Every path is resolved without following a symlink; what is asked and missing is an error
 * unless the protocol says it is skipped. */
#include "io.h"
#include "jail.h"
#include "report.h"
#include "sys.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

struct mounting {
    struct spec *spec;
    uint64_t generation;
    int scratch; /* the child's own copy of the scratch mount, or -1 */
};

#define COVER (KEEPER_MOUNT_RDONLY | KEEPER_MOUNT_NOSUID | KEEPER_MOUNT_NODEV | KEEPER_MOUNT_NOEXEC)

static void must_mount(long result, const char *what)
{
    must(result, STAGE_MOUNTS, what);
}

static void must_format(bool fits, const char *what)
{
    errno = ENAMETOOLONG;
    must_mount(fits ? 0 : -1, what);
}

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
    struct stat source;
    if (!m->spec->run || !is_below(step->path, "/run") || !step->path[4])
        return;
    must_mount(fstat(step->tree, &source), step->path);
    must_format(
        format_text(path, sizeof path, "run/%llu%s", (unsigned long long)m->generation, step->path + 4),
        step->path);
    char *name = strrchr(path, '/');
    *name = '\0';
    errno = -make_dirs(m->scratch, path);
    must_mount(errno ? -1 : 0, step->path);
    *name = '/';
    if (S_ISDIR(source.st_mode)) {
        must_mount(mkdirat(m->scratch, path, 0755) < 0 && errno != EEXIST ? -1 : 0, step->path);
        return;
    }
    autoclose int file = openat(m->scratch, path, O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0444);
    must_mount(file, step->path);
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

static void keep(struct mounting *m, struct mount_step *step)
{
    (void)m;
    step->tree = tree_take(AT_FDCWD, step->path, true);
    must_mount(step->tree < 0 && errno != ENOENT ? -1 : 0, step->path);
}

/* An entry in the cover for a kept tree to stand on. */
static void make_place_in_cover(struct mounting *m, const char *cover, const char *hidden,
                                const struct mount_step *kept)
{
    char path[8400];
    struct stat tree;
    const char *below = kept->path + (hidden[1] ? strlen(hidden) : 0);
    must_mount(fstat(kept->tree, &tree), kept->path);
    must_format(format_text(path, sizeof path, "%s%s", cover, below), kept->path);
    char *name = strrchr(path, '/');
    *name = '\0';
    errno = -make_dirs(m->scratch, path);
    must_mount(errno ? -1 : 0, kept->path);
    *name = '/';
    if (S_ISDIR(tree.st_mode)) {
        must_mount(mkdirat(m->scratch, path, 0755) < 0 && errno != EEXIST ? -1 : 0, kept->path);
        return;
    }
    autoclose int file = openat(m->scratch, path, O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0444);
    must_mount(file, kept->path);
}

/* The cover of DIR is `@/hide/DIR/=`: a name of its own, so that one cover never shows inside another. Covers
 * stay for the next generation. */
static void hide(struct mounting *m, struct mount_step *step)
{
    char cover[4200];
    struct mount_step *steps = m->spec->mounts.at;
    autoclose int target = tree_open(AT_FDCWD, step->path);
    must_mount(target < 0 && errno != ENOENT ? -1 : 0, step->path);
    if (target < 0)
        return;

    must_format(format_text(cover, sizeof cover, "hide%s/=", step->path), step->path);
    errno = -make_dirs(m->scratch, cover);
    must_mount(errno ? -1 : 0, step->path);
    for (struct mount_step *kept = steps; kept < step; kept++)
        if (kept->kind == MOUNT_KEEP && kept->tree >= 0 && is_below(kept->path, step->path))
            make_place_in_cover(m, cover, step->path, kept);

    autoclose int tree = tree_take(m->scratch, cover, false);
    must_mount(tree, step->path);
    must_mount(tree_restrict(tree, COVER, false), step->path);
    must_mount(
        sys_move_mount(tree, "", target, "", KEEPER_MOVE_MOUNT_F_EMPTY_PATH | KEEPER_MOVE_MOUNT_T_EMPTY_PATH),
        step->path);
    for (struct mount_step *kept = steps; kept < step; kept++) {
        if (kept->kind != MOUNT_KEEP || kept->tree < 0 || !is_below(kept->path, step->path))
            continue;
        must_mount(tree_put(kept->tree, kept->path), kept->path);
        close_fd(&kept->tree);
    }
}

static void mask(struct mounting *m, struct mount_step *step)
{
    struct stat target;
    autoclose int fd = tree_open(AT_FDCWD, step->path);
    must_mount(fd < 0 && errno != ENOENT ? -1 : 0, step->path);
    if (fd < 0)
        return;
    must_mount(fstat(fd, &target), step->path);
    bool dir = S_ISDIR(target.st_mode);
    autoclose int tree =
        dir ? tree_take(m->scratch, "empty", false) : tree_take(AT_FDCWD, "/dev/null", false);
    must_mount(tree, step->path);
    must_mount(tree_restrict(tree, dir ? COVER : KEEPER_MOUNT_NOSUID | KEEPER_MOUNT_NOEXEC, false),
               step->path);
    must_mount(tree_put(tree, step->path), step->path);
}

/* The root of the view cannot be covered, so its mounts themselves change; the scratch stays writable for the
 * steps that follow (it leaves the view at the end). */
static void restrict_everything(struct mounting *m)
{
    struct mount_attributes all = {.set = KEEPER_MOUNT_RDONLY, .propagation = MS_PRIVATE};
    struct mount_attributes writable = {.clear = KEEPER_MOUNT_RDONLY};
    must_mount(sys_mount_setattr(AT_FDCWD, "/", KEEPER_AT_RECURSIVE, &all), "/");
    if (m->scratch >= 0)
        must_mount(sys_mount_setattr(m->scratch, "", KEEPER_AT_EMPTY_PATH, &writable), "/");
}

static void make_readonly(struct mounting *m, struct mount_step *step)
{
    if (!step->path[1]) {
        restrict_everything(m);
        return;
    }
    autoclose int tree = tree_take(AT_FDCWD, step->path, true);
    must_mount(tree < 0 && errno != ENOENT ? -1 : 0, step->path);
    if (tree < 0)
        return;
    must_mount(tree_restrict(tree, KEEPER_MOUNT_RDONLY, true), step->path);
    must_mount(tree_put(tree, step->path), step->path);
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

static void put_devpts(struct mounting *m, struct mount_step *step)
{
    (void)m;
    must_mount(mount("devpts", step->path, "devpts", MS_NOSUID | MS_NOEXEC,
                     "newinstance,ptmxmode=0666,mode=0620,gid=5"),
               step->path);
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
    [MOUNT_KEEP] = keep,           [MOUNT_HIDE] = hide,
    [MOUNT_MASK] = mask,           [MOUNT_READONLY] = make_readonly,
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
