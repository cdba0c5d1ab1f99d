/* See setns_socket.h. Run by the keeper (root), but namespaces_offer(). Nothing a peer sends is ever read,
 * nothing waits for a peer, and a turn serves so many and no more. */
#include "setns_socket.h"

#include "descriptors.h"
#include "io.h"
#include "jail.h"
#include "keeper.h"
#include "report.h"
#include "setns_greeting.h"
#include "sys.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 16
#define PEERS_PER_TURN 16
#define PAUSE_NS (200 * NS_PER_MS)

/* In the order in which uWSGI joins them: mounts last, since it finds nothing of its own any more then. */
static const struct {
    const char *name;
    uint64_t kind;
} offers[] = {
    {"cgroup", CLONE_NEWCGROUP},
    {"ipc", CLONE_NEWIPC},
    {"uts", CLONE_NEWUTS},
    {"net", CLONE_NEWNET},
    {"time_for_children", KEEPER_CLONE_NEWTIME},
    {"pid", CLONE_NEWPID},
    {"mnt", CLONE_NEWNS},
};
_Static_assert(LENGTH(offers) == OFFERS_MAX && OFFERS_MAX <= WORD_DESCRIPTORS_MAX, "one word holds them all");

/* Descriptors of what is offered of the process whose directory in /proc this is: how many, or -1 with errno.
 */
static int open_offers(int process, uint64_t kinds, int *descriptors)
{
    int count = 0;
    char path[40];
    for (size_t i = 0; i < LENGTH(offers); i++) {
        if (!(offers[i].kind & kinds))
            continue;
        (void)format_text(path, sizeof path, "ns/%s", offers[i].name);
        descriptors[count] = openat(process, path, O_RDONLY | O_CLOEXEC);
        if (descriptors[count] < 0) {
            int error = errno;
            while (count > 0)
                close(descriptors[--count]);
            errno = error;
            return -1;
        }
        count++;
    }
    return count;
}

/* Run by the child: before anything of the tenant could, with the rights that are gone later
 * (`setns-preopen`). */
void namespaces_offer(const struct spec *spec)
{
    int descriptors[OFFERS_MAX];
    if (spec->setns_preopen) {
        int count = (int)must(open_offers(host_self(), spec->setns_socket_kinds, descriptors),
                              STAGE_NAMESPACES, "setns-preopen");
        MUST(STAGE_NAMESPACES, say_with(WORD_NAMESPACES, 0, descriptors, (size_t)count));
        for (int i = 0; i < count; i++)
            close(descriptors[i]);
    }
    host_self_leave();
}

void setns_socket_init(struct setns_socket *socket)
{
    socket->listener = socket->dir = -1;
}

static void remove_socket(struct setns_socket *socket)
{
    struct stat now;
    const char *name = strrchr(socket->path, '/');
    if (socket->listener < 0)
        return;
    close_fd(&socket->listener);
    if (fstatat(socket->dir, name + 1, &now, AT_SYMLINK_NOFOLLOW) == 0 && now.st_ino == socket->inode &&
        now.st_dev == socket->device)
        (void)unlinkat(socket->dir, name + 1, 0);
    close_fd(&socket->dir);
}

/* Does somebody listen there? */
static bool is_alive(const struct sockaddr_un *address)
{
    autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 ||
           errno != ECONNREFUSED;
}

/* A socket of ours where nobody listens may go; nothing else may. */
static int replace(int dir, const char *from, const char *to)
{
    struct stat old;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (sys_renameat2(dir, from, dir, to, KEEPER_RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EEXIST)
        return -1;
    bool is_own = fstatat(dir, to, &old, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(old.st_mode) &&
                  old.st_uid == geteuid() &&
                  format_text(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", dir, to);
    errno = EADDRINUSE;
    return is_own && !is_alive(&address) ? renameat(dir, from, dir, to) : -1;
}

/* Under a name that nobody looks for until owner and mode are right; the mode comes from the socket's inode.
 */
static int bind_at(struct setns_socket *own, const char *name)
{
    char temporary[64];
    struct stat made;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)format_text(temporary, sizeof temporary, ".setns.%d.%llx", (int)getpid(),
                      (unsigned long long)monotonic_ns());
    if (!format_text(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", own->dir, temporary))
        return -1;
    own->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (own->listener < 0 || fchmod(own->listener, 0600) < 0 ||
        bind(own->listener, (const struct sockaddr *)&address, sizeof address) < 0)
        return -1;
    int result = listen(own->listener, BACKLOG);
    if (result == 0)
        result = replace(own->dir, temporary, name);
    if (result == 0)
        result = fstatat(own->dir, name, &made, AT_SYMLINK_NOFOLLOW);
    if (result < 0) {
        int error = errno;
        (void)unlinkat(own->dir, temporary, 0);
        errno = error;
        return -1;
    }
    own->device = made.st_dev;
    own->inode = made.st_ino;
    return 0;
}

int setns_socket_make(struct keeper *keeper, struct generation *g, const struct spec *spec)
{
    struct setns_socket *own = &keeper->setns_socket;
    char parent[sizeof own->path];
    g->offered_kinds = spec->setns_socket_kinds;
    g->offers_held = spec->setns_preopen;
    if (!spec->setns_socket || (own->listener >= 0 && strcmp(own->path, spec->setns_socket) == 0))
        return 0;
    remove_socket(own);
    if (!copy_text(own->path, sizeof own->path, spec->setns_socket))
        return note_failure(&g->failure, STAGE_NAMESPACES, ENAMETOOLONG, spec->setns_socket);
    (void)copy_text(parent, sizeof parent, own->path);
    char *name = strrchr(parent, '/');
    *name++ = '\0';
    own->dir = tree_open(AT_FDCWD, parent[0] ? parent : "/");
    if (own->dir < 0 || bind_at(own, name) < 0) {
        int error = errno;
        close_fd(&own->listener);
        close_fd(&own->dir);
        return note_failure(&g->failure, STAGE_NAMESPACES, error, spec->setns_socket);
    }
    return 0;
}

static struct generation *newest_running(struct keeper *keeper)
{
    struct generation *newest = NULL;
    for (size_t i = 0; i < GENERATIONS; i++) {
        struct generation *g = &keeper->generations[i];
        if (g->phase == PHASE_RUNNING && g->offered_kinds && (!newest || g->id > newest->id))
            newest = g;
    }
    return newest;
}

/* 15 bytes and the descriptors in one message. A peer whose buffer is full was never ours: it gets nothing.
 */
static void hand_over(int peer, const int *descriptors, int count)
{
    char greeting[SETNS_GREETING_SIZE + sizeof count];
    memcpy(greeting, SETNS_GREETING, SETNS_GREETING_SIZE);
    memcpy(greeting + SETNS_GREETING_SIZE, &count, sizeof count);
    (void)descriptors_send(peer, greeting, sizeof greeting, descriptors, (size_t)count, MSG_DONTWAIT);
}

static void serve_one(struct generation *g, int peer)
{
    char path[32];
    int descriptors[OFFERS_MAX];
    if (g->offers_held) {
        hand_over(peer, g->offers, g->offer_count);
        return;
    }
    (void)format_text(path, sizeof path, "/proc/%d", (int)g->init);
    autoclose int process = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int count = process < 0 ? -1 : open_offers(process, g->offered_kinds, descriptors);
    if (count > 0)
        hand_over(peer, descriptors, count);
    for (int i = 0; i < count; i++)
        close(descriptors[i]);
}

void setns_socket_serve(struct keeper *keeper)
{
    const int off = 0;
    for (int i = 0; i < PEERS_PER_TURN; i++) {
        int peer = accept4(keeper->setns_socket.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (peer < 0) {
            /* Gone again; or no descriptor is left, and he would wake us for ever. */
            bool again = errno == EAGAIN || errno == EINTR || errno == ECONNABORTED;
            keeper->setns_socket.pause_ns = again ? 0 : monotonic_ns() + PAUSE_NS;
            return;
        }
        /* What he sends along could block us when it is closed. */
        (void)setsockopt(peer, SOL_SOCKET, KEEPER_SO_PASSRIGHTS, &off, sizeof off);
        struct generation *g = newest_running(keeper);
        if (g)
            serve_one(g, peer);
        close(peer);
    }
}

void setns_socket_settle(struct keeper *keeper)
{
    for (size_t i = 0; i < GENERATIONS; i++) {
        const struct generation *g = &keeper->generations[i];
        bool is_alive_or_coming = g->phase != PHASE_FREE && g->phase != PHASE_OVER;
        if (is_alive_or_coming && g->offered_kinds)
            return;
    }
    remove_socket(&keeper->setns_socket);
}
