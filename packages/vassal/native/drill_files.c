/* Attempts on files, directories, devices and mounts of others. Nothing is created but what vanishes at once
 * (O_TMPFILE, or a name of ours that is removed), nothing is written, nothing is read but names. */
#include "drill.h"

#include "io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

/* Calls `look` for entries of a directory until one is allowed. */
static void each_entry(const char *dir, struct outcome *outcome, void (*look)(const char *, struct outcome *))
{
    char path[4400];
    DIR *entries = opendir(dir);
    if (!entries)
        return;
    struct dirent *entry;
    while (outcome->verdict != DRILL_ALLOWED && (entry = readdir(entries)) != NULL)
        if (entry->d_name[0] != '.' && format_text(path, sizeof path, "%s/%s", dir, entry->d_name))
            look(path, outcome);
    (void)closedir(entries);
}

static void all_of(const char *const *paths, struct outcome *outcome, int flags)
{
    for (; *paths; paths++)
        try_open(outcome, *paths, flags);
}

static void write_system(const struct spec *spec, struct outcome *outcome)
{
    static const char *const files[] = {"/etc/passwd",
                                        "/etc/shadow",
                                        "/etc/ld.so.cache",
                                        "/usr/bin/env",
                                        "/bin/sh",
                                        "/lib64/ld-linux-x86-64.so.2",
                                        NULL};
    static const char *const dirs[] = {"/etc",           "/usr",  "/usr/bin", "/usr/lib",
                                       "/usr/local/bin", "/boot", "/efi",     NULL};
    (void)spec;
    all_of(files, outcome, O_WRONLY);
    all_of(dirs, outcome, O_TMPFILE | O_RDWR);
}

static void write_host(const struct spec *spec, struct outcome *outcome)
{
    static const char *const dirs[] = {"/",          "/var",  "/var/lib", "/var/log", "/var/spool",
                                       "/var/cache", "/srv",  "/opt",     "/mnt",     "/media",
                                       "/root",      "/home", NULL};
    (void)spec;
    all_of(dirs, outcome, O_TMPFILE | O_RDWR);
}

static void look_into_home(const char *path, struct outcome *outcome)
{
    try_open(outcome, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

/* Homes but the own one (`home`). */
static void other_homes(const struct spec *spec, struct outcome *outcome)
{
    const char *own = drill_value(spec, "home", 0);
    char path[4400];
    DIR *entries = opendir("/home");
    struct dirent *entry;
    while (entries && outcome->verdict != DRILL_ALLOWED && (entry = readdir(entries)) != NULL) {
        if (entry->d_name[0] == '.' || !format_text(path, sizeof path, "/home/%s", entry->d_name))
            continue;
        if (!own || !is_below(own, path))
            look_into_home(path, outcome);
    }
    if (entries)
        (void)closedir(entries);
    if (!own || !is_below(own, "/root"))
        each_entry("/root", outcome, look_into_home);
    if (!outcome->detail[0])
        denied(outcome, ENOENT, "none to be seen");
}

static void found_entry(const char *path, struct outcome *outcome)
{
    allowed(outcome, "%s can be seen", path);
}

static void emperor_directories(const struct spec *spec, struct outcome *outcome)
{
    const char *path;
    denied(outcome, ENOENT, "nothing to be seen");
    for (size_t i = 0; (path = drill_value(spec, "hidden", i)) != NULL; i++)
        each_entry(path, outcome, found_entry);
}

static void connect_to(const char *path, struct outcome *outcome)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (outcome->verdict == DRILL_ALLOWED || !copy_text(address.sun_path, sizeof address.sun_path, path))
        return;
    autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        allowed(outcome, "%s accepts", path);
    else
        denied(outcome, errno, "%s", path);
}

static void emperor_sockets(const struct spec *spec, struct outcome *outcome)
{
    const char *path;
    for (size_t i = 0; (path = drill_value(spec, "socket", i)) != NULL; i++)
        connect_to(path, outcome);
}

/* Sockets through which a host is commonly taken over. */
static void host_sockets(const struct spec *spec, struct outcome *outcome)
{
    static const char *const paths[] = {"/run/docker.sock",
                                        "/run/containerd/containerd.sock",
                                        "/run/podman/podman.sock",
                                        "/run/dbus/system_bus_socket",
                                        "/run/systemd/private",
                                        "/run/systemd/journal/stdout",
                                        "/run/crio/crio.sock",
                                        "/run/libvirt/libvirt-sock",
                                        NULL};
    (void)spec;
    for (const char *const *path = paths; *path; path++)
        connect_to(*path, outcome);
}

/* The outsider's file in the host's /tmp, /var/tmp and /dev/shm. */
static void tmp_of_others(const struct spec *spec, struct outcome *outcome)
{
    static const char *const dirs[] = {"/tmp", "/var/tmp", "/dev/shm"};
    const char *name = drill_value(spec, "name", 0);
    struct stat file;
    char path[256];
    denied(outcome, ENOENT, "the outsider's files are not there");
    for (size_t i = 0; name && i < LENGTH(dirs); i++)
        if (format_text(path, sizeof path, "%s/%s", dirs[i], name) && lstat(path, &file) == 0)
            allowed(outcome, "%s of the host can be seen", path);
}

/* A link to somebody else's file in a directory of ours would keep it, or lead root to it. */
static void hard_link(const struct spec *spec, struct outcome *outcome)
{
    static const char *const dirs[] = {"/tmp", "/var/tmp", "/dev/shm", "."};
    static const char *const files[] = {"/etc/passwd", "/etc/shadow", "/usr/bin/passwd", "/bin/su"};
    (void)spec;
    for (size_t d = 0; d < LENGTH(dirs); d++) {
        for (size_t f = 0; f < LENGTH(files); f++) {
            char path[64];
            (void)snprintf(path, sizeof path, "%s/emperor-drill-link", dirs[d]);
            if (link(files[f], path) == 0) {
                (void)unlink(path);
                allowed(outcome, "%s -> %s", path, files[f]);
                return;
            }
            denied(outcome, errno, "%s -> %s", path, files[f]);
        }
    }
}

/* A symlink of ours leads nowhere that we may not go ourselves. */
static void symlink_out(const struct spec *spec, struct outcome *outcome)
{
    const char *path = "/tmp/emperor-drill-symlink";
    (void)spec;
    (void)unlink(path);
    if (symlink("/etc/shadow", path) < 0) {
        denied(outcome, errno, "no symlink in /tmp");
        return;
    }
    try_open(outcome, path, O_RDONLY);
    (void)unlink(path);
    try_open(outcome, "/etc/shadow", O_RDONLY);
    try_open(outcome, "/etc/gshadow", O_RDONLY);
}

static void setuid_programs(const struct spec *spec, struct outcome *outcome)
{
    static const char *const files[] = {
        "/usr/bin/su",   "/usr/bin/passwd",  "/usr/bin/mount",  "/usr/bin/newgrp", "/usr/bin/chsh",
        "/usr/bin/sudo", "/usr/bin/gpasswd", "/usr/bin/umount", "/usr/bin/pkexec", "/usr/bin/ping"};
    struct stat file;
    struct statvfs system;
    (void)spec;
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1) {
        denied(outcome, EPERM, "no_new_privs: they give nothing");
        return;
    }
    denied(outcome, ENOENT, "none that is root's, can be executed, and is not on a nosuid mount");
    for (size_t i = 0; i < LENGTH(files); i++)
        if (stat(files[i], &file) == 0 && (file.st_mode & S_ISUID) && file.st_uid == 0 && geteuid() != 0 &&
            access(files[i], X_OK) == 0 && statvfs(files[i], &system) == 0 && !(system.f_flag & ST_NOSUID))
            allowed(outcome, "%s would run as root", files[i]);
}

static void handle_open(const struct spec *spec, struct outcome *outcome)
{
    struct {
        struct file_handle handle;
        unsigned char bytes[MAX_HANDLE_SZ];
    } root = {.handle.handle_bytes = MAX_HANDLE_SZ};
    int mount;
    (void)spec;
    autoclose int dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 || name_to_handle_at(AT_FDCWD, "/", &root.handle, &mount, 0) < 0) {
        denied(outcome, errno, "no handle of /");
        return;
    }
    autoclose int fd = open_by_handle_at(dir, &root.handle, O_RDONLY | O_CLOEXEC);
    if (fd >= 0)
        allowed(outcome, "any file of its file systems can be opened by its number");
    else
        denied(outcome, errno, "open_by_handle_at");
}

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
    each_entry("/dev", outcome, open_block);
    all_of(disks, outcome, O_RDONLY);
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
    all_of(files, outcome, O_RDONLY);
}

static void other_devices(const struct spec *spec, struct outcome *outcome)
{
    static const char *const files[] = {"/dev/kvm",          "/dev/net/tun", "/dev/uinput",
                                        "/dev/input/event0", "/dev/tty0",    "/dev/tty1",
                                        "/dev/vhost-net",    "/dev/vcs",     NULL};
    /* To open these may already do something. */
    static const char *const touchy[] = {"/dev/watchdog", "/dev/console", "/dev/ttyS0", "/dev/snapshot"};
    (void)spec;
    all_of(files, outcome, O_RDONLY);
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
    all_of(files, outcome, O_WRONLY);
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
    all_of(files, outcome, O_WRONLY);
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
    all_of(files, outcome, O_WRONLY);
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
    each_entry("/sys/fs/cgroup", outcome, look_for_agent);
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
    each_entry("/sys/fs/cgroup", outcome, look_for_group);
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
    each_entry("/dev/pts", outcome, open_tty);
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

const struct attempt drill_files[] = {
    {"write-system", write_system, false},
    {"write-host", write_host, false},
    {"other-homes", other_homes, false},
    {"emperor-directories", emperor_directories, false},
    {"emperor-sockets", emperor_sockets, false},
    {"host-sockets", host_sockets, false},
    {"tmp-of-others", tmp_of_others, false},
    {"hard-link", hard_link, false},
    {"symlink", symlink_out, false},
    {"setuid-programs", setuid_programs, false},
    {"open-by-handle", handle_open, false},
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
