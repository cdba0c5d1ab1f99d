/* What the emperor may ask: one table. Run by the keeper. A line that cannot be read closes the connection
 * (false); one that cannot be done is acknowledged with its errno. */
#include "facts.h"
#include "io.h"
#include "keeper.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#define WORDS_MAX 3
#define GENERATION_MAX UINT64_C(9007199254740991) /* what the emperor's numbers hold */

static bool run_launch(struct keeper *keeper, const uint64_t *words)
{
    if (words[1] > TAG_MAX || words[2] > BLOB_MAX)
        return false;
    struct client *client = &keeper->client;
    client->launch = words[0];
    client->tag_size = (size_t)words[1];
    client->blob_size = (size_t)words[2];
    client->payload_used = 0;
    return words[0] > 0;
}

static int refuse_launch(struct keeper *keeper, uint64_t id, const char *tag, size_t tag_size)
{
    if (keeper->ending)
        return ESHUTDOWN;
    if (generation_find(keeper, id))
        return EEXIST;
    return escaped_size(tag, tag_size) > LINE_MAX_BYTES - 128 ? EMSGSIZE : 0;
}

void command_launch(struct keeper *keeper, uint64_t id, char *tag, size_t tag_size, char *blob,
                    size_t blob_size)
{
    int error = refuse_launch(keeper, id, tag, tag_size);
    struct generation *generation = error ? NULL : generation_take(keeper, id, tag, tag_size);
    if (!error && !generation)
        error = EAGAIN;
    fact_ack(keeper, "launch", id, error);
    if (generation)
        generation_launch(keeper, generation, blob, blob_size);
}

static bool run_signal(struct keeper *keeper, const uint64_t *words)
{
    struct generation *generation = generation_find(keeper, words[0]);
    int error = !generation        ? ESRCH
                : words[1] >= NSIG ? EINVAL
                                   : generation_signal(generation, (int)words[1]);
    fact_ack(keeper, "signal", words[0], error);
    return true;
}

static bool run_signal_all(struct keeper *keeper, const uint64_t *words)
{
    struct generation *generation = generation_find(keeper, words[0]);
    int error = !generation        ? ESRCH
                : words[1] >= NSIG ? EINVAL
                                   : generation_signal_all(generation, (int)words[1]);
    fact_ack(keeper, "signal-all", words[0], error);
    return true;
}

static bool run_kill(struct keeper *keeper, const uint64_t *words)
{
    struct generation *generation = generation_find(keeper, words[0]);
    fact_ack(keeper, "kill", words[0], generation ? 0 : ESRCH);
    if (generation)
        generation_kill(generation);
    return true;
}

static bool run_forget(struct keeper *keeper, const uint64_t *words)
{
    struct generation *generation = generation_find(keeper, words[0]);
    int error = !generation ? ESRCH : generation->phase != PHASE_OVER ? EBUSY : 0;
    if (!error)
        generation_forget(generation);
    fact_ack(keeper, "forget", words[0], error);
    return true;
}

static bool run_log(struct keeper *keeper, const uint64_t *words)
{
    int error = words[1] > 10000 ? EINVAL : 0;
    if (!error)
        log_limits(&keeper->log, words[0], (unsigned)words[1], words[2]);
    fact_ack(keeper, "log", 0, error);
    return true;
}

static bool run_quit(struct keeper *keeper, const uint64_t *words)
{
    (void)words;
    bool busy = false;
    for (size_t i = 0; i < GENERATIONS; i++) {
        enum phase phase = keeper->generations[i].phase;
        busy = busy || (phase != PHASE_FREE && phase != PHASE_OVER);
    }
    keeper->ending = !busy;
    fact_ack(keeper, "quit", 0, busy ? EBUSY : 0);
    return true;
}

static const struct command {
    const char *word;
    size_t count;
    bool (*run)(struct keeper *keeper, const uint64_t *words);
} commands[] = {
    {"launch", 3, run_launch}, {"signal", 2, run_signal}, {"signal-all", 2, run_signal_all},
    {"kill", 1, run_kill},     {"forget", 1, run_forget}, {"log", 3, run_log},
    {"quit", 0, run_quit},
};

/* Words are separated by exactly one space; the first is looked up, the others are numbers. */
bool command_run(struct keeper *keeper, char *line)
{
    uint64_t words[WORDS_MAX] = {0};
    size_t count = 0;
    char *rest = strchr(line, ' ');
    if (rest)
        *rest++ = '\0';
    while (rest) {
        char *word = rest;
        rest = strchr(word, ' ');
        if (rest)
            *rest++ = '\0';
        if (count == WORDS_MAX || !parse_number(word, GENERATION_MAX, &words[count++]))
            return false;
    }
    for (size_t i = 0; i < LENGTH(commands); i++)
        if (strcmp(commands[i].word, line) == 0)
            return commands[i].count == count && commands[i].run(keeper, words);
    return false;
}
