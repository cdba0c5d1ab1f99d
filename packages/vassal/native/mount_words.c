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

bool take_write(struct spec *spec, char **args)
{
    return add_path_mount(spec, MOUNT_WRITE, args[0]);
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

/* `optional`: where `m` may be, or NULL. */
static bool parse_flags(const char *text, unsigned *flags, bool *optional)
{
    static const char letters[] = "rsdx";
    static const unsigned bits[] = {KEEPER_MOUNT_RDONLY, KEEPER_MOUNT_NOSUID, KEEPER_MOUNT_NODEV,
                                    KEEPER_MOUNT_NOEXEC};
    *flags = 0;
    if (strcmp(text, "-") == 0)
        return true;
    for (const char *letter = text; *letter; letter++) {
        const char *known = strchr(letters, *letter);
        if (known)
            *flags |= bits[known - letters];
        else if (*letter == 'm' && optional)
            *optional = true;
        else
            return false;
    }
    return *text != '\0';
}

bool take_bind(struct spec *spec, char **args)
{
    unsigned flags;
    bool optional = false;
    const char *source = args[0][0] == '@' ? args[0] + 1 : args[0];
    if (!is_plain_path(source) || (args[0][0] == '@' && !source[1]) || !is_plain_path(args[1]) ||
        !args[1][1] || !parse_flags(args[2], &flags, &optional) ||
        !add_mount(spec, MOUNT_BIND, args[0], args[1], flags))
        return false;
    spec->mounts.at[spec->mounts.count - 1].optional = optional;
    return true;
}

bool take_tmpfs(struct spec *spec, char **args)
{
    uint64_t bytes;
    return is_plain_path(args[0]) && args[0][1] && parse_number(args[1], INT64_MAX, &bytes) && bytes &&
           add_mount(spec, MOUNT_TMPFS, args[1], args[0], KEEPER_MOUNT_NOSUID | KEEPER_MOUNT_NODEV);
}

bool take_dir(struct spec *spec, char **args)
{
    uint64_t mode;
    return is_plain_path(args[0]) && args[0][1] && parse_octal(args[1], 01777, &mode) &&
           add_mount(spec, MOUNT_DIR, args[1], args[0], 0);
}

bool take_link(struct spec *spec, char **args)
{
    return is_plain_path(args[0]) && args[0][1] && *args[1] && strlen(args[1]) < 4096 &&
           add_mount(spec, MOUNT_LINK, args[1], args[0], 0);
}

/* Absolute paths with `:` between them. `last` may be empty. */
static bool are_layers(const char *text, bool with_upper)
{
    char path[4096];
    for (;;) {
        size_t length = strcspn(text, ":");
        bool last = !text[length];
        if (!format_text(path, sizeof path, "%.*s", (int)length, text) ||
            !(is_plain_path(path) || (with_upper && last && !length)))
            return false;
        if (last)
            return true;
        text += length + 1;
    }
}

bool take_overlay(struct spec *spec, char **args)
{
    if (!is_plain_path(args[0]) || !args[0][1] || !are_layers(args[1], false) ||
        (args[2][0] && !is_plain_path(args[2])) ||
        !add_mount(spec, MOUNT_OVERLAY, args[1], args[0], KEEPER_MOUNT_NOSUID | KEEPER_MOUNT_NODEV))
        return false;
    spec->mounts.at[spec->mounts.count - 1].upper = args[2];
    return true;
}

bool take_root(struct spec *spec, char **args)
{
    static const char *const kinds[] = {[ROOT_HOST] = "host",
                                        [ROOT_TMPFS] = "tmpfs",
                                        [ROOT_TREE] = "tree",
                                        [ROOT_SINGLE] = "single",
                                        [ROOT_OVERLAY] = "overlay"};
    size_t kind = 0;
    while (kind < LENGTH(kinds) && strcmp(kinds[kind], args[0]) != 0)
        kind++;
    if (kind == LENGTH(kinds) || !take_flag(&spec->has_root) ||
        !parse_flags(args[2], &spec->root_flags, NULL))
        return false;
    spec->root = (enum root_kind)kind;
    spec->root_dir = args[1];
    if (kind == ROOT_OVERLAY)
        return are_layers(args[1], true) && strchr(args[1], ':');
    return is_plain_path(args[1]) && (kind == ROOT_TREE || kind == ROOT_SINGLE) == (args[1][1] != '\0');
}

bool take_pivot_root(struct spec *spec, char **args)
{
    return args[0][1] && take_path(&spec->pivot_new, args[0]) && take_path(&spec->pivot_old, args[1]) &&
           is_below(args[1], args[0]) && strlen(args[1]) > strlen(args[0]);
}

bool take_chroot(struct spec *spec, char **args)
{
    return args[0][0] && args[0][1] && take_path(&spec->chroot, args[0]);
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
    const unsigned flags = KEEPER_MOUNT_NOSUID | KEEPER_MOUNT_NOEXEC;
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
