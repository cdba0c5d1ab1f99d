/* What this host gives. */
#ifndef KEEPER_HOST_PROBE_H
#define KEEPER_HOST_PROBE_H

/* Print what works, `NAME ERRNO` (0: it does); the exit code. */
int host_probe(void);

/* spawner.c: an ordinary user has power over nothing but a user namespace of its own, with itself in it as
 * the only id. 0 (also for root, who needs none) or an errno. */
int user_namespace_enter_own(void);

#endif
