/* Starts keepers on request, nothing else: the emperor (Node) must not fork them itself, since its loop would
 * stand still for each. Runs as root in CGROUP_LEAF; a keeper is a plain fork of it. Ends at end-of-file;
 * keepers live on. */
#include "spawner.h"

#include "host_probe.h"
#include "io.h"
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define REQUEST_MAX 2048
#define BACKLOG 16

static int enter_leaf(const char *leaf)
{
    char path[4200];
    if (strcmp(leaf, "-") == 0)
        return 0;
    if (!format_text(path, sizeof path, "%s/cgroup.procs", leaf))
        return -ENAMETOOLONG;
    return write_small(path, "0");
}

/* Bound with its mode from the first moment: bind() takes it from the socket's inode. -1 with errno. */
static int listen_at(int dir, const char *id)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!format_text(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", dir, id)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    if (fchmod(fd, 0600) < 0 || bind(fd, (const struct sockaddr *)&address, sizeof address) < 0)
        close_fd(&fd);
    if (fd >= 0 && listen(fd, BACKLOG) < 0) {
        int error = errno;
        (void)unlinkat(dir, id, 0);
        close_fd(&fd);
        errno = error;
    }
    return fd;
}

static void answer(const char *word, const char *id, int number)
{
    char line[ID_SIZE + 64];
    int length = snprintf(line, sizeof line, "%s %s %d\n", word, id, number);
    if (length > 0 && write(STDOUT_FILENO, line, (size_t)length) < 0)
        return; /* nobody listens: end-of-file comes next */
}

static void spawn(int dir, const char *id, const char *name, const char *log_dir)
{
    autoclose int listener = listen_at(dir, id);
    if (listener < 0) {
        answer("failed", id, errno);
        return;
    }
    pid_t pid = fork();
    if (pid == 0) {
        struct keeper_start start = {id, name, log_dir, dir, listener};
        keeper_run(&start);
    }
    if (pid < 0) {
        int error = errno;
        (void)unlinkat(dir, id, 0);
        answer("failed", id, error);
        return;
    }
    answer("spawned", id, (int)pid);
}

static bool is_id(const char *id)
{
    return *id && *id != '.' && strlen(id) < ID_SIZE &&
           strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == strlen(id);
}

static bool is_vassal_name(const char *name)
{
    for (const char *at = name; *at; at++)
        if ((unsigned char)*at <= 0x20 || *at == 0x7f)
            return false;
    return *name && strlen(name) < NAME_SIZE;
}

/* `spawn ID NAME LOGDIR`. False: not a request. */
static bool serve_line(int dir, char *line)
{
    char *fields[4] = {line};
    for (size_t i = 1; i < LENGTH(fields); i++) {
        fields[i] = strchr(fields[i - 1], ' ');
        if (!fields[i])
            return false;
        *fields[i]++ = '\0';
    }
    if (strcmp(fields[0], "spawn") != 0 || !is_id(fields[1]))
        return false;
    if (!is_vassal_name(fields[2]) || !is_plain_path(fields[3]) ||
        strlen(fields[3]) >= sizeof((struct log *)NULL)->path)
        answer("failed", fields[1], EINVAL);
    else
        spawn(dir, fields[1], fields[2], fields[3]);
    return true;
}

static int serve(int dir)
{
    static char buffer[REQUEST_MAX];
    size_t used = 0;
    for (;;) {
        ssize_t got = read(STDIN_FILENO, buffer + used, sizeof buffer - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0;
        used += (size_t)got;
        char *line = buffer;
        for (char *end; (end = memchr(line, '\n', used - (size_t)(line - buffer))) != NULL; line = end + 1) {
            *end = '\0';
            if (!serve_line(dir, line))
                return 2;
        }
        used -= (size_t)(line - buffer);
        memmove(buffer, line, used);
        if (used == sizeof buffer)
            return 2;
    }
}

/* Keepers born there can make every other namespace. */
int user_namespace_enter_own(void)
{
    char uids[32], gids[32];
    uid_t uid = geteuid();
    gid_t gid = getegid();
    if (uid == 0)
        return 0;
    (void)format_text(uids, sizeof uids, "%u %u 1", uid, uid);
    (void)format_text(gids, sizeof gids, "%u %u 1", gid, gid);
    if (unshare(CLONE_NEWUSER) < 0)
        return errno;
    int error = write_small("/proc/self/setgroups", "deny");
    error = error ? error : write_small("/proc/self/uid_map", uids);
    error = error ? error : write_small("/proc/self/gid_map", gids);
    return -error;
}

/* No signal ends the spawner, only end-of-file does; nobody waits for its keepers. What we were started with
 * ends here: keepers take our dispositions over (session.c). */
static void settle_signals(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, standard = {.sa_handler = SIG_DFL};
    sigset_t set;
    for (int number = 1; number < NSIG; number++)
        (void)sigaction(number, &standard, NULL);
    (void)sigaction(SIGCHLD, &ignore, NULL);
    (void)sigaction(SIGPIPE, &ignore, NULL);
    sigfillset(&set);
    (void)sigprocmask(SIG_SETMASK, &set, NULL);
}

int spawner_run(const char *keepers_dir, const char *cgroup_leaf)
{
    int dir = open(keepers_dir, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0) {
        (void)fprintf(stderr, "keeper: %s: %s\n", keepers_dir, strerror(errno));
        return 1;
    }
    int error = enter_leaf(cgroup_leaf);
    if (error) {
        (void)fprintf(stderr, "keeper: control group %s: %s\n", cgroup_leaf, strerror(-error));
        return 1;
    }
    (void)user_namespace_enter_own(); /* refused: `keeper probe` has told, and a launch tells */
    settle_signals();
    umask(0);
    return serve(dir);
}
