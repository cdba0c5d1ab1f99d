/* The process outside every jail that holds one vassal for its whole life. Runs as root, in its own session,
 * in the control group of the spawner; with `scratch` in a private mount namespace. One poll loop; without an
 * event it sleeps for ever. It makes no policy: it does what it is told and tells what happened. */
#include "keeper.h"

#include "facts.h"
#include "io.h"
#include "session.h"
#include "title.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct keeper self;

void keeper_forget(void)
{
    RELEASE(self);
}

static void wait_for(struct wait_list *list, int fd, int events, struct waiter waiter)
{
    if (fd < 0)
        return;
    list->fds[list->count] = (struct pollfd){.fd = fd, .events = (short)events};
    list->waiters[list->count++] = waiter;
}

/* Reports before status: an app that execs and ends at once has said so before end-of-file is seen. */
static void wait_for_generation(struct wait_list *list, struct generation *g)
{
    if (g->phase == PHASE_FREE || g->phase == PHASE_OVER)
        return;
    for (size_t i = 0; i < LENGTH(g->streams); i++)
        if (!g->streams[i].resume_ns)
            wait_for(list, g->streams[i].fd, POLLIN, (struct waiter){FROM_STREAM, g, &g->streams[i]});
    if (!g->notify_resume_ns && g->phase != PHASE_LAUNCHING) /* what it says comes after `launched` */
        wait_for(list, g->notify, POLLIN, (struct waiter){FROM_NOTIFY, g, NULL});
    wait_for(list, g->report, POLLIN, (struct waiter){FROM_REPORT, g, NULL});
    wait_for(list, g->status, POLLIN, (struct waiter){FROM_STATUS, g, NULL});
    wait_for(list, g->undertaker.link, POLLIN, (struct waiter){FROM_UNDERTAKER, g, NULL});
    if (g->phase == PHASE_ENDING)
        wait_for(list, g->events, POLLPRI, (struct waiter){FROM_EVENTS, g, NULL});
}

static void collect(struct keeper *keeper, struct wait_list *list)
{
    list->count = 0;
    for (size_t i = 0; i < GENERATIONS; i++)
        wait_for_generation(list, &keeper->generations[i]);
    wait_for(list, keeper->signals, POLLIN, (struct waiter){FROM_CHILDREN, NULL, NULL});
    int events = client_has_output(&keeper->client) ? POLLIN | POLLOUT : POLLIN;
    wait_for(list, keeper->client.fd, events, (struct waiter){FROM_CLIENT, NULL, NULL});
    if (!keeper->accept_ns)
        wait_for(list, keeper->listener, POLLIN, (struct waiter){FROM_LISTENER, NULL, NULL});
    if (!keeper->setns_socket.pause_ns)
        wait_for(list, keeper->setns_socket.listener, POLLIN, (struct waiter){FROM_SETNS, NULL, NULL});
}

static void reap_children(struct keeper *keeper)
{
    struct signalfd_siginfo info;
    int status;
    pid_t pid;
    while (read(keeper->signals, &info, sizeof info) > 0)
        ;
    /* An init that a starter made is known by the starter's word alone, which may wait to be read. */
    for (size_t i = 0; i < GENERATIONS; i++)
        if (keeper->generations[i].phase != PHASE_FREE && keeper->generations[i].starter)
            generation_report_readable(keeper, &keeper->generations[i]);
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (size_t i = 0; i < GENERATIONS; i++) {
            struct generation *g = &keeper->generations[i];
            if (g->phase != PHASE_FREE && g->starter == pid)
                generation_starter_ended(keeper, g);
            else if (g->phase != PHASE_FREE && g->init == pid && !g->init_reaped)
                generation_init_ended(keeper, g, status);
        }
        /* others are orphans of a jail without a pid namespace: to be reaped, nothing else */
    }
}

static void client_event(struct keeper *keeper, short events)
{
    if (keeper->client.fd >= 0 && (events & POLLOUT))
        client_flush(&keeper->client);
    if (keeper->client.fd >= 0 && (events & ~POLLOUT))
        client_readable(keeper);
}

/* An earlier event of the same round may have closed what this one is about: each looks for itself. */
static void dispatch(struct keeper *keeper, const struct waiter *waiter, short events, int64_t now_ns)
{
    struct generation *g = waiter->generation;
    switch (waiter->source) {
    case FROM_STREAM:
        generation_stream_readable(keeper, g, waiter->stream, now_ns);
        break;
    case FROM_NOTIFY:
        if (g->notify >= 0)
            notify_readable(keeper, g, now_ns);
        break;
    case FROM_REPORT:
        generation_report_readable(keeper, g);
        break;
    case FROM_STATUS:
        generation_status_readable(keeper, g);
        break;
    case FROM_EVENTS:
        generation_settle(keeper, g, now_ns);
        break;
    case FROM_UNDERTAKER:
        undertaker_readable(keeper, g);
        break;
    case FROM_CHILDREN:
        reap_children(keeper);
        break;
    case FROM_CLIENT:
        client_event(keeper, events);
        break;
    case FROM_LISTENER:
        client_accept(keeper);
        break;
    case FROM_SETNS:
        setns_socket_serve(keeper);
        break;
    }
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t next_deadline(const struct keeper *keeper)
{
    int64_t next = earlier(keeper->log.tell_at_ns, keeper->accept_ns ? keeper->accept_ns : NEVER);
    if (keeper->setns_socket.pause_ns)
        next = earlier(next, keeper->setns_socket.pause_ns);
    for (size_t i = 0; i < GENERATIONS; i++) {
        const struct generation *g = &keeper->generations[i];
        if (g->phase == PHASE_FREE || g->phase == PHASE_OVER)
            continue;
        next = earlier(next, earlier(g->retry_ns, notify_deadline(g)));
        for (size_t j = 0; j < LENGTH(g->streams); j++)
            if (g->streams[j].fd >= 0 && g->streams[j].resume_ns)
                next = earlier(next, g->streams[j].resume_ns);
    }
    return next;
}

static void tell_log(struct keeper *keeper, int64_t now_ns)
{
    struct log *log = &keeper->log;
    if (now_ns < log->tell_at_ns)
        return;
    log->tell_at_ns = NEVER;
    if (log->trouble_news)
        fact_trouble(keeper, STAGE_LOG, log->trouble_news, log->path);
    log->trouble_news = 0;
    if (!log->untold_lines)
        return;
    char text[64];
    (void)format_text(text, sizeof text, "dropped %llu lines", (unsigned long long)log->untold_lines);
    log->untold_lines = 0;
    if (!log->trouble)
        log_note(log, text);
    fact_dropped(keeper);
}

static void tick(struct keeper *keeper, int64_t now_ns)
{
    tell_log(keeper, now_ns);
    if (now_ns >= keeper->accept_ns)
        keeper->accept_ns = 0;
    if (now_ns >= keeper->setns_socket.pause_ns)
        keeper->setns_socket.pause_ns = 0;
    for (size_t i = 0; i < GENERATIONS; i++) {
        struct generation *g = &keeper->generations[i];
        if (g->phase == PHASE_FREE || g->phase == PHASE_OVER)
            continue;
        for (size_t j = 0; j < LENGTH(g->streams); j++)
            if (g->streams[j].resume_ns && now_ns >= g->streams[j].resume_ns)
                generation_stream_readable(keeper, g, &g->streams[j], now_ns);
        notify_tick(keeper, g, now_ns);
        if (now_ns >= g->retry_ns)
            generation_settle(keeper, g, now_ns);
    }
}

static void sleep_until(struct wait_list *list, int64_t deadline_ns)
{
    struct timespec wait, *limit = NULL;
    if (deadline_ns != NEVER) {
        int64_t left = deadline_ns - monotonic_ns();
        left = left > 0 ? left : 0;
        wait.tv_sec = (time_t)(left / NS_PER_S);
        wait.tv_nsec = (long)(left % NS_PER_S);
        limit = &wait;
    }
    if (ppoll(list->fds, list->count, limit, NULL) < 0)
        list->count = 0; /* no memory in the kernel, or a signal that cannot be blocked: look again */
}

static _Noreturn void leave(struct keeper *keeper)
{
    (void)unlinkat(keeper->keepers_dir, keeper->id, 0);
    client_flush(&keeper->client);
    _exit(0); /* the mount namespace goes with us */
}

static _Noreturn void serve(struct keeper *keeper)
{
    struct wait_list *list = &keeper->waiting;
    for (;;) {
        collect(keeper, list);
        int64_t deadline_ns = next_deadline(keeper);
        if (deadline_ns == NEVER)
            release_stack(); /* quiet: an idle keeper is small */
        sleep_until(list, deadline_ns);
        int64_t now_ns = monotonic_ns();
        for (size_t i = 0; i < list->count; i++)
            if (list->fds[i].revents)
                dispatch(keeper, &list->waiters[i], list->fds[i].revents, now_ns);
        tick(keeper, now_ns);
        client_flush(&keeper->client);
        if (keeper->ending)
            leave(keeper);
    }
}

_Noreturn void keeper_run(const struct keeper_start *start)
{
    struct keeper *keeper = &self;
    (void)copy_text(keeper->name, sizeof keeper->name, start->name); /* the spawner checked the lengths */
    (void)copy_text(keeper->id, sizeof keeper->id, start->id);
    log_init(&keeper->log, start->log_dir);
    client_init(&keeper->client);
    setns_socket_init(&keeper->setns_socket);
    session_leave_parent(keeper, start);
    title_set("keeper", keeper->name);
    keeper->start_ticks = session_start_ticks();
    serve(keeper);
}
