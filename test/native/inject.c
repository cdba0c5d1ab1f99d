/* Makes one system call of one process of a launch fail: `inject PLAN LOG PROGRAM [ARGUMENT...]`.
 *
 * PROGRAM is a spawner. Line i of PLAN is for the i-th keeper that it forks:
 *   `log`                     write down every system call of that keeper and of its children, until they exec
 *   `PROCESS NR NTH ERRNO`    the NTH call of number NR in that process fails with ERRNO and is not done
 * Processes are numbered as they are created below the keeper, which is 0 and counted from its first accept4()
 * on, so that what happens before a launch does not count. What strace cannot do: its `when=` counts in each process, and
 * the first one to come there is always hit.
 * LOG gets `call KEEPER PROCESS PARENT NR`, `fired KEEPER`, `exec KEEPER PROCESS`. */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEEPERS_MAX 4096
#define TRACEES_MAX 1024
#define CALLS_MAX 600

struct tracee {
    pid_t pid;
    int keeper;  /* -1: the spawner */
    int process; /* below its keeper */
    int parent;
    int named, stopped; /* we know whose child it is; its first stop has come */
    int counts;         /* what it does is of the launch */
    int failing;        /* the call in hand is not done and fails with this */
    int calls[CALLS_MAX];
};

struct plan {
    int log, process, nr, nth, error;
};

static struct tracee tracees[TRACEES_MAX];
static struct plan plans[KEEPERS_MAX];
static int last_process[KEEPERS_MAX];
static int keepers;
static FILE *out;

static void die(const char *what)
{
    perror(what);
    exit(99);
}

static struct tracee *find(pid_t pid)
{
    struct tracee *unused = NULL;
    for (int i = 0; i < TRACEES_MAX; i++) {
        if (tracees[i].pid == pid)
            return &tracees[i];
        if (!tracees[i].pid && !unused)
            unused = &tracees[i];
    }
    if (!unused)
        die("too many processes");
    memset(unused, 0, sizeof *unused);
    unused->pid = pid;
    unused->keeper = -1;
    return unused;
}

/* Something harmless in its place: a seccomp filter would kill for a number that is none. */
#if defined(__x86_64__)
static void skip_call(pid_t pid)
{
    (void)ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, orig_rax), (long)SYS_getpid);
}

static void set_result(pid_t pid, long result)
{
    (void)ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, rax), result);
}
#elif defined(__aarch64__)
static void skip_call(pid_t pid)
{
    int nr = SYS_getpid;
    struct iovec part = {&nr, sizeof nr};
    (void)ptrace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &part);
}

static void set_result(pid_t pid, long result)
{
    struct user_regs_struct registers;
    struct iovec part = {&registers, sizeof registers};
    (void)ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &part);
    registers.regs[0] = (unsigned long)result;
    (void)ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &part);
}
#endif

static void go_on(pid_t pid, int signal)
{
    (void)ptrace(PTRACE_SYSCALL, pid, 0, signal); /* killed meanwhile: its end is told */
}

static void on_entry(struct tracee *t, int nr)
{
    if (t->keeper < 0 || nr < 0 || nr >= CALLS_MAX)
        return;
    const struct plan *plan = &plans[t->keeper];
    if (t->process == 0 && nr == SYS_accept4 && !t->counts) {
        memset(t->calls, 0, sizeof t->calls);
        t->counts = 1;
    }
    t->calls[nr]++;
    if (plan->log)
        fprintf(out, "call %d %d %d %d\n", t->keeper, t->process, t->parent, nr);
    if (plan->log || !t->counts || plan->process != t->process || plan->nr != nr || plan->nth != t->calls[nr])
        return;
    fprintf(out, "fired %d\n", t->keeper);
    fflush(out);
    t->failing = plan->error;
    skip_call(t->pid);
}

static void on_call(struct tracee *t)
{
    struct __ptrace_syscall_info info;
    if (ptrace(PTRACE_GET_SYSCALL_INFO, t->pid, sizeof info, &info) <= 0)
        return;
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
        on_entry(t, (int)info.entry.nr);
    } else if (info.op == PTRACE_SYSCALL_INFO_EXIT && t->failing) {
        set_result(t->pid, -t->failing);
        t->failing = 0;
    }
}

static void on_child(struct tracee *parent)
{
    unsigned long pid = 0;
    int keeper = parent->keeper, process = parent->process;
    if (ptrace(PTRACE_GETEVENTMSG, parent->pid, 0, &pid) < 0)
        return;
    struct tracee *child = find((pid_t)pid);
    child->named = 1;
    if (keeper < 0) {
        child->keeper = keepers++;
    } else {
        child->keeper = keeper;
        child->process = ++last_process[keeper];
        child->parent = process;
        child->counts = 1;
    }
    if (child->stopped)
        go_on(child->pid, 0);
}

/* What a hook or the app does is its own business. */
static void on_exec(struct tracee *t)
{
    if (t->keeper < 0) {
        go_on(t->pid, 0);
        return;
    }
    if (plans[t->keeper].log)
        fprintf(out, "exec %d %d\n", t->keeper, t->process);
    (void)ptrace(PTRACE_DETACH, t->pid, 0, 0);
    t->pid = 0;
}

static void on_stop(struct tracee *t, int status)
{
    int signal = WSTOPSIG(status), event = status >> 16;
    if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE) {
        on_child(t);
        go_on(t->pid, 0);
    } else if (event == PTRACE_EVENT_EXEC) {
        on_exec(t);
    } else if (signal == (SIGTRAP | 0x80)) {
        on_call(t);
        go_on(t->pid, 0);
    } else if (!t->stopped) {
        t->stopped = 1; /* every new one begins with a stop, which may come before it is known whose it is */
        if (t->named)
            go_on(t->pid, 0);
    } else {
        go_on(t->pid, signal == SIGTRAP ? 0 : signal);
    }
}

static void read_plans(const char *path)
{
    char line[128];
    FILE *file = fopen(path, "re");
    if (!file)
        die(path);
    for (int i = 0; i < KEEPERS_MAX && fgets(line, sizeof line, file); i++) {
        struct plan *plan = &plans[i];
        plan->log = strcmp(line, "log\n") == 0;
        if (!plan->log &&
            sscanf(line, "%d %d %d %d", &plan->process, &plan->nr, &plan->nth, &plan->error) != 4)
            die("a plan is `log` or four numbers");
    }
    fclose(file);
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    read_plans(argv[1]);
    out = fopen(argv[2], "we");
    if (!out)
        die(argv[2]);
    pid_t spawner = fork();
    if (spawner < 0)
        die("fork");
    if (spawner == 0) {
        (void)ptrace(PTRACE_TRACEME, 0, 0, 0);
        (void)raise(SIGSTOP);
        execv(argv[3], argv + 3);
        die(argv[3]);
    }
    int status;
    if (waitpid(spawner, &status, 0) != spawner)
        die("waitpid");
    if (ptrace(PTRACE_SETOPTIONS, spawner, 0,
               PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
                   PTRACE_O_TRACEEXEC) < 0)
        die("PTRACE_SETOPTIONS");
    struct tracee *first = find(spawner);
    first->named = first->stopped = 1;
    go_on(spawner, 0);
    /* stdin is the spawner's: closing it ends it, and we end with the last of all. */
    (void)close(0);
    (void)close(1);
    for (;;) {
        pid_t pid = waitpid(-1, &status, __WALL);
        if (pid < 0 && errno == EINTR)
            continue;
        if (pid < 0)
            break;
        struct tracee *t = find(pid);
        if (WIFSTOPPED(status))
            on_stop(t, status);
        else
            t->pid = 0;
    }
    fclose(out);
    return 0;
}
