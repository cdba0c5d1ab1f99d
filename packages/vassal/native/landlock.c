/* Landlock: which files and ports are left to the app, and that no abstract socket and no signal leaves the
 * jail. Run by the child as the tenant, inside: paths are opened with the tenant's own rights, its symlinks
 * are its business. */
#include "io.h"
#include "jail.h"
#include "report.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* execute, write, read, truncate, ioctl: the rights that a rule for a file may have */
#define FILE_RIGHTS (1U << 0 | 1U << 1 | 1U << 2 | 1U << 14 | 1U << 15)

static bool is_absent(int error)
{
    return error == ENOENT || error == ENOTDIR || error == EACCES;
}

static void allow_path(int ruleset, const struct landlock_path *rule)
{
    struct stat status;
    autoclose int fd = open(rule->path, O_PATH | O_CLOEXEC);
    if (fd < 0 && rule->optional && is_absent(errno))
        return;
    must(fd, STAGE_LANDLOCK, rule->path);
    must(fstat(fd, &status), STAGE_LANDLOCK, rule->path);
    uint64_t access = S_ISDIR(status.st_mode) ? rule->access : rule->access & FILE_RIGHTS;
    struct landlock_beneath beneath = {.access = access, .fd = fd};
    if (access)
        must(syscall(NR_landlock_add_rule, ruleset, KEEPER_LANDLOCK_PATH, &beneath, 0U), STAGE_LANDLOCK,
             rule->path);
}

static void allow_port(int ruleset, const struct landlock_port *rule)
{
    struct landlock_tcp tcp = {.access = rule->access, .port = rule->port};
    must(syscall(NR_landlock_add_rule, ruleset, KEEPER_LANDLOCK_PORT, &tcp, 0U), STAGE_LANDLOCK, "port");
}

void landlock_enter(const struct spec *spec)
{
    struct landlock_ruleset ruleset = {
        .handled_fs = spec->landlock_fs, .handled_net = spec->landlock_net, .scoped = spec->landlock_scope};
    if (!ruleset.handled_fs && !ruleset.handled_net && !ruleset.scoped)
        return;
    autoclose int fd = (int)must(syscall(NR_landlock_create_ruleset, &ruleset, sizeof ruleset, 0U),
                                 STAGE_LANDLOCK, "landlock_create_ruleset");
    for (size_t i = 0; i < spec->landlock_paths.count; i++)
        allow_path(fd, &spec->landlock_paths.at[i]);
    for (size_t i = 0; i < spec->landlock_ports.count; i++)
        allow_port(fd, &spec->landlock_ports.at[i]);
    must(syscall(NR_landlock_restrict_self, fd, 0U), STAGE_LANDLOCK, "landlock_restrict_self");
}
