/* Our namespaces for others: the socket of `setns-socket`, one per keeper, there while a generation lives
 * that offers its own. */
#ifndef KEEPER_SETNS_SOCKET_H
#define KEEPER_SETNS_SOCKET_H

#include "spec.h"

#include <sys/types.h>

#define OFFERS_MAX 7

struct generation;
struct keeper;

struct setns_socket {
    int listener, dir; /* -1: there is none */
    dev_t device;
    ino_t inode;
    int64_t pause_ns; /* nobody is served before, 0 = at once */
    char path[256];
};

void setns_socket_init(struct setns_socket *socket);

/* Make the socket that `spec` asks for: 0, or -1 with the failure of `g`. */
int setns_socket_make(struct keeper *keeper, struct generation *g, const struct spec *spec);

/* Somebody is there: he gets the namespaces of the newest generation that runs. */
void setns_socket_serve(struct keeper *keeper);

/* A generation ended: without another the socket goes. */
void setns_socket_settle(struct keeper *keeper);

#endif
