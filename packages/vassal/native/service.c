/* Tells the service manager (systemd, Type=notify) what the emperor has to say: Node has no unix datagrams. A
 * short-lived child of the emperor, with the emperor's rights; what it sends bears the emperor's own pid, as
 * NotifyAccess=main asks, and is believed also when we have ended before it is read. */
#include "service.h"

#include "io.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_S 5

/* `/path` or `@abstract`: the length of the address, 0 when it is neither. */
static socklen_t address_of(const char *name, struct sockaddr_un *address)
{
    size_t length = strlen(name);
    if ((*name != '/' && *name != '@') || length < 2 || length >= sizeof address->sun_path)
        return 0;
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, name, length + 1);
    bool is_abstract = *name == '@';
    if (is_abstract)
        address->sun_path[0] = '\0';
    /* An abstract name has no NUL at its end. */
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + !is_abstract);
}

/* 0 or -errno. */
static int send_as_parent(int fd, const struct sockaddr_un *address, socklen_t size, const char *text)
{
    struct sockaddr_un to = *address;
    struct iovec part = {.iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text)};
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct ucred))] = {0};
    struct msghdr message = {.msg_name = &to,
                             .msg_namelen = size,
                             .msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    const struct ucred parent = {.pid = getppid(), .uid = getuid(), .gid = getgid()};
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_CREDENTIALS;
    head->cmsg_len = CMSG_LEN(sizeof parent);
    memcpy(CMSG_DATA(head), &parent, sizeof parent);
    if (sendmsg(fd, &message, MSG_NOSIGNAL) >= 0)
        return 0;
    if (errno != EPERM)
        return -errno;
    /* Only root may speak for another process; a manager that accepts any of ours is served all the same. */
    message.msg_control = NULL;
    message.msg_controllen = 0;
    return sendmsg(fd, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int service_notify(const char *text)
{
    const char *name = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {0};
    socklen_t size = name ? address_of(name, &address) : 0;
    if (!size) {
        (void)fprintf(stderr, "keeper: NOTIFY_SOCKET names no unix socket\n");
        return 2;
    }
    autoclose int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    int error = fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) < 0
                    ? -errno
                    : send_as_parent(fd, &address, size, text);
    if (error)
        (void)fprintf(stderr, "keeper: %s: %s\n", name, strerror(-error));
    return error ? 1 : 0;
}
