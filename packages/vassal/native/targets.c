/* Where mount steps go: below the root that is to be, no symlink followed. Run by a jail's first process, as
 * root. On file systems of the jail's own, the places are made; elsewhere they must be there. */
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

#define NO_LINKS (RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)

int target_open(const struct mounting *m, const char *path)
{
    return sys_openat2(m->root, path, O_PATH | O_CLOEXEC, RESOLVE_IN_ROOT | NO_LINKS);
}

void target_own(struct mounting *m, int dir, const char *what)
{
    struct stat file_system;
    must_mount(fstat(dir, &file_system), what);
    errno = E2BIG;
    must_mount(m->own_count < LENGTH(m->own) ? 0 : -1, what);
    m->own[m->own_count++] = file_system.st_dev;
}

static bool is_on(int dir, const dev_t *devices, size_t count)
{
    struct stat file_system;
    must_mount(fstat(dir, &file_system), "the file system of a mount point");
    for (size_t i = 0; i < count; i++)
        if (devices[i] == file_system.st_dev)
            return true;
    return false;
}

/* A directory that is made in an empty root is as open or closed as the host's of that name: what lies below
 * a closed home stays out of reach for everybody but its owner. */
static int close_like_host(const struct mounting *m, int dir, const char *name, const char *host)
{
    struct stat like;
    if (m->spec->root != ROOT_TMPFS || !is_on(dir, &m->root_file_system, 1))
        return 0;
    autoclose int fd = tree_open(AT_FDCWD, host);
    if (fd < 0)
        return errno == ENOENT || errno == ELOOP || errno == ENOTDIR ? 0 : -1;
    if (fstat(fd, &like) < 0 || !S_ISDIR(like.st_mode))
        return 0;
    if (fchownat(dir, name, like.st_uid, like.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
        return -1;
    return fchmodat(dir, name, like.st_mode & 01777, 0);
}

/* The directory `name` in `dir`, made if it is missing and may be. */
static int enter(const struct mounting *m, int dir, const char *name, const char *host)
{
    int fd = sys_openat2(dir, name, O_PATH | O_CLOEXEC, NO_LINKS);
    if (fd >= 0 || errno != ENOENT)
        return fd;
    if (!is_on(dir, m->own, m->own_count)) {
        errno = ENOENT;
        return -1;
    }
    if (mkdirat(dir, name, 0755) < 0)
        return errno == EEXIST ? sys_openat2(dir, name, O_PATH | O_CLOEXEC, NO_LINKS) : -1;
    if (close_like_host(m, dir, name, host) < 0)
        return -1;
    return sys_openat2(dir, name, O_PATH | O_CLOEXEC, NO_LINKS);
}

/* The directory that holds the last component of `path`, which `*name` is then. `path` is changed and put
 * right again. */
static int enter_parent(const struct mounting *m, char *path, char **name)
{
    int dir = fcntl(m->root, F_DUPFD_CLOEXEC, 0);
    for (char *part = path + 1, *slash; dir >= 0; part = slash + 1) {
        slash = strchr(part, '/');
        *name = part;
        if (!slash)
            break;
        *slash = '\0';
        int next = enter(m, dir, part, path);
        *slash = '/';
        int error = errno;
        close(dir);
        errno = error;
        dir = next;
    }
    return dir;
}

int target_make(const struct mounting *m, const char *path, bool dir)
{
    char copy[4096], *name;
    int fd = target_open(m, path);
    if (fd >= 0 || errno != ENOENT)
        return fd;
    must_format(copy_text(copy, sizeof copy, path), path);
    autoclose int parent = enter_parent(m, copy, &name);
    if (parent < 0)
        return -1;
    if (dir)
        return enter(m, parent, name, copy);
    if (!is_on(parent, m->own, m->own_count)) {
        errno = ENOENT;
        return -1;
    }
    autoclose int file = openat(parent, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0444);
    return file < 0 ? -1 : sys_openat2(parent, name, O_PATH | O_CLOEXEC, NO_LINKS);
}

void target_put(const struct mounting *m, int *tree, const char *path)
{
    autoclose int target = target_open(m, path);
    if (target < 0 && errno == ENOENT) {
        struct stat taken;
        must_mount(fstat(*tree, &taken), path);
        target = target_make(m, path, S_ISDIR(taken.st_mode));
    }
    must_mount(target, path);
    must_mount(tree_put(*tree, target), path);
    close_fd(tree);
}

void target_mount(const struct mounting *m, const char *path, const char *type, unsigned long flags,
                  const char *options)
{
    autoclose int target = target_make(m, path, true);
    must_mount(target, path);
    must_mount(fchdir(target), path);
    must_mount(mount(type, ".", type, flags, options), path);
}

void target_mkdir(struct mounting *m, struct mount_step *step)
{
    char copy[4096], *name;
    uint64_t mode = 0;
    (void)parse_octal(step->source, 01777, &mode);
    must_format(copy_text(copy, sizeof copy, step->path), step->path);
    autoclose int parent = enter_parent(m, copy, &name);
    must_mount(parent, step->path);
    must_mount(mkdirat(parent, name, (mode_t)mode), step->path);
}

void target_symlink(struct mounting *m, struct mount_step *step)
{
    char copy[4096], *name;
    must_format(copy_text(copy, sizeof copy, step->path), step->path);
    autoclose int parent = enter_parent(m, copy, &name);
    must_mount(parent, step->path);
    must_mount(symlinkat(step->source, parent, name), step->path);
}
