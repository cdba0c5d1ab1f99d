/* How a process on its way into the jail says where it failed. The keeper itself never calls fail(). */
#ifndef KEEPER_REPORT_H
#define KEEPER_REPORT_H

#include <stdint.h>

/* In the order of jailing; mirrors packages/vassal/src/keeper/stages.ts (a test compares them). */
#define STAGES(X)                                                                                            \
    X(SPEC, "spec")                                                                                          \
    X(LOG, "log")                                                                                            \
    X(CGROUP, "cgroup")                                                                                      \
    X(NOTIFY, "notify")                                                                                      \
    X(HOOK_PRE_JAIL, "hook-pre-jail")                                                                        \
    X(NAMESPACES, "namespaces")                                                                              \
    X(HOOK_POST_JAIL, "hook-post-jail")                                                                      \
    X(MOUNTS, "mounts")                                                                                      \
    X(ROOT, "root")                                                                                          \
    X(LIMITS, "limits")                                                                                      \
    X(HOSTNAME, "hostname")                                                                                  \
    X(NETWORK, "network")                                                                                    \
    X(HOOK_AS_ROOT, "hook-as-root")                                                                          \
    X(IDENTITY, "identity")                                                                                  \
    X(LSM, "lsm")                                                                                            \
    X(LANDLOCK, "landlock")                                                                                  \
    X(SECCOMP, "seccomp")                                                                                    \
    X(HOOK_AS_USER, "hook-as-user")                                                                          \
    X(CHDIR, "chdir")                                                                                        \
    X(ENV_FILE, "env-file")                                                                                  \
    X(TOUCH, "touch")                                                                                        \
    X(INIT, "init")                                                                                          \
    X(EXEC, "exec")                                                                                          \
    X(HOOK_POST_STOP, "hook-post-stop")

enum stage {
#define X(id, name) STAGE_##id,
    STAGES(X)
#undef X
        STAGE_COUNT
};

/* A failed launch: what goes through the status pipe and, as a fact, to the emperor. */
struct failure {
    int32_t stage;
    int32_t error;
    char what[400];
};

const char *stage_name(int stage);

/* Note a failure for later: always returns -1. `error` is positive. */
int note_failure(struct failure *failure, enum stage stage, int error, const char *what);

/* Where fail() reports: a close-on-exec pipe, so that end-of-file means "the app is running". */
void report_to(int fd);

/* Report errno for `stage` and leave. For processes that will exec or exit. */
_Noreturn void fail(enum stage stage, const char *what);

/* Pass the result of a system call through, or fail(). */
#define MUST(stage, call) must((call), (stage), #call)
long must(long result, enum stage stage, const char *what);

#endif
