/* What becomes `/`. Run by a jail's first process, as root, in its own mount namespace: prepared before the
 * mount steps, which go below it, and entered after them; then nothing of the host's tree is left but what
 * was put into it. */
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

static void must_root(long result, const char *what)
{
    must(result, STAGE_ROOT, what);
}

/* The host's tree, changed in place. The scratch directory stays as it is: device nodes come from there. */
static void use_host(struct mounting *m)
{
    struct mount_attributes restricted = {.set = m->spec->root_flags};
    struct mount_attributes open_scratch = {.clear = KEEPER_MOUNT_NODEV};
    m->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    must_root(m->root, "/");
    if (!m->spec->root_flags)
        return;
    must_root(sys_mount_setattr(m->root, "", KEEPER_AT_EMPTY_PATH | KEEPER_AT_RECURSIVE, &restricted), "/");
    if (m->scratch >= 0)
        must_root(sys_mount_setattr(m->scratch, "", KEEPER_AT_EMPTY_PATH, &open_scratch), "scratch");
}

/* A few directories, links and empty files for other things to stand on. */
static void use_tmpfs(struct mounting *m)
{
    struct stat root;
    must_root(fchdir(m->scratch), "scratch");
    must_root(
        mount("emperor-root", "root", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=1m,nr_inodes=2048"),
        "tmpfs");
    m->root = tree_open(m->scratch, "root");
    must_root(m->root, "tmpfs");
    must_root(fstat(m->root, &root), "tmpfs");
    m->root_file_system = root.st_dev;
    target_own(m, m->root, "tmpfs");
}

/* Mounts that the host makes later show in a tree with its mounts, never in one without. */
static void use_tree(struct mounting *m)
{
    const struct spec *spec = m->spec;
    bool single = spec->root == ROOT_SINGLE;
    struct mount_attributes restricted = {.set = spec->root_flags, .propagation = single ? MS_PRIVATE : 0};
    m->root = tree_take(AT_FDCWD, spec->root_dir, !single);
    must_root(m->root, spec->root_dir);
    must_root(sys_mount_setattr(m->root, "", KEEPER_AT_EMPTY_PATH | (single ? 0 : KEEPER_AT_RECURSIVE),
                                &restricted),
              spec->root_dir);
}

static void use_overlay(struct mounting *m)
{
    char lowers[4096 * 2];
    must_format(copy_text(lowers, sizeof lowers, m->spec->root_dir), "overlay");
    char *upper = strrchr(lowers, ':');
    *upper++ = '\0';
    m->root = overlay_take(m, lowers, upper, m->spec->root_flags);
}

static void place_in_scratch(struct mounting *m)
{
    autoclose int place = tree_open(m->scratch, "root");
    must_root(place, "scratch");
    must_root(tree_put(m->root, place), m->spec->root_dir);
}

/* At once: what the operator's hooks bound at NEW is `/`, the host's tree stands at OLD until a hook takes it
 * away. The paths are looked up before, by descriptor: pivot_root() itself would follow symlinks. */
static void pivot(struct mounting *m)
{
    const char *to = m->spec->pivot_new, *old = m->spec->pivot_old;
    autoclose int host = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    autoclose int place = -1;
    must_root(host, "/");
    m->root = tree_open(AT_FDCWD, to);
    must_root(m->root, to);
    place = tree_open(m->root, old + strlen(to) + 1);
    must_root(place, old);
    must_root(fchdir(m->root), to);
    must_root(sys_pivot_root(".", "."), to);
    must_root(tree_put(host, place), old);
    must_root(chdir("/"), "/");
}

void root_prepare(struct mounting *m)
{
    if (m->spec->pivot_new) {
        pivot(m);
        return;
    }
    switch (m->spec->root) {
    case ROOT_HOST:
        use_host(m);
        return;
    case ROOT_TMPFS:
        use_tmpfs(m);
        return;
    case ROOT_TREE:
    case ROOT_SINGLE:
        use_tree(m);
        break;
    case ROOT_OVERLAY:
        use_overlay(m);
        break;
    }
    place_in_scratch(m);
}

/* What the view has no use for must not be in it: the scratch directory, with the tenant's and other things.
 */
static void leave_scratch(const struct mounting *m)
{
    if (m->scratch < 0)
        return;
    must_mount(fchdir(m->scratch), "scratch");
    must_mount(umount2(".", MNT_DETACH), "scratch");
}

/* The host's tree goes with everything in it: the scratch directory too. */
static void enter(const struct mounting *m)
{
    must_root(fchdir(m->root), "/");
    must_root(sys_pivot_root(".", "."), "pivot_root");
    must_root(umount2(".", MNT_DETACH), "/");
}

void root_become(struct mounting *m)
{
    struct mount_attributes readonly = {.set = KEEPER_MOUNT_RDONLY};
    if (m->spec->root == ROOT_TMPFS)
        must_root(sys_mount_setattr(m->root, "", KEEPER_AT_EMPTY_PATH, &readonly), "/");
    if (m->spec->root == ROOT_HOST)
        leave_scratch(m);
    else
        enter(m);
    close_fd(&m->root);
    close_fd(&m->scratch);
    must_root(chdir("/"), "/");
}

void root_change(const struct spec *spec)
{
    if (!spec->chroot)
        return;
    autoclose int dir = tree_open(AT_FDCWD, spec->chroot);
    must_root(dir, spec->chroot);
    must_root(fchdir(dir), spec->chroot);
    must_root(chroot("."), spec->chroot);
    must_root(chdir("/"), spec->chroot);
}
