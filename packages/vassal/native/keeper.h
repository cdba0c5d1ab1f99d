/* The process that holds one vassal: its state, and what its parts ask of each other. */
#ifndef KEEPER_KEEPER_H
#define KEEPER_KEEPER_H

#include "control.h"
#include "generation.h"
#include "log.h"
#include "scratch.h"

#define PROTOCOL_VERSION 1
#define NAME_SIZE 129
#define ID_SIZE 65
#define GENERATIONS 8

struct keeper {
    char name[NAME_SIZE];
    char id[ID_SIZE]; /* of its socket in keepers_dir */
    int keepers_dir;
    uint64_t start_ticks;
    bool ending; /* `quit` was accepted */

    int listener, signals;
    struct client client;
    struct scratch scratch;
    struct log log;
    struct generation generations[GENERATIONS];
};

/* What the spawner hands over. */
struct keeper_start {
    const char *id, *name, *log_dir;
    int keepers_dir, listener;
};

/* Become the keeper; returns never. */
_Noreturn void keeper_run(const struct keeper_start *start);

#endif
