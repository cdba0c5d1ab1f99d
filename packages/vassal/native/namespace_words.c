/* The words of the blob about namespaces and ids, one function each. Run by the keeper (root) before anything
 * is touched: the bytes come from the emperor, are length-checked, and are only split and compared here,
 * never resolved. */
#include "io.h"
#include "sys.h"
#include "words.h"

#include <sched.h>

#define JOINABLE                                                                                             \
    ((uint64_t)(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP |  \
                CLONE_NEWUSER) |                                                                             \
     KEEPER_CLONE_NEWTIME)

/* noroot, no-setuid-fixup, keep-caps, no-cap-ambient-raise, each with its lock */
#define SECUREBITS 0xffU

static bool parse_kinds(const char *text, uint64_t *kinds)
{
    return parse_number(text, UINT64_MAX, kinds) && *kinds && !(*kinds & ~JOINABLE);
}

bool take_unshare(struct spec *spec, char **args)
{
    return !spec->unshare && parse_kinds(args[0], &spec->unshare);
}

bool take_setns(struct spec *spec, char **args)
{
    return take_path(&spec->setns, args[0]) && args[0][1] && parse_kinds(args[1], &spec->setns_kinds);
}

bool take_setns_socket(struct spec *spec, char **args)
{
    return take_path(&spec->setns_socket, args[0]) && args[0][1] &&
           parse_kinds(args[1], &spec->setns_socket_kinds) &&
           !(spec->setns_socket_kinds & CLONE_NEWUSER); /* uWSGI's protocol never sends it */
}

bool take_setns_preopen(struct spec *spec, char **args)
{
    (void)args;
    return take_flag(&spec->setns_preopen);
}

bool take_single_id(struct spec *spec, char **args)
{
    (void)args;
    return take_flag(&spec->single_id);
}

bool take_securebits(struct spec *spec, char **args)
{
    uint64_t bits = 0;
    if (spec->securebits || !parse_number(args[0], SECUREBITS, &bits) || !bits)
        return false;
    spec->securebits = (unsigned)bits;
    return true;
}

static bool parse_map(struct id_map *map, char **args)
{
    uint64_t inside, outside, count;
    if (!map || !parse_number(args[0], UINT32_MAX - 1, &inside) ||
        !parse_number(args[1], UINT32_MAX - 1, &outside) || !parse_number(args[2], UINT32_MAX, &count))
        return false;
    if (!count || inside + count > UINT32_MAX || outside + count > UINT32_MAX)
        return false;
    *map = (struct id_map){(uint32_t)inside, (uint32_t)outside, (uint32_t)count};
    return true;
}

bool take_uid_map(struct spec *spec, char **args)
{
    return parse_map(NEXT(spec->uid_map), args);
}

bool take_gid_map(struct spec *spec, char **args)
{
    return parse_map(NEXT(spec->gid_map), args);
}

static uint32_t outside_of(const struct id_map *maps, size_t count, uint32_t inside)
{
    for (size_t i = 0; i < count; i++)
        if (inside - maps[i].inside < maps[i].count)
            return maps[i].outside + (inside - maps[i].inside);
    return count ? UINT32_MAX : inside;
}

uid_t spec_outside_uid(const struct spec *spec, uid_t inside)
{
    return outside_of(spec->uid_map.at, spec->uid_map.count, inside);
}

gid_t spec_outside_gid(const struct spec *spec, gid_t inside)
{
    return outside_of(spec->gid_map.at, spec->gid_map.count, inside);
}
