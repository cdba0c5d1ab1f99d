/* What the keeper tells; each does nothing while nobody is connected (the replay tells it later). */
#ifndef KEEPER_FACTS_H
#define KEEPER_FACTS_H

#include "keeper.h"

void fact_launched(struct keeper *keeper, const struct generation *generation);
void fact_fail(struct keeper *keeper, const struct generation *generation);
void fact_ready(struct keeper *keeper, const struct generation *generation);
void fact_notify(struct keeper *keeper, const struct generation *generation, const char *key,
                 const char *value);
void fact_touched(struct keeper *keeper, const struct generation *generation);
void fact_exited(struct keeper *keeper, const struct generation *generation);
void fact_gone(struct keeper *keeper, const struct generation *generation);
void fact_dropped(struct keeper *keeper);
void fact_trouble(struct keeper *keeper, enum stage stage, int error, const char *what);
void fact_ack(struct keeper *keeper, const char *command, uint64_t generation, int error);

/* The whole state, from `hello` to `replayed`. */
void facts_replay(struct keeper *keeper);

/* How long `text` is as a last field. */
size_t escaped_size(const char *text, size_t size);

#endif
