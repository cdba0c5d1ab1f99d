/* The process between keeper and init, only where something comes before the jail's own namespaces. */
#ifndef KEEPER_STARTER_H
#define KEEPER_STARTER_H

#include "init.h"

/* Does this launch need one? */
bool starter_is_needed(const struct spec *spec);

/* Run what comes first, start the init as a child of the keeper, tell the keeper, end. */
_Noreturn void starter_run(const struct birth *birth);

#endif
