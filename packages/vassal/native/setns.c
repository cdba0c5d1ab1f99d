/* Namespaces of others: a directory of them (/proc/PID/ns), one file, or a unix socket that hands them out as
 * uWSGI does. Run by the starter, as root, before the jail has any namespace of its own. */
#include "descriptors.h"
#include "io.h"
#include "jail.h"
#include "report.h"
#include "sys.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>

#define PATIENCE_NS (5 * NS_PER_S)
#define RETRY_MS 20
#define GREETING "uwsgi-setns"
#define GREETING_SIZE (sizeof GREETING - 1)

/* Mounts next to last, since paths mean something else then; the user namespace last, since whoever has power
 * over the host's may join every other, and loses it there. */
static const uint64_t order[] = {CLONE_NEWCGROUP,      CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWNET,
                                 KEEPER_CLONE_NEWTIME, CLONE_NEWPID, CLONE_NEWNS,  CLONE_NEWUSER};

static int found[LENGTH(order)];

static bool is_on(int fd, long magic)
{
    struct statfs fs;
    return fstatfs(fd, &fs) == 0 && (long)fs.f_type == magic;
}

/* Keep a descriptor of a namespace that is wanted, the first of each kind. False: it is no namespace. */
static bool keep(const struct spec *spec, int fd)
{
    int kind = is_on(fd, KEEPER_NSFS_MAGIC) ? ioctl(fd, KEEPER_NS_GET_NSTYPE) : -1;
    for (size_t i = 0; i < LENGTH(order); i++) {
        if ((uint64_t)(unsigned)kind != order[i])
            continue;
        if ((order[i] & spec->setns_kinds) && found[i] < 0)
            found[i] = fd;
        else
            close(fd);
        return true;
    }
    close(fd);
    return false;
}

/* A name in /proc/PID/ns is a magic link; elsewhere a namespace is a file that it is mounted on, and no link.
 */
static int open_namespace(int dir, const char *name)
{
    const uint64_t flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC;
    if (is_on(dir, KEEPER_PROC_MAGIC))
        return openat(dir, name, (int)flags);
    return sys_openat2(dir, name, flags, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

static void take_file(const struct spec *spec)
{
    char parent[4096];
    if (!copy_text(parent, sizeof parent, spec->setns)) {
        errno = ENAMETOOLONG;
        fail(STAGE_NAMESPACES, spec->setns);
    }
    char *name = strrchr(parent, '/');
    *name++ = '\0';
    autoclose int dir =
        (int)must(tree_open(AT_FDCWD, parent[0] ? parent : "/"), STAGE_NAMESPACES, spec->setns);
    int fd = (int)must(open_namespace(dir, name), STAGE_NAMESPACES, spec->setns);
    errno = EINVAL;
    if (!keep(spec, fd))
        fail(STAGE_NAMESPACES, spec->setns);
}

static void take_directory(const struct spec *spec, int dir)
{
    static const char *const names[] = {"cgroup", "ipc", "uts", "net", "time", "pid", "mnt", "user"};
    for (size_t i = 0; i < LENGTH(names); i++) {
        int fd = open_namespace(dir, names[i]);
        if (fd < 0 && errno == ENOENT)
            continue; /* the kernel, or whoever made the directory, has it not */
        must(fd, STAGE_NAMESPACES, spec->setns);
        errno = EINVAL;
        if (!keep(spec, fd))
            fail(STAGE_NAMESPACES, spec->setns);
    }
}

static int left_ms(int64_t until_ns)
{
    int64_t left_ns = until_ns - monotonic_ns();
    return left_ns > 0 ? (int)(left_ns / NS_PER_MS) + 1 : 0;
}

static void too_late(const struct spec *spec)
{
    errno = ETIMEDOUT;
    fail(STAGE_NAMESPACES, spec->setns);
}

/* By the descriptor: the name was resolved without following a link. A full backlog is tried again. */
static int connect_to(const struct spec *spec, int place, int64_t until_ns)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)format_text(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d", place);
    int fd = (int)must(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), STAGE_NAMESPACES,
                       spec->setns);
    while (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
        if (errno != EAGAIN && errno != EINTR)
            fail(STAGE_NAMESPACES, spec->setns);
        if (left_ms(until_ns) == 0)
            too_late(spec);
        (void)poll(NULL, 0, RETRY_MS);
    }
    return fd;
}

/* One message: the greeting, a native count, as many descriptors. What is none of a namespace is let go. */
static void take_socket(const struct spec *spec, int place)
{
    char greeting[GREETING_SIZE + sizeof(int)];
    int64_t until_ns = monotonic_ns() + PATIENCE_NS;
    int descriptors[DESCRIPTORS_MAX];
    struct iovec part = {greeting, sizeof greeting};
    union {
        char bytes[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};

    autoclose int fd = connect_to(spec, place, until_ns);
    struct pollfd peer = {.fd = fd, .events = POLLIN};
    if (must(poll(&peer, 1, left_ms(until_ns)), STAGE_NAMESPACES, spec->setns) == 0)
        too_late(spec);
    ssize_t size = must(recvmsg(fd, &message, MSG_CMSG_CLOEXEC), STAGE_NAMESPACES, spec->setns);
    errno = EPROTO;
    if (size != (ssize_t)sizeof greeting || memcmp(greeting, GREETING, GREETING_SIZE) != 0 ||
        (message.msg_flags & MSG_CTRUNC))
        fail(STAGE_NAMESPACES, spec->setns);
    size_t count = descriptors_of(&message, descriptors, LENGTH(descriptors));
    for (size_t i = 0; i < count; i++)
        (void)keep(spec, descriptors[i]);
}

static bool is_joined(size_t index, const char *own)
{
    struct stat theirs, ours;
    return fstat(found[index], &theirs) == 0 && stat(own, &ours) == 0 && theirs.st_ino == ours.st_ino &&
           theirs.st_dev == ours.st_dev;
}

/* A process may not join the user namespace that it is in. */
static void join_all(const struct spec *spec)
{
    size_t joined = 0;
    for (size_t i = 0; i < LENGTH(order); i++) {
        if (found[i] < 0)
            continue;
        joined++;
        if (order[i] == CLONE_NEWUSER && is_joined(i, "/proc/self/ns/user"))
            continue;
        must(setns(found[i], 0), STAGE_NAMESPACES, spec->setns);
        if (order[i] == CLONE_NEWUSER)
            inner_root_become();
    }
    errno = ENOENT;
    if (!joined)
        fail(STAGE_NAMESPACES, spec->setns); /* nothing of what was asked is there */
}

void setns_join(const struct spec *spec)
{
    struct stat place;
    if (!spec->setns)
        return;
    memset(found, -1, sizeof found);
    autoclose int fd = sys_openat2(AT_FDCWD, spec->setns, O_PATH | O_CLOEXEC, RESOLVE_NO_SYMLINKS);
    if (fd < 0 && errno != ELOOP) /* ELOOP: a magic link, perhaps */
        fail(STAGE_NAMESPACES, spec->setns);
    if (fd >= 0)
        must(fstat(fd, &place), STAGE_NAMESPACES, spec->setns);
    if (fd >= 0 && S_ISDIR(place.st_mode))
        take_directory(spec, fd);
    else if (fd >= 0 && S_ISSOCK(place.st_mode))
        take_socket(spec, fd);
    else
        take_file(spec);
    join_all(spec);
    for (size_t i = 0; i < LENGTH(found); i++)
        close_fd(&found[i]);
    must(chdir("/"), STAGE_NAMESPACES, spec->setns);
}
