/* Landlock that only scopes: no abstract socket and no signal out of the jail. Run by the child as the
 * tenant. */
#include "io.h"
#include "jail.h"
#include "report.h"
#include "sys.h"

void landlock_enter(const struct spec *spec)
{
    struct landlock_ruleset ruleset = {.scoped = spec->landlock_scope};
    if (!spec->landlock_scope)
        return;
    autoclose int fd = (int)must(syscall(NR_landlock_create_ruleset, &ruleset, sizeof ruleset, 0U),
                                 STAGE_LANDLOCK, "landlock_create_ruleset");
    must(syscall(NR_landlock_restrict_self, fd, 0U), STAGE_LANDLOCK, "landlock_restrict_self");
}
