/* Hostname, loopback, cgroup membership. Run by the child of the keeper as root, inside its new namespaces.
 */
#include "io.h"
#include "jail.h"
#include "report.h"

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

void cgroups_v1_join(const struct spec *spec)
{
    char path[4200];
    for (size_t i = 0; i < spec->cgroups_v1.count; i++) {
        const char *dir = spec->cgroups_v1.at[i];
        /* `tasks`, not `cgroup.procs`: a thread that moves itself waits for no RCU grace period */
        int error = format_text(path, sizeof path, "%s/tasks", dir) ? write_small(path, "0") : -ENAMETOOLONG;
        errno = -error;
        MUST(STAGE_CGROUP, error ? -1 : 0);
    }
}

void cgroup_namespace_enter(const struct spec *spec)
{
    if (spec->unshare & CLONE_NEWCGROUP)
        MUST(STAGE_NAMESPACES, unshare(CLONE_NEWCGROUP));
}

void hostname_set(const struct spec *spec)
{
    if (spec->hostname)
        must(sethostname(spec->hostname, strlen(spec->hostname)), STAGE_HOSTNAME, spec->hostname);
}

void loopback_up(const struct spec *spec)
{
    if (!spec->loopback)
        return;
    struct ifreq request = {.ifr_name = "lo"};
    autoclose int fd = (int)MUST(STAGE_NETWORK, socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    must(ioctl(fd, SIOCGIFFLAGS, &request), STAGE_NETWORK, "lo");
    request.ifr_flags = (short)(request.ifr_flags | IFF_UP);
    must(ioctl(fd, SIOCSIFFLAGS, &request), STAGE_NETWORK, "lo");
}
