#ifndef KEEPER_SESSION_H
#define KEEPER_SESSION_H

#include "keeper.h"

/* Keep nothing of who started us, and open what the loop listens to; ends the process when it cannot. */
void session_leave_parent(struct keeper *keeper, const struct keeper_start *start);

/* When this process began, in clock ticks since boot: with the pid it names the process for ever. */
uint64_t session_start_ticks(void);

#endif
