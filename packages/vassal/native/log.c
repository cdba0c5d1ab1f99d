/* The log file: open, write, rotate, count what is lost. Run by the keeper (root), outside every jail. A full
 * or broken disk never stops the app: its lines are counted as dropped and the next ones are tried again. */
#include "log.h"

#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_MAX_BYTES (UINT64_C(16) << 20)
#define DEFAULT_KEEP 5
#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define OPEN_FLAGS (O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)

void log_init(struct log *log, const char *path)
{
    (void)copy_text(log->path, sizeof log->path, path); /* the spawner checked the length */
    log->above = log->dir = log->file = -1;
    log->max_bytes = DEFAULT_MAX_BYTES;
    log->keep = DEFAULT_KEEP;
    log->tell_at_ns = NEVER;
}

static int open_current(struct log *log)
{
    struct stat file;
    close_fd(&log->file);
    log->file = openat(log->dir, "current", OPEN_FLAGS, 0640);
    if (log->file < 0)
        return -errno;
    if (fstat(log->file, &file) < 0 || !S_ISREG(file.st_mode)) {
        close_fd(&log->file);
        return -EINVAL;
    }
    log->size = (uint64_t)file.st_size;
    return 0;
}

/* Nothing has been written yet: see now that it can be, make it with the first line. Making an inode is slow
 * on some file systems, and most apps start without a word. */
static int open_above(struct log *log)
{
    char above[sizeof log->path];
    (void)copy_text(above, sizeof above, log->path);
    char *slash = strrchr(above, '/'); /* absolute: the spawner looked */
    slash[slash == above] = '\0';
    log->above = open(above, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (log->above < 0 || faccessat(log->above, ".", W_OK | X_OK, 0) < 0)
        return -errno;
    return 0;
}

static int make_dir(struct log *log)
{
    const char *name = strrchr(log->path, '/') + 1;
    if (log->above < 0)
        return -EBADF;
    if (mkdirat(log->above, name, 0750) < 0 && errno != EEXIST)
        return -errno;
    log->dir = openat(log->above, name, DIR_FLAGS);
    if (log->dir < 0)
        return -errno;
    close_fd(&log->above);
    return 0;
}

int log_open(struct log *log)
{
    close_fd(&log->above);
    close_fd(&log->dir);
    close_fd(&log->file);
    log->dir = open(log->path, DIR_FLAGS);
    if (log->dir < 0)
        return errno == ENOENT ? open_above(log) : -errno;
    return open_current(log);
}

static void name_of(char *name, size_t size, unsigned number)
{
    (void)format_text(name, size, "current.%u", number);
}

static void remove_surplus(const struct log *log)
{
    char name[24];
    for (unsigned number = log->keep + 1;; number++) {
        name_of(name, sizeof name, number);
        if (unlinkat(log->dir, name, 0) < 0)
            return;
    }
}

void log_limits(struct log *log, uint64_t max_bytes, unsigned keep, uint64_t rate)
{
    log->max_bytes = max_bytes;
    log->keep = keep;
    log->rate = rate;
    if (log->dir >= 0)
        remove_surplus(log);
}

/* 0, or -errno with the old file still in use. */
static int rotate(struct log *log)
{
    char older[24], newer[24];
    for (unsigned number = log->keep; number > 1; number--) {
        name_of(older, sizeof older, number);
        name_of(newer, sizeof newer, number - 1);
        if (renameat(log->dir, newer, log->dir, older) < 0 && errno != ENOENT)
            return -errno;
    }
    int result =
        log->keep ? renameat(log->dir, "current", log->dir, "current.1") : unlinkat(log->dir, "current", 0);
    if (result < 0 && errno != ENOENT)
        return -errno;
    return open_current(log);
}

void log_drop(struct log *log, uint64_t lines, uint64_t bytes, int64_t now_ns)
{
    log->dropped_lines += lines;
    log->dropped_bytes += bytes;
    log->untold_lines += lines;
    if (log->tell_at_ns == NEVER)
        log->tell_at_ns = now_ns + NS_PER_S;
}

static uint64_t count_lines(const char *text, size_t size)
{
    uint64_t lines = 0;
    for (const char *at = text; (at = memchr(at, '\n', size - (size_t)(at - text))) != NULL; at++)
        lines++;
    return lines;
}

static void note_trouble(struct log *log, int error)
{
    if (error && error != log->trouble) {
        log->trouble_news = error;
        if (log->tell_at_ns == NEVER)
            log->tell_at_ns = monotonic_ns();
    }
    log->trouble = error;
}

/* Write all, or as many whole lines as go: the number of bytes that are in the file. */
static size_t write_lines(struct log *log, const char *text, size_t size)
{
    size_t done = 0;
    int error = 0;
    while (done < size && !error) {
        ssize_t written = write(log->file, text + done, size - done);
        if (written > 0)
            done += (size_t)written;
        else if (written == 0 || errno != EINTR)
            error = written == 0 ? ENOSPC : errno;
    }
    if (error && done) {
        const char *end = memrchr(text, '\n', done);
        size_t whole = end ? (size_t)(end - text) + 1 : 0;
        if (ftruncate(log->file, (off_t)(log->size + whole)) == 0)
            done = whole;
    }
    log->size += done;
    note_trouble(log, error);
    return done;
}

/* How much of `text` goes into the present file: whole lines, at least one. 0: rotate first. */
static size_t part_that_fits(const struct log *log, const char *text, size_t size)
{
    if (!log->max_bytes || log->size + size <= log->max_bytes)
        return size;
    size_t room = log->size < log->max_bytes ? (size_t)(log->max_bytes - log->size) : 0;
    const char *end = room ? memrchr(text, '\n', room) : NULL;
    if (end)
        return (size_t)(end - text) + 1;
    if (log->size > 0)
        return 0;
    end = memchr(text, '\n', size);
    return end ? (size_t)(end - text) + 1 : size;
}

/* The file is there, or could be opened again. */
static bool is_open(struct log *log)
{
    if (log->file >= 0)
        return true;
    int error = log->dir < 0 ? make_dir(log) : 0;
    error = error ? error : open_current(log);
    if (error)
        note_trouble(log, -error);
    return error == 0;
}

void log_write(struct log *log, const char *text, size_t size)
{
    bool rotatable = true;
    while (size && is_open(log)) {
        size_t part = part_that_fits(log, text, size);
        if (!part && rotatable) {
            int error = rotate(log);
            rotatable = error == 0; /* better a file too long than lines lost */
            if (error)
                note_trouble(log, -error);
            continue;
        }
        part = part ? part : size;
        size_t written = write_lines(log, text, part);
        text += written;
        size -= written;
        if (written < part)
            break;
    }
    if (size)
        log_drop(log, count_lines(text, size), size, monotonic_ns());
}

void log_note(struct log *log, const char *text)
{
    char line[LOG_STAMP_SIZE + 256];
    stamp_now(line, "log");
    int length = snprintf(line + LOG_STAMP_SIZE, 256, "%.254s\n", text);
    if (length > 0)
        log_write(log, line, LOG_STAMP_SIZE + (size_t)length);
}
