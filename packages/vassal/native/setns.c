/* Namespaces of others: a directory of them (/proc/PID/ns), one file, or a unix socket that hands them out as
 * uWSGI does. Run by the starter, as root, before the jail has any namespace of its own. */
#include "descriptors.h"
#include "io.h"
#include "jail.h"
#include "report.h"
#include "setns_greeting.h"
#include "sys.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>

#define PATIENCE_NS (5 * NS_PER_S)
#define RETRY_MS 20

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
    char greeting[SETNS_GREETING_SIZE + sizeof(int)];
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
    if (size != (ssize_t)sizeof greeting || memcmp(greeting, SETNS_GREETING, SETNS_GREETING_SIZE) != 0 ||
        (message.msg_flags & MSG_CTRUNC))
        fail(STAGE_NAMESPACES, spec->setns);
    size_t count = descriptors_of(&message, descriptors, LENGTH(descriptors));
    for (size_t i = 0; i < count; i++)
        (void)keep(spec, descriptors[i]);
}

/* Our own user namespace, before a foreign /proc is in sight. */
static struct stat own_user;

static bool is_own_user(int fd)
{
    struct stat theirs;
    return fstat(fd, &theirs) == 0 && theirs.st_ino == own_user.st_ino && theirs.st_dev == own_user.st_dev;
}

/* In mounts that somebody else has power over, root of the host would run his programs and follow his links:
 * they are joined only together with the user namespace that they belong to. */
static void refuse_foreign_mounts(const struct spec *spec, int mounts, int user)
{
    struct stat owner, joined = own_user;
    autoclose int fd = ioctl(mounts, KEEPER_NS_GET_USERNS);
    must(fd, STAGE_NAMESPACES, spec->setns);
    must(fstat(fd, &owner), STAGE_NAMESPACES, spec->setns);
    if (user >= 0)
        must(fstat(user, &joined), STAGE_NAMESPACES, spec->setns);
    errno = EPERM;
    if (owner.st_ino != joined.st_ino || owner.st_dev != joined.st_dev)
        fail(STAGE_NAMESPACES, "setns: the mounts belong to a user namespace that is not joined");
}

/* Its owner has power over whoever is in it: over nobody with an id of the host's root, and over nothing that
 * we have open. */
static void join_user(const struct spec *spec, int fd)
{
    must(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), STAGE_NAMESPACES, spec->setns);
    if (!spec->single_id)
        must(setgroups(0, NULL), STAGE_NAMESPACES, spec->setns);
    must(setns(fd, CLONE_NEWUSER), STAGE_NAMESPACES, spec->setns);
    must(setresgid(0, 0, 0), STAGE_NAMESPACES, "setns: the user namespace has no gid 0");
    must(setresuid(0, 0, 0), STAGE_NAMESPACES, "setns: the user namespace has no uid 0");
}

/* A process may not join the user namespace that it is in. */
static void join_all(const struct spec *spec)
{
    size_t joined = 0;
    int mounts = found[LENGTH(order) - 2], user = found[LENGTH(order) - 1];
    if (mounts >= 0)
        refuse_foreign_mounts(spec, mounts, user);
    for (size_t i = 0; i < LENGTH(order); i++) {
        if (found[i] < 0)
            continue;
        joined++;
        if (order[i] != CLONE_NEWUSER)
            must(setns(found[i], (int)order[i]), STAGE_NAMESPACES, spec->setns);
        else if (!is_own_user(found[i]))
            join_user(spec, found[i]);
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
    must(stat("/proc/self/ns/user", &own_user), STAGE_NAMESPACES, "/proc/self/ns/user");
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
