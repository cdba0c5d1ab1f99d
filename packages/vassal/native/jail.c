/* Run by the child of the keeper, as root, in the namespaces that clone3 made; leaves it as the tenant. */
#include "jail.h"

#include "hook.h"

/* The order is the design (docs/reference/keeper-protocol.md, design.md §7). Nothing here is optional at run
 * time: a step with nothing to do returns at once, it is not skipped by its caller. The v2 group and the
 * namespaces but the cgroup one are there from the first instruction (clone3). */
void jail_enter(struct spec *spec, uint64_t generation)
{
    cgroups_v1_join(spec);           /* first: single-threaded and childless, it needs no global lock */
    cgroup_namespace_enter(spec);    /* after the joins: the groups of this moment become its roots */
    oom_score_set(spec);             /* while /proc is the host's */
    mounts_leave_host(spec);         /* nothing mounted from here on is seen by the host */
    host_self_take(spec);            /* while /proc is the host's */
    hooks_run(spec, HOOK_POST_JAIL); /* the host's tree, in a copy: what they mount the root can be made of */
    lsm_prepare(spec);               /* while /proc is the host's */
    mounts_apply(spec, generation);  /* needs CAP_SYS_ADMIN, and the namespaces it shows (proc, cgroup2) */
    limits_apply(spec);              /* raising needs the host's root */
    scheduling_apply(spec);          /* so does going before others */
    user_namespace_enter(spec);      /* locks the mounts; from here on root is root of inside only */
    hostname_set(spec);
    loopback_up(spec);
    hooks_run(spec, HOOK_AS_ROOT);
    namespaces_offer(spec); /* setns-socket: all are there, and nothing of the tenant's ran */
    identity_become(
        spec);       /* bounding set, groups, gid, uid, keyring, capability sets, securebits, no_new_privs */
    lsm_enter(spec); /* as the tenant; counts from the next exec on */
    landlock_enter(spec); /* needs no_new_privs, and forbids what others did */
    seccomp_enter(spec);  /* last: everything before may need calls that it forbids */
    hooks_run(spec, HOOK_AS_USER);
}
