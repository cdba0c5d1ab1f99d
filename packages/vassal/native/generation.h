/* One run of the app in a jail of its own: from `launch` to `forget`. Two overlap during a reload. */
#ifndef KEEPER_GENERATION_H
#define KEEPER_GENERATION_H

#include "control.h"
#include "init.h"
#include "io.h"
#include "log.h"
#include "report.h"
#include "setns_socket.h"
#include "undertaker.h"

#include <sys/types.h>

/* free -> launching -> running -> ending -> over -> free. A launch that fails goes from launching to ending.
 */
enum phase { PHASE_FREE, PHASE_LAUNCHING, PHASE_RUNNING, PHASE_ENDING, PHASE_OVER };

#define CGROUPS_MAX 9 /* one v2, eight v1 */
#define NOTIFY_VALUE_MAX 256

/* A control group that this generation made. */
struct group {
    unsigned short path; /* where it stands in generation.texts */
    unsigned short kept; /* length of the part that was there before us */
    bool removed;
};

struct generation {
    enum phase phase;
    bool failed;  /* ends with `fail` instead of `exited` and `gone` */
    bool killed;  /* `kill` was asked, or the end has begun */
    bool has_app; /* the app's process introduced itself */
    bool has_exit, init_reaped;
    bool is_ready, ready_by_notify;
    bool has_v2;
    uint64_t id;
    int64_t launching_at, launched_at, ready_at, exited_at;
    pid_t init, app;
    pid_t starter;   /* until it is reaped; its pidfd stands for the init's until there is one */
    int exit_status; /* raw wait status of the app */
    int init_status; /* of init, once reaped */

    int status, report, notify, init_pidfd, app_pidfd, events;
    struct stream streams[2]; /* out, err */

    struct undertaker undertaker;
    int64_t retry_ns; /* look again at an end that takes long; NEVER */
    int64_t pause_ns; /* between two looks */
    int64_t empty_ns; /* since when the group is empty */

    int64_t touched_ns; /* last `touched` told */
    int64_t notify_window_ns, notify_turn_ns, notify_resume_ns;
    unsigned notify_datagrams;             /* read within the turn */
    unsigned notify_facts, watchdog_facts; /* told within the window */
    bool status_untold;

    uint64_t offered_kinds; /* of setns-socket, CLONE_NEW* */
    bool offers_held;       /* from the launch on, in `offers`; else they are opened for each peer */
    int offer_count;
    int offers[OFFERS_MAX];

    size_t tag_size;
    size_t group_count;
    size_t counter_count, counters_start; /* in texts */
    struct group groups[CGROUPS_MAX];

    /* Touched only as far as they are used. */
    struct failure failure;
    char notify_path[128]; /* to be unlinked; empty when it stands in the scratch directory */
    char status_text[NOTIFY_VALUE_MAX + 1];
    char ready_text[257];
    char tag[TAG_MAX];
    char counters[512]; /* `name=n,name=n`, once exited */
    size_t texts_used;
    char texts[5120]; /* NUL-terminated: paths of groups, then NAME PATH KEY of each counter */
} page_aligned;       /* an idle one costs one page */

struct keeper;

struct generation *generation_find(struct keeper *keeper, uint64_t id);

/* Start generation `id`; `blob` is decoded in place. Failures become facts. */
void generation_launch(struct keeper *keeper, struct generation *generation, char *blob, size_t blob_size);

/* A free record for `id`, or NULL. */
struct generation *generation_take(struct keeper *keeper, uint64_t id, const char *tag, size_t tag_size);
void generation_forget(struct generation *generation);
void generation_forget_spec(void);

/* What arrived from the jail. */
void generation_status_readable(struct keeper *keeper, struct generation *generation);
void generation_report_readable(struct keeper *keeper, struct generation *generation);
void generation_stream_readable(struct keeper *keeper, struct generation *generation, struct stream *stream,
                                int64_t now_ns);
void generation_init_ended(struct keeper *keeper, struct generation *generation, int status);
void generation_starter_ended(struct keeper *keeper, struct generation *generation);
void generation_become_ready(struct keeper *keeper, struct generation *generation);

/* ending.c */
void generation_exit(struct keeper *keeper, struct generation *generation, int status);
void generation_fail(struct keeper *keeper, struct generation *generation);
void generation_settle(struct keeper *keeper, struct generation *generation, int64_t now_ns);

/* signals.c: 0 or an errno. */
int generation_signal(struct generation *generation, int number);
int generation_signal_all(struct generation *generation, int number);
void generation_kill(struct generation *generation);

/* notify.c: make the socket (0 or -1 with the failure noted); read from it; tell what waited. */
int notify_make(struct keeper *keeper, struct generation *generation, const struct spec *spec);
void notify_readable(struct keeper *keeper, struct generation *generation, int64_t now_ns);
void notify_tick(struct keeper *keeper, struct generation *generation, int64_t now_ns);
int64_t notify_deadline(const struct generation *generation);
void notify_remove(struct keeper *keeper, struct generation *generation);

/* cgroup.c */
int cgroups_make(const struct keeper *keeper, struct generation *generation, const struct spec *spec);
int cgroup_open(const struct generation *generation);
bool cgroup_is_empty(struct generation *generation);
bool cgroup_kill(const struct generation *generation);
bool cgroups_remove(struct generation *generation);
void counters_read(struct generation *generation);

#endif
