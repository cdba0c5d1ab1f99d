/* What one launch asks for, as decoded from its blob. Every text points into the blob. */
#ifndef KEEPER_SPEC_H
#define KEEPER_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#define BLOB_MAX 131072

enum mount_kind {
    MOUNT_KEEP,
    MOUNT_HIDE,
    MOUNT_MASK,
    MOUNT_READONLY,
    MOUNT_BIND,
    MOUNT_FILE,
    MOUNT_SHM,
    MOUNT_DEVPTS,
    MOUNT_PROC,
    MOUNT_SYSFS,
    MOUNT_CGROUP2,
    MOUNT_WRITE,
    MOUNT_TMPFS,
    MOUNT_OVERLAY,
    MOUNT_DIR,
    MOUNT_LINK,
};

/* `tmp`, `dev` and `run` are several of these. */
struct mount_step {
    enum mount_kind kind;
    unsigned flags;     /* KEEPER_MOUNT_* of bind */
    bool optional;      /* of bind: a missing source is skipped */
    const char *source; /* of bind (`@/...` = scratch); content of file; hidepid of proc; bytes of tmpfs;
                           lowers of overlay; target of link; mode of dir */
    const char *upper;  /* of overlay; empty = a tmpfs */
    const char *path;   /* where it goes */
    int tree;           /* while jailing: what was taken before anything changed, or -1 */
};

/* What becomes `/`: the host's tree, changed in place, or one of these, entered by pivot_root. */
enum root_kind {
    ROOT_HOST,
    ROOT_TMPFS,   /* an empty file system; places in it are made */
    ROOT_TREE,    /* a directory with all that is mounted below it */
    ROOT_SINGLE,  /* a directory without that */
    ROOT_OVERLAY, /* directories in layers */
};

enum hook_phase { HOOK_PRE_JAIL, HOOK_POST_JAIL, HOOK_AS_ROOT, HOOK_AS_USER, HOOK_POST_STOP };

#define HOOK_ARGS_MAX 256

struct hook {
    enum hook_phase phase;
    int action; /* hook_actions.c */
    int64_t limit_ns;
    const char *text;    /* as people know it */
    size_t first, count; /* in spec.hook_args */
};

struct cgroup_write {
    const char *dir, *file, *value;
};

struct counter {
    const char *name, *path, *key;
};

/* `count` ids from `inside` on are those from `outside` on. */
struct id_map {
    uint32_t inside, outside, count;
};

struct resource_limit {
    int resource;
    struct rlimit limit;
};

/* What Landlock leaves: rights below a path. `optional`: skipped where there is none. */
struct landlock_path {
    uint64_t access;
    const char *path;
    bool optional;
};

struct landlock_port {
    uint64_t access, port;
};

/* What nobody asked for is reset to what is usual: nothing of the emperor's own is handed on. */
struct scheduling {
    bool has_nice, has_ionice, has_sched, has_oom_score_adj;
    int nice, oom_score_adj;
    unsigned io_class, io_level;
    int policy, priority;
};

/* One thing that the prober shall try: drill.h. */
struct drill_word {
    const char *key, *value;
};

#define LIST(type, most)                                                                                     \
    struct {                                                                                                 \
        size_t count;                                                                                        \
        type at[most];                                                                                       \
    }

struct spec {
    const char *cgroup; /* v2, or NULL */
    LIST(const char *, 8) cgroups_v1;
    LIST(struct cgroup_write, 64) cgroup_writes;
    LIST(struct counter, 16) counters;
    uint64_t unshare;

    LIST(struct hook, 64) hooks;
    LIST(char *, 1024) hook_args;
    LIST(char *, 16) hook_env;
    pid_t *jail_pid; /* where the kernel writes the init's pid as the host sees it, or NULL */

    const char *scratch;
    uint64_t tmp_bytes, tmp_inodes;
    bool private_tmp, private_dev;
    bool tmp, dev, run; /* these words were there */
    LIST(struct mount_step, 256) mounts;

    bool has_root;
    enum root_kind root;
    const char *root_dir; /* of tree and single; LOWERS:UPPER of overlay */
    unsigned root_flags;  /* KEEPER_MOUNT_* */
    const char *pivot_new, *pivot_old;
    const char *chroot;

    LIST(struct id_map, 160) uid_map;
    LIST(struct id_map, 160) gid_map;
    bool single_id; /* the keeper lives in a user namespace with one uid and one gid */
    const char *setns;
    uint64_t setns_kinds;
    const char *setns_socket;
    uint64_t setns_socket_kinds;
    bool setns_preopen;

    const char *hostname;
    bool loopback;
    LIST(struct resource_limit, 24) limits;
    struct scheduling scheduling;

    LIST(gid_t, 64) groups;
    uid_t uid;
    gid_t gid;
    bool has_uid, has_gid, has_caps, has_umask;
    uint64_t caps;
    unsigned securebits;
    bool no_new_privs;
    uint64_t landlock_scope, landlock_fs, landlock_net; /* what is restricted; 0 = nothing of the kind */
    LIST(struct landlock_path, 192) landlock_paths;
    LIST(struct landlock_port, 512) landlock_ports;
    const char *apparmor, *selinux;
    const char *seccomp; /* struct sock_filter after struct sock_filter, in hexadecimal */
    mode_t umask;

    const char *notify;
    bool ready_notify;
    const char *ready_log;
    const char *ready_host, *ready_port;
    LIST(const char *, 8) touch;

    const char *chdir;
    const char *env_file;
    size_t env_before_file; /* so many of `env` came before env-file, which replaces them */
    LIST(const char *, 512) env;
    LIST(struct drill_word, 64) drill; /* instead of a command: the escape prober and what it aims at */
    LIST(char *, 1024) arguments;      /* one less is allowed: the last is NULL for exec */
} __attribute__((aligned(4096)));      /* whole pages, to be given back after clone */

/* What an id of inside the jail is outside of it; (uid_t)-1 when the map has it not. */
uid_t spec_outside_uid(const struct spec *spec, uid_t inside);
gid_t spec_outside_gid(const struct spec *spec, gid_t inside);

/* Decode a blob into a zeroed `spec`. NULL, or the word that is wrong. `blob[size]` must be writable. */
const char *spec_decode(struct spec *spec, char *blob, size_t size);

#endif
