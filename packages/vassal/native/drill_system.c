/* Attempts on what the machine itself is in reach through: devices, /proc, /sys, control groups, terminals.
 * Nothing is created but a node of ours that is removed, nothing is written, nothing is read but one byte. */
#include "drill.h"

#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static void open_block(const char *path, struct outcome *outcome)
{
    struct stat file;
    if (lstat(path, &file) == 0 && S_ISBLK(file.st_mode))
        try_open(outcome, path, O_RDONLY);
}

static void raw_disk(const struct spec *spec, struct outcome *outcome)
{
    static const char *const disks[] = {
        "/dev/sda",   "/dev/vda",          "/dev/xvda",           "/dev/nvme0n1", "/dev/dm-0",
        "/dev/loop0", "/dev/loop-control", "/dev/mapper/control", "/dev/fuse",    "/dev/btrfs-control",
        NULL};
    (void)spec;
    try_each(outcome, "/dev", open_block);
    try_open_all(outcome, disks, O_RDONLY);
}

/* A mask opens, and reads as empty. The others are only opened: to read a port may do something. */
static void kernel_memory(const struct spec *spec, struct outcome *outcome)
{
    static const char *const files[] = {"/dev/mem", "/dev/kmem", "/dev/port", "/dev/cpu/0/msr", NULL};
    char byte;
    (void)spec;
    autoclose int core = open("/proc/kcore", O_RDONLY | O_CLOEXEC);
    if (core >= 0 && read(core, &byte, 1) == 1)
        allowed(outcome, "/proc/kcore can be read");
    else
        denied(outcome, core < 0 ? errno : ENODATA, "/proc/kcore");
    try_open_all(outcome, files, O_RDONLY);
}

static void other_devices(const struct spec *spec, struct outcome *outcome)
{
    static const char *const files[] = {"/dev/kvm",          "/dev/net/tun", "/dev/uinput",
                                        "/dev/input/event0", "/dev/tty0",    "/dev/tty1",
                                        "/dev/vhost-net",    "/dev/vcs",     NULL};
    /* To open these may already do something. */
    static const char *const touchy[] = {"/dev/watchdog", "/dev/console", "/dev/ttyS0", "/dev/snapshot"};
    (void)spec;
    try_open_all(outcome, files, O_RDONLY);
    for (size_t i = 0; i < LENGTH(touchy); i++)
        if (access(touchy[i], R_OK) == 0)
            allowed(outcome, "%s could be opened", touchy[i]);
}

static void kernel_log(const struct spec *spec, struct outcome *outcome)
{
    char text[64];
    (void)spec;
    if (klogctl(3, text, sizeof text) >= 0)
        allowed(outcome, "syslog(2) reads the kernel's log");
    else
        denied(outcome, errno, "syslog(2)");
    try_open(outcome, "/dev/kmsg", O_RDONLY);
}

static void sysrq(const struct spec *spec, struct outcome *outcome)
{
    (void)spec;
    try_open(outcome, "/proc/sysrq-trigger", O_WRONLY);
    try_open(outcome, "/proc/sys/kernel/sysrq", O_WRONLY);
}

static void core_pattern(const struct spec *spec, struct outcome *outcome)
{
    static const char *const files[] = {"/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe",
                                        "/proc/sys/kernel/hotplug",      "/proc/sys/fs/binfmt_misc/register",
                                        "/sys/kernel/uevent_helper",     NULL};
    (void)spec;
    try_open_all(outcome, files, O_WRONLY);
}

static void write_proc_sys(const struct spec *spec, struct outcome *outcome)
{
    static const char *const files[] = {"/proc/sys/vm/overcommit_memory",
                                        "/proc/sys/kernel/pid_max",
                                        "/proc/sys/kernel/randomize_va_space",
                                        "/proc/sys/net/ipv4/ip_forward",
                                        "/proc/sys/fs/file-max",
                                        "/proc/irq/default_smp_affinity",
                                        NULL};
    (void)spec;
    try_open_all(outcome, files, O_WRONLY);
}

static void write_sys(const struct spec *spec, struct outcome *outcome)
{
    static const char *const files[] = {"/sys/power/state",
                                        "/sys/kernel/mm/transparent_hugepage/enabled",
                                        "/sys/module/kernel/parameters/panic",
                                        "/sys/kernel/profiling",
                                        "/sys/kernel/debug/sched",
                                        "/sys/kernel/tracing/tracing_on",
                                        "/sys/firmware/efi/efivars",
                                        "/sys/devices/system/cpu/cpu1/online",
                                        NULL};
    (void)spec;
    try_open_all(outcome, files, O_WRONLY);
}

static void look_for_agent(const char *path, struct outcome *outcome)
{
    char agent[4600];
    if (format_text(agent, sizeof agent, "%s/release_agent", path))
        try_open(outcome, agent, O_WRONLY);
}

static void release_agent(const struct spec *spec, struct outcome *outcome)
{
    (void)spec;
    try_each(outcome, "/sys/fs/cgroup", look_for_agent);
    try_open(outcome, "/sys/fs/cgroup/release_agent", O_WRONLY);
}

static void look_for_group(const char *path, struct outcome *outcome)
{
    char procs[4600];
    if (format_text(procs, sizeof procs, "%s/cgroup.procs", path))
        try_open(outcome, procs, O_WRONLY);
}

static void leave_group(const struct spec *spec, struct outcome *outcome)
{
    (void)spec;
    try_each(outcome, "/sys/fs/cgroup", look_for_group);
    try_open(outcome, "/sys/fs/cgroup/cgroup.procs", O_WRONLY);
    try_open(outcome, "/sys/fs/cgroup/pids.max", O_WRONLY);
    try_open(outcome, "/sys/fs/cgroup/memory.max", O_WRONLY);
}

static void open_tty(const char *path, struct outcome *outcome)
{
    if (strcmp(path, "/dev/pts/ptmx") != 0)
        try_open(outcome, path, O_RDWR);
}

/* A terminal of somebody else in reach is all that TIOCSTI needs; no byte is pushed into it. */
static void tiocsti(const struct spec *spec, struct outcome *outcome)
{
    (void)spec;
    for (int fd = 0; fd < 3; fd++)
        if (isatty(fd))
            allowed(outcome, "descriptor %d is a terminal", fd);
    try_open(outcome, "/dev/tty", O_RDWR);
    try_each(outcome, "/dev/pts", open_tty);
}

static void make_node(const struct spec *spec, struct outcome *outcome)
{
    static const char *const dirs[] = {"/tmp", "/var/tmp", "/dev/shm", "."};
    char path[64];
    (void)spec;
    for (size_t i = 0; i < LENGTH(dirs); i++) {
        (void)snprintf(path, sizeof path, "%s/emperor-drill-node", dirs[i]);
        (void)unlink(path);
        if (mknod(path, S_IFCHR | 0600, makedev(1, 1)) < 0) {
            denied(outcome, errno, "%s", path);
            continue;
        }
        autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        allowed(outcome, "%s, which %s", path,
                fd >= 0 ? "opens as the machine's memory" : "cannot be opened there");
        (void)unlink(path);
        return;
    }
}

const struct attempt drill_system[] = {
    {"mknod", make_node, false},
    {"raw-disk", raw_disk, false},
    {"kernel-memory", kernel_memory, false},
    {"other-devices", other_devices, false},
    {"kernel-log", kernel_log, false},
    {"sysrq", sysrq, false},
    {"core-pattern", core_pattern, false},
    {"write-proc-sys", write_proc_sys, false},
    {"write-sys", write_sys, false},
    {"release-agent", release_agent, false},
    {"leave-group", leave_group, false},
    {"tiocsti", tiocsti, false},
    {NULL, NULL, false},
};
