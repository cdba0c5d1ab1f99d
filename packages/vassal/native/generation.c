/* The record of a generation, and what arrives from its jail. Run by the keeper (root), which only listens:
 * the child jails itself and says where it failed. */
#include "descriptors.h"
#include "facts.h"
#include "io.h"
#include "keeper.h"
#include "sys.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define REPORTS_PER_TURN 64

static page_aligned char carries[GENERATIONS][2][LOG_LINE_MAX];

struct generation *generation_find(struct keeper *keeper, uint64_t id)
{
    for (size_t i = 0; i < GENERATIONS; i++)
        if (keeper->generations[i].phase != PHASE_FREE && keeper->generations[i].id == id)
            return &keeper->generations[i];
    return NULL;
}

static void reset(struct generation *g)
{
    memset(g, 0, offsetof(struct generation, failure));
    g->texts_used = 0;
    g->notify_path[0] = g->status_text[0] = g->ready_text[0] = g->counters[0] = '\0';
    g->status = g->report = g->notify = g->init_pidfd = g->app_pidfd = g->events = -1;
    g->streams[0].fd = g->streams[1].fd = -1;
    g->undertaker.link = g->undertaker.pidfd = -1;
    g->retry_ns = NEVER;
}

struct generation *generation_take(struct keeper *keeper, uint64_t id, const char *tag, size_t tag_size)
{
    for (size_t i = 0; i < GENERATIONS; i++) {
        struct generation *g = &keeper->generations[i];
        if (g->phase != PHASE_FREE)
            continue;
        reset(g);
        g->phase = PHASE_LAUNCHING;
        g->id = id;
        g->launching_at = monotonic_ms();
        memcpy(g->tag, tag, tag_size);
        g->tag_size = tag_size;
        for (size_t j = 0; j < LENGTH(g->streams); j++)
            g->streams[j].carry = carries[i][j];
        g->streams[1].is_err = true;
        return g;
    }
    return NULL;
}

void generation_forget(struct generation *g)
{
    reset(g);
    g->phase = PHASE_FREE;
}

void generation_become_ready(struct keeper *keeper, struct generation *g)
{
    if (g->is_ready || (g->phase != PHASE_LAUNCHING && g->phase != PHASE_RUNNING))
        return;
    g->is_ready = true;
    g->ready_at = monotonic_ms();
    if (g->phase == PHASE_RUNNING)
        fact_ready(keeper, g);
}

static void become_running(struct keeper *keeper, struct generation *g)
{
    g->phase = PHASE_RUNNING;
    g->launched_at = monotonic_ms();
    fact_launched(keeper, g);
    if (g->is_ready)
        fact_ready(keeper, g);
    if (g->has_exit || g->init_reaped)
        generation_exit(keeper, g, g->has_exit ? g->exit_status : g->init_status);
}

/* End-of-file means exec, or that everybody died on the way: without the app's own word no tenant code ran.
 */
void generation_status_readable(struct keeper *keeper, struct generation *g)
{
    struct failure failure;
    if (g->phase != PHASE_LAUNCHING || g->status < 0)
        return;
    ssize_t size = read(g->status, &failure, sizeof failure);
    if (size < 0)
        return;
    generation_report_readable(keeper, g);
    close_fd(&g->status);
    if (size == (ssize_t)sizeof failure) {
        failure.what[sizeof failure.what - 1] = '\0';
        g->failure = failure;
        generation_fail(keeper, g);
    } else if (!g->has_app) {
        (void)note_failure(&g->failure, STAGE_INIT, g->killed ? EINTR : ECHILD,
                           g->killed ? "killed" : "init died");
        generation_fail(keeper, g);
    } else {
        become_running(keeper, g);
    }
}

static void take_word(struct keeper *keeper, struct generation *g, const struct word *word)
{
    switch ((enum word_kind)word->kind) {
    case WORD_APP:
    case WORD_INIT:
    case WORD_NAMESPACES:
        break; /* its use is in what came with it */
    case WORD_EXIT:
        if (g->has_exit)
            break;
        g->has_exit = true;
        g->exit_status = word->value;
        generation_exit(keeper, g, word->value);
        break;
    case WORD_READY:
        generation_become_ready(keeper, g);
        break;
    case WORD_TOUCHED:
        if (g->phase != PHASE_RUNNING || monotonic_ns() - g->touched_ns < NS_PER_S)
            break;
        g->touched_ns = monotonic_ns();
        fact_touched(keeper, g);
        break;
    }
}

struct parcel {
    struct ucred sender; /* the kernel wrote the pid as we see it */
    size_t count;
    int descriptors[WORD_DESCRIPTORS_MAX];
};

static void open_parcel(struct msghdr *message, struct parcel *parcel)
{
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = next_control(message, header))
        if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_CREDENTIALS)
            memcpy(&parcel->sender, CMSG_DATA(header), sizeof parcel->sender);
    parcel->count = descriptors_of(message, parcel->descriptors, LENGTH(parcel->descriptors));
}

static int take_out(struct parcel *parcel)
{
    int fd = parcel->descriptors[0];
    parcel->count = 0;
    return fd;
}

/* The starter may have been killed while it spoke, and the init be reaped already: its pidfd knows. */
static void take_init(struct generation *g, const struct word *word, struct parcel *parcel)
{
    siginfo_t info;
    if (!g->starter || g->init || parcel->count != 1)
        return;
    close_fd(&g->init_pidfd);
    g->init_pidfd = take_out(parcel);
    g->init = (pid_t)word->value;
    undertaker_meet(g);
    g->init_reaped = waitid(KEEPER_P_PIDFD, (id_t)g->init_pidfd, &info, WEXITED | WNOHANG | WNOWAIT) < 0;
    if (g->killed)
        generation_kill(g);
}

/* The first is the app's. */
static void take_app(struct generation *g, struct parcel *parcel)
{
    if (g->has_app || g->phase != PHASE_LAUNCHING || parcel->sender.pid <= 0 || parcel->count != 1)
        return;
    g->has_app = true;
    g->app = parcel->sender.pid;
    g->app_pidfd = take_out(parcel);
}

static void take_offers(struct generation *g, struct parcel *parcel)
{
    if (g->offer_count || !g->offers_held || g->phase != PHASE_LAUNCHING || parcel->count > OFFERS_MAX)
        return;
    memcpy(g->offers, parcel->descriptors, parcel->count * sizeof(int));
    g->offer_count = (int)parcel->count;
    parcel->count = 0;
}

static void take_parcel(struct generation *g, const struct word *word, struct msghdr *message)
{
    struct parcel parcel = {0};
    open_parcel(message, &parcel);
    if (word->kind == WORD_INIT)
        take_init(g, word, &parcel);
    else if (word->kind == WORD_NAMESPACES)
        take_offers(g, &parcel);
    else if (word->kind == WORD_APP)
        take_app(g, &parcel);
    for (size_t i = 0; i < parcel.count; i++)
        close(parcel.descriptors[i]); /* what nobody wanted */
}

void generation_report_readable(struct keeper *keeper, struct generation *g)
{
    for (int i = 0; i < REPORTS_PER_TURN && g->report >= 0; i++) {
        struct word word;
        struct iovec part = {&word, sizeof word};
        union {
            char bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(WORD_DESCRIPTORS_MAX * sizeof(int))];
            struct cmsghdr align;
        } control;
        struct msghdr message = {.msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = control.bytes,
                                 .msg_controllen = sizeof control.bytes};
        ssize_t size = recvmsg(g->report, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (size < 0)
            return;
        if (size == 0) {
            close_fd(&g->report);
            return;
        }
        if (size != (ssize_t)sizeof word)
            word.kind = -1; /* nobody's: what came with it is closed */
        take_parcel(g, &word, &message);
        take_word(keeper, g, &word);
    }
}

void generation_stream_readable(struct keeper *keeper, struct generation *g, struct stream *stream,
                                int64_t now_ns)
{
    const char *wanted = g->ready_text[0] && !g->is_ready ? g->ready_text : NULL;
    if (stream->fd < 0)
        return;
    struct stream_turn turn = stream_read(stream, &keeper->log, wanted, now_ns);
    if (turn.ended)
        close_fd(&stream->fd);
    if (turn.found)
        generation_become_ready(keeper, g);
}

/* Its word about the init, or about its failure, came before its end. */
void generation_starter_ended(struct keeper *keeper, struct generation *g)
{
    generation_report_readable(keeper, g);
    g->starter = 0;
    generation_status_readable(keeper, g);
    generation_settle(keeper, g, monotonic_ns());
}

void generation_init_ended(struct keeper *keeper, struct generation *g, int status)
{
    generation_report_readable(keeper, g); /* its word tells more than its end */
    g->init_reaped = true;
    g->init_status = status;
    generation_status_readable(keeper, g);
    generation_exit(keeper, g, status); /* killed before it could say a word */
    generation_settle(keeper, g, monotonic_ns());
}
