/* The app's output: pipe -> whole stamped lines -> log. Run by the keeper. Bytes are looked at for line ends
 * (and for the text of ready-log) only. Two things make it fast: big batches, and a nap of 1 ms on a big pipe
 * when an app writes line by line, since each wake-up costs more than its line. The nap is only the time
 * until this stream is polled again; everything else is served meanwhile. */
#include "io.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define READ_SIZE (256 * 1024)
#define READS_PER_TURN 4
#define BATCH_SIZE (512 * 1024)
#define PIPE_SIZE (1024 * 1024)
#define BUSY_WAKEUPS 8
#define QUICK_NS (2 * NS_PER_MS)
#define NAP_NS NS_PER_MS
#define NAP_BELOW (128 * 1024)

/* Shared by all streams: nothing stays in them between turns. Pages are given back when the log is quiet. */
static page_aligned char input[LOG_LINE_MAX + READ_SIZE];
static page_aligned char batch[BATCH_SIZE];

struct batching {
    struct log *log;
    int64_t now_ns;
    size_t used;
    uint64_t refused_lines, refused_bytes;
    char stamp[32]; /* LOG_STAMP_SIZE bytes count; copied as 32, which is one or two instructions */
};

static void flush(struct batching *b)
{
    if (b->used)
        log_write(b->log, batch, b->used);
    b->used = 0;
}

/* A window of one second, counted in lines that are written (a split line is several). */
static bool rate_allows(struct batching *b)
{
    struct log *log = b->log;
    if (!log->rate)
        return true;
    if (b->now_ns - log->window_start_ns >= NS_PER_S) {
        log->window_start_ns = b->now_ns;
        log->window_lines = 0;
    }
    return log->window_lines++ < log->rate;
}

static void put_line(struct batching *b, const char *text, size_t size)
{
    if (!rate_allows(b)) {
        b->refused_lines++;
        b->refused_bytes += size + 1;
        return;
    }
    if (b->used + sizeof b->stamp + size + 1 > sizeof batch)
        flush(b);
    char *to = batch + b->used;
    memcpy(to, b->stamp, sizeof b->stamp);
    memcpy(to + LOG_STAMP_SIZE, text, size);
    to[LOG_STAMP_SIZE + size] = '\n';
    b->used += LOG_STAMP_SIZE + size + 1;
}

/* Everything but an unfinished last line, whose size it returns. */
static size_t put_lines(struct batching *b, const char *text, size_t size)
{
    const char *end = text + size;
    for (;;) {
        const char *line_end = memchr(text, '\n', (size_t)(end - text));
        size_t length = (size_t)((line_end ? line_end : end) - text);
        while (length > LOG_LINE_MAX || (!line_end && length == LOG_LINE_MAX)) {
            put_line(b, text, LOG_LINE_MAX);
            text += LOG_LINE_MAX;
            length -= LOG_LINE_MAX;
        }
        if (!line_end)
            return length;
        put_line(b, text, length);
        text = line_end + 1;
    }
}

static void begin(struct batching *b, struct log *log, const struct stream *stream)
{
    memset(b, 0, sizeof *b);
    b->log = log;
    b->now_ns = monotonic_ns();
    stamp_now(b->stamp, stream->is_err ? "err" : "out");
}

static void finish(struct batching *b)
{
    flush(b);
    if (b->refused_lines)
        log_drop(b->log, b->refused_lines, b->refused_bytes, b->now_ns);
}

static void finish_last_line(struct stream *stream, struct log *log)
{
    struct batching b;
    if (!stream->carried)
        return;
    begin(&b, log, stream);
    put_line(&b, stream->carry, stream->carried);
    finish(&b);
    stream->carried = 0;
}

/* One read(): its size, 0 when there is nothing, -1 at the end. */
static ssize_t read_once(struct stream *stream, struct log *log, const char *ready_text, bool *found)
{
    struct batching b;
    ssize_t got;
    do
        got = read(stream->fd, input + stream->carried, READ_SIZE);
    while (got < 0 && errno == EINTR);
    if (got <= 0)
        return got < 0 && errno == EAGAIN ? 0 : -1;

    size_t size = stream->carried + (size_t)got;
    memcpy(input, stream->carry, stream->carried);
    begin(&b, log, stream);
    size_t rest = put_lines(&b, input, size);
    finish(&b);
    if (ready_text && memmem(input, size - rest, ready_text, strlen(ready_text)))
        *found = true;
    memcpy(stream->carry, input + size - rest, rest);
    stream->carried = (unsigned)rest;
    return got;
}

static void grow(struct stream *stream)
{
    if (!stream->grown && fcntl(stream->fd, F_SETPIPE_SZ, PIPE_SIZE) >= PIPE_SIZE)
        stream->grown = true;
}

/* A busy stream is read again without being polled, at once or after the nap; finding nothing ends its being
 * busy. */
static void rest_or_nap(struct stream *stream, size_t total, int64_t now_ns)
{
    bool quick = now_ns - stream->last_read_ns < QUICK_NS;
    stream->wakeups = quick && total ? stream->wakeups + 1 : 0;
    stream->last_read_ns = now_ns;
    stream->resume_ns = 0;
    if (stream->wakeups >= BUSY_WAKEUPS || total >= READ_SIZE / 8)
        grow(stream);
    if (stream->wakeups >= BUSY_WAKEUPS && stream->grown) {
        stream->resume_ns = total < NAP_BELOW ? now_ns + NAP_NS : now_ns;
        stream->last_read_ns = stream->resume_ns;
        return;
    }
    RELEASE(input);
    RELEASE(batch);
}

struct stream_turn stream_read(struct stream *stream, struct log *log, const char *ready_text, int64_t now_ns)
{
    struct stream_turn turn = {.total = 0};
    for (int i = 0; i < READS_PER_TURN; i++) {
        ssize_t got = read_once(stream, log, ready_text, &turn.found);
        if (got < 0)
            turn.ended = true;
        if (got <= 0)
            break;
        turn.total += (size_t)got;
        if (got < READ_SIZE)
            break;
    }
    rest_or_nap(stream, turn.total, now_ns);
    if (turn.ended)
        finish_last_line(stream, log);
    return turn;
}

void stream_finish(struct stream *stream, struct log *log)
{
    bool found = false;
    if (stream->fd < 0)
        return;
    /* Twice what a pipe holds: a foreigner who goes on writing cannot keep us here. */
    for (int i = 0; i < 2 * PIPE_SIZE / READ_SIZE; i++)
        if (read_once(stream, log, NULL, &found) <= 0)
            break;
    finish_last_line(stream, log);
    close_fd(&stream->fd);
    release_pages(stream->carry, LOG_LINE_MAX);
    RELEASE(input);
    RELEASE(batch);
}
