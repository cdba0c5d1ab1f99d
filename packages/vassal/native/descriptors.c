/* See descriptors.h. Run by every process that has a channel; nothing here waits but for what its caller
 * allows. */
#include "descriptors.h"

#include "sys.h"

#include <string.h>
#include <unistd.h>

#define CONTROL_SIZE CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))

int descriptors_send(int socket, const void *bytes, size_t size, const int *descriptors, size_t count,
                     int flags)
{
    struct iovec part = {.iov_base = (void *)(size_t)bytes, .iov_len = size};
    union {
        char bytes[CONTROL_SIZE];
        struct cmsghdr align;
    } control = {{0}};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes};
    size_t length = count * sizeof(int);
    message.msg_controllen = (unsigned)CMSG_SPACE(length);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = (unsigned)CMSG_LEN(length);
    memcpy(CMSG_DATA(header), descriptors, length);
    return sendmsg(socket, &message, flags | MSG_NOSIGNAL) < 0 ? -1 : 0;
}

size_t descriptors_of(struct msghdr *message, int *descriptors, size_t most)
{
    size_t taken = 0;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = next_control(message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
            if (taken < most)
                descriptors[taken++] = fd;
            else
                close(fd);
        }
    }
    return taken;
}
