/* See drill.h. Every attempt runs in a child: what it changes of itself, and what kills it, ends with it. */
#include "drill.h"

#include "io.h"
#include "sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define ATTEMPT_SECONDS 5

pid_t drill_init;

const char *drill_value(const struct spec *spec, const char *key, size_t index)
{
    for (size_t i = 0; i < spec->drill.count; i++)
        if (strcmp(spec->drill.at[i].key, key) == 0 && index-- == 0)
            return spec->drill.at[i].value;
    return NULL;
}

long drill_number(const struct spec *spec, const char *key)
{
    const char *text = drill_value(spec, key, 0);
    uint64_t number;
    return text && parse_number(text, INT32_MAX, &number) ? (long)number : 0;
}

static void note(struct outcome *outcome, const char *format, va_list arguments)
{
    (void)vsnprintf(outcome->detail, sizeof outcome->detail, format, arguments);
}

void denied(struct outcome *outcome, int error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    outcome->verdict = DRILL_DENIED;
    outcome->error = error;
    note(outcome, format, arguments);
    va_end(arguments);
}

void allowed(struct outcome *outcome, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    outcome->verdict = DRILL_ALLOWED;
    outcome->error = 0;
    note(outcome, format, arguments);
    va_end(arguments);
}

void skipped(struct outcome *outcome, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    outcome->verdict = DRILL_SKIPPED;
    outcome->error = 0;
    note(outcome, format, arguments);
    va_end(arguments);
}

void judge_permission(struct outcome *outcome, long result, const char *what)
{
    int error = errno;
    if (result < 0 && (error == EPERM || error == EACCES || error == ENOSYS))
        denied(outcome, error, "%s", what);
    else if (result < 0)
        allowed(outcome, "%s: only its arguments were refused (%s)", what, strerror(error));
    else
        allowed(outcome, "%s", what);
}

void try_open(struct outcome *outcome, const char *path, int flags)
{
    if (outcome->verdict == DRILL_ALLOWED)
        return;
    autoclose int fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd >= 0)
        allowed(outcome, "%s opens", path);
    else if (errno != ENOENT || outcome->error == 0)
        denied(outcome, errno, "%s", path);
}

void try_each(struct outcome *outcome, const char *dir, void (*look)(const char *, struct outcome *))
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

void try_open_all(struct outcome *outcome, const char *const *paths, int flags)
{
    for (; *paths; paths++)
        try_open(outcome, *paths, flags);
}

/* One line for each: NAME VERDICT ERRNO DETAIL. What a file name in it holds is made harmless. */
static void say_outcome(const char *name, struct outcome *outcome)
{
    static const char *const words[] = {"denied", "allowed", "skipped"};
    char line[400];
    for (char *c = outcome->detail; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    int length = snprintf(line, sizeof line, "%s %s %d %s\n", name, words[outcome->verdict], outcome->error,
                          outcome->detail);
    if (write(STDOUT_FILENO, line, (size_t)length) != length)
        _exit(1);
}

static _Noreturn void attempt_in_child(const struct attempt *attempt, const struct spec *spec, int report)
{
    struct outcome outcome = {.verdict = DRILL_DENIED};
    (void)alarm(ATTEMPT_SECONDS);
    attempt->run(spec, &outcome);
    _exit(write(report, &outcome, sizeof outcome) == (ssize_t)sizeof outcome ? 0 : 1);
}

static void killed(struct outcome *outcome, int status)
{
    int number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    if (number == SIGSYS)
        denied(outcome, EPERM, "killed by the seccomp filter");
    else if (number == SIGALRM)
        skipped(outcome, "it hangs");
    else
        skipped(outcome, "its process ended: signal %d, code %d", number, WEXITSTATUS(status));
}

/* What is refused to the prober itself is skipped with its errno: drill-judge.ts asks whether a filter gave
 * it. */
static void attempt_apart(const struct attempt *attempt, const struct spec *spec, struct outcome *outcome)
{
    int ends[2], status = 0;
    if (pipe2(ends, O_CLOEXEC) < 0) {
        int error = errno;
        skipped(outcome, "no pipe: %s", strerror(error));
        outcome->error = error;
        return;
    }
    pid_t pid = fork();
    if (pid == 0)
        attempt_in_child(attempt, spec, ends[1]);
    int error = errno;
    close_fd(&ends[1]);
    if (pid < 0) {
        skipped(outcome, "no process for it: %s", strerror(error));
        outcome->error = error;
    }
    bool told = pid > 0 && read(ends[0], outcome, sizeof *outcome) == (ssize_t)sizeof *outcome;
    close_fd(&ends[0]);
    if (pid > 0)
        (void)waitpid(pid, &status, 0);
    if (pid > 0 && !told)
        killed(outcome, status);
}

static void run_all(const struct attempt *attempts, const struct spec *spec)
{
    for (const struct attempt *attempt = attempts; attempt->name; attempt++) {
        struct outcome outcome = {.verdict = DRILL_DENIED};
        if (attempt->bare)
            attempt->run(spec, &outcome);
        else
            attempt_apart(attempt, spec, &outcome);
        say_outcome(attempt->name, &outcome);
    }
}

/* As execve would: what is close-on-exec goes, what is not stays and is found by `leaked-descriptors`. But it
 * stays undumpable, or another process of this uid could write the results through /proc. */
static void close_on_exec(void)
{
    for (int fd = 3; fd < 4096; fd++) {
        int flags = fcntl(fd, F_GETFD);
        if (flags >= 0 && (flags & FD_CLOEXEC))
            (void)close(fd);
    }
}

_Noreturn void drill_run(const struct spec *spec)
{
    drill_init = getppid();
    close_on_exec();
    run_all(drill_files, spec);
    run_all(drill_system, spec);
    run_all(drill_kernel, spec);
    run_all(drill_namespaces, spec);
    run_all(drill_processes, spec);
    _exit(write(STDOUT_FILENO, "end\n", 4) == 4 ? 0 : 1);
}
