/* The app's environment: `env` words before `env-file`, its lines, the words after it; a later NAME replaces
 * an earlier one. Run between fork and exec, as the tenant: the file is the tenant's, so are the rights it is
 * read with. */
#include "init.h"
#include "io.h"
#include "report.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX 65536
#define ENTRIES_MAX 1536

static char *entries[ENTRIES_MAX + 1];
static size_t entry_count;
static char file_text[FILE_MAX + 2];

static void add(char *entry, enum stage stage, const char *what)
{
    size_t name = strcspn(entry, "=") + 1;
    for (size_t i = 0; i < entry_count; i++) {
        if (strncmp(entries[i], entry, name) == 0) {
            entries[i] = entry;
            return;
        }
    }
    errno = E2BIG;
    must(entry_count < ENTRIES_MAX ? 0 : -1, stage, what);
    entries[entry_count++] = entry;
}

static bool is_name(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (!(isalpha(byte) || byte == '_' || (i > 0 && isdigit(byte))))
            return false;
    }
    return length > 0;
}

/* A FIFO must not block us, a directory must not look empty. */
static size_t read_file(const char *path)
{
    struct stat file;
    size_t length = 0;
    autoclose int fd =
        (int)must(open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC), STAGE_ENV_FILE, path);
    must(fstat(fd, &file), STAGE_ENV_FILE, path);
    errno = EINVAL;
    must(S_ISREG(file.st_mode) ? 0 : -1, STAGE_ENV_FILE, path);
    for (;;) {
        ssize_t got = must(read(fd, file_text + length, FILE_MAX + 1 - length), STAGE_ENV_FILE, path);
        if (got == 0)
            return length;
        length += (size_t)got;
        errno = EFBIG;
        must(length <= FILE_MAX ? 0 : -1, STAGE_ENV_FILE, path);
    }
}

/* `NAME=VALUE`, the value literal; empty lines and lines that start with `#` are skipped. */
static void add_line(char *line, size_t length, unsigned number, const char *path)
{
    char where[400];
    size_t blank = strspn(line, " \t");
    if (length && line[length - 1] == '\r')
        line[--length] = '\0';
    if (blank >= length || line[blank] == '#')
        return;
    (void)snprintf(where, sizeof where, "%.380s:%u", path, number);
    errno = EINVAL;
    size_t name = strcspn(line, "=");
    must(memchr(line, '\0', length) == NULL && name < length && is_name(line, name) ? 0 : -1, STAGE_ENV_FILE,
         where);
    add(line, STAGE_ENV_FILE, where);
}

static void add_file(const char *path)
{
    size_t size = read_file(path);
    unsigned number = 1;
    file_text[size] = '\0';
    for (char *line = file_text; line < file_text + size; number++) {
        char *end = memchr(line, '\n', (size_t)(file_text + size - line));
        if (!end)
            end = file_text + size;
        *end = '\0';
        add_line(line, (size_t)(end - line), number, path);
        line = end + 1;
    }
}

static void add_words(const struct spec *spec, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        add((char *)(uintptr_t)spec->env.at[i], STAGE_EXEC, "env");
}

char **environment_build(const struct spec *spec)
{
    size_t before = spec->env_file ? spec->env_before_file : 0;
    add_words(spec, 0, before);
    if (spec->env_file)
        add_file(spec->env_file);
    add_words(spec, before, spec->env.count);
    entries[entry_count] = NULL;
    return entries;
}
