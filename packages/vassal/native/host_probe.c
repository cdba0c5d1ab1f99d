/* `keeper probe`: what this kernel gives with these privileges, one line each, tried and not guessed. Run by
 * the emperor once at its start, before it has any keeper; each try is a process of its own that ends at
 * once. */
#include "host_probe.h"

#include "io.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define LANDLOCK_VERSION 1U

/* 0 or an errno. */
static int tried(long result)
{
    return result < 0 ? errno : 0;
}

static int try_mount_setattr(uint64_t flag)
{
    struct mount_attributes attributes = {.set = KEEPER_MOUNT_RDONLY};
    (void)flag;
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        return errno;
    autoclose int tree = sys_open_tree(
        AT_FDCWD, "/usr", KEEPER_OPEN_TREE_CLONE | KEEPER_OPEN_TREE_CLOEXEC | KEEPER_AT_RECURSIVE);
    if (tree < 0)
        return errno;
    return tried(sys_mount_setattr(tree, "", KEEPER_AT_EMPTY_PATH | KEEPER_AT_RECURSIVE, &attributes));
}

/* In a container with a masked /proc the kernel refuses a new one to whoever is not real root. */
static int try_proc(uint64_t flag)
{
    int status;
    (void)flag;
    if (unshare(CLONE_NEWNS | CLONE_NEWPID) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        return errno;
    pid_t child = fork();
    if (child == 0)
        _exit(tried(mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL)));
    return child < 0 || waitpid(child, &status, 0) < 0 ? errno : WEXITSTATUS(status);
}

static int try_unshare(uint64_t kind)
{
    return tried(unshare((int)kind));
}

/* A filter that is not there is a fault only where filters are known. */
static int try_seccomp(uint64_t flag)
{
    (void)flag;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL, 0, 0) < 0 && errno == EFAULT ? 0 : ENOSYS;
}

static void report(const char *what, int (*attempt)(uint64_t), uint64_t argument)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0)
        _exit(attempt(argument));
    bool known = child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status);
    (void)printf("%s %d\n", what, known ? WEXITSTATUS(status) : EAGAIN);
    (void)fflush(stdout);
}

int host_probe(void)
{
    static const struct {
        const char *name;
        uint64_t kind;
    } kinds[] = {{"namespace mnt", CLONE_NEWNS},    {"namespace pid", CLONE_NEWPID},
                 {"namespace ipc", CLONE_NEWIPC},   {"namespace uts", CLONE_NEWUTS},
                 {"namespace net", CLONE_NEWNET},   {"namespace cgroup", CLONE_NEWCGROUP},
                 {"namespace user", CLONE_NEWUSER}, {"namespace time", KEEPER_CLONE_NEWTIME}};
    long abi = syscall(NR_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION);
    (void)printf("landlock %ld\n", abi < 0 ? 0 : abi);
    (void)fflush(stdout);
    (void)printf("own-user-namespace %d\n", user_namespace_enter_own());
    (void)fflush(stdout);
    for (size_t i = 0; i < LENGTH(kinds); i++)
        report(kinds[i].name, try_unshare, kinds[i].kind);
    report("mount-setattr", try_mount_setattr, 0);
    report("proc", try_proc, 0);
    report("seccomp", try_seccomp, 0);
    return 0;
}
