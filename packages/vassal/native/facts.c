/* Facts as lines. Run by the keeper. */
#include "facts.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FACT_MAX 3072

static bool is_plain(unsigned char byte)
{
    return byte >= 0x20 && byte != 0x7f && byte != '\\';
}

size_t escaped_size(const char *text, size_t size)
{
    size_t escaped = 0;
    for (size_t i = 0; i < size; i++)
        escaped += is_plain((unsigned char)text[i]) ? 1 : 4;
    return escaped;
}

static size_t escape(char *to, size_t room, const char *text, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    size_t used = 0;
    for (size_t i = 0; i < size && used + 4 <= room; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (is_plain(byte)) {
            to[used++] = (char)byte;
            continue;
        }
        to[used++] = '\\';
        to[used++] = 'x';
        to[used++] = digits[byte >> 4];
        to[used++] = digits[byte & 15];
    }
    return used;
}

/* A line: what `format` makes, then `last` as the field that may hold any byte. */
static void __attribute__((format(printf, 4, 5)))
tell(struct keeper *keeper, const char *last, size_t last_size, const char *format, ...)
{
    char line[FACT_MAX];
    va_list arguments;
    if (keeper->client.fd < 0)
        return;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line / 3, format, arguments);
    va_end(arguments);
    size_t used = length < 0 ? 0 : (size_t)length < sizeof line / 3 ? (size_t)length : sizeof line / 3 - 1;
    if (last) {
        line[used++] = ' ';
        used += escape(line + used, sizeof line - used - 1, last, last_size);
    }
    line[used++] = '\n';
    client_write(&keeper->client, line, used);
}

static unsigned long long number(uint64_t value)
{
    return value;
}

static void fact_hello(struct keeper *keeper)
{
    tell(keeper, keeper->name, strlen(keeper->name), "hello %d %d %llu", PROTOCOL_VERSION, (int)getpid(),
         number(keeper->start_ticks));
}

static void fact_launching(struct keeper *keeper, const struct generation *g)
{
    tell(keeper, g->tag, g->tag_size, "launching %llu %lld", number(g->id), (long long)g->launching_at);
}

void fact_launched(struct keeper *keeper, const struct generation *g)
{
    tell(keeper, g->tag, g->tag_size, "launched %llu %lld %d %d", number(g->id), (long long)g->launched_at,
         (int)g->init, (int)g->app);
}

void fact_fail(struct keeper *keeper, const struct generation *g)
{
    tell(keeper, g->failure.what, strnlen(g->failure.what, sizeof g->failure.what), "fail %llu %s %d",
         number(g->id), stage_name(g->failure.stage), (int)g->failure.error);
}

void fact_ready(struct keeper *keeper, const struct generation *g)
{
    tell(keeper, NULL, 0, "ready %llu %lld", number(g->id), (long long)g->ready_at);
}

void fact_notify(struct keeper *keeper, const struct generation *g, const char *key, const char *value)
{
    tell(keeper, value, strlen(value), "notify %llu %s", number(g->id), key);
}

void fact_touched(struct keeper *keeper, const struct generation *g)
{
    tell(keeper, NULL, 0, "touched %llu", number(g->id));
}

void fact_exited(struct keeper *keeper, const struct generation *g)
{
    bool signaled = WIFSIGNALED(g->exit_status);
    tell(keeper, NULL, 0, "exited %llu %lld %s %d %s", number(g->id), (long long)g->exited_at,
         signaled ? "signal" : "code", signaled ? WTERMSIG(g->exit_status) : WEXITSTATUS(g->exit_status),
         g->counters[0] ? g->counters : "-");
}

void fact_gone(struct keeper *keeper, const struct generation *g)
{
    tell(keeper, NULL, 0, "gone %llu", number(g->id));
}

void fact_dropped(struct keeper *keeper)
{
    tell(keeper, NULL, 0, "dropped %llu %llu", number(keeper->log.dropped_lines),
         number(keeper->log.dropped_bytes));
}

void fact_trouble(struct keeper *keeper, enum stage stage, int error, const char *what)
{
    tell(keeper, what, strlen(what), "trouble %s %d", stage_name(stage), error);
}

void fact_ack(struct keeper *keeper, const char *command, uint64_t generation, int error)
{
    tell(keeper, NULL, 0, "ack %s %llu %d", command, number(generation), error);
}

/* In the order in which the facts were first told. */
static void replay_generation(struct keeper *keeper, const struct generation *g)
{
    bool over = g->phase == PHASE_OVER;
    if (g->phase == PHASE_FREE)
        return;
    if (g->failed && over) {
        fact_fail(keeper, g);
        return;
    }
    if (g->launched_at)
        fact_launched(keeper, g);
    else
        fact_launching(keeper, g);
    if (g->is_ready && g->launched_at)
        fact_ready(keeper, g);
    if (g->status_text[0])
        fact_notify(keeper, g, "STATUS", g->status_text);
    if (g->has_exit && g->exited_at)
        fact_exited(keeper, g);
    if (over)
        fact_gone(keeper, g);
}

void facts_replay(struct keeper *keeper)
{
    fact_hello(keeper);
    for (size_t i = 0; i < GENERATIONS; i++)
        replay_generation(keeper, &keeper->generations[i]);
    if (keeper->log.dropped_lines)
        fact_dropped(keeper);
    tell(keeper, NULL, 0, "replayed");
}
