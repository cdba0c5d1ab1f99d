/* Hooks that mount and unmount. Run in the hook's own process, as root of its mount namespace. Mount points,
 * and the sources of binds, are resolved without following a symlink; the device of a file system is the
 * operator's and is looked up by the kernel. */
#include "hook.h"
#include "io.h"
#include "sys.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

/* As planned by src/jail/hooks.ts. */
enum mount_argument {
    ARG_KIND, /* new, bind, move, change */
    ARG_RECURSIVE,
    ARG_TYPE,
    ARG_SOURCE,
    ARG_TARGET,
    ARG_SET,
    ARG_CLEAR,
    ARG_PROPAGATION,
    ARG_FLAGS, /* MS_* of a new one */
    ARG_DATA
};

static uint64_t number_of(const char *text)
{
    uint64_t number = 0;
    errno = EINVAL;
    (void)hook_must(parse_number(text, UINT64_MAX, &number) ? 0 : -1, text);
    return number;
}

static int open_place(const char *path)
{
    errno = EINVAL;
    (void)hook_must(is_plain_path(path) ? 0 : -1, path);
    return (int)hook_must(tree_open(AT_FDCWD, path), path);
}

static void change(int fd, const struct hook_call *call, bool recursive)
{
    struct mount_attributes attributes = {.set = number_of(call->args[ARG_SET]),
                                          .clear = number_of(call->args[ARG_CLEAR]),
                                          .propagation = number_of(call->args[ARG_PROPAGATION])};
    if (!attributes.set && !attributes.clear && !attributes.propagation)
        return;
    (void)hook_must(
        sys_mount_setattr(fd, "", KEEPER_AT_EMPTY_PATH | (recursive ? KEEPER_AT_RECURSIVE : 0), &attributes),
        call->args[ARG_TARGET]);
}

/* The new tree is restricted before anybody can see it. */
static void put_bind(const struct hook_call *call, bool recursive)
{
    autoclose int target = open_place(call->args[ARG_TARGET]);
    errno = EINVAL;
    (void)hook_must(is_plain_path(call->args[ARG_SOURCE]) ? 0 : -1, call->args[ARG_SOURCE]);
    autoclose int tree =
        (int)hook_must(tree_take(AT_FDCWD, call->args[ARG_SOURCE], recursive), call->args[ARG_SOURCE]);
    change(tree, call, true);
    (void)hook_must(
        sys_move_mount(tree, "", target, "", KEEPER_MOVE_MOUNT_F_EMPTY_PATH | KEEPER_MOVE_MOUNT_T_EMPTY_PATH),
        call->args[ARG_TARGET]);
}

static void move(const struct hook_call *call, bool recursive)
{
    autoclose int target = open_place(call->args[ARG_TARGET]);
    autoclose int source = open_place(call->args[ARG_SOURCE]);
    (void)hook_must(sys_move_mount(source, "", target, "",
                                   KEEPER_MOVE_MOUNT_F_EMPTY_PATH | KEEPER_MOVE_MOUNT_T_EMPTY_PATH),
                    call->args[ARG_TARGET]);
    change(source, call, recursive);
}

/* From within the mount point, so that no name is looked up again. */
static void mount_new(const struct hook_call *call, bool recursive)
{
    const char *data = call->args[ARG_DATA];
    autoclose int target = open_place(call->args[ARG_TARGET]);
    (void)hook_must(fchdir(target), call->args[ARG_TARGET]);
    (void)hook_must(mount(call->args[ARG_SOURCE], ".", call->args[ARG_TYPE],
                          (unsigned long)number_of(call->args[ARG_FLAGS]), *data ? data : NULL),
                    call->args[ARG_TARGET]);
    autoclose int root = open_place(call->args[ARG_TARGET]);
    change(root, call, recursive);
}

void hook_mount(const struct hook_call *call)
{
    const char *kind = call->args[ARG_KIND];
    bool recursive = strcmp(call->args[ARG_RECURSIVE], "1") == 0;
    if (strcmp(kind, "new") == 0) {
        mount_new(call, recursive);
    } else if (strcmp(kind, "bind") == 0) {
        put_bind(call, recursive);
    } else if (strcmp(kind, "move") == 0) {
        move(call, recursive);
    } else if (strcmp(kind, "change") == 0) {
        autoclose int target = open_place(call->args[ARG_TARGET]);
        change(target, call, recursive);
    } else {
        errno = EINVAL;
        hook_fail(kind);
    }
}

/* From the directory it stands in: a mount that is somebody's working directory is busy. */
static int unmount(const char *path, int flags)
{
    const char *name;
    autoclose int dir = hook_try_parent(path, &name);
    if (dir < 0 || fchdir(dir) < 0)
        return -1;
    return umount2(name, flags | UMOUNT_NOFOLLOW);
}

/* What stands in /proc/self/mountinfo. */
static page_aligned char mountinfo[2 * 1024 * 1024];
static struct mounted {
    long id, parent;
    const char *point;
    bool is_below;
} mounts[16384];

static unsigned octal(const char *digits)
{
    unsigned value = 0;
    for (int i = 0; i < 3; i++) {
        if (digits[i] < '0' || digits[i] > '7')
            return 0;
        value = value * 8 + (unsigned)(digits[i] - '0');
    }
    return value & 0xff;
}

/* In place: the kernel writes blanks, tabs, line ends and backslashes as \ooo. */
static void unescape(char *text)
{
    char *to = text;
    for (const char *from = text; *from; to++) {
        unsigned byte = from[0] == '\\' ? octal(from + 1) : 0;
        *to = byte ? (char)byte : *from;
        from += byte ? 4 : 1;
    }
    *to = '\0';
}

/* ID PARENT MAJOR:MINOR ROOT POINT ... */
static void read_line(char *line, struct mounted *entry)
{
    entry->id = strtol(line, &line, 10);
    entry->parent = strtol(line, &line, 10);
    for (int field = 0; field < 2; field++)
        if ((line = strchr(line + 1, ' ')) == NULL)
            break;
    errno = EIO;
    (void)hook_must(line ? 0 : -1, "/proc/self/mountinfo");
    entry->point = ++line;
    line[strcspn(line, " ")] = '\0';
    unescape(line);
}

static size_t read_mounts(void)
{
    size_t count = 0;
    int size = read_small(AT_FDCWD, "/proc/self/mountinfo", mountinfo, sizeof mountinfo);
    errno = size < 0 ? -size : E2BIG;
    (void)hook_must(size < 0 || size == (int)sizeof mountinfo - 1 ? -1 : 0, "/proc/self/mountinfo");
    for (char *line = mountinfo, *end; *line; line = end) {
        end = line + strcspn(line, "\n");
        if (*end)
            *end++ = '\0';
        errno = E2BIG;
        (void)hook_must(count < LENGTH(mounts) ? 0 : -1, "/proc/self/mountinfo");
        mounts[count] = (struct mounted){0};
        read_line(line, &mounts[count++]);
    }
    return count;
}

/* Whatever stands on the topmost mount at `path`; what that one covers is out of reach and stays. */
static void mark_below(size_t count, const char *path)
{
    long top = -1;
    bool more = true;
    for (size_t i = 0; i < count; i++)
        if (strcmp(mounts[i].point, path) == 0)
            top = mounts[i].id;
    while (more) {
        more = false;
        for (size_t i = 0; i < count; i++) {
            bool on_it = mounts[i].parent == top;
            for (size_t j = 0; j < count && !on_it; j++)
                on_it = mounts[j].is_below && mounts[j].id == mounts[i].parent;
            more = more || (on_it && !mounts[i].is_below);
            mounts[i].is_below = on_it;
        }
    }
}

/* Those that others stand on are told before them, but not after a move: as long as something goes. */
static void unmount_below(const char *path, int flags)
{
    for (;;) {
        size_t count = read_mounts();
        const char *busy = NULL;
        int error = 0;
        bool done = false;
        mark_below(count, path);
        for (size_t i = count; i > 0; i--) {
            if (!mounts[i - 1].is_below)
                continue;
            if (unmount(mounts[i - 1].point, flags) == 0) {
                done = true;
                continue;
            }
            error = errno;
            busy = mounts[i - 1].point;
        }
        errno = error;
        (void)hook_must(busy && !done ? -1 : 0, busy ? busy : "");
        if (!busy)
            return;
    }
}

/* Lazily the kernel takes all that stands below along. */
void hook_umount(const struct hook_call *call)
{
    const char *path = call->args[0];
    int flags = (int)number_of(call->args[1]);
    bool recursive = strcmp(call->args[2], "1") == 0;
    errno = EINVAL;
    (void)hook_must(is_plain_path(path) && path[1] ? 0 : -1, path);
    if (recursive && !(flags & MNT_DETACH))
        unmount_below(path, flags);
    (void)hook_must(unmount(path, flags), path);
}
