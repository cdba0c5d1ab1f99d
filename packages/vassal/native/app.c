/* Between fork and exec of the app. Run as the tenant, inside the jail, with all its restrictions: what is
 * read here is read with the tenant's own rights. */
#include "drill.h"
#include "init.h"
#include "io.h"
#include "report.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Tell the keeper who we are, before any code of the tenant can run: no word, no tenant code. The kernel adds
 * the host's pid (SO_PASSCRED on the keeper's side). */
static void introduce(void)
{
    autoclose int self = (int)MUST(STAGE_INIT, sys_pidfd_open(getpid()));
    MUST(STAGE_INIT, say_with(WORD_APP, 0, &self, 1));
}

/* Mask and ignored signals survive exec: the app starts with neither. */
static void default_signals(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigset_t none;
    for (int number = 1; number < NSIG; number++)
        (void)sigaction(number, &action, NULL); /* KILL, STOP and the libc's own refuse */
    sigemptyset(&none);
    MUST(STAGE_INIT, sigprocmask(SIG_SETMASK, &none, NULL));
}

/* What reads as empty. In a root without /dev (chroot, pivot-root) the end of a pipe that nobody writes into:
 * the /dev/null that we have is the host's. */
static int open_nothing(void)
{
    int ends[2];
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    must(null < 0 && errno != ENOENT ? -1 : 0, STAGE_EXEC, "/dev/null");
    if (null >= 0)
        return null;
    MUST(STAGE_EXEC, pipe2(ends, O_CLOEXEC));
    close(ends[1]);
    return ends[0];
}

static void take_stdio(void)
{
    MUST(STAGE_EXEC, dup2(open_nothing(), 0));
    MUST(STAGE_EXEC, dup2(CHILD_OUT, 1));
    MUST(STAGE_EXEC, dup2(CHILD_ERR, 2));
    MUST(STAGE_EXEC, sys_close_range(3, ~0U, KEEPER_CLOSE_RANGE_CLOEXEC));
}

static const char *search_path(char **environment)
{
    for (; *environment; environment++)
        if (strncmp(*environment, "PATH=", 5) == 0)
            return *environment + 5;
    return DEFAULT_PATH;
}

/* As execvp, without its libc-dependent fall-back to a shell. errno: the last real one, EACCES before ENOENT.
 */
void exec_in_path(char **arguments, char **environment)
{
    char file[4096];
    bool denied = false;
    if (strchr(arguments[0], '/')) {
        execve(arguments[0], arguments, environment);
        return;
    }
    for (const char *dir = search_path(environment); *dir;) {
        size_t length = strcspn(dir, ":");
        if (format_text(file, sizeof file, "%.*s%s%s", (int)length, dir, length ? "/" : "", arguments[0]))
            execve(file, arguments, environment);
        else
            errno = ENAMETOOLONG;
        if (errno == EACCES)
            denied = true;
        else if (errno != ENOENT && errno != ENOTDIR)
            return;
        dir += length + (dir[length] == ':');
    }
    errno = denied ? EACCES : ENOENT;
}

_Noreturn void app_exec(const struct spec *spec)
{
    MUST(STAGE_INIT, setsid());
    introduce();
    if (spec->chdir)
        must(chdir(spec->chdir), STAGE_CHDIR, spec->chdir);
    char **environment = environment_build(spec);
    default_signals();
    take_stdio();
    if (spec->drill.count)
        drill_run(spec);
    exec_in_path((char **)spec->arguments.at, environment);
    fail(STAGE_EXEC, spec->arguments.at[0]);
}
