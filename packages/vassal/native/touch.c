/* Watches the paths of touch-reload. Run by init, as the tenant: paths are the tenant's business. Both the
 * directory (a file made or renamed into place) and the file (a link's target) are watched; whether something
 * changed is decided by the file's identity and time, not by the event. */
#include "init.h"
#include "io.h"
#include "report.h"

#include <errno.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_EVENTS (IN_ATTRIB | IN_CLOSE_WRITE)
#define DIR_EVENTS (IN_CREATE | IN_MOVED_TO | IN_ATTRIB | IN_CLOSE_WRITE | IN_ONLYDIR)

static struct watched {
    const char *path;
    bool exists;
    dev_t device;
    ino_t inode;
    struct timespec time;
} watched[8];
static size_t watched_count;

/* Look again: true when the file is there and is another one, or has another time. */
static bool look(struct watched *file)
{
    struct stat now;
    if (stat(file->path, &now) < 0) {
        file->exists = false;
        return false;
    }
    bool changed = !file->exists || now.st_dev != file->device || now.st_ino != file->inode ||
                   now.st_mtim.tv_sec != file->time.tv_sec || now.st_mtim.tv_nsec != file->time.tv_nsec;
    file->exists = true;
    file->device = now.st_dev;
    file->inode = now.st_ino;
    file->time = now.st_mtim;
    return changed;
}

static void watch_dir(int fd, const char *path)
{
    char dir[4096];
    (void)copy_text(dir, sizeof dir, path);
    char *slash = strrchr(dir, '/');
    slash[slash == dir ? 1 : 0] = '\0';
    must(inotify_add_watch(fd, dir, DIR_EVENTS), STAGE_TOUCH, path);
}

static void watch_file(int fd, const char *path)
{
    (void)inotify_add_watch(fd, path, FILE_EVENTS); /* not there yet: the directory will tell */
}

int touch_watch(const struct spec *spec)
{
    if (!spec->touch.count)
        return -1;
    int fd = (int)MUST(STAGE_TOUCH, inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    watched_count = spec->touch.count;
    for (size_t i = 0; i < watched_count; i++) {
        watched[i].path = spec->touch.at[i];
        watch_dir(fd, watched[i].path);
        watch_file(fd, watched[i].path);
        (void)look(&watched[i]);
    }
    return fd;
}

bool touch_changed(int fd)
{
    char events[4096] __attribute__((aligned(8)));
    bool changed = false;
    while (read(fd, events, sizeof events) > 0)
        ;
    for (size_t i = 0; i < watched_count; i++) {
        if (!look(&watched[i]))
            continue;
        changed = true;
        watch_file(fd, watched[i].path);
    }
    return changed;
}
