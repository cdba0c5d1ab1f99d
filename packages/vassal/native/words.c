/* The words of the blob that are no mounts, one function each. Run by the keeper (root) before anything is
 * touched: the bytes come from the emperor, are length-checked, and are only split and compared here, never
 * resolved. */
#include "words.h"

#include "io.h"

#include <arpa/inet.h>
#include <limits.h>
#include <string.h>

bool take_text(const char **field, const char *text)
{
    if (*field || !*text)
        return false; /* twice, or nothing in it */
    *field = text;
    return true;
}

bool take_path(const char **field, const char *path)
{
    return is_plain_path(path) && take_text(field, path);
}

bool take_flag(bool *flag)
{
    if (*flag)
        return false;
    *flag = true;
    return true;
}

bool take_cgroup(struct spec *spec, char **args)
{
    return take_path(&spec->cgroup, args[0]);
}

bool take_cgroup_v1(struct spec *spec, char **args)
{
    const char **dir = NEXT(spec->cgroups_v1);
    return dir && take_path(dir, args[0]);
}

bool take_cgroup_set(struct spec *spec, char **args)
{
    struct cgroup_write *entry = NEXT(spec->cgroup_writes);
    if (!entry || !is_plain_path(args[0]) || !*args[1] || args[1][0] == '.' || strchr(args[1], '/'))
        return false;
    *entry = (struct cgroup_write){args[0], args[1], args[2]};
    return true;
}

bool take_counter(struct spec *spec, char **args)
{
    struct counter *counter = NEXT(spec->counters);
    if (!counter || !*args[0] || strlen(args[0]) > 32 || strpbrk(args[0], " ,=\\") || !is_plain_path(args[1]))
        return false;
    *counter = (struct counter){args[0], args[1], args[2]};
    return true;
}

bool take_hostname(struct spec *spec, char **args)
{
    return strlen(args[0]) <= 64 && take_text(&spec->hostname, args[0]);
}

bool take_loopback(struct spec *spec, char **args)
{
    (void)args;
    return take_flag(&spec->loopback);
}

static bool parse_id(const char *text, uint32_t *id)
{
    uint64_t number;
    if (!parse_number(text, UINT32_MAX - 1, &number))
        return false;
    *id = (uint32_t)number;
    return true;
}

bool take_add_gid(struct spec *spec, char **args)
{
    gid_t *gid = NEXT(spec->groups);
    return gid && parse_id(args[0], gid);
}

bool take_gid(struct spec *spec, char **args)
{
    return take_flag(&spec->has_gid) && parse_id(args[0], &spec->gid);
}

bool take_uid(struct spec *spec, char **args)
{
    return take_flag(&spec->has_uid) && parse_id(args[0], &spec->uid);
}

bool take_caps(struct spec *spec, char **args)
{
    return take_flag(&spec->has_caps) && parse_hex(args[0], &spec->caps);
}

bool take_no_new_privs(struct spec *spec, char **args)
{
    (void)args;
    return take_flag(&spec->no_new_privs);
}

bool take_landlock_scope(struct spec *spec, char **args)
{
    return !spec->landlock_scope && parse_number(args[0], UINT32_MAX, &spec->landlock_scope) &&
           spec->landlock_scope;
}

bool take_umask(struct spec *spec, char **args)
{
    uint64_t mode = 0;
    if (!take_flag(&spec->has_umask) || !parse_octal(args[0], 0777, &mode))
        return false;
    spec->umask = (mode_t)mode;
    return true;
}

bool take_notify(struct spec *spec, char **args)
{
    return take_path(&spec->notify, args[0]) && strlen(args[0]) < 108;
}

bool take_ready_notify(struct spec *spec, char **args)
{
    (void)args;
    return take_flag(&spec->ready_notify);
}

bool take_ready_log(struct spec *spec, char **args)
{
    return strlen(args[0]) <= 256 && take_text(&spec->ready_log, args[0]);
}

bool take_ready_tcp(struct spec *spec, char **args)
{
    uint64_t port;
    unsigned char address[16];
    bool literal = inet_pton(AF_INET, args[0], address) == 1 || inet_pton(AF_INET6, args[0], address) == 1;
    return literal && parse_number(args[1], 65535, &port) && port && take_text(&spec->ready_host, args[0]) &&
           take_text(&spec->ready_port, args[1]);
}

bool take_touch(struct spec *spec, char **args)
{
    const char **path = NEXT(spec->touch);
    return path && args[0][1] && take_path(path, args[0]);
}

bool take_chdir(struct spec *spec, char **args)
{
    return args[0][0] == '/' && strlen(args[0]) < PATH_MAX && take_text(&spec->chdir, args[0]);
}

bool take_env_file(struct spec *spec, char **args)
{
    spec->env_before_file = spec->env.count;
    return args[0][0] == '/' && strlen(args[0]) < PATH_MAX && take_text(&spec->env_file, args[0]);
}

bool take_env(struct spec *spec, char **args)
{
    const char **entry = NEXT(spec->env);
    const char *equals = strchr(args[0], '=');
    return entry && equals && equals != args[0] && take_text(entry, args[0]);
}

bool take_arg(struct spec *spec, char **args)
{
    if (spec->arguments.count >= LENGTH(spec->arguments.at) - 1 || (spec->arguments.count == 0 && !*args[0]))
        return false;
    spec->arguments.at[spec->arguments.count++] = args[0];
    return true;
}

bool take_drill(struct spec *spec, char **args)
{
    struct drill_word *word = NEXT(spec->drill);
    if (!word || !*args[0])
        return false;
    *word = (struct drill_word){args[0], args[1]};
    return true;
}
