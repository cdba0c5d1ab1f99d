/* Attempts on processes outside: the outsider's (of the same uid, so that only the jail stands between), the
 * init's and everybody's. Signals are number 0; a traced process is not stopped and is let go with the
 * attempt. */
#include "drill.h"

#include "io.h"
#include "sys.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>

#define KEYRING_SEARCH 10
#define KEYRING_SESSION (-3)
#define PTRACE_SEIZE_REQUEST 0x4206

/* In a pid namespace of its own the jail may have a process with that number. */
static pid_t outsider_of(const struct spec *spec)
{
    pid_t pid = (pid_t)drill_number(spec, "outsider");
    return pid > 0 && getsid(pid) == getsid(0) ? 0 : pid;
}

static bool has_outsider(const struct spec *spec, struct outcome *outcome)
{
    if (outsider_of(spec) > 0)
        return true;
    denied(outcome, ESRCH, "its number is taken by a process of the jail");
    return false;
}

static void signal_outsider(const struct spec *spec, struct outcome *outcome)
{
    if (!has_outsider(spec, outcome))
        return;
    if (kill(outsider_of(spec), 0) == 0) {
        allowed(outcome, "kill");
        return;
    }
    denied(outcome, errno, "kill");
    autoclose int pidfd = sys_pidfd_open(outsider_of(spec));
    if (pidfd >= 0 && sys_pidfd_send_signal(pidfd, 0) == 0)
        allowed(outcome, "pidfd_send_signal");
}

static void trace(struct outcome *outcome, pid_t pid, const char *whom)
{
    if (syscall(SYS_ptrace, PTRACE_SEIZE_REQUEST, pid, 0L, 0L) == 0)
        allowed(outcome, "%s can be traced", whom);
    else
        denied(outcome, errno, "ptrace of %s", whom);
}

static void trace_outsider(const struct spec *spec, struct outcome *outcome)
{
    char byte;
    struct iovec here = {&byte, 1}, there = {(void *)(uintptr_t)0x10000, 1};
    if (!has_outsider(spec, outcome))
        return;
    trace(outcome, outsider_of(spec), "the outsider");
    if (outcome->verdict == DRILL_ALLOWED)
        return;
    if (syscall(SYS_process_vm_readv, outsider_of(spec), &here, 1UL, &there, 1UL, 0UL) >= 0 ||
        errno == EFAULT)
        allowed(outcome, "process_vm_readv of the outsider");
}

/* It has our uid, and is not dumpable. Some files open for everybody, and then tell nothing. */
static void trace_init(const struct spec *spec, struct outcome *outcome)
{
    static const char *const read[] = {"environ", "maps", "auxv"}, *const opened[] = {"mem", "root", "cwd"};
    char path[64], byte;
    (void)spec;
    trace(outcome, drill_init, "init");
    for (size_t i = 0; i < LENGTH(read); i++) {
        (void)snprintf(path, sizeof path, "/proc/%d/%s", drill_init, read[i]);
        autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0 && pread(fd, &byte, 1, 0) == 1)
            allowed(outcome, "%s can be read", path);
    }
    for (size_t i = 0; i < LENGTH(opened); i++) {
        (void)snprintf(path, sizeof path, "/proc/%d/%s", drill_init, opened[i]);
        try_open(outcome, path, O_RDONLY);
    }
}

/* Processes of other uids, and the outsider, in /proc. */
static void proc_of_others(const struct spec *spec, struct outcome *outcome)
{
    char path[300];
    struct stat entry;
    DIR *proc = opendir("/proc");
    struct dirent *name;
    denied(outcome, ENOENT, "none but its own processes to be seen");
    while (proc && outcome->verdict != DRILL_ALLOWED && (name = readdir(proc)) != NULL) {
        if (name->d_name[0] < '1' || name->d_name[0] > '9')
            continue;
        (void)snprintf(path, sizeof path, "/proc/%s", name->d_name);
        if (stat(path, &entry) == 0 && entry.st_uid != geteuid() && strcmp(name->d_name, "1") != 0)
            allowed(outcome, "%s of uid %u can be seen", path, entry.st_uid);
    }
    if (proc)
        (void)closedir(proc);
    if (outcome->verdict == DRILL_ALLOWED || outsider_of(spec) == 0)
        return;
    (void)snprintf(path, sizeof path, "/proc/%d/environ", outsider_of(spec));
    autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0)
        allowed(outcome, "%s of the outsider opens", path);
}

/* What the prober holds is what an app is given: stdin, stdout, stderr. */
static void leaked_descriptors(const struct spec *spec, struct outcome *outcome)
{
    char path[64], target[128];
    (void)spec;
    denied(outcome, EBADF, "0, 1 and 2 only");
    for (int fd = 3; fd < 4096; fd++) {
        if (fcntl(fd, F_GETFD) < 0)
            continue;
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(path, target, sizeof target - 1);
        target[length > 0 ? length : 0] = '\0';
        allowed(outcome, "%d: %s", fd, target);
        return;
    }
    struct stat in;
    if (fstat(0, &in) < 0 || !S_ISCHR(in.st_mode))
        allowed(outcome, "stdin is not /dev/null");
}

static void abstract_socket(const struct spec *spec, struct outcome *outcome)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *name = drill_value(spec, "name", 0);
    if (!name || strlen(name) >= sizeof address.sun_path - 1) {
        skipped(outcome, "no outsider");
        return;
    }
    memcpy(address.sun_path + 1, name, strlen(name));
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
    autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, length) == 0)
        allowed(outcome, "the outsider's abstract socket accepts");
    else
        denied(outcome, errno, "connect");
}

static void loopback(const struct spec *spec, struct outcome *outcome)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)drill_number(spec, "port"));
    autoclose int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        allowed(outcome, "a port of the host's loopback accepts");
    else
        denied(outcome, errno, "connect");
}

static void sysv_ipc(const struct spec *spec, struct outcome *outcome)
{
    long key = drill_number(spec, "shm");
    int id = key == 0 ? -1 : shmget((key_t)key, 0, 0);
    if (id >= 0)
        allowed(outcome, "the outsider's shared memory");
    else
        denied(outcome, key == 0 ? ENOENT : errno, "shmget");
}

/* A key in the session keyring of the emperor. */
static void keyrings(const struct spec *spec, struct outcome *outcome)
{
    const char *name = drill_value(spec, "name", 0);
    static char keys[65536];
    long key = name ? syscall(SYS_keyctl, KEYRING_SEARCH, KEYRING_SESSION, "user", name, 0) : -1;
    if (key >= 0) {
        allowed(outcome, "it is found");
        return;
    }
    denied(outcome, errno, "keyctl");
    if (name && read_small(AT_FDCWD, "/proc/keys", keys, sizeof keys) > 0 && strstr(keys, name))
        allowed(outcome, "/proc/keys tells of it");
}

static _Noreturn void wait_for_end(pid_t parent)
{
    (void)alarm(20);
    while (getppid() == parent)
        (void)pause();
    _exit(0);
}

/* As many processes as are said (a few more than pids-max), which wait and are killed and reaped at once. */
static void fork_bomb(const struct spec *spec, struct outcome *outcome)
{
    static pid_t children[8192];
    size_t most = (size_t)drill_number(spec, "forks"), count = 0;
    int error = 0;
    if (most == 0 || most > LENGTH(children)) {
        skipped(outcome, "not tried");
        return;
    }
    pid_t self = getpid();
    while (count < most) {
        pid_t pid = fork();
        if (pid == 0)
            wait_for_end(self);
        if (pid < 0) {
            error = errno;
            break;
        }
        children[count++] = pid;
    }
    for (size_t i = 0; i < count; i++)
        (void)kill(children[i], SIGKILL);
    for (size_t i = 0; i < count; i++)
        (void)waitpid(children[i], NULL, 0);
    if (error)
        denied(outcome, error, "after %zu processes", count);
    else
        allowed(outcome, "%zu processes", count);
}

const struct attempt drill_processes[] = {
    {"leaked-descriptors", leaked_descriptors, true},
    {"signal-outsider", signal_outsider, false},
    {"trace-outsider", trace_outsider, false},
    {"trace-init", trace_init, false},
    {"proc-of-others", proc_of_others, false},
    {"abstract-socket", abstract_socket, false},
    {"loopback", loopback, false},
    {"sysv-ipc", sysv_ipc, false},
    {"keyring", keyrings, false},
    {"fork-bomb", fork_bomb, true},
    {NULL, NULL, false},
};
