/* The words of the blob about limits and scheduling, one function each; see words.c. */
#include "words.h"

#include "io.h"

#include <sched.h>
#include <string.h>

#define IO_CLASS_IDLE 3
#define IO_LEVELS 8
#define HIGHEST_PRIORITY 99

static bool parse_limit(const char *text, rlim_t *limit)
{
    uint64_t number = 0;
    if (strcmp(text, "-") != 0 && !parse_number(text, INT64_MAX, &number))
        return false;
    *limit = strcmp(text, "-") == 0 ? RLIM_INFINITY : (rlim_t)number;
    return true;
}

bool take_rlimit(struct spec *spec, char **args)
{
    uint64_t resource;
    struct resource_limit *entry = NEXT(spec->limits);
    if (!entry || !parse_number(args[0], 15, &resource))
        return false;
    entry->resource = (int)resource;
    return parse_limit(args[1], &entry->limit.rlim_cur) && parse_limit(args[2], &entry->limit.rlim_max) &&
           entry->limit.rlim_cur <= entry->limit.rlim_max;
}

/* Digits with or without a minus in front. */
static bool parse_signed(const char *text, int least, int most, int *number)
{
    uint64_t digits;
    bool negative = *text == '-';
    if (!parse_number(text + negative, 100000, &digits))
        return false;
    *number = negative ? -(int)digits : (int)digits;
    return *number >= least && *number <= most;
}

bool take_nice(struct spec *spec, char **args)
{
    return take_flag(&spec->scheduling.has_nice) && parse_signed(args[0], -20, 19, &spec->scheduling.nice);
}

bool take_ionice(struct spec *spec, char **args)
{
    uint64_t io_class = 0, level = 0;
    if (!take_flag(&spec->scheduling.has_ionice) || !parse_number(args[0], IO_CLASS_IDLE, &io_class) ||
        !parse_number(args[1], IO_LEVELS - 1, &level))
        return false;
    spec->scheduling.io_class = (unsigned)io_class;
    spec->scheduling.io_level = (unsigned)level;
    return true;
}

/* Real time has a priority, nothing else has one. */
bool take_sched(struct spec *spec, char **args)
{
    struct scheduling *scheduling = &spec->scheduling;
    if (!take_flag(&scheduling->has_sched) || !parse_signed(args[0], 0, SCHED_IDLE, &scheduling->policy) ||
        !parse_signed(args[1], 0, HIGHEST_PRIORITY, &scheduling->priority))
        return false;
    switch (scheduling->policy) {
    case SCHED_OTHER:
    case SCHED_BATCH:
    case SCHED_IDLE:
        return scheduling->priority == 0;
    case SCHED_FIFO:
    case SCHED_RR:
        return scheduling->priority > 0;
    default:
        return false;
    }
}

bool take_oom_score_adj(struct spec *spec, char **args)
{
    return take_flag(&spec->scheduling.has_oom_score_adj) &&
           parse_signed(args[0], -1000, 1000, &spec->scheduling.oom_score_adj);
}
