/* The notify socket of a generation, and what comes out of it. Run by the keeper (root): datagrams are a
 * tenant's bytes, so they are bounded, split at line ends, compared with known keys, and passed on; nothing
 * more. One socket per generation: which generation speaks is decided by the socket, not by a pid. */
#include "facts.h"
#include "io.h"
#include "keeper.h"
#include "sys.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define DATAGRAM_MAX 4096
#define DATAGRAMS_PER_TURN 32
#define TURN_NS (100 * NS_PER_MS)
#define FACTS_PER_SECOND 16
#define WATCHDOGS_PER_SECOND 4

static int failed(struct generation *g, const char *what)
{
    return note_failure(&g->failure, STAGE_NOTIFY, errno, what);
}

/* bind() by a name below /proc/self/fd is not bound by the 107 bytes of sun_path. */
static int bind_in(int fd, int dir, const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    errno = ENAMETOOLONG;
    if (!format_text(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", dir, name))
        return -1;
    return bind(fd, (const struct sockaddr *)&address, sizeof address);
}

/* A socket that an earlier keeper left under this name may go; nothing else may. */
static void remove_stale(int dir, const char *name)
{
    struct stat old;
    if (fstatat(dir, name, &old, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(old.st_mode))
        (void)unlinkat(dir, name, 0);
}

static int make_socket(struct generation *g, int dir, const char *name, const struct spec *spec)
{
    const int off = 0;
    remove_stale(dir, name);
    g->notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (g->notify < 0)
        return -1;
    /* Descriptors could block us when they are closed; older kernels throw them away in recv(). */
    if (setsockopt(g->notify, SOL_SOCKET, KEEPER_SO_PASSRIGHTS, &off, sizeof off) < 0 && errno != ENOPROTOOPT)
        return -1;
    if (fchmod(g->notify, 0600) < 0 || bind_in(g->notify, dir, name) < 0)
        return -1;
    return fchownat(dir, name, spec_outside_uid(spec, spec->uid), spec_outside_gid(spec, spec->gid),
                    AT_SYMLINK_NOFOLLOW);
}

/* `@/run/GEN` is the /run of this generation; the socket stands in it where the app will see it. */
static int make_in_run(struct keeper *keeper, struct generation *g, const struct spec *spec)
{
    char path[192];
    autoclose int scratch = scratch_open(&keeper->scratch);
    if (!format_text(path, sizeof path, "run/%llu", (unsigned long long)g->id) || scratch < 0)
        return failed(g, "/run");
    if (mkdirat(scratch, path, 0755) < 0 && errno != EEXIST)
        return failed(g, "/run");
    if (!spec->notify)
        return 0;

    errno = ENAMETOOLONG;
    if (!format_text(path, sizeof path, "run/%llu%s", (unsigned long long)g->id,
                     spec->notify + strlen("/run")))
        return failed(g, spec->notify);
    char *name = strrchr(path, '/');
    *name++ = '\0';
    int error = make_dirs(scratch, path);
    errno = -error;
    autoclose int dir = error ? -1 : openat(scratch, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return dir < 0 || make_socket(g, dir, name, spec) < 0 ? failed(g, spec->notify) : 0;
}

static int make_at_path(struct generation *g, const struct spec *spec)
{
    char path[sizeof g->notify_path];
    (void)copy_text(path, sizeof path, spec->notify); /* spec.c checked the length */
    char *name = strrchr(path, '/');
    *name++ = '\0';
    autoclose int dir = tree_open(AT_FDCWD, path[0] ? path : "/");
    if (dir < 0 || make_socket(g, dir, name, spec) < 0)
        return failed(g, spec->notify);
    (void)copy_text(g->notify_path, sizeof g->notify_path, spec->notify);
    return 0;
}

int notify_make(struct keeper *keeper, struct generation *g, const struct spec *spec)
{
    g->ready_by_notify = spec->ready_notify;
    g->notify_path[0] = '\0';
    if (spec->run)
        return make_in_run(keeper, g, spec);
    return spec->notify ? make_at_path(g, spec) : 0;
}

void notify_remove(struct keeper *keeper, struct generation *g)
{
    char name[32];
    close_fd(&g->notify);
    if (g->notify_path[0])
        (void)unlink(g->notify_path);
    if (!keeper->scratch.mounted)
        return;
    autoclose int scratch = scratch_open(&keeper->scratch);
    (void)format_text(name, sizeof name, "run/%llu", (unsigned long long)g->id);
    if (scratch >= 0)
        (void)remove_tree(scratch, name, 16);
}

static void new_window(struct generation *g, int64_t now_ns)
{
    if (now_ns - g->notify_window_ns < NS_PER_S)
        return;
    g->notify_window_ns = now_ns;
    g->notify_facts = 0;
    g->watchdog_facts = 0;
}

static void tell_status(struct keeper *keeper, struct generation *g)
{
    g->status_untold = g->notify_facts >= FACTS_PER_SECOND;
    if (g->status_untold)
        return; /* the last one is told when the second is over */
    g->notify_facts++;
    fact_notify(keeper, g, "STATUS", g->status_text);
}

static void take_status(struct keeper *keeper, struct generation *g, const char *value)
{
    size_t size = strnlen(value, NOTIFY_VALUE_MAX);
    memcpy(g->status_text, value, size);
    g->status_text[size] = '\0';
    tell_status(keeper, g);
}

static void take_assignment(struct keeper *keeper, struct generation *g, const char *key, const char *value)
{
    static const char *const others[] = {"STOPPING", "RELOADING", "ERRNO", "WATCHDOG_USEC",
                                         "EXTEND_TIMEOUT_USEC"};
    if (strcmp(key, "READY") == 0 && strcmp(value, "1") == 0 && g->ready_by_notify)
        generation_become_ready(keeper, g);
    if (strcmp(key, "STATUS") == 0)
        take_status(keeper, g, value);
    if (strcmp(key, "WATCHDOG") == 0 && g->watchdog_facts < WATCHDOGS_PER_SECOND) {
        g->watchdog_facts++;
        fact_notify(keeper, g, key, strlen(value) <= NOTIFY_VALUE_MAX ? value : "");
    }
    for (size_t i = 0; i < LENGTH(others); i++) {
        if (strcmp(key, others[i]) != 0 || strlen(value) > NOTIFY_VALUE_MAX ||
            g->notify_facts >= FACTS_PER_SECOND)
            continue;
        g->notify_facts++;
        fact_notify(keeper, g, key, value);
    }
}

static void take_datagram(struct keeper *keeper, struct generation *g, char *text)
{
    while (text) {
        char *line = text;
        text = strchr(line, '\n');
        if (text)
            *text++ = '\0';
        char *value = strchr(line, '=');
        if (!value)
            continue;
        *value++ = '\0';
        take_assignment(keeper, g, line, value);
    }
}

/* So many in a tenth of a second; the rest of a flood is not read before it is over: the sender waits, or
 * gets EAGAIN. */
void notify_readable(struct keeper *keeper, struct generation *g, int64_t now_ns)
{
    char text[DATAGRAM_MAX + 1];
    new_window(g, now_ns);
    if (now_ns - g->notify_turn_ns >= TURN_NS) {
        g->notify_turn_ns = now_ns;
        g->notify_datagrams = 0;
    }
    for (; g->notify_datagrams < DATAGRAMS_PER_TURN; g->notify_datagrams++) {
        ssize_t size = recv(g->notify, text, DATAGRAM_MAX, MSG_DONTWAIT | MSG_TRUNC);
        if (size < 0)
            return;
        if (size > DATAGRAM_MAX)
            continue; /* half a message says nothing */
        text[size] = '\0';
        take_datagram(keeper, g, text);
    }
    g->notify_resume_ns = g->notify_turn_ns + TURN_NS;
}

int64_t notify_deadline(const struct generation *g)
{
    int64_t told = g->status_untold ? g->notify_window_ns + NS_PER_S : NEVER;
    int64_t resumed = g->notify >= 0 && g->notify_resume_ns ? g->notify_resume_ns : NEVER;
    return told < resumed ? told : resumed;
}

void notify_tick(struct keeper *keeper, struct generation *g, int64_t now_ns)
{
    if (g->notify_resume_ns && now_ns >= g->notify_resume_ns)
        g->notify_resume_ns = 0;
    if (!g->status_untold || now_ns - g->notify_window_ns < NS_PER_S)
        return;
    new_window(g, now_ns);
    tell_status(keeper, g);
}
