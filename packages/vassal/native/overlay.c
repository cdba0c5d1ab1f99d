/* Directories in layers. Run by a jail's first process, as root. Layers are looked up without following a
 * symlink and handed to the kernel by descriptor, so that nobody can put another directory in their place. */
#include "io.h"
#include "mounting.h"
#include "report.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* Their descriptors must fit into one option of 255 bytes. */
#define LAYERS_MAX 8

struct layers {
    size_t count;
    int lower[LAYERS_MAX];
    int upper, work;
};

/* The path by which the kernel finds a descriptor of ours. */
static void format_layer(char *to, size_t size, int fd)
{
    must_format(format_text(to, size, "/proc/self/fd/%d", fd), "overlay");
}

static void open_lowers(struct layers *layers, const char *lowers)
{
    char path[4096];
    for (const char *at = lowers; *at;) {
        size_t length = strcspn(at, ":");
        must_format(format_text(path, sizeof path, "%.*s", (int)length, at), lowers);
        errno = E2BIG;
        must_mount(layers->count < LAYERS_MAX ? 0 : -1, lowers);
        int fd = tree_open(AT_FDCWD, path);
        must_mount(fd, path);
        layers->lower[layers->count++] = fd;
        at += length + (at[length] == ':');
    }
}

/* UPPER must be there; UPPER.work, beside it, is made. */
static void open_upper(struct layers *layers, const char *upper)
{
    char work[4200], *name;
    layers->upper = tree_open(AT_FDCWD, upper);
    must_mount(layers->upper, upper);
    must_format(format_text(work, sizeof work, "%s.work", upper), upper);
    name = strrchr(work, '/');
    *name++ = '\0';
    autoclose int parent = tree_open(AT_FDCWD, *work ? work : "/");
    must_mount(parent, upper);
    must_mount(mkdirat(parent, name, 0700) < 0 && errno != EEXIST ? -1 : 0, name);
    layers->work = tree_open(parent, name);
    must_mount(layers->work, name);
}

/* A tmpfs of the generation's own; as root it is what the uppermost layer is. */
static void make_upper(const struct mounting *m, struct layers *layers)
{
    struct stat like;
    must_mount(fstat(layers->lower[0], &like), "overlay");
    must_mount(fchdir(m->scratch), "scratch");
    must_mount(
        mount("emperor-upper", "upper", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0700,size=64m,nr_inodes=16384"),
        "overlay");
    autoclose int root = tree_open(m->scratch, "upper");
    must_mount(root, "overlay");
    must_mount(mkdirat(root, "upper", like.st_mode & 07777), "overlay");
    must_mount(fchownat(root, "upper", like.st_uid, like.st_gid, AT_SYMLINK_NOFOLLOW), "overlay");
    must_mount(fchmodat(root, "upper", like.st_mode & 07777, 0), "overlay");
    must_mount(mkdirat(root, "work", 0700), "overlay");
    layers->upper = tree_open(root, "upper");
    must_mount(layers->upper, "overlay");
    layers->work = tree_open(root, "work");
    must_mount(layers->work, "overlay");
}

static void set_layers(int fs, const struct layers *layers, bool shared)
{
    char list[256], path[40];
    size_t length = 0;
    for (size_t i = 0; i < layers->count; i++) {
        format_layer(path, sizeof path, layers->lower[i]);
        must_format(format_text(list + length, sizeof list - length, "%s%s", i ? ":" : "", path), "overlay");
        length += strlen(list + length);
    }
    must_mount(sys_fsconfig(fs, KEEPER_FSCONFIG_SET_STRING, "source", "emperor-overlay"), "overlay");
    must_mount(sys_fsconfig(fs, KEEPER_FSCONFIG_SET_STRING, "lowerdir", list), "overlay");
    format_layer(path, sizeof path, layers->upper);
    must_mount(sys_fsconfig(fs, KEEPER_FSCONFIG_SET_STRING, "upperdir", path), "overlay");
    format_layer(path, sizeof path, layers->work);
    must_mount(sys_fsconfig(fs, KEEPER_FSCONFIG_SET_STRING, "workdir", path), "overlay");
    /* With it the kernel refuses an UPPER that another jail is using; without, it only warns. */
    if (shared)
        must_mount(sys_fsconfig(fs, KEEPER_FSCONFIG_SET_STRING, "index", "on"), "overlay");
}

int overlay_take(const struct mounting *m, const char *lowers, const char *upper, unsigned flags)
{
    struct layers layers = {.upper = -1, .work = -1};
    open_lowers(&layers, lowers);
    if (*upper)
        open_upper(&layers, upper);
    else
        make_upper(m, &layers);

    autoclose int fs = sys_fsopen("overlay");
    must_mount(fs, "overlay");
    set_layers(fs, &layers, *upper != '\0');
    int made = sys_fsconfig(fs, KEEPER_FSCONFIG_CMD_CREATE, NULL, NULL);
    if (made < 0 && errno == ELOOP)
        errno = EINVAL; /* one layer lies in another: no symlink has been met */
    must_mount(made, *upper && errno == EBUSY ? upper : lowers);
    int tree = sys_fsmount(fs, flags);
    must_mount(tree, lowers);

    if (!*upper) { /* the overlay has a mount of its own of it */
        autoclose int place = tree_open(m->scratch, "upper");
        must_mount(place, "overlay");
        must_mount(fchdir(place), "overlay");
        must_mount(umount2(".", MNT_DETACH), "overlay");
    }
    for (size_t i = 0; i < layers.count; i++)
        close_fd(&layers.lower[i]);
    close_fd(&layers.upper);
    close_fd(&layers.work);
    return tree;
}
