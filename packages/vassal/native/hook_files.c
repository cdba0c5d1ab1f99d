/* Hooks that change files. Run in the hook's own process, mostly as root, over trees that tenants may write:
 * no symlink is ever followed, and a file with a second name, which may be anybody's, is left alone. */
#include "hook.h"
#include "io.h"
#include "sys.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NO_SYMLINKS (RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)

int hook_try_parent(const char *path, const char **name)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');
    errno = EINVAL;
    if (!is_plain_path(path) || !slash[1])
        return -1;
    (void)memcpy(dir, path, (size_t)(slash - path)); /* a plain path is shorter than PATH_MAX */
    dir[slash - path] = '\0';
    *name = slash + 1;
    return sys_openat2(AT_FDCWD, *dir ? dir : "/", O_PATH | O_DIRECTORY | O_CLOEXEC, NO_SYMLINKS);
}

static int open_parent(const char *path, const char **name)
{
    return (int)hook_must(hook_try_parent(path, name), path);
}

static void refuse_second_name(int fd, const char *path)
{
    struct stat file;
    (void)hook_must(fstat(fd, &file), path);
    errno = EMLINK;
    (void)hook_must(S_ISREG(file.st_mode) && file.st_nlink > 1 ? -1 : 0, path);
}

static int open_target(const char *path)
{
    errno = EINVAL;
    (void)hook_must(is_plain_path(path) ? 0 : -1, path);
    int fd = (int)hook_must(tree_open(AT_FDCWD, path), path);
    refuse_second_name(fd, path);
    return fd;
}

static mode_t mode_of(const char *text)
{
    uint64_t mode = 0;
    errno = EINVAL;
    (void)hook_must(parse_octal(text, 07777, &mode) ? 0 : -1, text);
    return (mode_t)mode;
}

/* fchmodat2 is of 6.6; before it only /proc leads from such a descriptor to the file. */
static void set_mode(int fd, mode_t mode, const char *path)
{
    char link[64];
    if (syscall(NR_fchmodat2, fd, "", mode, AT_EMPTY_PATH) == 0)
        return;
    if (errno != ENOSYS)
        hook_fail(path);
    (void)format_text(link, sizeof link, "/proc/self/fd/%d", fd);
    (void)hook_must(chmod(link, mode), path);
}

/* Missing directories on the way are made, 0755; the mode is that of the last. One that is there is fine. */
void hook_mkdir(const struct hook_call *call)
{
    const char *path = call->args[0];
    mode_t mode = mode_of(call->args[1]);
    char name[NAME_MAX + 1];
    errno = EINVAL;
    (void)hook_must(is_plain_path(path) ? 0 : -1, path);
    int dir = (int)hook_must(open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), "/");
    for (const char *at = path + 1; *at;) {
        size_t length = strcspn(at, "/");
        bool is_last = at[length] == '\0';
        errno = ENAMETOOLONG;
        (void)hook_must(format_text(name, sizeof name, "%.*s", (int)length, at) ? 0 : -1, path);
        bool is_new = mkdirat(dir, name, is_last ? mode & 01777 : 0755) == 0;
        if (!is_new && errno != EEXIST)
            hook_fail(path);
        int next =
            (int)hook_must(sys_openat2(dir, name, O_PATH | O_DIRECTORY | O_CLOEXEC, NO_SYMLINKS), path);
        if (is_new && is_last && (mode & 06000))
            set_mode(next, mode, path); /* mkdir() knows no set-id bits */
        close(dir);
        dir = next;
        at += length + (is_last ? 0 : 1);
    }
    close(dir);
}

/* `-` leaves it as it is. */
static uint32_t id_of(const char *text)
{
    uint64_t id = UINT32_MAX;
    errno = EINVAL;
    (void)hook_must(strcmp(text, "-") == 0 || parse_number(text, UINT32_MAX - 1, &id) ? 0 : -1, text);
    return (uint32_t)id;
}

void hook_chown(const struct hook_call *call)
{
    const char *path = call->args[0];
    autoclose int fd = open_target(path);
    (void)hook_must(fchownat(fd, "", id_of(call->args[1]), id_of(call->args[2]), AT_EMPTY_PATH), path);
}

void hook_chmod(const struct hook_call *call)
{
    autoclose int fd = open_target(call->args[0]);
    set_mode(fd, mode_of(call->args[1]), call->args[0]);
}

/* The same link is fine, anything else that stands there is not ours to replace. */
void hook_symlink(const struct hook_call *call)
{
    char present[PATH_MAX];
    const char *name;
    autoclose int dir = open_parent(call->args[1], &name);
    if (symlinkat(call->args[0], dir, name) == 0)
        return;
    int error = errno;
    ssize_t size = error == EEXIST ? readlinkat(dir, name, present, sizeof present - 1) : -1;
    present[size > 0 ? size : 0] = '\0';
    errno = error;
    (void)hook_must(size > 0 && strcmp(present, call->args[0]) == 0 ? 0 : -1, call->args[1]);
}

/* Exactly the text, nothing before and nothing behind. Files of /proc and /sys take it with one write(). */
void hook_write(const struct hook_call *call)
{
    const char *name, *path = call->args[0], *text = call->args[1];
    struct stat file;
    autoclose int dir = open_parent(path, &name);
    struct open_how how = {.flags = O_WRONLY | O_CREAT | O_NOCTTY | O_NONBLOCK | O_CLOEXEC,
                           .mode = 0644,
                           .resolve = NO_SYMLINKS};
    autoclose int fd = (int)hook_must(syscall(NR_openat2, dir, name, &how, sizeof how), path);
    refuse_second_name(fd, path);
    (void)hook_must(fstat(fd, &file), path);
    if (S_ISREG(file.st_mode) && file.st_size > 0)
        (void)hook_must(ftruncate(fd, 0), path);
    ssize_t written = hook_must(write(fd, text, strlen(text)), path);
    errno = ENOSPC;
    (void)hook_must((size_t)written == strlen(text) ? 0 : -1, path);
}
