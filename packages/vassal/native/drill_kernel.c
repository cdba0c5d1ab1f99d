/* Attempts on the kernel itself. Each call has arguments that the kernel refuses after it has looked at the
 * privilege, or asks only for a look: where it is allowed, nothing happens. */
#include "drill.h"

#include "io.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/swap.h>
#include <sys/timex.h>

#define NONSENSE 0x5a5a5a5aUL
#define KEXEC_SEGMENTS_TOO_MANY 4096UL
#define AF_PACKET_ALL 0x0300 /* htons(ETH_P_ALL) */

static void load_module(const struct spec *spec, struct outcome *outcome)
{
    (void)spec;
    judge_permission(outcome, syscall(SYS_finit_module, -1, "", 0), "finit_module");
    if (outcome->verdict != DRILL_ALLOWED)
        judge_permission(outcome, syscall(SYS_init_module, NULL, 0UL, ""), "init_module");
    if (outcome->verdict != DRILL_ALLOWED)
        judge_permission(outcome, syscall(SYS_delete_module, "emperor_drill_no_such", 0x800U),
                         "delete_module");
}

/* Too many segments are refused; none at all would unload what is loaded. */
static void kexec(const struct spec *spec, struct outcome *outcome)
{
    (void)spec;
    judge_permission(outcome, syscall(SYS_kexec_load, 0UL, KEXEC_SEGMENTS_TOO_MANY, NULL, NONSENSE),
                     "kexec_load");
}

/* Without the magic numbers it can do nothing, but the privilege is looked at first. */
static void reboot_badly(const struct spec *spec, struct outcome *outcome)
{
    (void)spec;
    judge_permission(outcome, syscall(SYS_reboot, NONSENSE, NONSENSE, NONSENSE, NULL), "reboot");
}

static void swap_on(const struct spec *spec, struct outcome *outcome)
{
    (void)spec;
    judge_permission(outcome, swapon("/emperor-drill/no-such-file", 0), "swapon");
}

static void bpf_map(const struct spec *spec, struct outcome *outcome)
{
    union bpf_attr attr;
    (void)spec;
    memset(&attr, 0, sizeof attr);
    attr.map_type = BPF_MAP_TYPE_ARRAY;
    attr.key_size = 4;
    attr.value_size = 8;
    attr.max_entries = 1;
    autoclose int fd = (int)syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof attr);
    judge_permission(outcome, fd, "bpf");
}

/* Of a whole CPU, i.e. of everybody. */
static void perf_events(const struct spec *spec, struct outcome *outcome)
{
    struct perf_event_attr attr;
    (void)spec;
    memset(&attr, 0, sizeof attr);
    attr.type = PERF_TYPE_SOFTWARE;
    attr.size = sizeof attr;
    attr.config = PERF_COUNT_SW_CPU_CLOCK;
    attr.disabled = 1;
    autoclose int fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, 0UL);
    judge_permission(outcome, fd, "perf_event_open of a whole CPU");
}

static void io_uring(const struct spec *spec, struct outcome *outcome)
{
    struct io_uring_params params;
    (void)spec;
    memset(&params, 0, sizeof params);
    autoclose int fd = (int)syscall(SYS_io_uring_setup, 1, &params);
    judge_permission(outcome, fd, "io_uring_setup");
}

/* That would stop the kernel itself at page faults of ours. */
static void userfaultfd_kernel(const struct spec *spec, struct outcome *outcome)
{
    (void)spec;
    autoclose int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
    judge_permission(outcome, fd, "userfaultfd for faults of the kernel");
}

static void raw_socket(const struct spec *spec, struct outcome *outcome)
{
    (void)spec;
    autoclose int packet = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, AF_PACKET_ALL);
    judge_permission(outcome, packet, "packet socket");
    if (outcome->verdict == DRILL_ALLOWED)
        return;
    autoclose int raw = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
    judge_permission(outcome, raw, "raw socket");
}

/* Of a device that there is not. */
static void net_admin(const struct spec *spec, struct outcome *outcome)
{
    struct ifreq request = {.ifr_name = "emperor-drill"};
    (void)spec;
    autoclose int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        denied(outcome, errno, "no socket");
    else
        judge_permission(outcome, ioctl(fd, SIOCSIFMTU, &request), "SIOCSIFMTU");
}

/* A tick that is out of range. */
static void set_clock(const struct spec *spec, struct outcome *outcome)
{
    struct timex change = {.modes = ADJ_TICK, .tick = 1};
    (void)spec;
    judge_permission(outcome, adjtimex(&change), "adjtimex");
}

static void become_root(const struct spec *spec, struct outcome *outcome)
{
    (void)spec;
    if (geteuid() == 0)
        allowed(outcome, "it is uid 0");
    else
        judge_permission(outcome, setresuid(0, 0, 0), "setresuid");
}

static void raise_limits(const struct spec *spec, struct outcome *outcome)
{
    struct rlimit limit;
    (void)spec;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
        denied(outcome, errno, "getrlimit");
        return;
    }
    limit.rlim_max += 1;
    judge_permission(outcome, setrlimit(RLIMIT_NOFILE, &limit), "RLIMIT_NOFILE above its hard limit");
}

static void raise_priority(const struct spec *spec, struct outcome *outcome)
{
    struct sched_param param = {.sched_priority = 1};
    (void)spec;
    judge_permission(outcome, syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &param), "SCHED_FIFO");
    if (outcome->verdict == DRILL_ALLOWED)
        return;
    int nice_value = getpriority(PRIO_PROCESS, 0);
    judge_permission(outcome, setpriority(PRIO_PROCESS, 0, nice_value > -20 ? nice_value - 1 : -20),
                     "a lower nice value");
}

const struct attempt drill_kernel[] = {
    {"kernel-module", load_module, false},
    {"kexec", kexec, false},
    {"reboot", reboot_badly, false},
    {"swapon", swap_on, false},
    {"bpf", bpf_map, false},
    {"perf-event", perf_events, false},
    {"io-uring", io_uring, false},
    {"userfaultfd", userfaultfd_kernel, false},
    {"raw-socket", raw_socket, false},
    {"net-admin", net_admin, false},
    {"set-clock", set_clock, false},
    {"become-root", become_root, false},
    {"raise-limits", raise_limits, false},
    {"raise-priority", raise_priority, false},
    {NULL, NULL, false},
};
