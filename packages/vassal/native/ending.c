/* The end of a generation: kill what is left, take its last words, remove what was made, tell. Run by the
 * keeper. Nothing here waits: what is not done yet is looked at again at the next event or deadline. */
#include "facts.h"
#include "io.h"
#include "keeper.h"

#define FIRST_PAUSE_NS (2 * NS_PER_MS)
#define LONGEST_PAUSE_NS (250 * NS_PER_MS)
#define DRAIN_TURNS 4

/* How long an empty group waits for its init: a zombie held by a foreign tracer is not a process of ours. */
#define TRACER_NS (3 * NS_PER_S)

static void drain(struct keeper *keeper, struct generation *g)
{
    int64_t now_ns = monotonic_ns();
    for (size_t i = 0; i < LENGTH(g->streams); i++) {
        const char *wanted = g->ready_text[0] && !g->is_ready ? g->ready_text : NULL;
        for (int turn = 0; turn < DRAIN_TURNS && g->streams[i].fd >= 0; turn++) {
            struct stream_turn read = stream_read(&g->streams[i], &keeper->log, wanted, now_ns);
            if (read.found)
                generation_become_ready(keeper, g);
            if (read.ended)
                close_fd(&g->streams[i].fd);
            if (!read.total)
                break;
        }
    }
    if (g->notify >= 0)
        notify_readable(keeper, g, now_ns);
}

/* What the app said before it ended is told before its end. */
void generation_exit(struct keeper *keeper, struct generation *g, int status)
{
    if (g->phase != PHASE_RUNNING)
        return;
    drain(keeper, g);
    counters_read(g);
    g->has_exit = true;
    g->exit_status = status;
    g->exited_at = monotonic_ms();
    g->phase = PHASE_ENDING;
    fact_exited(keeper, g);
    generation_kill(g);
    generation_settle(keeper, g, monotonic_ns());
}

void generation_fail(struct keeper *keeper, struct generation *g)
{
    g->failed = true;
    g->phase = PHASE_ENDING;
    generation_kill(g);
    generation_settle(keeper, g, monotonic_ns());
}

static void look_again(struct generation *g, int64_t now_ns)
{
    g->pause_ns = g->pause_ns ? g->pause_ns * 2 : FIRST_PAUSE_NS;
    if (g->pause_ns > LONGEST_PAUSE_NS)
        g->pause_ns = LONGEST_PAUSE_NS;
    g->retry_ns = now_ns + g->pause_ns;
}

/* True when no process of the jail is left. */
static bool is_dead(struct generation *g, int64_t now_ns)
{
    bool no_init = g->starter == 0 && (g->init == 0 || g->init_reaped);
    if (!cgroup_is_empty(g)) {
        g->empty_ns = 0;
        generation_kill(g);
        return false;
    }
    if (no_init)
        return true;
    if (!g->empty_ns)
        g->empty_ns = now_ns;
    return g->events >= 0 && now_ns - g->empty_ns >= TRACER_NS;
}

static void close_all(struct keeper *keeper, struct generation *g)
{
    for (size_t i = 0; i < LENGTH(g->streams); i++)
        stream_finish(&g->streams[i], &keeper->log);
    notify_remove(keeper, g);
    close_fd(&g->status);
    close_fd(&g->report);
    close_fd(&g->init_pidfd);
    close_fd(&g->app_pidfd);
    close_fd(&g->events);
    while (g->offer_count > 0)
        close_fd(&g->offers[--g->offer_count]);
}

void generation_settle(struct keeper *keeper, struct generation *g, int64_t now_ns)
{
    if (g->phase != PHASE_ENDING)
        return;
    g->retry_ns = NEVER;
    if (!is_dead(g, now_ns) || !cgroups_remove(g)) {
        look_again(g, now_ns);
        return;
    }
    if (!undertaker_is_done(keeper, g, now_ns))
        return;
    close_all(keeper, g);
    g->phase = PHASE_OVER;
    setns_socket_settle(keeper);
    if (g->failed)
        fact_fail(keeper, g);
    else
        fact_gone(keeper, g);
}
