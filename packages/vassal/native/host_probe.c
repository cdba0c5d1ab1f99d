/* `keeper probe`: what this kernel gives with these privileges, one line each, tried and not guessed. Run by
 * the emperor once at its start, before it has any keeper; each try is a process of its own that ends at
 * once. */
#include "host_probe.h"

#include "io.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
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
    if (child < 0 || waitpid(child, &status, 0) < 0)
        return errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : EAGAIN;
}

static int try_unshare(uint64_t kind)
{
    return tried(unshare((int)kind));
}

/* All at once: some take the kernel a while to clean up. */
static const struct attempt {
    const char *name;
    int (*try)(uint64_t argument);
    uint64_t argument;
} attempts[] = {
    {"namespace mnt", try_unshare, CLONE_NEWNS},    {"namespace pid", try_unshare, CLONE_NEWPID},
    {"namespace ipc", try_unshare, CLONE_NEWIPC},   {"namespace uts", try_unshare, CLONE_NEWUTS},
    {"namespace net", try_unshare, CLONE_NEWNET},   {"namespace cgroup", try_unshare, CLONE_NEWCGROUP},
    {"namespace user", try_unshare, CLONE_NEWUSER}, {"namespace time", try_unshare, KEEPER_CLONE_NEWTIME},
    {"mount-setattr", try_mount_setattr, 0},        {"proc", try_proc, 0},
};

int host_probe(void)
{
    pid_t children[LENGTH(attempts)];
    long abi = syscall(NR_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION);
    (void)printf("landlock %ld\n", abi < 0 ? 0 : abi);
    (void)printf("own-user-namespace %d\n", user_namespace_enter_own());
    (void)fflush(stdout);
    for (size_t i = 0; i < LENGTH(attempts); i++) {
        children[i] = fork();
        if (children[i] == 0)
            _exit(attempts[i].try(attempts[i].argument));
    }
    for (size_t i = 0; i < LENGTH(attempts); i++) {
        int status = 0;
        bool known = children[i] > 0 && waitpid(children[i], &status, 0) == children[i] && WIFEXITED(status);
        (void)printf("%s %d\n", attempts[i].name, known ? WEXITSTATUS(status) : EAGAIN);
    }
    return fflush(stdout) == 0 ? 0 : 1;
}
