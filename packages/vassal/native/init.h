/* The child of the keeper after clone3: jails itself, starts the app, is pid 1 of the jail until the app
 * ends. */
#ifndef KEEPER_INIT_H
#define KEEPER_INIT_H

#include "spec.h"

#define WORD_DESCRIPTORS_MAX 8

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Where the child's descriptors stand; 0, 1 and 2 are /dev/null. */
enum child_fd {
    CHILD_STATUS = 3, /* close-on-exec pipe: a struct failure, or end-of-file once the app is running */
    CHILD_REPORT,     /* SOCK_SEQPACKET to the keeper: struct word */
    CHILD_OUT,
    CHILD_ERR,
    CHILD_FD_END
};

enum word_kind {
    WORD_APP,        /* from the app's process before exec, with its pidfd and credentials */
    WORD_EXIT,       /* value = raw wait status of the app */
    WORD_READY,      /* the tcp probe got through */
    WORD_TOUCHED,    /* a `touch` path changed */
    WORD_INIT,       /* from the starter, with the pidfd of the init; value = its pid */
    WORD_NAMESPACES, /* from the init on its way, with descriptors of its namespaces for setns-socket */
};

struct word {
    int32_t kind;
    int32_t value;
};

/* Everything the child needs; it lives in the keeper's memory, copied by clone. */
struct birth {
    struct spec *spec;
    uint64_t generation;
    const char *name;
    int status, report, out, err;
};

_Noreturn void init_run(const struct birth *birth);

/* Put the four channels where a child has them, and close everything else. */
void init_take_descriptors(const struct birth *birth);

/* Say a word with descriptors; the kernel adds the sender's pid. 0, or -1 with errno. */
int say_with(enum word_kind kind, int value, const int *descriptors, size_t count);

/* Say a word to the keeper; a tenant cannot block it for longer than its own jail lives. */
void say(enum word_kind kind, int value);

/* app.c: become the app. The calling process is the tenant. */
_Noreturn void app_exec(const struct spec *spec);

/* app.c: exec the first word, looked up in the PATH of `environment`; returns with errno. */
void exec_in_path(char **arguments, char **environment);

/* environment.c: what the app finds in environ, from env-file and env. */
char **environment_build(const struct spec *spec);

/* touch.c: watch the paths; a descriptor for poll, or -1 when there is none. */
int touch_watch(const struct spec *spec);
/* Read what happened: true when a path is new or its time changed. */
bool touch_changed(int watch);

/* probe.c: fork a process that connects until it succeeds, then says WORD_READY. */
void probe_start(const struct spec *spec);

#endif
