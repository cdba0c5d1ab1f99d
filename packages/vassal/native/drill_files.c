/* Attempts on files, directories and sockets of others. Nothing is created but what vanishes at once
 * (O_TMPFILE, or a name of ours that is removed), nothing is written, nothing is read but names. */
#include "drill.h"

#include "io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <unistd.h>

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
    try_open_all(outcome, files, O_WRONLY);
    try_open_all(outcome, dirs, O_TMPFILE | O_RDWR);
}

static void write_host(const struct spec *spec, struct outcome *outcome)
{
    static const char *const dirs[] = {"/",          "/var",  "/var/lib", "/var/log", "/var/spool",
                                       "/var/cache", "/srv",  "/opt",     "/mnt",     "/media",
                                       "/root",      "/home", NULL};
    (void)spec;
    try_open_all(outcome, dirs, O_TMPFILE | O_RDWR);
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
        try_each(outcome, "/root", look_into_home);
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
        try_each(outcome, path, found_entry);
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
    {NULL, NULL, false},
};
