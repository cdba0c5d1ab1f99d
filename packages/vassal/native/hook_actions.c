/* What a hook can do: one table. Run in the hook's own process, in the namespaces and with the rights of its
 * phase; the arguments are the operator's, checked and resolved to numbers by the emperor. */
#include "hook.h"
#include "init.h"
#include "io.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void hook_exec(const struct hook_call *call)
{
    exec_in_path((char **)(uintptr_t)call->args, (char **)(uintptr_t)call->environment);
    hook_fail(call->args[0]);
}

static void hook_sethostname(const struct hook_call *call)
{
    (void)hook_must(sethostname(call->args[0], strlen(call->args[0])), "");
}

static void hook_ifup(const struct hook_call *call)
{
    struct ifreq request = {0};
    errno = ENODEV;
    (void)hook_must(copy_text(request.ifr_name, sizeof request.ifr_name, call->args[0]) ? 0 : -1, "");
    autoclose int fd = (int)hook_must(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "");
    (void)hook_must(ioctl(fd, SIOCGIFFLAGS, &request), "");
    request.ifr_flags = (short)(request.ifr_flags | IFF_UP);
    (void)hook_must(ioctl(fd, SIOCSIFFLAGS, &request), "");
}

static void hook_print(const struct hook_call *call)
{
    const char *text = call->args[0];
    size_t left = strlen(text);
    while (left) {
        ssize_t written = hook_must(write(STDOUT_FILENO, text, left), "");
        text += written;
        left -= (size_t)written;
    }
    (void)hook_must(write(STDOUT_FILENO, "\n", 1), "");
}

static const struct hook_action {
    const char *word;
    size_t least, most;
    void (*run)(const struct hook_call *call);
} actions[] = {
    {"exec", 1, HOOK_ARGS_MAX, hook_exec},
    {"mount", 10, 10, hook_mount},
    {"umount", 3, 3, hook_umount},
    {"mkdir", 2, 2, hook_mkdir},
    {"chown", 3, 3, hook_chown},
    {"chmod", 2, 2, hook_chmod},
    {"symlink", 2, 2, hook_symlink},
    {"write", 2, 2, hook_write},
    {"sethostname", 1, 1, hook_sethostname},
    {"ifup", 1, 1, hook_ifup},
    {"print", 1, 1, hook_print},
};

int hook_action_find(const char *word)
{
    for (size_t i = 0; i < LENGTH(actions); i++)
        if (strcmp(actions[i].word, word) == 0)
            return (int)i;
    return -1;
}

bool hook_action_takes(int action, size_t count)
{
    return count >= actions[action].least && count <= actions[action].most;
}

void hook_action_run(int action, const struct hook_call *call)
{
    actions[action].run(call);
}
