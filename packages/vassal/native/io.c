/* See io.h. Any process of the program, any privilege. */
#include "io.h"

#include "sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

void close_fd(int *fd)
{
    int saved = errno;
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    errno = saved;
}

int64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t monotonic_ms(void)
{
    return monotonic_ns() / NS_PER_MS;
}

static bool parse_base(const char *text, uint64_t base, uint64_t most, uint64_t *number)
{
    uint64_t value = 0;
    if (!*text)
        return false;
    for (; *text; text++) {
        uint64_t digit;
        if (*text >= '0' && *text <= '9')
            digit = (uint64_t)(*text - '0');
        else if (*text >= 'a' && *text <= 'f')
            digit = (uint64_t)(*text - 'a') + 10;
        else
            return false;
        if (digit >= base || value > (UINT64_MAX - digit) / base)
            return false;
        value = value * base + digit;
    }
    if (value > most)
        return false;
    *number = value;
    return true;
}

bool parse_number(const char *text, uint64_t most, uint64_t *number)
{
    return parse_base(text, 10, most, number);
}

bool parse_hex(const char *text, uint64_t *number)
{
    return parse_base(text, 16, UINT64_MAX, number);
}

bool parse_octal(const char *text, uint64_t most, uint64_t *number)
{
    return parse_base(text, 8, most, number);
}

bool copy_text(char *to, size_t size, const char *from)
{
    size_t length = strlen(from);
    if (length >= size)
        return false;
    memcpy(to, from, length + 1);
    return true;
}

bool format_text(char *to, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(to, size, format, arguments);
    va_end(arguments);
    return length >= 0 && (size_t)length < size;
}

bool is_plain_path(const char *path)
{
    if (path[0] != '/')
        return false;
    if (!path[1])
        return true;
    if (strlen(path) >= 4096)
        return false;
    for (const char *part = path; *part;) {
        part++; /* the slash */
        size_t length = strcspn(part, "/");
        if (length == 0 || (length == 1 && part[0] == '.') ||
            (length == 2 && part[0] == '.' && part[1] == '.'))
            return false;
        part += length;
    }
    return true;
}

bool is_below(const char *path, const char *dir)
{
    size_t length = strlen(dir);
    if (length == 1)
        return true; /* "/" */
    return strncmp(path, dir, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

int read_small(int dir, const char *path, char *buffer, size_t size)
{
    autoclose int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -errno;

    size_t length = 0;
    while (length < size - 1) {
        ssize_t got = read(fd, buffer + length, size - 1 - length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        length += (size_t)got;
    }
    buffer[length] = '\0';
    return (int)length;
}

int write_small(const char *path, const char *text)
{
    autoclose int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;

    ssize_t done;
    do
        done = write(fd, text, strlen(text));
    while (done < 0 && errno == EINTR);
    if (done < 0)
        return -errno;
    return (size_t)done == strlen(text) ? 0 : -EIO;
}

/* One directory's entries, each removed; the kernel's own record format, since readdir() allocates. */
static int remove_entries(int dir, int depth)
{
    struct record {
        uint64_t inode;
        int64_t offset;
        unsigned short length;
        unsigned char type;
        char name[];
    };
    char buffer[2048] __attribute__((aligned(8)));
    for (;;) {
        long size = syscall(SYS_getdents64, dir, buffer, sizeof buffer);
        if (size <= 0)
            return size < 0 ? -errno : 0;
        for (long at = 0; at < size;) {
            const struct record *entry = (const struct record *)(const void *)(buffer + at);
            at += entry->length;
            if (strcmp(entry->name, ".") == 0 || strcmp(entry->name, "..") == 0)
                continue;
            int error = remove_tree(dir, entry->name, depth - 1);
            if (error)
                return error;
        }
    }
}

int remove_tree(int dir, const char *name, int depth)
{
    if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return -errno;
    if (depth <= 0)
        return -ELOOP;

    autoclose int inner = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (inner < 0)
        return -errno;
    int error = remove_entries(inner, depth);
    if (error)
        return error;
    return unlinkat(dir, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -errno;
}

int make_dirs(int dir, const char *path)
{
    char partial[4096];
    if (!copy_text(partial, sizeof partial, path))
        return -ENAMETOOLONG;
    for (char *end = partial;; end++) {
        end += strcspn(end, "/");
        char kept = *end;
        *end = '\0';
        if (end != partial && mkdirat(dir, partial, 0755) < 0 && errno != EEXIST)
            return -errno;
        *end = kept;
        if (!kept)
            return 0;
    }
}

void release_pages(void *start, size_t size)
{
    /* Whole pages only: the kernel rounds up, and what follows on the last page is somebody else's. */
    (void)madvise(start, size / PAGE * PAGE, MADV_DONTNEED);
}

#define STACK_RELEASED (16 * PAGE)

__attribute__((noinline)) void release_stack(void)
{
    /* Below the frames of this very call, for which half a KiB is plenty. */
    uintptr_t top = ((uintptr_t)__builtin_frame_address(0) - 512) & ~(uintptr_t)(PAGE - 1);
    release_pages((void *)(top - STACK_RELEASED), STACK_RELEASED);
}
