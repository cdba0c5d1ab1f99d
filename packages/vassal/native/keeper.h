/* The process that holds one vassal: its state, and what its parts ask of each other. */
#ifndef KEEPER_KEEPER_H
#define KEEPER_KEEPER_H

#include "control.h"
#include "generation.h"
#include "log.h"
#include "scratch.h"

#include <poll.h>

#define PROTOCOL_VERSION 1
#define NAME_SIZE 129
#define ID_SIZE 65
#define GENERATIONS 8

#define WAITERS_MAX (GENERATIONS * 7 + 4)

enum source {
    FROM_STREAM,
    FROM_NOTIFY,
    FROM_REPORT,
    FROM_STATUS,
    FROM_EVENTS,
    FROM_UNDERTAKER,
    FROM_CHILDREN,
    FROM_CLIENT,
    FROM_LISTENER,
    FROM_SETNS
};

/* What the poll loop sleeps on. */
struct wait_list {
    size_t count;
    struct pollfd fds[WAITERS_MAX];
    struct waiter {
        enum source source;
        struct generation *generation;
        struct stream *stream;
    } waiters[WAITERS_MAX];
};

/* Small and often used things first: an idle keeper touches three pages of it. */
struct keeper {
    char name[NAME_SIZE];
    char id[ID_SIZE]; /* of its socket in keepers_dir */
    int keepers_dir;
    uint64_t start_ticks;
    bool ending; /* `quit` was accepted */

    int listener, signals;
    int64_t accept_ns; /* nobody is let in before, 0 = at once */
    struct setns_socket setns_socket;
    struct scratch scratch;
    struct log log;
    struct wait_list waiting;
    struct client client;
    struct generation generations[GENERATIONS];
};

/* What the spawner hands over. */
struct keeper_start {
    const char *id, *name, *log_dir;
    int keepers_dir, listener;
};

/* A child's copy of the keeper's memory: given back, so that init costs next to nothing. */
void keeper_forget(void);

/* Become the keeper; returns never. */
_Noreturn void keeper_run(const struct keeper_start *start);

#endif
