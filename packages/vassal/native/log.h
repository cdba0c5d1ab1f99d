/* The log of one vassal: both streams of every generation, stamped, into LOGDIR/current, rotated here. */
#ifndef KEEPER_LOG_H
#define KEEPER_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_LINE_MAX 16384 /* a longer line is split */
#define LOG_STAMP_SIZE 29  /* `2026-11-20T10:00:00.123Z out ` */

struct log {
    char path[1024]; /* LOGDIR */
    int above;       /* the directory of LOGDIR, until there is one */
    int dir, file;   /* -1: not open */
    uint64_t size;   /* of `current` */
    uint64_t max_bytes, rate;
    unsigned keep;

    int64_t window_start_ns; /* of the rate limit */
    uint64_t window_lines;

    uint64_t dropped_lines, dropped_bytes; /* since the keeper started */
    uint64_t untold_lines;                 /* of them, not yet told */
    int64_t tell_at_ns;                    /* NEVER: nothing to tell */
    int trouble;                           /* errno of the last write, 0 = fine */
    int trouble_news;                      /* errno to tell, 0 = none */
};

/* One end of the app's output. `fd` is -1 when closed. */
struct stream {
    int fd;
    bool is_err;
    bool grown;       /* the pipe holds 1 MiB */
    unsigned carried; /* bytes of an unfinished line in `carry` */
    unsigned wakeups; /* in quick succession */
    int64_t last_read_ns;
    int64_t resume_ns; /* napping until then, 0 = not */
    char *carry;       /* LOG_LINE_MAX bytes */
};

void log_init(struct log *log, const char *path);

/* Open directory and file anew (somebody may have moved them), or see that they can be made: 0 or -errno. */
int log_open(struct log *log);

/* New limits, at once. */
void log_limits(struct log *log, uint64_t max_bytes, unsigned keep, uint64_t rate);

/* Write whole lines that carry their stamps; what cannot be written is counted as dropped. Never blocks on
 * more than the disk. */
void log_write(struct log *log, const char *text, size_t size);

/* Count lines as thrown away; they are told within a second. */
void log_drop(struct log *log, uint64_t lines, uint64_t bytes, int64_t now_ns);

/* The keeper's own line. */
void log_note(struct log *log, const char *text);

/* `stamp.c`: LOG_STAMP_SIZE bytes of the present moment. */
void stamp_now(char *stamp, const char *kind);

/* What a turn of reading saw. */
struct stream_turn {
    bool ended; /* end-of-file: nobody can write any more */
    bool found; /* the text of ready-log was in a line */
    size_t total;
};

/* Read what is there, bounded; `ready_text` may be NULL. */
struct stream_turn stream_read(struct stream *stream, struct log *log, const char *ready_text,
                               int64_t now_ns);

/* Nobody of the jail lives: take what is left, finish the last line, close. */
void stream_finish(struct stream *stream, struct log *log);

#endif
