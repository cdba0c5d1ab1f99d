/* Loads the program that decides about system calls. Run by the child as the tenant, as the last thing before
 * it is init: what init and the app's process do from here on must pass it (src/seccomp/init-calls.ts). */
#include "io.h"
#include "jail.h"
#include "report.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static page_aligned struct sock_filter program[BPF_MAXINSNS];

/* filter_words.c has checked the digits. */
static unsigned char digit(char hex)
{
    return (unsigned char)(hex <= '9' ? hex - '0' : hex - 'a' + 10);
}

static unsigned short decode(const char *hex)
{
    unsigned char *bytes = (unsigned char *)program;
    size_t length = strlen(hex) / 2;
    for (size_t i = 0; i < length; i++)
        bytes[i] = (unsigned char)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
    return (unsigned short)(length / sizeof *program);
}

void seccomp_enter(const struct spec *spec)
{
    if (!spec->seccomp)
        return;
    struct sock_fprog filter = {.len = decode(spec->seccomp), .filter = program};
    must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0U, &filter), STAGE_SECCOMP, "seccomp");
    RELEASE(program);
}
