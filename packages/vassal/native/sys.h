/* System calls and constants that one of the two libcs (musl 1.2.3, glibc 2.36) or their headers miss.
 * The only file with #if. */
#ifndef KEEPER_SYS_H
#define KEEPER_SYS_H

#include <linux/openat2.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#if !defined(__x86_64__) && !defined(__aarch64__)
#error "the keeper knows x86-64 and arm64"
#endif

/* Since 5.1 new system calls have one number everywhere. */
#define NR_pidfd_send_signal 424
#define NR_open_tree 428
#define NR_move_mount 429
#define NR_fsopen 430
#define NR_fsconfig 431
#define NR_fsmount 432
#define NR_pidfd_open 434
#define NR_clone3 435
#define NR_close_range 436
#define NR_openat2 437
#define NR_mount_setattr 442
#define NR_fchmodat2 452
#define NR_landlock_create_ruleset 444
#define NR_landlock_add_rule 445
#define NR_landlock_restrict_self 446

#define KEEPER_CLONE_NEWTIME 0x80ULL
#define KEEPER_CLONE_PARENT 0x00008000ULL
#define KEEPER_CLONE_PARENT_SETTID 0x00100000ULL
#define KEEPER_CLONE_PIDFD 0x00001000ULL
#define KEEPER_CLONE_INTO_CGROUP 0x200000000ULL

#define KEEPER_OPEN_TREE_CLONE 1U
#define KEEPER_OPEN_TREE_CLOEXEC 02000000U
#define KEEPER_AT_RECURSIVE 0x8000U
#define KEEPER_AT_EMPTY_PATH 0x1000U
#define KEEPER_MOVE_MOUNT_F_EMPTY_PATH 0x4U
#define KEEPER_MOVE_MOUNT_T_EMPTY_PATH 0x40U

#define KEEPER_MOUNT_RDONLY 0x1U
#define KEEPER_MOUNT_NOSUID 0x2U
#define KEEPER_MOUNT_NODEV 0x4U
#define KEEPER_MOUNT_NOEXEC 0x8U

#define KEEPER_FSOPEN_CLOEXEC 1U
#define KEEPER_FSMOUNT_CLOEXEC 1U
#define KEEPER_FSCONFIG_SET_STRING 1U
#define KEEPER_FSCONFIG_CMD_CREATE 6U

/* For waitid(): the child of a pidfd. */
#define KEEPER_P_PIDFD 3

#define KEEPER_RENAME_NOREPLACE 1U

#define KEEPER_CLOSE_RANGE_CLOEXEC 4U

/* Refuse SCM_RIGHTS at the sender (6.16): what never arrives cannot block us in close(). */
#define KEEPER_SO_PASSRIGHTS 83

/* Of a descriptor of a namespace: which kind it is, as CLONE_NEW*. */
#define KEEPER_NS_GET_NSTYPE 0xb703
#define KEEPER_NS_GET_USERNS 0xb701 /* the one that has power over it */
#define KEEPER_NSFS_MAGIC 0x6e736673
#define KEEPER_PROC_MAGIC 0x9fa0

#define KEEPER_LANDLOCK_PATH 1U
#define KEEPER_LANDLOCK_PORT 2U

#define KEEPER_CGROUP_MAGIC 0x27e0eb
#define KEEPER_CGROUP2_MAGIC 0x63677270

struct clone_request {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size,
        cgroup;
};

struct mount_attributes {
    uint64_t set, clear, propagation, userns_fd;
};

struct landlock_ruleset {
    uint64_t handled_fs, handled_net, scoped;
};

struct landlock_beneath {
    uint64_t access;
    int32_t fd;
} __attribute__((packed));

struct landlock_tcp {
    uint64_t access, port;
};

static inline pid_t sys_clone3(struct clone_request *request)
{
    return (pid_t)syscall(NR_clone3, request, sizeof *request);
}

static inline int sys_close_range(unsigned first, unsigned last, unsigned flags)
{
    return (int)syscall(NR_close_range, first, last, flags);
}

static inline int sys_openat2(int dir, const char *path, uint64_t flags, uint64_t resolve)
{
    struct open_how how = {.flags = flags, .resolve = resolve};
    return (int)syscall(NR_openat2, dir, path, &how, sizeof how);
}

static inline int sys_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
}

static inline int sys_open_tree(int dir, const char *path, unsigned flags)
{
    return (int)syscall(NR_open_tree, dir, path, flags);
}

static inline int sys_move_mount(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    return (int)syscall(NR_move_mount, from_dir, from, to_dir, to, flags);
}

static inline int sys_mount_setattr(int dir, const char *path, unsigned flags,
                                    struct mount_attributes *attributes)
{
    return (int)syscall(NR_mount_setattr, dir, path, flags, attributes, sizeof *attributes);
}

static inline int sys_pivot_root(const char *root, const char *old)
{
    return (int)syscall(SYS_pivot_root, root, old);
}

static inline int sys_fsopen(const char *type)
{
    return (int)syscall(NR_fsopen, type, KEEPER_FSOPEN_CLOEXEC);
}

static inline int sys_fsconfig(int fs, unsigned command, const char *key, const char *value)
{
    return (int)syscall(NR_fsconfig, fs, command, key, value, 0);
}

static inline int sys_fsmount(int fs, unsigned attributes)
{
    return (int)syscall(NR_fsmount, fs, KEEPER_FSMOUNT_CLOEXEC, attributes);
}

static inline int sys_pidfd_open(pid_t pid)
{
    return (int)syscall(NR_pidfd_open, pid, 0U);
}

static inline int sys_pidfd_send_signal(int pidfd, int signal)
{
    return (int)syscall(NR_pidfd_send_signal, pidfd, signal, NULL, 0U);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion" /* musl's macro */
static inline struct cmsghdr *next_control(struct msghdr *message, struct cmsghdr *header)
{
    return CMSG_NXTHDR(message, header);
}
#pragma GCC diagnostic pop

#endif
