/* What the operator has done around a jail: `hook` words. Every action runs in a process of its own, so that
 * it can be given a time and be killed. */
#ifndef KEEPER_HOOK_H
#define KEEPER_HOOK_H

#include "report.h"
#include "spec.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Run the hooks of one phase in their order; the first that fails fails the launch. Called by the processes
 * on the way into the jail, where CHILD_OUT and CHILD_ERR are the app's pipes. */
void hooks_run(const struct spec *spec, enum hook_phase phase);

/* Why a hook's process could not do it; written by it, atomically. */
struct hook_trouble {
    int32_t error;
    char detail[160];
};

/* The hook's process, from its fork on: `write_ends` take its output, its errors and its trouble. */
_Noreturn void hook_become(const struct spec *spec, const struct hook *hook, const int *write_ends,
                           pid_t parent);

/* hook_watch.c: run one hook in the caller's namespaces and identity: 0, or -1 with the failure noted. */
int hook_run(const struct spec *spec, const struct hook *hook, struct failure *failure);

/* hook_watch.c: kill and reap every process below the caller, which is pid 1 of its namespace or a subreaper.
 */
void hook_kill_descendants(void);

/* Where the kernel is to write the pid of the init as the host sees it: memory that the child shares, one
 * place for each generation of the keeper. NULL without hooks. */
pid_t *hooks_share_pid(const struct spec *spec, size_t slot);

/* Does any hook run before, or beside, the jail's own mount namespace? */
bool hooks_need_mounts(const struct spec *spec);
bool hooks_have(const struct spec *spec, enum hook_phase phase);

/* hook_actions.c: the number of an action, or -1; and whether it takes so many arguments. */
int hook_action_find(const char *word);
bool hook_action_takes(int action, size_t count);

/* What an action of a hook's process is given. */
struct hook_call {
    char *const *args; /* NULL-terminated */
    size_t count;
    char *const *environment;
};

/* Do it, in the process of the hook; returns when it is done. */
void hook_action_run(int action, const struct hook_call *call);

/* Say errno, and about what, to the process that waits for this hook, and leave. */
_Noreturn void hook_fail(const char *detail);
long hook_must(long result, const char *detail);

/* hook_mount.c */
void hook_mount(const struct hook_call *call);
void hook_umount(const struct hook_call *call);

/* hook_files.c */
void hook_mkdir(const struct hook_call *call);
void hook_chown(const struct hook_call *call);
void hook_chmod(const struct hook_call *call);
void hook_symlink(const struct hook_call *call);
void hook_write(const struct hook_call *call);

/* hook_files.c: the directory that `path` stands in, no symlink followed, and the last name of it; or -1. */
int hook_try_parent(const char *path, const char **name);

#endif
