/* Control groups of a generation: made before its first process, removed after its last. Run by the keeper
 * (root). Paths come from the emperor; that they are control groups is checked by the magic of the file
 * system. */
#include "io.h"
#include "keeper.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define MAKE_TRIES 8

static bool is_cgroup_dir(const char *path, bool v2)
{
    struct statfs fs;
    long magic = v2 ? KEEPER_CGROUP2_MAGIC : KEEPER_CGROUP_MAGIC;
    if (statfs(path, &fs) < 0)
        return false;
    errno = EINVAL;
    return (long)fs.f_type == magic;
}

/* Length of the longest part of `path` that exists. */
static size_t existing_part(const char *path)
{
    char part[4096];
    size_t length = strlen(path);
    (void)copy_text(part, sizeof part, path);
    while (length > 1 && access(part, F_OK) < 0) {
        while (length > 1 && part[length - 1] != '/')
            length--;
        length -= length > 1;
        part[length] = '\0';
    }
    return length;
}

/* Make what is missing below `kept`: 0 or -errno. */
static int make_below(const char *path, size_t kept)
{
    char part[4096];
    (void)copy_text(part, sizeof part, path);
    for (char *end = part + kept; *end; *end = '/') {
        end++;
        end += strcspn(end, "/");
        bool last = *end == '\0';
        *end = '\0';
        if (mkdir(part, 0755) < 0 && errno != EEXIST)
            return -errno;
        if (last)
            return 0;
    }
    return 0;
}

/* A left-over of the same name would bring its processes and counters along: it must be empty, and goes. */
static int make_fresh(const char *path, bool v2, size_t *kept)
{
    char part[4096];
    size_t there = existing_part(path);
    (void)copy_text(part, sizeof part, path);
    part[there] = '\0';
    if (!is_cgroup_dir(part, v2))
        return -errno;
    if (!path[there]) {
        if (rmdir(path) < 0 && errno != ENOENT)
            return -errno;
        there = (size_t)(strrchr(path, '/') - path);
    }
    if (there < *kept)
        *kept = there;
    return make_below(path, there);
}

static bool keep_text(struct generation *g, const char *text)
{
    if (!copy_text(g->texts + g->texts_used, sizeof g->texts - g->texts_used, text))
        return false;
    g->texts_used += strlen(text) + 1;
    return true;
}

/* Parents that another generation of ours made and this one found are ours to remove, whoever ends last. */
static size_t inherited(const struct keeper *keeper, const char *path, size_t kept)
{
    size_t found = kept;
    for (size_t i = 0; i < GENERATIONS; i++) {
        const struct generation *other = &keeper->generations[i];
        for (size_t j = 0; other->phase != PHASE_FREE && j < other->group_count; j++) {
            const struct group *group = &other->groups[j];
            const char *theirs = other->texts + group->path;
            if (group->kept < found && strncmp(theirs, path, kept) == 0 && theirs[kept] == '/')
                found = group->kept;
        }
    }
    return found;
}

static int make_group(const struct keeper *keeper, struct generation *g, const char *path, bool v2)
{
    size_t start = g->texts_used;
    if (!keep_text(g, path))
        return -ENAMETOOLONG;

    size_t kept = strlen(path);
    int error = 0;
    for (int i = 0; i < MAKE_TRIES; i++) {
        error = make_fresh(path, v2, &kept);
        if (error != -ENOENT && error != -ENODEV)
            break; /* else another keeper removed an empty parent between our steps: again */
    }
    kept = error ? kept : inherited(keeper, path, kept);
    g->groups[g->group_count++] = (struct group){.path = (unsigned short)start, .kept = (unsigned short)kept};
    return error;
}

static int failed(struct generation *g, int error, const char *what)
{
    return note_failure(&g->failure, STAGE_CGROUP, -error, what);
}

static int apply_writes(struct generation *g, const struct spec *spec)
{
    char path[4400];
    for (size_t i = 0; i < spec->cgroup_writes.count; i++) {
        const struct cgroup_write *entry = &spec->cgroup_writes.at[i];
        if (!format_text(path, sizeof path, "%s/%s", entry->dir, entry->file))
            return failed(g, -ENAMETOOLONG, entry->file);
        int error = write_small(path, entry->value);
        if (error)
            return failed(g, error, path);
    }
    return 0;
}

/* The emperor's words, kept for the moment when the app has ended. */
static int keep_counters(struct generation *g, const struct spec *spec)
{
    g->counters_start = g->texts_used;
    for (size_t i = 0; i < spec->counters.count; i++) {
        const struct counter *counter = &spec->counters.at[i];
        if (!keep_text(g, counter->name) || !keep_text(g, counter->path) || !keep_text(g, counter->key))
            return failed(g, -E2BIG, "counter");
    }
    g->counter_count = spec->counters.count;
    return 0;
}

int cgroups_make(const struct keeper *keeper, struct generation *g, const struct spec *spec)
{
    int error = spec->cgroup ? make_group(keeper, g, spec->cgroup, true) : 0;
    if (error)
        return failed(g, error, spec->cgroup);
    g->has_v2 = spec->cgroup != NULL;
    for (size_t i = 0; i < spec->cgroups_v1.count; i++) {
        error = make_group(keeper, g, spec->cgroups_v1.at[i], false);
        if (error)
            return failed(g, error, spec->cgroups_v1.at[i]);
    }
    return apply_writes(g, spec) < 0 ? -1 : keep_counters(g, spec);
}

static bool file_of_v2(const struct generation *g, char *path, size_t size, const char *file)
{
    return g->has_v2 && format_text(path, size, "%s/%s", g->texts + g->groups[0].path, file);
}

int cgroup_open(const struct generation *g)
{
    return open(g->texts + g->groups[0].path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Reading also re-arms the poll on cgroup.events. Without a v2 group the init's end is all we can know. */
bool cgroup_is_empty(struct generation *g)
{
    char text[128];
    if (g->events < 0)
        return true;
    ssize_t size = pread(g->events, text, sizeof text - 1, 0);
    if (size < 0)
        return errno == ENODEV; /* the group is gone */
    text[size] = '\0';
    const char *populated = strstr(text, "populated ");
    return populated && populated[10] == '0';
}

bool cgroup_kill(const struct generation *g)
{
    char path[4400];
    return file_of_v2(g, path, sizeof path, "cgroup.kill") && write_small(path, "1") == 0;
}

/* The group itself must go; parents that we made go when they are empty. True: nothing of ours is left. */
static bool remove_group(struct generation *g, struct group *group)
{
    char path[4096];
    (void)copy_text(path, sizeof path, g->texts + group->path);
    if (strlen(path) > group->kept && rmdir(path) < 0 && errno != ENOENT)
        return false;
    for (;;) {
        char *slash = strrchr(path, '/');
        if (!slash || (size_t)(slash - path) <= group->kept)
            break;
        *slash = '\0';
        if (rmdir(path) < 0)
            break;
    }
    group->removed = true;
    return true;
}

bool cgroups_remove(struct generation *g)
{
    bool all = true;
    for (size_t i = 0; i < g->group_count; i++)
        all = (g->groups[i].removed || remove_group(g, &g->groups[i])) && all;
    return all;
}

/* The number after the word `key`, or at the start when there is no key. */
static bool find_number(const char *text, const char *key, unsigned long long *number)
{
    size_t length = strlen(key);
    for (const char *line = text; line; line = strchr(line, '\n'), line += line != NULL) {
        if (length && (strncmp(line, key, length) != 0 || line[length] != ' '))
            continue;
        char *end;
        errno = 0;
        *number = strtoull(line + length, &end, 10);
        return errno == 0 && end != line + length;
    }
    return false;
}

void counters_read(struct generation *g)
{
    char text[4096];
    const char *at = g->texts + g->counters_start;
    size_t used = 0;
    for (size_t i = 0; i < g->counter_count; i++) {
        unsigned long long value;
        const char *name = at, *path = name + strlen(name) + 1, *key = path + strlen(path) + 1;
        at = key + strlen(key) + 1;
        if (read_small(AT_FDCWD, path, text, sizeof text) < 0 || !find_number(text, key, &value))
            continue;
        int length = snprintf(g->counters + used, sizeof g->counters - used, "%s%s=%llu", used ? "," : "",
                              name, value);
        if (length < 0 || used + (size_t)length >= sizeof g->counters) {
            g->counters[used] = '\0';
            return;
        }
        used += (size_t)length;
    }
}
