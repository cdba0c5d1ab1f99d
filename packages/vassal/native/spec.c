/* Blob -> struct spec, driven by directives.def. Run by the keeper (root) before anything is touched: the
 * bytes come from the emperor, are length-checked, and are only split and compared here, never resolved. */
#include "spec.h"

#include "io.h"
#include "sys.h"

#include <arpa/inet.h>
#include <limits.h>
#include <sched.h>
#include <string.h>

/* The next free element of a list, or NULL when there are too many. */
#define NEXT(list) ((list).count < LENGTH((list).at) ? &(list).at[(list).count++] : NULL)

#define NAMESPACES                                                                                           \
    ((uint64_t)(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP))

static bool take_text(const char **field, const char *text)
{
    if (*field || !*text)
        return false; /* twice, or nothing in it */
    *field = text;
    return true;
}

static bool take_path(const char **field, const char *path)
{
    return is_plain_path(path) && take_text(field, path);
}

static bool take_flag(bool *flag)
{
    if (*flag)
        return false;
    *flag = true;
    return true;
}

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

static bool take_cgroup(struct spec *spec, char **args)
{
    return take_path(&spec->cgroup, args[0]);
}

static bool take_cgroup_v1(struct spec *spec, char **args)
{
    const char **dir = NEXT(spec->cgroups_v1);
    return dir && take_path(dir, args[0]);
}

static bool take_cgroup_set(struct spec *spec, char **args)
{
    struct cgroup_write *entry = NEXT(spec->cgroup_writes);
    if (!entry || !is_plain_path(args[0]) || !*args[1] || args[1][0] == '.' || strchr(args[1], '/'))
        return false;
    *entry = (struct cgroup_write){args[0], args[1], args[2]};
    return true;
}

static bool take_counter(struct spec *spec, char **args)
{
    struct counter *counter = NEXT(spec->counters);
    if (!counter || !*args[0] || strlen(args[0]) > 32 || strpbrk(args[0], " ,=\\") || !is_plain_path(args[1]))
        return false;
    *counter = (struct counter){args[0], args[1], args[2]};
    return true;
}

static bool take_unshare(struct spec *spec, char **args)
{
    uint64_t flags;
    if (spec->unshare || !parse_number(args[0], UINT64_MAX, &flags) || (flags & ~NAMESPACES))
        return false;
    spec->unshare = flags;
    return true;
}

static bool take_scratch(struct spec *spec, char **args)
{
    return take_path(&spec->scratch, args[0]);
}

static bool take_private_tmp(struct spec *spec, char **args)
{
    return take_flag(&spec->private_tmp) && parse_number(args[0], INT64_MAX, &spec->tmp_bytes) &&
           parse_number(args[1], INT64_MAX, &spec->tmp_inodes) && spec->tmp_bytes && spec->tmp_inodes;
}

static bool take_private_dev(struct spec *spec, char **args)
{
    (void)args;
    return take_flag(&spec->private_dev);
}

static bool take_keep(struct spec *spec, char **args)
{
    return add_path_mount(spec, MOUNT_KEEP, args[0]);
}

static bool take_hide(struct spec *spec, char **args)
{
    return add_path_mount(spec, MOUNT_HIDE, args[0]);
}

static bool take_mask(struct spec *spec, char **args)
{
    return add_path_mount(spec, MOUNT_MASK, args[0]);
}

static bool take_readonly(struct spec *spec, char **args)
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

static bool take_bind(struct spec *spec, char **args)
{
    unsigned flags;
    const char *source = args[0][0] == '@' ? args[0] + 1 : args[0];
    return is_plain_path(source) && source[1] && is_plain_path(args[1]) && args[1][1] &&
           parse_bind_flags(args[2], &flags) && add_mount(spec, MOUNT_BIND, args[0], args[1], flags);
}

static bool take_file(struct spec *spec, char **args)
{
    return is_plain_path(args[0]) && add_mount(spec, MOUNT_FILE, args[1], args[0], 0);
}

static bool take_tmp(struct spec *spec, char **args)
{
    (void)args;
    const unsigned flags = KEEPER_MOUNT_NOSUID | KEEPER_MOUNT_NODEV;
    return take_flag(&spec->tmp) && add_mount(spec, MOUNT_BIND, "@/tmp/tmp", "/tmp", flags) &&
           add_mount(spec, MOUNT_BIND, "@/tmp/var-tmp", "/var/tmp", flags) &&
           (spec->dev || add_mount(spec, MOUNT_SHM, NULL, "/dev/shm", flags));
}

static bool take_dev(struct spec *spec, char **args)
{
    (void)args;
    const unsigned flags = KEEPER_MOUNT_RDONLY | KEEPER_MOUNT_NOSUID | KEEPER_MOUNT_NOEXEC;
    return take_flag(&spec->dev) && add_mount(spec, MOUNT_BIND, "@/dev", "/dev", flags) &&
           add_mount(spec, MOUNT_DEVPTS, NULL, "/dev/pts", 0) &&
           add_mount(spec, MOUNT_SHM, NULL, "/dev/shm", KEEPER_MOUNT_NOSUID | KEEPER_MOUNT_NODEV);
}

static bool take_run(struct spec *spec, char **args)
{
    (void)args;
    return take_flag(&spec->run) && add_mount(spec, MOUNT_BIND, "@/run", "/run",
                                              KEEPER_MOUNT_NOSUID | KEEPER_MOUNT_NODEV | KEEPER_MOUNT_NOEXEC);
}

static bool take_proc(struct spec *spec, char **args)
{
    uint64_t hidepid;
    return parse_number(args[0], 4, &hidepid) && add_mount(spec, MOUNT_PROC, args[0], "/proc", 0);
}

static bool take_sysfs(struct spec *spec, char **args)
{
    (void)args;
    return add_mount(spec, MOUNT_SYSFS, NULL, "/sys", 0);
}

static bool take_cgroup2(struct spec *spec, char **args)
{
    return add_path_mount(spec, MOUNT_CGROUP2, args[0]);
}

static bool take_hostname(struct spec *spec, char **args)
{
    return strlen(args[0]) <= 64 && take_text(&spec->hostname, args[0]);
}

static bool take_loopback(struct spec *spec, char **args)
{
    (void)args;
    return take_flag(&spec->loopback);
}

static bool parse_limit(const char *text, rlim_t *limit)
{
    uint64_t number = 0;
    if (strcmp(text, "-") != 0 && !parse_number(text, INT64_MAX, &number))
        return false;
    *limit = strcmp(text, "-") == 0 ? RLIM_INFINITY : (rlim_t)number;
    return true;
}

static bool take_rlimit(struct spec *spec, char **args)
{
    uint64_t resource;
    struct resource_limit *entry = NEXT(spec->limits);
    if (!entry || !parse_number(args[0], 15, &resource))
        return false;
    entry->resource = (int)resource;
    return parse_limit(args[1], &entry->limit.rlim_cur) && parse_limit(args[2], &entry->limit.rlim_max) &&
           entry->limit.rlim_cur <= entry->limit.rlim_max;
}

/* -1 means "no change" to the kernel: never an id. */
static bool parse_id(const char *text, uint32_t *id)
{
    uint64_t number;
    if (!parse_number(text, UINT32_MAX - 1, &number))
        return false;
    *id = (uint32_t)number;
    return true;
}

static bool take_add_gid(struct spec *spec, char **args)
{
    gid_t *gid = NEXT(spec->groups);
    return gid && parse_id(args[0], gid);
}

static bool take_gid(struct spec *spec, char **args)
{
    return take_flag(&spec->has_gid) && parse_id(args[0], &spec->gid);
}

static bool take_uid(struct spec *spec, char **args)
{
    return take_flag(&spec->has_uid) && parse_id(args[0], &spec->uid);
}

static bool take_caps(struct spec *spec, char **args)
{
    return take_flag(&spec->has_caps) && parse_hex(args[0], &spec->caps);
}

static bool take_no_new_privs(struct spec *spec, char **args)
{
    (void)args;
    return take_flag(&spec->no_new_privs);
}

static bool take_landlock_scope(struct spec *spec, char **args)
{
    return !spec->landlock_scope && parse_number(args[0], UINT32_MAX, &spec->landlock_scope) &&
           spec->landlock_scope;
}

static bool take_umask(struct spec *spec, char **args)
{
    uint64_t mode = 0;
    if (!take_flag(&spec->has_umask) || !parse_octal(args[0], 0777, &mode))
        return false;
    spec->umask = (mode_t)mode;
    return true;
}

static bool take_notify(struct spec *spec, char **args)
{
    return take_path(&spec->notify, args[0]) && strlen(args[0]) < 108;
}

static bool take_ready_notify(struct spec *spec, char **args)
{
    (void)args;
    return take_flag(&spec->ready_notify);
}

static bool take_ready_log(struct spec *spec, char **args)
{
    return strlen(args[0]) <= 256 && take_text(&spec->ready_log, args[0]);
}

static bool take_ready_tcp(struct spec *spec, char **args)
{
    uint64_t port;
    unsigned char address[16];
    bool literal = inet_pton(AF_INET, args[0], address) == 1 || inet_pton(AF_INET6, args[0], address) == 1;
    return literal && parse_number(args[1], 65535, &port) && port && take_text(&spec->ready_host, args[0]) &&
           take_text(&spec->ready_port, args[1]);
}

static bool take_touch(struct spec *spec, char **args)
{
    const char **path = NEXT(spec->touch);
    return path && args[0][1] && take_path(path, args[0]);
}

static bool take_chdir(struct spec *spec, char **args)
{
    return args[0][0] == '/' && strlen(args[0]) < PATH_MAX && take_text(&spec->chdir, args[0]);
}

static bool take_env_file(struct spec *spec, char **args)
{
    return args[0][0] == '/' && strlen(args[0]) < PATH_MAX && take_text(&spec->env_file, args[0]);
}

static bool take_env(struct spec *spec, char **args)
{
    const char **entry = NEXT(spec->env);
    const char *equals = strchr(args[0], '=');
    return entry && equals && equals != args[0] && take_text(entry, args[0]);
}

static bool take_arg(struct spec *spec, char **args)
{
    if (spec->arguments.count >= LENGTH(spec->arguments.at) - 1 || (spec->arguments.count == 0 && !*args[0]))
        return false;
    spec->arguments.at[spec->arguments.count++] = args[0];
    return true;
}

#define ARGUMENTS_MAX 3

static const struct directive {
    const char *word;
    int count;
    bool (*take)(struct spec *spec, char **args);
} directives[] = {
#define DIRECTIVE(word, count, function) {word, count, function},
#include "directives.def"
#undef DIRECTIVE
};

static const struct directive *find_directive(const char *word)
{
    for (size_t i = 0; i < LENGTH(directives); i++)
        if (strcmp(directives[i].word, word) == 0)
            return &directives[i];
    return NULL;
}

/* cgroup-set writes only into a group of this launch or a parent of one. */
static bool writes_are_own(const struct spec *spec)
{
    for (size_t i = 0; i < spec->cgroup_writes.count; i++) {
        const char *dir = spec->cgroup_writes.at[i].dir;
        bool own = spec->cgroup && is_below(spec->cgroup, dir);
        for (size_t j = 0; j < spec->cgroups_v1.count; j++)
            own = own || is_below(spec->cgroups_v1.at[j], dir);
        if (!own)
            return false;
    }
    return true;
}

/* Steps that change what is seen need a mount namespace of their own, some also the scratch directory. */
static const char *check_mounts(const struct spec *spec)
{
    bool own_mounts = spec->unshare & CLONE_NEWNS;
    if (spec->scratch && !own_mounts)
        return "scratch";
    if ((spec->private_tmp || spec->private_dev) && !spec->scratch)
        return "scratch";
    if (spec->tmp && !spec->private_tmp)
        return "private-tmp";
    if (spec->dev && !spec->private_dev)
        return "private-dev";
    for (size_t i = 0; i < spec->mounts.count; i++) {
        const struct mount_step *step = &spec->mounts.at[i];
        bool scratch = step->kind == MOUNT_HIDE || step->kind == MOUNT_MASK || step->kind == MOUNT_FILE ||
                       (step->kind == MOUNT_BIND && step->source[0] == '@');
        if (!own_mounts)
            return "unshare";
        if (scratch && !spec->scratch)
            return "scratch";
        if (step->kind == MOUNT_CGROUP2 && !(spec->unshare & CLONE_NEWCGROUP))
            return "cgroup2";
    }
    return NULL;
}

/* What no single word can check. */
static const char *check_whole(const struct spec *spec)
{
    if (!spec->has_uid)
        return "uid";
    if (!spec->has_gid)
        return "gid";
    if (!spec->arguments.count)
        return "arg";
    if (!writes_are_own(spec))
        return "cgroup-set";
    if (spec->hostname && !(spec->unshare & CLONE_NEWUTS))
        return "hostname";
    if (spec->loopback && !(spec->unshare & CLONE_NEWNET))
        return "loopback";
    if (spec->notify && spec->run && (!is_below(spec->notify, "/run") || !spec->notify[4]))
        return "notify";
    if (spec->ready_notify && !spec->notify)
        return "ready-notify";
    return check_mounts(spec);
}

const char *spec_decode(struct spec *spec, char *blob, size_t size)
{
    char *end = blob + size;
    if (size && end[-1] != '\0')
        return "end";
    for (char *at = blob; at < end;) {
        const char *word = at;
        const struct directive *directive = find_directive(word);
        if (!directive)
            return word;
        at += strlen(word) + 1;

        char *args[ARGUMENTS_MAX] = {NULL};
        for (int i = 0; i < directive->count; i++) {
            if (at >= end)
                return word;
            args[i] = at;
            at += strlen(at) + 1;
        }
        if (!directive->take(spec, args))
            return word;
    }
    return check_whole(spec);
}
