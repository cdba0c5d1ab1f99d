/* rlimits and umask. Run by the child of the keeper as root, before the identity changes. */
#include "jail.h"
#include "report.h"

#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>

void limits_apply(const struct spec *spec)
{
    for (size_t i = 0; i < spec->limits.count; i++) {
        const struct resource_limit *entry = &spec->limits.at[i];
        char what[32];
        (void)snprintf(what, sizeof what, "rlimit %d", entry->resource);
        must(setrlimit(entry->resource, &entry->limit), STAGE_LIMITS, what);
    }
    umask(spec->has_umask ? spec->umask : 022);
}
