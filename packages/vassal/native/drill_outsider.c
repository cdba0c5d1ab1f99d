/* The outsider of a drill: an ordinary process outside of every jail, of the jail's own uid, that offers what
 * an app of a neighbour would: a pid, an abstract socket, a port, shared memory, files in /tmp, a key. Told
 * by its arguments, it says where they are and ends with its stdin; what it made it takes away. */
#include "drill.h"

#include "io.h"
#include "sys.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/un.h>
#include <unistd.h>

#define KEY_LIFE_SECONDS 120
#define KEYRING_ID 0
#define KEY_TIMEOUT 15
#define KEYRING_SESSION (-3)

static const char *const places[] = {"/tmp", "/var/tmp", "/dev/shm"};

/* Into a session keyring that is there already; the key ends by itself. */
static void add_key(const char *name)
{
    if (syscall(SYS_keyctl, KEYRING_ID, KEYRING_SESSION, 0, 0, 0) < 0)
        return;
    long key = syscall(SYS_add_key, "user", name, "drill", 5UL, KEYRING_SESSION);
    if (key >= 0)
        (void)syscall(SYS_keyctl, KEY_TIMEOUT, key, KEY_LIFE_SECONDS, 0, 0);
}

static int listen_abstract(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(name) >= sizeof address.sun_path - 1)
        return -1;
    memcpy(address.sun_path + 1, name, strlen(name));
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd < 0 || bind(fd, (struct sockaddr *)&address, length) < 0 ? -1 : listen(fd, 8);
}

static unsigned listen_tcp(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 8) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) < 0)
        return 0;
    return ntohs(address.sin_port);
}

static void touch_files(const char *name, bool make)
{
    char path[256];
    for (size_t i = 0; i < LENGTH(places); i++) {
        if (!format_text(path, sizeof path, "%s/%s", places[i], name))
            continue;
        if (!make) {
            (void)unlink(path);
            continue;
        }
        autoclose int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0644);
        (void)fd;
    }
}

static bool become(const char *uid, const char *gid)
{
    uint64_t user, group;
    if (!parse_number(uid, UINT32_MAX - 1, &user) || !parse_number(gid, UINT32_MAX - 1, &group))
        return false;
    if (geteuid() != 0)
        return true;
    return setgroups(0, NULL) == 0 && setresgid((gid_t)group, (gid_t)group, (gid_t)group) == 0 &&
           setresuid((uid_t)user, (uid_t)user, (uid_t)user) == 0;
}

int outsider_run(const char *uid, const char *gid, const char *name)
{
    char byte;
    (void)signal(SIGPIPE, SIG_IGN);
    if (strchr(name, '/') || strlen(name) > 64)
        return 2;
    add_key(name);
    if (!become(uid, gid))
        return 1;
    key_t key = (key_t)(0x45000000 | (getpid() & 0xffffff));
    int shm = shmget(key, 4096, IPC_CREAT | IPC_EXCL | 0600);
    touch_files(name, true);
    unsigned port = listen_tcp();
    int listening = listen_abstract(name);
    (void)printf("outsider %d\nshm %ld\nport %u\nabstract %d\n", getpid(), shm < 0 ? 0L : (long)key, port,
                 listening == 0);
    (void)fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    if (shm >= 0)
        (void)shmctl(shm, IPC_RMID, NULL);
    touch_files(name, false);
    return 0;
}
