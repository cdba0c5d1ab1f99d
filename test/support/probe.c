/* The program that tests run as an app: tells what it sees in its jail, one JSON line per fact, or misbehaves on
 * demand. Runs as the tenant, inside; compiled static by probe.ts, so that it needs nothing from the root it gets. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static void quoted(const char *text)
{
    putchar('"');
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c == '"' || *c == '\\')
            printf("\\%c", *c);
        else if (*c < 0x20 || *c > 0x7e)
            printf("\\u%04x", *c);
        else
            putchar(*c);
    }
    putchar('"');
}

static void fact(const char *kind, const char *key, const char *value)
{
    printf("{\"fact\":");
    quoted(kind);
    printf(",\"key\":");
    quoted(key);
    printf(",\"value\":");
    quoted(value);
    printf("}\n");
}

static void number(const char *kind, long value)
{
    char text[32];
    snprintf(text, sizeof text, "%ld", value);
    fact(kind, "", text);
}

static void sleep_ms(long ms)
{
    struct timespec left = {ms / 1000, (ms % 1000) * 1000000};
    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        ;
}

static _Noreturn void rest(void)
{
    for (;;)
        pause();
}

static void say(const char *text)
{
    printf("%s\n", text);
    fflush(stdout);
}

static void status_facts(const char *path)
{
    char line[4096];
    FILE *file = fopen(path, "re");
    if (!file) {
        fact("status", "unreadable", strerror(errno));
        return;
    }
    while (fgets(line, sizeof line, file)) {
        char *colon = strchr(line, ':');
        if (!colon)
            continue;
        *colon = 0;
        char *value = colon + 1 + strspn(colon + 1, " \t");
        value[strcspn(value, "\n")] = 0;
        fact("status", line, value);
    }
    fclose(file);
}

static void link_facts(const char *kind, const char *dir)
{
    char path[PATH_MAX], target[PATH_MAX];
    DIR *open_dir = opendir(dir);
    if (!open_dir) {
        fact(kind, "unreadable", strerror(errno));
        return;
    }
    for (struct dirent *entry; (entry = readdir(open_dir));) {
        if (entry->d_name[0] == '.' || atoi(entry->d_name) == dirfd(open_dir))
            if (entry->d_name[0] == '.' || !strcmp(kind, "fd"))
                continue;
        snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        ssize_t length = readlink(path, target, sizeof target - 1);
        target[length < 0 ? 0 : length] = 0;
        fact(kind, entry->d_name, target);
    }
    closedir(open_dir);
}

static void mount_facts(void)
{
    char line[8192], point[2048], options[2048], root[2048];
    FILE *file = fopen("/proc/self/mountinfo", "re");
    if (!file) {
        fact("mount", "unreadable", strerror(errno));
        return;
    }
    while (fgets(line, sizeof line, file)) {
        char value[4200], type[128] = "";
        if (sscanf(line, "%*d %*d %*s %2047s %2047s %2047s", root, point, options) != 3)
            continue;
        char *dash = strstr(line, " - ");
        if (dash)
            sscanf(dash + 3, "%127s", type);
        char *shared = strstr(line, " shared:");
        snprintf(value, sizeof value, "%s %s%s", type, options, shared && shared < dash ? " shared" : "");
        fact("mount", point, value);
    }
    fclose(file);
}

static void process_facts(void)
{
    char path[300], text[300];
    DIR *proc = opendir("/proc");
    if (!proc) {
        fact("process", "unreadable", strerror(errno));
        return;
    }
    for (struct dirent *entry; (entry = readdir(proc));) {
        if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
            continue;
        snprintf(path, sizeof path, "/proc/%s/comm", entry->d_name);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
        if (fd >= 0)
            close(fd);
        text[length < 0 ? 0 : length] = 0;
        text[strcspn(text, "\n")] = 0;
        fact("process", entry->d_name, text);
    }
    closedir(proc);
}

static void rlimit_facts(void)
{
    static const struct {
        const char *name;
        int resource;
    } limits[] = {{"nofile", RLIMIT_NOFILE}, {"nproc", RLIMIT_NPROC}, {"core", RLIMIT_CORE},
                  {"as", RLIMIT_AS},         {"fsize", RLIMIT_FSIZE}, {"stack", RLIMIT_STACK},
                  {"cpu", RLIMIT_CPU},       {"data", RLIMIT_DATA},   {"locks", RLIMIT_LOCKS},
                  {"memlock", RLIMIT_MEMLOCK}, {"msgqueue", RLIMIT_MSGQUEUE}, {"nice", RLIMIT_NICE},
                  {"rss", RLIMIT_RSS},       {"rtprio", RLIMIT_RTPRIO}, {"rttime", RLIMIT_RTTIME},
                  {"sigpending", RLIMIT_SIGPENDING}};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        struct rlimit limit;
        char text[64];
        getrlimit(limits[i].resource, &limit);
        snprintf(text, sizeof text, "%lld:%lld", (long long)limit.rlim_cur, (long long)limit.rlim_max);
        fact("rlimit", limits[i].name, text);
    }
}

#define IOPRIO_WHO_PROCESS 1

/* How the kernel treats us beside others: CPUs as `0,1`, the I/O priority as CLASS:LEVEL. */
static void scheduling_facts(void)
{
    char text[4096] = "";
    cpu_set_t cpus;
    struct sched_param param = {0};
    CPU_ZERO(&cpus);
    sched_getaffinity(0, sizeof cpus, &cpus);
    for (int cpu = 0, used = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &cpus) && used < (int)sizeof text - 8)
            used += snprintf(text + used, sizeof text - (size_t)used, "%s%d", used ? "," : "", cpu);
    fact("affinity", "", text);
    errno = 0;
    number("nice", getpriority(PRIO_PROCESS, 0));
    sched_getparam(0, &param);
    snprintf(text, sizeof text, "%d:%d", sched_getscheduler(0), param.sched_priority);
    fact("sched", "", text);
    long priority = syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0);
    snprintf(text, sizeof text, "%ld:%ld", priority >> 13, priority & 7);
    fact("ionice", "", text);
    FILE *file = fopen("/proc/self/oom_score_adj", "re");
    text[0] = 0;
    if (file) {
        (void)!fgets(text, sizeof text, file);
        fclose(file);
    }
    text[strcspn(text, "\n")] = 0;
    fact("oom-score-adj", "", text);
}

static void directory_facts(const char *path)
{
    DIR *dir = opendir(path);
    if (!dir) {
        fact("list", path, strerrorname_np(errno));
        return;
    }
    fact("list", path, "ok");
    for (struct dirent *entry; (entry = readdir(dir));)
        if (entry->d_name[0] != '.' || strlen(entry->d_name) > 2)
            fact("entry", path, entry->d_name);
    closedir(dir);
}

static const char *outcome(int result)
{
    return result < 0 ? strerrorname_np(errno) : "ok";
}

static void write_fact(const char *path)
{
    char file[PATH_MAX];
    snprintf(file, sizeof file, "%s/.probe-%d", path, getpid());
    int fd = open(file, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
    fact("write", path, outcome(fd));
    if (fd >= 0) {
        close(fd);
        unlink(file);
    }
}

static void read_fact(const char *path)
{
    char text[256];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    fact("read", path, outcome((int)length));
    if (length >= 0) {
        text[length] = 0;
        text[strcspn(text, "\n")] = 0;
        fact("content", path, text);
    }
    if (fd >= 0)
        close(fd);
}

static void open_for_write_fact(const char *path)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
    fact("open-write", path, outcome(fd));
    if (fd >= 0)
        close(fd);
}

static void connect_fact(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t length = sizeof address;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (path[0] == '@') {
        address.sun_path[0] = 0;
        length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    }
    fact("connect", path, outcome(connect(fd, (struct sockaddr *)&address, length)));
    close(fd);
}

static void bind_fact(const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fact("bind", port, outcome(bind(fd, (struct sockaddr *)&address, sizeof address)));
    close(fd);
}

/* call:NUMBER[:ARGUMENT]...: a raw system call. */
static void call_fact(const char *what)
{
    unsigned long words[7] = {0};
    char *at = (char *)what;
    for (int i = 0; i < 7 && *at; i++) {
        words[i] = strtoul(at, &at, 0);
        at += *at == ':';
    }
    long result = syscall((long)words[0], words[1], words[2], words[3], words[4], words[5], words[6]);
    if (words[0] == SYS_clone && result == 0)
        _exit(0);
    fact("call", what, outcome(result < 0 ? -1 : 0));
}

static void tcp_fact(const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fact("tcp", port, outcome(connect(fd, (struct sockaddr *)&address, sizeof address)));
    close(fd);
}

/* Does it run, to whatever end? */
static void exec_fact(const char *path)
{
    int status = 0, pipes[2], error = 0;
    if (pipe2(pipes, O_CLOEXEC) < 0)
        return;
    pid_t child = fork();
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        dup2(null, 1);
        dup2(null, 2);
        execl(path, path, "exit", "0", NULL);
        error = errno;
        (void)!write(pipes[1], &error, sizeof error);
        _exit(99);
    }
    close(pipes[1]);
    (void)!read(pipes[0], &error, sizeof error);
    close(pipes[0]);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    fact("exec", path, error ? strerrorname_np(error) : "ok");
}

static void stat_fact(const char *path)
{
    struct stat st;
    char text[128];
    if (stat(path, &st) < 0) {
        fact("stat", path, strerrorname_np(errno));
        return;
    }
    snprintf(text, sizeof text, "%o %u %u", st.st_mode, st.st_uid, st.st_gid);
    fact("stat", path, text);
}

#define KEYCTL_JOIN_SESSION_KEYRING 1
#define KEYCTL_SEARCH 10
#define SESSION_KEYRING (-3)
#define SECRET_KEY "emtest-secret"

static void key_fact(const char *name)
{
    long key = syscall(SYS_keyctl, KEYCTL_SEARCH, SESSION_KEYRING, "user", name, 0);
    fact("key", name, key < 0 ? strerrorname_np(errno) : "ok");
}

/* write:PATH read:PATH open-write:PATH list:PATH stat:PATH connect:PATH bind:PORT kill:PID unshare:user touch:PATH */
static void attempt(const char *word)
{
    const char *colon = strchr(word, ':');
    if (!colon)
        return;
    const char *what = colon + 1;
    size_t length = (size_t)(colon - word);
#define IS(name) (length == strlen(name) && !strncmp(word, name, length))
    if (IS("write"))
        write_fact(what);
    else if (IS("read"))
        read_fact(what);
    else if (IS("open-write"))
        open_for_write_fact(what);
    else if (IS("list"))
        directory_facts(what);
    else if (IS("stat"))
        stat_fact(what);
    else if (IS("connect"))
        connect_fact(what);
    else if (IS("bind"))
        bind_fact(what);
    else if (IS("key"))
        key_fact(what);
    else if (IS("call"))
        call_fact(what);
    else if (IS("tcp"))
        tcp_fact(what);
    else if (IS("exec"))
        exec_fact(what);
    else if (IS("kill"))
        fact("kill", what, outcome(kill(atoi(what), 0)));
    else if (IS("mkdir"))
        fact("mkdir", what, outcome(mkdir(what, 0755)));
    else if (IS("touch"))
        fact("touch", what, outcome(open(what, O_CREAT | O_WRONLY | O_CLOEXEC, 0666)));
    else if (IS("setuid"))
        fact("setuid", what, outcome(setuid((uid_t)atoi(what))));
    else if (IS("mknod"))
        fact("mknod", what, outcome(mknod(what, S_IFCHR | 0600, 0x0103)));
    else
        fact("unknown", word, "attempt");
}

static void facts(char **attempts)
{
    char text[PATH_MAX];
    status_facts("/proc/self/status");
    link_facts("ns", "/proc/self/ns");
    link_facts("fd", "/proc/self/fd");
    mount_facts();
    process_facts();
    rlimit_facts();
    scheduling_facts();
    for (char **entry = environ; *entry; entry++) {
        char *equal = strchr(*entry, '=');
        if (!equal)
            continue;
        snprintf(text, sizeof text, "%.*s", (int)(equal - *entry), *entry);
        fact("env", text, equal + 1);
    }
    fact("cwd", "", getcwd(text, sizeof text) ? text : strerror(errno));
    gethostname(text, sizeof text);
    fact("hostname", "", text);
    mode_t mask = umask(0);
    umask(mask);
    snprintf(text, sizeof text, "%04o", mask);
    fact("umask", "", text);
    number("pid", getpid());
    number("ppid", getppid());
    number("sid", getsid(0));
    number("pgid", getpgid(0));
    number("tty", open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY) < 0 ? 0 : 1);
    /* landlock_create_ruleset(NULL, 0, LANDLOCK_CREATE_RULESET_VERSION): from 6 on it can scope */
    number("landlock", syscall(444, NULL, 0, 1));
    for (; *attempts; attempts++)
        attempt(*attempts);
    say("facts end");
}

static void notify(const char *message)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = getenv("NOTIFY_SOCKET");
    if (!path) {
        say("no NOTIFY_SOCKET");
        return;
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    ssize_t sent = sendto(fd, message, strlen(message), MSG_NOSIGNAL, (struct sockaddr *)&address, sizeof address);
    if (sent < 0)
        printf("notify: %s\n", strerror(errno));
    fflush(stdout);
    close(fd);
}

static void double_forked(void)
{
    pid_t child = fork();
    if (child == 0) {
        setsid();
        if (fork() == 0) {
            signal(SIGTERM, SIG_IGN);
            signal(SIGHUP, SIG_IGN);
            rest();
        }
        _exit(0);
    }
    waitpid(child, NULL, 0);
}

static void fork_until(long limit)
{
    long made = 0;
    for (; made < limit; made++) {
        pid_t child = fork();
        if (child == 0)
            rest();
        if (child < 0)
            break;
    }
    printf("forked %ld %s\n", made, made < limit ? strerrorname_np(errno) : "all");
    fflush(stdout);
}

static void eat(long bytes)
{
    for (long eaten = 0; eaten < bytes; eaten += 1 << 20) {
        char *piece = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (piece == MAP_FAILED) {
            say("no memory");
            return;
        }
        memset(piece, 1, 1 << 20);
    }
    say("ate all");
}

/* A worker that needs too much; its main lives on. */
static void eat_in_worker(long bytes)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        eat(bytes);
        _exit(0);
    }
    waitpid(child, &status, 0);
    printf("worker ended by %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    fflush(stdout);
}

/* All the CPU time there is, for so long; then how much of it we got. */
static void burn(long ms)
{
    struct timespec start, now, used;
    clock_gettime(CLOCK_MONOTONIC, &start);
    do
        clock_gettime(CLOCK_MONOTONIC, &now);
    while ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 < ms);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    printf("burnt %ld ms of %ld\n", (long)used.tv_sec * 1000 + used.tv_nsec / 1000000, ms);
    fflush(stdout);
}

/* Past the page cache, in pieces of 64 KiB: how long it took. */
static void write_directly(const char *path, long bytes)
{
    static char block[65536] __attribute__((aligned(4096)));
    struct timespec start, now;
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_DIRECT | O_CLOEXEC, 0600);
    if (fd < 0) {
        printf("write directly: %s\n", strerrorname_np(errno));
        return;
    }
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (long done = 0; done < bytes; done += (long)sizeof block)
        if (write(fd, block, sizeof block) < 0) {
            printf("write directly: %s\n", strerrorname_np(errno));
            return;
        }
    clock_gettime(CLOCK_MONOTONIC, &now);
    close(fd);
    unlink(path);
    printf("wrote in %ld ms\n", (long)(now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000);
    fflush(stdout);
}

static long slow_stop_ms;

static void on_slow_stop(int signal_number)
{
    (void)signal_number;
    static const char stopping[] = "stopping\n", stopped[] = "stopped\n";
    (void)!write(1, stopping, sizeof stopping - 1);
    sleep_ms(slow_stop_ms);
    (void)!write(1, stopped, sizeof stopped - 1);
    _exit(0);
}

static void on_signal(int signal_number)
{
    char text[32];
    int length = snprintf(text, sizeof text, "signal %d\n", signal_number);
    (void)!write(1, text, (size_t)length);
}

static _Noreturn void listen_on(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 64) < 0) {
        printf("listen: %s\n", strerror(errno));
        exit(1);
    }
    say("listening");
    for (;;) {
        char reply[200], request[2048];
        int peer = accept(fd, NULL, NULL);
        if (peer < 0)
            continue;
        (void)!recv(peer, request, sizeof request, 0);
        int length = snprintf(reply, sizeof reply, "HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n%s\n", getenv("EMPEROR_VASSAL"));
        (void)!send(peer, reply, (size_t)length, MSG_NOSIGNAL);
        shutdown(peer, SHUT_WR);
        close(peer);
    }
}

/* notify [first-delay-ms [watchdog pings, interval ms]] */
static _Noreturn void run_notify(char **args)
{
    long delay_ms = args[0] ? atol(args[0]) : 0;
    long pings = args[0] && args[1] ? atol(args[1]) : 0;
    sleep_ms(delay_ms);
    notify("READY=1\nSTATUS=serving nicely");
    for (; pings > 0; pings--) {
        sleep_ms(atol(args[2]));
        notify("WATCHDOG=1");
    }
    say("notified");
    rest();
}

/* Become what no app may inherit anything of, then run the words: strange groups, umask, directory, signals, keys. */
static _Noreturn void run_dressed(char **words)
{
    const gid_t groups[] = {4, 27, 1000};
    sigset_t blocked;
    umask(077);
    if (setgroups(3, groups) < 0 || chdir("/var") < 0)
        exit(1);
    signal(SIGUSR2, SIG_IGN);
    signal(SIGWINCH, SIG_IGN);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGRTMIN + 5);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, "emtest") >= 0)
        syscall(SYS_add_key, "user", SECRET_KEY, "x", 1, SESSION_KEYRING);
    execv(words[0], words);
    perror(words[0]);
    exit(1);
}

static _Noreturn void flood(void)
{
    static char block[65536];
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = i % 64 == 63 ? '\n' : 'x';
    for (;;)
        if (write(1, block, sizeof block) < 0)
            _exit(1);
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "pause";
    char **args = argv + (argc > 1 ? 2 : 1);
#define MODE(name) (!strcmp(mode, name))
    if (MODE("facts")) {
        facts(args);
    } else if (MODE("exit")) {
        sleep_ms(args[0] && args[1] ? atol(args[1]) : 0);
        printf("exiting with %s\n", args[0] ? args[0] : "0");
        fflush(stdout);
        return args[0] ? atoi(args[0]) : 0;
    } else if (MODE("crash")) {
        say("about to crash");
        raise(SIGSEGV);
    } else if (MODE("daemons")) {
        for (long i = 0; i < atol(args[0]); i++)
            double_forked();
        say("daemons up");
    } else if (MODE("orphans")) {
        for (long i = 0; i < atol(args[0]); i++) {
            pid_t child = fork();
            if (child == 0) {
                if (fork() == 0) {
                    sleep_ms(20);
                    _exit(0);
                }
                _exit(0);
            }
            waitpid(child, NULL, 0);
        }
        say("orphans made");
    } else if (MODE("forks")) {
        fork_until(atol(args[0]));
    } else if (MODE("eat")) {
        say("eating");
        eat(atol(args[0]));
    } else if (MODE("worker-eat")) {
        eat_in_worker(atol(args[0]));
    } else if (MODE("burn")) {
        burn(atol(args[0]));
    } else if (MODE("write-directly")) {
        write_directly(args[0], atol(args[1]));
    } else if (MODE("ignore")) {
        for (; *args; args++)
            signal(atoi(*args), SIG_IGN);
        say("ignoring");
    } else if (MODE("slow")) {
        slow_stop_ms = atol(args[0]);
        signal(SIGTERM, on_slow_stop);
        say("slow up");
    } else if (MODE("signals")) {
        for (; *args; args++)
            signal(atoi(*args), on_signal);
        say("signals up");
    } else if (MODE("notify")) {
        run_notify(args);
    } else if (MODE("listen")) {
        sleep_ms(args[1] ? atol(args[1]) : 0);
        listen_on(atoi(args[0]));
    } else if (MODE("print")) {
        for (long i = 1; i <= atol(args[0]); i++)
            printf("line %ld %s\n", i, args[1] ? args[1] : "");
        fflush(stdout);
    } else if (MODE("long")) {
        for (long i = 0; i < atol(args[0]); i++)
            putchar('a');
        say("");
    } else if (MODE("dressed")) {
        run_dressed(args);
    } else if (MODE("flood")) {
        flood();
    } else if (MODE("say")) {
        sleep_ms(args[0] ? atol(args[0]) : 0);
        for (args += args[0] ? 1 : 0; *args; args++)
            say(*args);
    } else if (MODE("abstract")) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "%s", args[0]);
        bind(fd, (struct sockaddr *)&address, 
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(args[0])));
        say(listen(fd, 8) < 0 ? "abstract failed" : "abstract up");
    } else if (MODE("pause")) {
        say("up");
    } else {
        fprintf(stderr, "unknown mode %s\n", mode);
        return 2;
    }
    rest();
}
