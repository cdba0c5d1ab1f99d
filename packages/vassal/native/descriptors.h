/* Descriptors over unix sockets. */
#ifndef KEEPER_DESCRIPTORS_H
#define KEEPER_DESCRIPTORS_H

#include <stddef.h>
#include <sys/socket.h>

#define DESCRIPTORS_MAX 64

/* One message with `count` (1 to DESCRIPTORS_MAX) descriptors, without SIGPIPE: 0, or -1 with errno. */
int descriptors_send(int socket, const void *bytes, size_t size, const int *descriptors, size_t count,
                     int flags);

/* Those of a received message, at most `most`; the others are closed. */
size_t descriptors_of(struct msghdr *message, int *descriptors, size_t most);

#endif
