/* What tests of the keeper run as the app: writes, floods, forks and looks around. Compiled static by support.ts. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void pause_ms(long ms)
{
    struct timespec wait = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&wait, NULL);
}

/* lines COUNT SIZE: one write() each, numbered, so that a lost or torn one shows. */
static int lines(int argc, char **argv)
{
    long count = atol(argv[0]), size = atol(argv[1]);
    char *line = malloc((size_t)size + 1);
    (void)argc;
    for (long i = 0; i < count; i++) {
        memset(line, 'x', (size_t)size);
        int n = snprintf(line, (size_t)size, "%ld ", i);
        line[n] = 'x';
        line[size - 1] = '\n';
        if (write(1, line, (size_t)size) != size)
            return 1;
    }
    return 0;
}

/* bulk BYTES CHUNK: lines of 100 bytes in writes of CHUNK. */
static int bulk(int argc, char **argv)
{
    long left = atol(argv[0]), chunk = atol(argv[1]);
    char *text = malloc((size_t)chunk);
    (void)argc;
    for (long i = 0; i < chunk; i++)
        text[i] = i % 100 == 99 || i == chunk - 1 ? '\n' : 'b';
    for (; left > 0; left -= chunk)
        for (long done = 0; done < chunk;) {
            ssize_t written = write(1, text + done, (size_t)(chunk - done));
            if (written < 0)
                return 1;
            done += written;
        }
    return 0;
}

static int notify_socket(struct sockaddr_un *address)
{
    const char *path = getenv("NOTIFY_SOCKET");
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    strncpy(address->sun_path, path ? path : "", sizeof address->sun_path - 1);
    return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

/* notify TEXT [COUNT]: \n, \0 and \t of TEXT are meant; then sleeps. */
static int notify(int argc, char **argv)
{
    struct sockaddr_un address;
    int fd = notify_socket(&address);
    long count = argc > 1 ? atol(argv[1]) : 1;
    static char text[70000];
    size_t size = 0;
    for (const char *c = argv[0]; *c; c++)
        text[size++] = *c != '\\' ? *c : *++c == 'n' ? '\n' : *c == 't' ? '\t' : *c == '0' ? '\0' : *c;
    for (long i = 0; i < count; i++)
        if (sendto(fd, text, size, 0, (struct sockaddr *)&address, sizeof address) < 0) {
            printf("notify: %s\n", strerror(errno));
            break;
        }
    printf("notified\n");
    fflush(stdout);
    pause();
    return 0;
}

/* notify-flood SECONDS: as fast as it goes, then READY=1. */
static int notify_flood(int argc, char **argv)
{
    struct sockaddr_un address;
    int fd = notify_socket(&address);
    time_t end = time(NULL) + atol(argv[0]);
    long sent = 0;
    char text[64];
    (void)argc;
    while (time(NULL) < end) {
        int size = snprintf(text, sizeof text, "STATUS=%ld\nWATCHDOG=1", sent++);
        sendto(fd, text, (size_t)size, 0, (struct sockaddr *)&address, sizeof address);
    }
    sendto(fd, "READY=1", 7, 0, (struct sockaddr *)&address, sizeof address);
    printf("sent %ld\n", sent);
    fflush(stdout);
    pause();
    return 0;
}

/* notify-fds: descriptors with linger attached to READY=1. */
static int notify_fds(int argc, char **argv)
{
    struct sockaddr_un address;
    int fd = notify_socket(&address), fds[8];
    char control[CMSG_SPACE(sizeof fds)] = {0};
    struct iovec part = {"READY=1", 7};
    struct msghdr message = {&address, sizeof address, &part, 1, control, sizeof control, 0};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    (void)argc, (void)argv;
    for (int i = 0; i < 8; i++)
        fds[i] = dup(1);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fds);
    memcpy(CMSG_DATA(header), fds, sizeof fds);
    printf("sendmsg %s\n", sendmsg(fd, &message, 0) < 0 ? strerror(errno) : "ok");
    message.msg_control = NULL;
    message.msg_controllen = 0;
    printf("sendmsg %s\n", sendmsg(fd, &message, 0) < 0 ? strerror(errno) : "ok");
    fflush(stdout);
    pause();
    return 0;
}

/* fds: what is open, by number and target. */
static int fds(int argc, char **argv)
{
    (void)argc, (void)argv;
    char path[64], target[256];
    for (int fd = 0; fd < 4096; fd++) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t size = readlink(path, target, sizeof target - 1);
        if (size < 0)
            continue;
        target[size] = '\0';
        printf("fd %d %s\n", fd, target);
    }
    return 0;
}

/* daemon: a double-forked child in a session of its own that ignores signals and holds the output. */
static int daemonize(int argc, char **argv)
{
    (void)argc, (void)argv;
    if (fork() == 0) {
        setsid();
        if (fork() == 0) {
            for (int number = 1; number < 65; number++)
                signal(number, SIG_IGN);
            printf("daemon lives\n");
            fflush(stdout);
            for (;;)
                pause();
        }
        _exit(0);
    }
    wait(NULL);
    pause_ms(50);
    return 0;
}

/* listen PORT MS: after a while, for ever. */
static int serve(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[0]))};
    (void)argc;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    pause_ms(atol(argv[1]));
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 8) < 0) {
        printf("listen: %s\n", strerror(errno));
        return 1;
    }
    printf("listening\n");
    fflush(stdout);
    pause();
    return 0;
}

/* abstract NAME: connect to an abstract socket of the host; Node pads names with NUL to the full length. */
static int abstract(int argc, char **argv)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = strlen(argv[0]);
    (void)argc;
    memcpy(address.sun_path + 1, argv[0], size);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    int result = connect(fd, (struct sockaddr *)&address, sizeof address);
    printf("abstract %s\n", result < 0 ? strerror(errno) : "connected");
    return 0;
}

/* forks COUNT: how many children can live at once. */
static int forks(int argc, char **argv)
{
    long made = 0, wanted = atol(argv[0]);
    (void)argc;
    for (; made < wanted; made++) {
        pid_t pid = fork();
        if (pid == 0) {
            pause();
            _exit(0);
        }
        if (pid < 0) {
            printf("fork: %s\n", strerror(errno));
            break;
        }
    }
    printf("forked %ld\n", made);
    fflush(stdout);
    return 0;
}

/* bomb: forks for ever, deaf to all signals. */
static int bomb(int argc, char **argv)
{
    (void)argc, (void)argv;
    for (int number = 1; number < 65; number++)
        signal(number, SIG_IGN);
    for (;;)
        if (fork() < 0)
            pause_ms(1);
}

/* eat MIB: touch that much memory. */
static int eat(int argc, char **argv)
{
    size_t size = (size_t)atol(argv[0]) << 20;
    (void)argc;
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; i < size; i += 4096)
        memory[i] = 1;
    printf("ate %s MiB\n", argv[0]);
    return 0;
}

/* ids: what only system calls tell. */
static int ids(int argc, char **argv)
{
    char name[256] = {0};
    gid_t groups[64];
    int count = getgroups(64, groups);
    (void)argc, (void)argv;
    gethostname(name, sizeof name - 1);
    long keyring = syscall(SYS_keyctl, 0 /* GET_KEYRING_ID */, -3 /* session */, 0);
    mode_t mask = (mode_t)syscall(SYS_umask, 0);
    printf("pid %d ppid %d sid %d uid %d gid %d groups", getpid(), getppid(), getsid(0), getuid(), getgid());
    for (int i = 0; i < count; i++)
        printf(" %d", groups[i]);
    printf("\nhostname %s\numask %o\nkeyring %ld\n", name, mask, keyring);
    return 0;
}

/* stubborn: ends by SIGKILL alone, tells each signal it gets. */
static void tell_signal(int number)
{
    char text[32];
    int size = snprintf(text, sizeof text, "got %d\n", number);
    (void)!write(1, text, (size_t)size);
}

static int stubborn(int argc, char **argv)
{
    (void)argc, (void)argv;
    for (int number = 1; number < 32; number++)
        signal(number, tell_signal);
    if (fork() == 0)
        tell_signal(0);
    else
        (void)!write(1, "ready\n", 6);
    for (;;)
        pause();
}

/* calls NUMBER[:ARGUMENT]... : each as a raw system call; prints its errno, 0 when it worked. */
static int calls(int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        unsigned long words[7] = {0};
        char *at = argv[i];
        for (int j = 0; j < 7 && *at; j++) {
            words[j] = strtoul(at, &at, 0);
            at += *at == ':';
        }
        long result = syscall((long)words[0], words[1], words[2], words[3], words[4], words[5], words[6]);
        if ((words[0] == SYS_clone || words[0] == SYS_clone3) && result == 0)
            _exit(0);
        printf("%s %d\n", argv[i], result < 0 ? errno : 0);
    }
    return 0;
}

/* int80: a call by the 32-bit door. */
static int int80(int argc, char **argv)
{
    (void)argc, (void)argv;
#ifdef __x86_64__
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory"); /* getpid */
    printf("int80 %ld\n", result);
#endif
    return 0;
}

/* files PATH...: what can be done with each, as letters: r(ead) w(rite) l(ist) c(reate below) x(execute). */
static int files(int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        char below[4200], letters[8] = "", *at = letters;
        int fd = open(argv[i], O_RDONLY | O_CLOEXEC);
        if (fd >= 0 && read(fd, below, 1) >= 0)
            *at++ = 'r';
        close(fd);
        fd = open(argv[i], O_WRONLY | O_CLOEXEC);
        if (fd >= 0)
            *at++ = 'w';
        close(fd);
        DIR *dir = opendir(argv[i]);
        if (dir)
            *at++ = 'l', closedir(dir);
        snprintf(below, sizeof below, "%s/made", argv[i]);
        fd = open(below, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
        if (fd >= 0)
            *at++ = 'c', close(fd), unlink(below);
        pid_t child = fork();
        if (child == 0) {
            execl(argv[i], argv[i], "ids", NULL);
            _exit(99);
        }
        int status = 0;
        waitpid(child, &status, 0);
        if (WIFEXITED(status) && WEXITSTATUS(status) != 99)
            *at++ = 'x';
        *at = '\0';
        printf("%s %s\n", argv[i], letters[0] ? letters : "-");
        fflush(stdout);
    }
    return 0;
}

/* tcp bind|connect PORT...: the errno of each. */
static int tcp(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(argv[i]))};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        int result = strcmp(argv[0], "bind") == 0 ? bind(fd, (struct sockaddr *)&address, sizeof address)
                                                  : connect(fd, (struct sockaddr *)&address, sizeof address);
        printf("%s %d\n", argv[i], result < 0 ? errno : 0);
        close(fd);
    }
    return 0;
}

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} modes[] = {
    {"calls", calls}, {"int80", int80}, {"files", files}, {"tcp", tcp},
    {"lines", lines},   {"bulk", bulk},   {"notify", notify},     {"notify-flood", notify_flood}, {"notify-fds", notify_fds},
    {"fds", fds},       {"daemon", daemonize}, {"listen", serve}, {"abstract", abstract},          {"forks", forks},
    {"bomb", bomb}, {"eat", eat},       {"ids", ids},     {"stubborn", stubborn},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof modes / sizeof modes[0]; i++)
        if (strcmp(modes[i].name, argv[1]) == 0)
            return modes[i].run(argc - 2, argv + 2);
    fprintf(stderr, "tenant: what?\n");
    return 2;
}
