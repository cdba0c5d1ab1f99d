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
    must_mount(fstat(step->tree, &tree), step->path);
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

void mount_keep(struct mounting *m, struct mount_step *step)
{
    (void)m;
    step->tree = tree_take(AT_FDCWD, step->path, true);
    must_mount(step->tree < 0 && errno != ENOENT ? -1 : 0, step->path);
}

/* A directory of the cover is as open or closed as the one it stands for: what lies below a closed home stays
 * out of reach for everybody but its owner. */
static void close_like(struct mounting *m, const char *place, const char *real)
{
    struct stat like;
    autoclose int fd = tree_open(AT_FDCWD, real);
    must_mount(fd, real);
    must_mount(fstat(fd, &like), real);
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

/* The cover of DIR is `@/hide/DIR/=`: a name of its own, so that one cover never shows inside another. Covers
 * stay for the next generation. */
void mount_hide(struct mounting *m, struct mount_step *step)
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
    close_like(m, cover, step->path);
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

void mount_mask(struct mounting *m, struct mount_step *step)
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

void mount_readonly(struct mounting *m, struct mount_step *step)
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
