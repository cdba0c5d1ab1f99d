/* See hook.h. Whoever stands at the place of a phase watches each hook's process until its end or its
 * deadline: its output goes to the vassal's log, the end of it into the failure. */
#include "hook.h"

#include "init.h"
#include "io.h"
#include "sys.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TAIL_SIZE 200
#define TEXT_SHOWN 170
#define PIECE 2048
#define KILL_NS (2 * NS_PER_S) /* what SIGKILL does not end by then hangs in the kernel */

static const enum stage stages[] = {
    [HOOK_PRE_JAIL] = STAGE_HOOK_PRE_JAIL,   [HOOK_POST_JAIL] = STAGE_HOOK_POST_JAIL,
    [HOOK_AS_ROOT] = STAGE_HOOK_AS_ROOT,     [HOOK_AS_USER] = STAGE_HOOK_AS_USER,
    [HOOK_POST_STOP] = STAGE_HOOK_POST_STOP,
};

/* A hook's process as seen by the one that waits. */
struct watched {
    pid_t pid;
    int pidfd, streams[2], trouble;
    char tail[TAIL_SIZE];
    size_t tail_size;
};

static int start(const struct spec *spec, const struct hook *hook, struct watched *w)
{
    int pipes[3][2] = {{-1, -1}, {-1, -1}, {-1, -1}};
    int result = 0;
    for (size_t i = 0; i < LENGTH(pipes) && result == 0; i++)
        if ((result = pipe2(pipes[i], O_CLOEXEC)) == 0)
            result = fcntl(pipes[i][0], F_SETFL, O_NONBLOCK);
    pid_t parent = getpid();
    w->pid = result < 0 ? -1 : fork();
    if (w->pid == 0) {
        const int write_ends[] = {pipes[0][1], pipes[1][1], pipes[2][1]};
        hook_become(spec, hook, write_ends, parent);
    }
    w->pidfd = w->pid < 0 ? -1 : sys_pidfd_open(w->pid);
    w->streams[0] = pipes[0][0];
    w->streams[1] = pipes[1][0];
    w->trouble = pipes[2][0];
    for (size_t i = 0; i < LENGTH(pipes); i++)
        close_fd(&pipes[i][1]);
    return w->pid < 0 || w->pidfd < 0 ? -1 : 0;
}

static void keep_tail(struct watched *w, const char *bytes, size_t size)
{
    if (size > TAIL_SIZE) {
        bytes += size - TAIL_SIZE;
        size = TAIL_SIZE;
    }
    size_t stays = w->tail_size + size > TAIL_SIZE ? TAIL_SIZE - size : w->tail_size;
    memmove(w->tail, w->tail + w->tail_size - stays, stays);
    memcpy(w->tail + stays, bytes, size);
    w->tail_size = stays + size;
}

/* The keeper reads the other end; while it is stalled by its disk the output waits until the hook's deadline.
 */
static void pass_on(int to, const char *bytes, size_t size, int64_t deadline_ns)
{
    struct pollfd pipe = {.fd = to, .events = POLLOUT};
    int64_t left_ms = (deadline_ns - monotonic_ns()) / NS_PER_MS;
    if (poll(&pipe, 1, left_ms > 0 ? (int)left_ms : 0) == 1 && (pipe.revents & POLLOUT))
        (void)!write(to, bytes, size); /* a piece fits where poll() says that there is room */
}

static void read_stream(struct watched *w, size_t which, int64_t deadline_ns)
{
    char piece[PIECE];
    while (w->streams[which] >= 0) {
        ssize_t size = read(w->streams[which], piece, sizeof piece);
        if (size < 0 && errno == EAGAIN)
            return;
        if (size <= 0) {
            close_fd(&w->streams[which]);
            return;
        }
        keep_tail(w, piece, (size_t)size);
        pass_on(which == 0 ? CHILD_OUT : CHILD_ERR, piece, (size_t)size, deadline_ns);
        if (monotonic_ns() >= deadline_ns)
            return;
    }
}

/* True when it ended before the deadline; what it still wrote has been read. */
static bool watch(struct watched *w, int64_t deadline_ns)
{
    for (;;) {
        struct pollfd fds[] = {{.fd = w->streams[0], .events = POLLIN},
                               {.fd = w->streams[1], .events = POLLIN},
                               {.fd = w->pidfd, .events = POLLIN}};
        int64_t left_ns = deadline_ns - monotonic_ns();
        if (left_ns <= 0)
            return false;
        (void)poll(fds, LENGTH(fds), (int)((left_ns + NS_PER_MS - 1) / NS_PER_MS));
        for (size_t i = 0; i < LENGTH(w->streams); i++)
            if (fds[i].revents || fds[2].revents)
                read_stream(w, i, deadline_ns);
        if (fds[2].revents)
            return true;
    }
}

static bool ends_within(int pidfd, int64_t patience_ns)
{
    struct pollfd fd = {.fd = pidfd, .events = POLLIN};
    return poll(&fd, 1, (int)(patience_ns / NS_PER_MS)) == 1;
}

/* Of the same /proc as we are, or pids of it would be others here. */
static bool children_of_self(char *text, size_t size)
{
    char path[64];
    if (read_small(AT_FDCWD, "/proc/self/stat", text, size) <= 0 || strtol(text, NULL, 10) != getpid())
        return false;
    (void)format_text(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    return read_small(AT_FDCWD, path, text, size) > 0;
}

void hook_kill_descendants(void)
{
    static char children[16384];
    const int64_t until_ns = monotonic_ns() + KILL_NS;
    do {
        if (getpid() == 1)
            (void)kill(-1, SIGKILL);
        else if (children_of_self(children, sizeof children))
            for (char *at = children; *at; at += strspn(at, " \n")) {
                long pid = strtol(at, &at, 10);
                if (pid > 0)
                    (void)kill((pid_t)pid, SIGKILL);
            }
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
        if (waitpid(-1, NULL, WNOHANG) < 0)
            return; /* none is left */
        (void)poll(NULL, 0, 1);
    } while (monotonic_ns() < until_ns);
}

/* Text, what became of it, and the last it said; on one line. */
static int note(const struct hook *hook, struct watched *w, int error, const char *outcome,
                struct failure *failure)
{
    char what[sizeof failure->what];
    size_t from = 0;
    while (w->tail_size && isspace((unsigned char)w->tail[w->tail_size - 1]))
        w->tail_size--;
    while (from < w->tail_size && isspace((unsigned char)w->tail[from]))
        from++;
    for (size_t i = from; i < w->tail_size; i++)
        if (w->tail[i] == '\n' || w->tail[i] == '\t' || w->tail[i] == '\0')
            w->tail[i] = ' ';
    (void)snprintf(what, sizeof what, "%.*s%s%s%s%.*s", TEXT_SHOWN, hook->text, *outcome ? ": " : "", outcome,
                   w->tail_size > from ? ": " : "", (int)(w->tail_size - from), w->tail + from);
    return note_failure(failure, stages[hook->phase], error, what);
}

static int judge(const struct hook *hook, struct watched *w, int status, struct failure *failure)
{
    struct hook_trouble trouble;
    char outcome[sizeof trouble.detail];
    if (read(w->trouble, &trouble, sizeof trouble) == (ssize_t)sizeof trouble) {
        trouble.detail[sizeof trouble.detail - 1] = '\0';
        return note(hook, w, trouble.error, trouble.detail, failure);
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    if (WIFEXITED(status))
        (void)format_text(outcome, sizeof outcome, "exit %d", WEXITSTATUS(status));
    else
        (void)format_text(outcome, sizeof outcome, "signal %d", WTERMSIG(status));
    return note(hook, w, ECANCELED, outcome, failure);
}

/* Its whole session dies with it, and what left the session by the next look below us. */
static int give_up(const struct hook *hook, struct watched *w, struct failure *failure)
{
    char outcome[64];
    (void)kill(-w->pid, SIGKILL);
    (void)kill(w->pid, SIGKILL);
    (void)ends_within(w->pidfd, KILL_NS);
    (void)format_text(outcome, sizeof outcome, "killed after %lld ms",
                      (long long)(hook->limit_ns / NS_PER_MS));
    return note(hook, w, ETIMEDOUT, outcome, failure);
}

int hook_run(const struct spec *spec, const struct hook *hook, struct failure *failure)
{
    struct watched w = {.pid = -1, .pidfd = -1, .streams = {-1, -1}, .trouble = -1};
    int result, status = 0;
    if (start(spec, hook, &w) < 0)
        result = note(hook, &w, errno, "", failure);
    else if (!watch(&w, monotonic_ns() + hook->limit_ns))
        result = give_up(hook, &w, failure);
    else if (waitpid(w.pid, &status, 0) < 0)
        result = note(hook, &w, errno, "", failure);
    else
        result = judge(hook, &w, status, failure);
    close_fd(&w.pidfd);
    close_fd(&w.streams[0]);
    close_fd(&w.streams[1]);
    close_fd(&w.trouble);
    return result;
}
