/* The words of the blob about Landlock, security modules and seccomp. Run by the keeper (root) before
 * anything is touched: the bytes come from the emperor, are length-checked, and are only split and compared
 * here, never resolved. */
#include "io.h"
#include "words.h"

#include <limits.h>
#include <linux/filter.h>
#include <string.h>

#define HEX_PER_INSTRUCTION (2 * sizeof(struct sock_filter))

static bool parse_rights(uint64_t *mask, const char *text)
{
    return !*mask && parse_hex(text, mask) && *mask;
}

bool take_landlock_fs(struct spec *spec, char **args)
{
    return parse_rights(&spec->landlock_fs, args[0]);
}

bool take_landlock_net(struct spec *spec, char **args)
{
    return parse_rights(&spec->landlock_net, args[0]);
}

static bool add_landlock_path(struct spec *spec, char **args, bool optional)
{
    struct landlock_path *entry = NEXT(spec->landlock_paths);
    if (!entry || args[1][0] != '/' || strlen(args[1]) >= PATH_MAX)
        return false;
    entry->path = args[1];
    entry->optional = optional;
    return parse_rights(&entry->access, args[0]);
}

bool take_landlock_path(struct spec *spec, char **args)
{
    return add_landlock_path(spec, args, false);
}

bool take_landlock_optional(struct spec *spec, char **args)
{
    return add_landlock_path(spec, args, true);
}

bool take_landlock_port(struct spec *spec, char **args)
{
    struct landlock_port *entry = NEXT(spec->landlock_ports);
    return entry && parse_rights(&entry->access, args[0]) && parse_number(args[1], 65535, &entry->port);
}

bool take_apparmor(struct spec *spec, char **args)
{
    return strlen(args[0]) < PATH_MAX && take_text(&spec->apparmor, args[0]);
}

bool take_selinux(struct spec *spec, char **args)
{
    return strlen(args[0]) < PATH_MAX && take_text(&spec->selinux, args[0]);
}

bool take_seccomp(struct spec *spec, char **args)
{
    size_t length = strlen(args[0]);
    return length % HEX_PER_INSTRUCTION == 0 && length <= BPF_MAXINSNS * HEX_PER_INSTRUCTION &&
           strspn(args[0], "0123456789abcdef") == length && take_text(&spec->seccomp, args[0]);
}
