/* The profile or context that the kernel gives the app at its exec. Run by the child: the attribute is opened
 * as root, while /proc is the host's, and written when the process is the tenant: whoever opened it may write
 * it, whatever /proc the jail has. The app inherits it by fork. */
#include "io.h"
#include "jail.h"
#include "report.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#define ATTRIBUTES "thread-self/attr/"

static int apparmor = -1;
static int selinux = -1;

/* A copy of the mount: a file open for writing would keep the jail's own /proc from becoming read-only. Where
 * no copy can be made (a mount namespace of somebody else's user namespace) no step can make it read-only
 * either. */
static int open_proc(void)
{
    int fd = sys_open_tree(AT_FDCWD, "/proc", KEEPER_OPEN_TREE_CLONE | KEEPER_OPEN_TREE_CLOEXEC);
    return fd >= 0 ? fd : open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

void lsm_prepare(const struct spec *spec)
{
    if (!spec->apparmor && !spec->selinux)
        return;
    autoclose int proc = (int)must(open_proc(), STAGE_LSM, "/proc");
    if (spec->apparmor) {
        apparmor = openat(proc, ATTRIBUTES "apparmor/exec", O_WRONLY | O_CLOEXEC);
        if (apparmor < 0 &&
            errno == ENOENT) /* before 5.8 there is one attribute for whatever module is first */
            apparmor = openat(proc, ATTRIBUTES "exec", O_WRONLY | O_CLOEXEC);
        must(apparmor, STAGE_LSM, "/proc/" ATTRIBUTES "apparmor/exec");
    }
    if (spec->selinux)
        selinux = (int)must(openat(proc, ATTRIBUTES "exec", O_WRONLY | O_CLOEXEC), STAGE_LSM,
                            "/proc/" ATTRIBUTES "exec");
}

static void give(int *attribute, const char *verb, const char *label)
{
    char text[PATH_MAX + 8];
    errno = ENAMETOOLONG;
    if (!format_text(text, sizeof text, "%s%s", verb, label))
        fail(STAGE_LSM, label);
    must(write(*attribute, text, strlen(text)), STAGE_LSM, label);
    close_fd(attribute);
}

void lsm_enter(const struct spec *spec)
{
    if (spec->apparmor)
        give(&apparmor, "exec ", spec->apparmor);
    if (spec->selinux)
        give(&selinux, "", spec->selinux);
}
