/* Blob -> struct spec, driven by directives.def. Run by the keeper (root) before anything is touched:
 * the bytes come from the emperor, are length-checked, and are only split and compared here, never resolved.
 */
#include "spec.h"

#include "io.h"
#include "words.h"

#include <sched.h>
#include <string.h>

#define ARGUMENTS_MAX 4

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

/* One root, and a mount namespace for every one but chroot's. */
static const char *check_root(const struct spec *spec, bool own_mounts)
{
    if (spec->chroot && own_mounts)
        return "chroot";
    if (spec->pivot_new && (!own_mounts || spec->has_root))
        return "pivot-root";
    if (spec->has_root && (!own_mounts || (spec->root != ROOT_HOST && !spec->scratch)))
        return "root";
    return NULL;
}

/* Steps that change what is seen need a mount namespace of their own, some also the scratch directory. */
static const char *check_mounts(const struct spec *spec)
{
    bool own_mounts = spec->unshare & CLONE_NEWNS;
    const char *wrong = check_root(spec, own_mounts);
    if (wrong)
        return wrong;
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
                       (step->kind == MOUNT_BIND && step->source[0] == '@') || step->kind == MOUNT_OVERLAY;
        if (!own_mounts)
            return "unshare";
        if (scratch && !spec->scratch)
            return "scratch";
        if ((step->kind == MOUNT_DIR || step->kind == MOUNT_LINK) && spec->root != ROOT_TMPFS)
            return "root";
        if (step->kind == MOUNT_CGROUP2 && !(spec->unshare & CLONE_NEWCGROUP))
            return "cgroup2";
    }
    return NULL;
}

static bool is_mapped(const struct spec *spec)
{
    for (size_t i = 0; i < spec->groups.count; i++)
        if (spec_outside_gid(spec, spec->groups.at[i]) == (gid_t)-1)
            return false;
    return spec_outside_uid(spec, spec->uid) != (uid_t)-1 && spec_outside_gid(spec, spec->gid) != (gid_t)-1;
}

/* What is joined is not made; a map belongs to a user namespace of our own, and holds every id that is used.
 */
static const char *check_namespaces(const struct spec *spec)
{
    bool own_ids = spec->unshare & CLONE_NEWUSER;
    if (spec->setns_kinds & spec->unshare)
        return "setns";
    if (spec->setns_preopen && !spec->setns_socket)
        return "setns-preopen";
    if (own_ids != (spec->uid_map.count > 0) || own_ids != (spec->gid_map.count > 0))
        return "uid-map";
    return is_mapped(spec) ? NULL : "uid-map";
}

/* What no single word can check. */
static const char *check_whole(const struct spec *spec)
{
    if (!spec->has_uid)
        return "uid";
    if (!spec->has_gid)
        return "gid";
    if (!spec->arguments.count == !spec->drill.count)
        return "arg";
    if (!writes_are_own(spec))
        return "cgroup-set";
    if (!hooks_are_whole(spec))
        return "hook-arg";
    if (spec->hostname && !(spec->unshare & CLONE_NEWUTS))
        return "hostname";
    if (spec->loopback && !(spec->unshare & CLONE_NEWNET))
        return "loopback";
    if (spec->landlock_paths.count && !spec->landlock_fs)
        return "landlock-path";
    if (spec->landlock_ports.count && !spec->landlock_net)
        return "landlock-port";
    if (spec->notify && spec->run && (!is_below(spec->notify, "/run") || !spec->notify[4]))
        return "notify";
    if (spec->ready_notify && !spec->notify)
        return "ready-notify";
    const char *wrong = check_namespaces(spec);
    return wrong ? wrong : check_mounts(spec);
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
