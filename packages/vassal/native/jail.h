/* From clone to the tenant: everything between is done by the steps below, in the order of jail_enter(). */
#ifndef KEEPER_JAIL_H
#define KEEPER_JAIL_H

#include "spec.h"

#include <stdint.h>

/* Put the calling process into the jail: it is the tenant, fully restricted, when this returns. */
void jail_enter(struct spec *spec, uint64_t generation);

/* The steps, one file each; every one fails closed and has nothing to do when the spec asks nothing. */
void cgroups_v1_join(const struct spec *spec);
void cgroup_namespace_enter(const struct spec *spec);
void mounts_leave_host(const struct spec *spec);
void host_self_take(const struct spec *spec);
void mounts_apply(struct spec *spec, uint64_t generation);
void user_namespace_enter(const struct spec *spec);
void hostname_set(const struct spec *spec);
void loopback_up(const struct spec *spec);
void oom_score_set(const struct spec *spec);
void limits_apply(const struct spec *spec);
void scheduling_apply(const struct spec *spec);
void namespaces_offer(const struct spec *spec);
void identity_become(const struct spec *spec);
void lsm_prepare(const struct spec *spec);
void lsm_enter(const struct spec *spec);
void landlock_enter(const struct spec *spec);
void seccomp_enter(const struct spec *spec);

/* userns.c: the namespaces that clone makes; the others are made by user_namespace_enter(). */
uint64_t namespaces_at_clone(const struct spec *spec);
/* The host's /proc/self, or -1 when no step needs it. */
int host_self(void);
void host_self_leave(void);

/* setns.c: join namespaces of others. Before the jail's own are made. */
void setns_join(const struct spec *spec);

#endif
