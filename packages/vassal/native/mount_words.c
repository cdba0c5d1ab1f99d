/* The words of the blob that become mount steps, one function each. Run by the keeper (root) before anything
 * is touched: the bytes come from the emperor, are length-checked, and are only split and compared here,
 * never resolved. */
#include "io.h"
#include "sys.h"
#include "words.h"

#include <string.h>

static bool add_mount(struct spec *spec, enum mount_kind kind, const char *source, const char *path,
                      unsigned flags)
{
    struct mount_step *step = NEXT(spec->mounts);
    if (!step)
        return false;
    *step = (struct mount_step){.kind = kind, .flags = flags, .source = source, .path = path, .tree = -1};
    return true;
}

static bool add_path_mount(struct spec *spec, enum mount_kind kind, const char *path)
{
    return is_plain_path(path) && add_mount(spec, kind, NULL, path, 0);
}

bool take_scratch(struct spec *spec, char **args)
{
    return take_path(&spec->scratch, args[0]);
}

bool take_private_tmp(struct spec *spec, char **args)
{
    return take_flag(&spec->private_tmp) && parse_number(args[0], INT64_MAX, &spec->tmp_bytes) &&
           parse_number(args[1], INT64_MAX, &spec->tmp_inodes) && spec->tmp_bytes && spec->tmp_inodes;
}

bool take_private_dev(struct spec *spec, char **args)
{
    (void)args;
    return take_flag(&spec->private_dev);
}

bool take_keep(struct spec *spec, char **args)
{
    return add_path_mount(spec, MOUNT_KEEP, args[0]);
}

bool take_hide(struct spec *spec, char **args)
{
    return add_path_mount(spec, MOUNT_HIDE, args[0]);
}

bool take_mask(struct spec *spec, char **args)
{
    return add_path_mount(spec, MOUNT_MASK, args[0]);
}

bool take_readonly(struct spec *spec, char **args)
{
    return add_path_mount(spec, MOUNT_READONLY, args[0]);
}

static bool parse_bind_flags(const char *text, unsigned *flags)
{
    static const char letters[] = "rsdx";
    static const unsigned bits[] = {KEEPER_MOUNT_RDONLY, KEEPER_MOUNT_NOSUID, KEEPER_MOUNT_NODEV,
                                    KEEPER_MOUNT_NOEXEC};
    *flags = 0;
    if (strcmp(text, "-") == 0)
        return true;
    for (const char *letter = text; *letter; letter++) {
        const char *known = strchr(letters, *letter);
        if (!known)
            return false;
        *flags |= bits[known - letters];
    }
    return *text != '\0';
}

bool take_bind(struct spec *spec, char **args)
{
    unsigned flags;
    const char *source = args[0][0] == '@' ? args[0] + 1 : args[0];
    return is_plain_path(source) && source[1] && is_plain_path(args[1]) && args[1][1] &&
           parse_bind_flags(args[2], &flags) && add_mount(spec, MOUNT_BIND, args[0], args[1], flags);
}

bool take_file(struct spec *spec, char **args)
{
    return is_plain_path(args[0]) && add_mount(spec, MOUNT_FILE, args[1], args[0], 0);
}

bool take_tmp(struct spec *spec, char **args)
{
    (void)args;
    const unsigned flags = KEEPER_MOUNT_NOSUID | KEEPER_MOUNT_NODEV;
    return take_flag(&spec->tmp) && add_mount(spec, MOUNT_BIND, "@/tmp/tmp", "/tmp", flags) &&
           add_mount(spec, MOUNT_BIND, "@/tmp/var-tmp", "/var/tmp", flags) &&
           (spec->dev || add_mount(spec, MOUNT_SHM, NULL, "/dev/shm", flags));
}

bool take_dev(struct spec *spec, char **args)
{
    (void)args;
    const unsigned flags = KEEPER_MOUNT_RDONLY | KEEPER_MOUNT_NOSUID | KEEPER_MOUNT_NOEXEC;
    return take_flag(&spec->dev) && add_mount(spec, MOUNT_BIND, "@/dev", "/dev", flags) &&
           add_mount(spec, MOUNT_DEVPTS, NULL, "/dev/pts", 0) &&
           add_mount(spec, MOUNT_SHM, NULL, "/dev/shm", KEEPER_MOUNT_NOSUID | KEEPER_MOUNT_NODEV);
}

bool take_run(struct spec *spec, char **args)
{
    (void)args;
    return take_flag(&spec->run) && add_mount(spec, MOUNT_BIND, "@/run", "/run",
                                              KEEPER_MOUNT_NOSUID | KEEPER_MOUNT_NODEV | KEEPER_MOUNT_NOEXEC);
}

bool take_proc(struct spec *spec, char **args)
{
    uint64_t hidepid;
    return parse_number(args[0], 4, &hidepid) && add_mount(spec, MOUNT_PROC, args[0], "/proc", 0);
}

bool take_sysfs(struct spec *spec, char **args)
{
    (void)args;
    return add_mount(spec, MOUNT_SYSFS, NULL, "/sys", 0);
}

bool take_cgroup2(struct spec *spec, char **args)
{
    return add_path_mount(spec, MOUNT_CGROUP2, args[0]);
}
