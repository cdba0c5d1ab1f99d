/* The words of the blob about hooks. Run by the keeper (root) before anything is touched: the bytes come from
 * the emperor, are length-checked, and are only split and compared here. */
#include "hook.h"
#include "io.h"
#include "words.h"

#include <string.h>

#define LONGEST_TIMEOUT_MS (24 * 3600 * 1000)

static const char *const phases[] = {
    [HOOK_PRE_JAIL] = "pre-jail", [HOOK_POST_JAIL] = "post-jail", [HOOK_AS_ROOT] = "as-root",
    [HOOK_AS_USER] = "as-user",   [HOOK_POST_STOP] = "post-stop",
};

const char *hook_phase_name(enum hook_phase phase)
{
    return phases[phase];
}

static bool parse_phase(const char *word, enum hook_phase *phase)
{
    for (size_t i = 0; i < LENGTH(phases); i++) {
        if (strcmp(phases[i], word) != 0)
            continue;
        *phase = (enum hook_phase)i;
        return true;
    }
    return false;
}

bool take_hook(struct spec *spec, char **args)
{
    struct hook *hook = NEXT(spec->hooks);
    uint64_t timeout_ms;
    if (!hook || !parse_phase(args[0], &hook->phase) || !*args[3] ||
        !parse_number(args[2], LONGEST_TIMEOUT_MS, &timeout_ms) || !timeout_ms)
        return false;
    hook->action = hook_action_find(args[1]);
    hook->limit_ns = (int64_t)timeout_ms * NS_PER_MS;
    hook->text = args[3];
    hook->first = spec->hook_args.count;
    return hook->action >= 0;
}

/* Of the last `hook`. */
bool take_hook_arg(struct spec *spec, char **args)
{
    char **arg = NEXT(spec->hook_args);
    if (!arg || !spec->hooks.count)
        return false;
    *arg = args[0];
    spec->hooks.at[spec->hooks.count - 1].count++;
    return true;
}

bool take_hook_env(struct spec *spec, char **args)
{
    char **entry = NEXT(spec->hook_env);
    const char *equals = strchr(args[0], '=');
    if (!entry || !equals || equals == args[0])
        return false;
    *entry = args[0];
    return true;
}

bool hooks_are_whole(const struct spec *spec)
{
    for (size_t i = 0; i < spec->hooks.count; i++)
        if (!hook_action_takes(spec->hooks.at[i].action, spec->hooks.at[i].count))
            return false;
    return true;
}
