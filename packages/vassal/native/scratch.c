/* See scratch.h. Run by the keeper (root), once per keeper: generations share it, the host never sees it. */
#include "scratch.h"

#include "io.h"
#include "sys.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static int failed(struct failure *failure, const char *what)
{
    return note_failure(failure, STAGE_MOUNTS, errno, what);
}

int scratch_open(const struct scratch *scratch)
{
    return open(scratch->path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Slave: what the host mounts later is seen, what happens here is not seen there. */
int scratch_leave_host(struct scratch *scratch, struct failure *failure)
{
    if (scratch->namespaced)
        return 0;
    if (unshare(CLONE_NEWNS) < 0)
        return note_failure(failure, STAGE_NAMESPACES, errno, "unshare(CLONE_NEWNS)");
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        return failed(failure, "/");
    scratch->namespaced = true;
    return 0;
}

static int mount_scratch(struct scratch *scratch, const char *path, struct failure *failure)
{
    static const char *const dirs[] = {"empty", "run", "files", "hide", "root", "upper"};
    if (scratch->mounted)
        return 0;
    if (!copy_text(scratch->path, sizeof scratch->path, path))
        return note_failure(failure, STAGE_MOUNTS, ENAMETOOLONG, path);

    autoclose int target = scratch_open(scratch);
    if (target < 0)
        return failed(failure, path);
    if (mount("emperor", path, "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=0700,size=4m,nr_inodes=8192") < 0)
        return failed(failure, path);
    scratch->mounted = true;

    autoclose int root = scratch_open(scratch);
    if (root < 0)
        return failed(failure, path);
    for (size_t i = 0; i < LENGTH(dirs); i++)
        if (mkdirat(root, dirs[i], 0755) < 0 && errno != EEXIST)
            return failed(failure, dirs[i]);
    return 0;
}

static int remount_tmp(struct scratch *scratch, const struct spec *spec, const char *path,
                       struct failure *failure)
{
    char options[96];
    if (scratch->tmp_bytes == spec->tmp_bytes && scratch->tmp_inodes == spec->tmp_inodes)
        return 0;
    (void)format_text(options, sizeof options, "size=%llu,nr_inodes=%llu",
                      (unsigned long long)spec->tmp_bytes, (unsigned long long)spec->tmp_inodes);
    if (mount(NULL, path, NULL, MS_REMOUNT | MS_NOSUID | MS_NODEV, options) < 0)
        /* Smaller than what is in it: the old size stays, and the next launch tries again. */
        return errno == EINVAL ? 0 : failed(failure, "private-tmp");
    scratch->tmp_bytes = spec->tmp_bytes;
    scratch->tmp_inodes = spec->tmp_inodes;
    return 0;
}

static int mount_tmp(struct scratch *scratch, const struct spec *spec, struct failure *failure)
{
    static const char *const dirs[] = {"tmp/tmp", "tmp/var-tmp", "tmp/shm"};
    char path[sizeof scratch->path + 8], options[96];
    (void)format_text(path, sizeof path, "%s/tmp", scratch->path);
    if (scratch->tmp)
        return remount_tmp(scratch, spec, path, failure);

    autoclose int root = scratch_open(scratch);
    if (root < 0 || (mkdirat(root, "tmp", 0755) < 0 && errno != EEXIST))
        return failed(failure, "private-tmp");
    (void)format_text(options, sizeof options, "mode=0755,size=%llu,nr_inodes=%llu",
                      (unsigned long long)spec->tmp_bytes, (unsigned long long)spec->tmp_inodes);
    if (mount("emperor-tmp", path, "tmpfs", MS_NOSUID | MS_NODEV, options) < 0)
        return failed(failure, "private-tmp");
    scratch->tmp = true;
    scratch->tmp_bytes = spec->tmp_bytes;
    scratch->tmp_inodes = spec->tmp_inodes;
    for (size_t i = 0; i < LENGTH(dirs); i++)
        if (mkdirat(root, dirs[i], 01777) < 0)
            return failed(failure, "private-tmp");
    return 0;
}

/* In a user namespace nobody makes device nodes: those of the host stand for them. */
static int bind_node(int dev, const char *name)
{
    char path[32];
    (void)format_text(path, sizeof path, "/dev/%s", name);
    autoclose int file = openat(dev, name, O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0444);
    autoclose int tree = file < 0 ? -1 : tree_take(AT_FDCWD, path, false);
    if (tree < 0)
        return -1;
    return sys_move_mount(tree, "", dev, name, KEEPER_MOVE_MOUNT_F_EMPTY_PATH);
}

/* umask is 0 in the keeper, so modes are what they say. */
static int make_nodes(int dev, bool may_make, struct failure *failure)
{
    static const struct {
        const char *name;
        unsigned major, minor;
    } nodes[] = {{"null", 1, 3},   {"zero", 1, 5},    {"full", 1, 7},
                 {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}};
    static const struct {
        const char *name, *target;
    } links[] = {{"fd", "/proc/self/fd"},
                 {"stdin", "/proc/self/fd/0"},
                 {"stdout", "/proc/self/fd/1"},
                 {"stderr", "/proc/self/fd/2"},
                 {"ptmx", "pts/ptmx"}};
    static const char *const dirs[] = {"pts", "shm"};

    for (size_t i = 0; i < LENGTH(nodes); i++)
        if ((may_make ? mknodat(dev, nodes[i].name, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor))
                      : bind_node(dev, nodes[i].name)) < 0 &&
            errno != EEXIST)
            return failed(failure, nodes[i].name);
    for (size_t i = 0; i < LENGTH(links); i++)
        if (symlinkat(links[i].target, dev, links[i].name) < 0 && errno != EEXIST)
            return failed(failure, links[i].name);
    for (size_t i = 0; i < LENGTH(dirs); i++)
        if (mkdirat(dev, dirs[i], 0755) < 0 && errno != EEXIST)
            return failed(failure, dirs[i]);
    return 0;
}

static int make_dev(struct scratch *scratch, bool may_make, struct failure *failure)
{
    if (scratch->dev)
        return 0;
    autoclose int root = scratch_open(scratch);
    if (root < 0 || (mkdirat(root, "dev", 0755) < 0 && errno != EEXIST))
        return failed(failure, "private-dev");
    autoclose int dev = openat(root, "dev", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dev < 0)
        return failed(failure, "private-dev");
    if (make_nodes(dev, may_make, failure) < 0)
        return -1;
    scratch->dev = true;
    return 0;
}

int scratch_prepare(struct scratch *scratch, const struct spec *spec, struct failure *failure)
{
    if (!spec->scratch)
        return 0;
    if (scratch->mounted && strcmp(scratch->path, spec->scratch) != 0)
        return note_failure(failure, STAGE_MOUNTS, EXDEV, spec->scratch); /* one per keeper, where it is */
    if (scratch_leave_host(scratch, failure) < 0 || mount_scratch(scratch, spec->scratch, failure) < 0)
        return -1;
    if (spec->private_tmp && mount_tmp(scratch, spec, failure) < 0)
        return -1;
    return spec->private_dev ? make_dev(scratch, !spec->single_id, failure) : 0;
}
