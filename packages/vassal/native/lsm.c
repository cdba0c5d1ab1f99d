/* The profile or context that the kernel gives the app at its exec. Run by the child: the attribute is opened
 * as root, while /proc is the host's, and written when the process is the tenant: whoever opened it may write
 * it, whatever /proc the jail has. The app inherits it by fork. */
#include "io.h"
#include "jail.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#define ATTRIBUTES "/proc/thread-self/attr/"

static int apparmor = -1;
static int selinux = -1;

void lsm_prepare(const struct spec *spec)
{
    if (spec->apparmor) {
        apparmor = open(ATTRIBUTES "apparmor/exec", O_WRONLY | O_CLOEXEC);
        if (apparmor < 0 &&
            errno == ENOENT) /* before 5.8 there is one attribute for whatever module is first */
            apparmor = open(ATTRIBUTES "exec", O_WRONLY | O_CLOEXEC);
        must(apparmor, STAGE_LSM, ATTRIBUTES "apparmor/exec");
    }
    if (spec->selinux)
        selinux = (int)must(open(ATTRIBUTES "exec", O_WRONLY | O_CLOEXEC), STAGE_LSM, ATTRIBUTES "exec");
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
