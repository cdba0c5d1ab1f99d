/* The process that runs `hook-post-stop` when nothing of the jail is left, whoever has died meanwhile. */
#ifndef KEEPER_UNDERTAKER_H
#define KEEPER_UNDERTAKER_H

#include "spec.h"

#include <stdbool.h>
#include <stdint.h>

struct generation;
struct keeper;

/* What the keeper knows of one. */
struct undertaker {
    int link; /* SOCK_SEQPACKET: our words to it, its failures to us; -1: there is none */
    int pidfd;
    bool is_told;     /* that it is its turn */
    int64_t until_ns; /* its hooks cannot last longer */
    int64_t limit_ns; /* of all of them together */
};

/* undertaker.c: be one. `descriptors`: its end of the link, then where its hooks write. */
_Noreturn void undertaker_run(const struct spec *spec, const char *name, const int *descriptors);

/* Fork one if the spec has such hooks: 0, or -1 with the failure noted. `out`, `err`: where its hooks write.
 */
int undertaker_start(struct keeper *keeper, struct generation *generation, const struct spec *spec, int out,
                     int err);

/* It must know the init, to see its end if we do not. */
void undertaker_meet(struct generation *generation);

/* Nothing of the jail is left: let it work. True when it has ended. */
bool undertaker_is_done(struct keeper *keeper, struct generation *generation, int64_t now_ns);

/* It has said something, or ended. */
void undertaker_readable(struct keeper *keeper, struct generation *generation);

#endif
