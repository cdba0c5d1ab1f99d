/* Steps that take something out of the view: keep, hide, mask, readonly. Run by a jail's first process, as
 * root, in its own mount namespace. */
#include "io.h"
#include "mounting.h"
#include "report.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

void must_mount(long result, const char *what)
{
    must(result, STAGE_MOUNTS, what);
}

void must_format(bool fits, const char *what)
{
    errno = ENAMETOOLONG;
    must_mount(fits ? 0 : -1, what);
}

void make_place(struct mounting *m, char *path, const struct mount_step *step)
{
    struct stat tree;
    char *name = strrchr(path, '/');
    if (step->tree >= 0)
        must_mount(fstat(step->tree, &tree), step->path);
    else
        tree.st_mode = S_IFDIR; /* a file system that is made later */
    *name = '\0';
    errno = -make_dirs(m->scratch, path);
    must_mount(errno ? -1 : 0, step->path);
    *name = '/';
    if (S_ISDIR(tree.st_mode)) {
        must_mount(mkdirat(m->scratch, path, 0755) < 0 && errno != EEXIST ? -1 : 0, step->path);
        return;
    }
    autoclose int file = openat(m->scratch, path, O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0444);
    must_mount(file, step->path);
}

static bool is_kept(const struct mount_step *step)
{
    return (step->kind == MOUNT_KEEP || step->kind == MOUNT_WRITE) && step->tree >= 0;
}

void mount_keep(struct mounting *m, struct mount_step *step)
{
    autoclose int from = target_open(m, step->path);
    must_mount(from < 0 && (errno != ENOENT || step->kind == MOUNT_WRITE) ? -1 : 0, step->path);
    if (from < 0)
        return;
    step->tree = tree_clone(from, true);
    must_mount(step->tree, step->path);
}

/* What was kept before `step` shows again where it was. */
static void put_kept_back(struct mounting *m, const struct mount_step *step)
{
    for (struct mount_step *kept = m->spec->mounts.at; kept < step; kept++)
        if (is_kept(kept) && is_below(kept->path, step->path))
            target_put(m, &kept->tree, kept->path);
}

/* A directory of the cover is as open or closed as the one it stands for: what lies below a closed home stays
 * out of reach for everybody but its owner. */
static void close_like(struct mounting *m, const char *place, const char *real)
{
    struct stat like;
    autoclose int fd = target_open(m, real);
    if (fd < 0 && errno == ENOENT)
        return; /* the place of a bind that the host has not */
    must_mount(fd, real);
    must_mount(fstat(fd, &like), real);
    if (!m->spec->single_id)
        must_mount(fchownat(m->scratch, place, like.st_uid, like.st_gid, AT_SYMLINK_NOFOLLOW), real);
    must_mount(fchmodat(m->scratch, place, like.st_mode & 0777, 0), real);
}

/* An entry in the cover for a kept tree to stand on. */
static void make_place_in_cover(struct mounting *m, const char *cover, const char *hidden,
                                const struct mount_step *kept)
{
    char path[8400], real[4200];
    size_t cover_length = strlen(cover), hidden_length = hidden[1] ? strlen(hidden) : 0;
    must_format(format_text(path, sizeof path, "%s%s", cover, kept->path + hidden_length), kept->path);
    must_format(format_text(real, sizeof real, "%s", kept->path), kept->path);
    make_place(m, path, kept);
    for (char *slash = strchr(real + hidden_length + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        char *same = path + cover_length + (size_t)(slash - real) - hidden_length;
        *slash = *same = '\0';
        close_like(m, path, real);
        *slash = *same = '/';
    }
}

/* Places for what was kept, and for what later steps mount below the cover. */
static void make_places(struct mounting *m, const char *cover, const struct mount_step *hide)
{
    const struct mount_step *steps = m->spec->mounts.at;
    for (const struct mount_step *step = steps; step < steps + m->spec->mounts.count; step++) {
        bool later = step > hide && ((step->kind == MOUNT_BIND && step->tree >= 0) ||
                                     step->kind == MOUNT_TMPFS || step->kind == MOUNT_OVERLAY);
        bool kept = step < hide && is_kept(step);
        if ((kept || later) && is_below(step->path, hide->path) && strcmp(step->path, hide->path) != 0)
            make_place_in_cover(m, cover, hide->path, step);
    }
}

/* The cover of DIR is `@/hide/DIR/=`: a name of its own, so that one cover never shows inside another. Covers
 * stay for the next generation. */
void mount_hide(struct mounting *m, struct mount_step *step)
{
    char cover[4200];
    autoclose int target = target_open(m, step->path);
    must_mount(target < 0 && errno != ENOENT ? -1 : 0, step->path);
    if (target < 0)
        return;

    must_format(format_text(cover, sizeof cover, "hide%s/=", step->path), step->path);
    errno = -make_dirs(m->scratch, cover);
    must_mount(errno ? -1 : 0, step->path);
    close_like(m, cover, step->path);
    make_places(m, cover, step);

    autoclose int tree = tree_take(m->scratch, cover, false);
    must_mount(tree, step->path);
    must_mount(tree_restrict(tree, COVER, false), step->path);
    must_mount(tree_put(tree, target), step->path);
    put_kept_back(m, step);
}

void mount_mask(struct mounting *m, struct mount_step *step)
{
    struct stat target;
    autoclose int fd = target_open(m, step->path);
    must_mount(fd < 0 && errno != ENOENT ? -1 : 0, step->path);
    if (fd < 0)
        return;
    must_mount(fstat(fd, &target), step->path);
    bool dir = S_ISDIR(target.st_mode), own = dir || m->spec->private_dev;
    autoclose int tree = tree_take(own ? m->scratch : AT_FDCWD,
                                   dir   ? "empty"
                                   : own ? "dev/null"
                                         : "/dev/null",
                                   false);
    must_mount(tree, step->path);
    must_mount(tree_restrict(tree, dir ? COVER : COVER & ~KEEPER_MOUNT_NODEV, false), step->path);
    must_mount(tree_put(tree, fd), step->path);
}

/* The root of the view cannot be covered, so its mounts themselves change; the scratch stays writable for the
 * steps that follow (it leaves the view at the end). */
static void restrict_everything(struct mounting *m)
{
    struct mount_attributes all = {.set = KEEPER_MOUNT_RDONLY, .propagation = MS_PRIVATE};
    struct mount_attributes writable = {.clear = KEEPER_MOUNT_RDONLY};
    must_mount(sys_mount_setattr(m->root, "", KEEPER_AT_EMPTY_PATH | KEEPER_AT_RECURSIVE, &all), "/");
    if (m->scratch >= 0)
        must_mount(sys_mount_setattr(m->scratch, "", KEEPER_AT_EMPTY_PATH, &writable), "/");
}

/* In a directory as root /bin may be a symlink: what it leads to is protected by its own name. */
static int open_readonly(const struct mounting *m, const char *path)
{
    struct stat found;
    if (m->spec->root == ROOT_HOST)
        return target_open(m, path);
    int fd = sys_openat2(m->root, path, O_PATH | O_NOFOLLOW | O_CLOEXEC,
                         RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
    if (fd < 0)
        return -1;
    must_mount(fstat(fd, &found), path);
    if (!S_ISLNK(found.st_mode))
        return fd;
    close(fd);
    errno = ENOENT;
    return -1;
}

void mount_readonly(struct mounting *m, struct mount_step *step)
{
    if (!step->path[1]) {
        restrict_everything(m);
        put_kept_back(m, step);
        return;
    }
    autoclose int from = open_readonly(m, step->path);
    must_mount(from < 0 && errno != ENOENT ? -1 : 0, step->path);
    if (from < 0)
        return;
    autoclose int tree = tree_clone(from, true);
    must_mount(tree, step->path);
    must_mount(tree_restrict(tree, KEEPER_MOUNT_RDONLY, true), step->path);
    must_mount(tree_put(tree, from), step->path);
    put_kept_back(m, step);
}
