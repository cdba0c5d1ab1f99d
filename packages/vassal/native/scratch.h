/* The keeper's private mount namespace and its scratch tmpfs, `@` in the blob:
 *   empty  an empty directory            hide   covers of hidden directories, made by jails
 *   files  contents of `file`, transient run/GEN /run of generation GEN, with its notify socket
 *   tmp    the tenant's sized tmpfs      dev    device nodes
 *   root   where a jail prepares a root of its own; upper  where it makes the tmpfs of an overlay */
#ifndef KEEPER_SCRATCH_H
#define KEEPER_SCRATCH_H

#include "report.h"
#include "spec.h"

struct scratch {
    char path[256]; /* empty: not made yet */
    bool namespaced, mounted, tmp, dev;
    uint64_t tmp_bytes, tmp_inodes;
};

/* Make what `spec` needs and is not there yet: 0, or -1 with `failure`. */
int scratch_leave_host(struct scratch *scratch, struct failure *failure);
int scratch_prepare(struct scratch *scratch, const struct spec *spec, struct failure *failure);

/* Open the scratch directory: a descriptor, or -1. */
int scratch_open(const struct scratch *scratch);

#endif
