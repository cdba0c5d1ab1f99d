/* ready-tcp: connects from inside, as the tenant, until it succeeds once. A process of its own, forked by
 * init, so that a connect that hangs holds up nobody. */
#include "init.h"
#include "io.h"
#include "report.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FIRST_PAUSE_MS 5
#define LONGEST_PAUSE_MS 200
#define CONNECT_MS 1000

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static socklen_t parse_address(const struct spec *spec, union address *address)
{
    uint64_t port = 0;
    (void)parse_number(spec->ready_port, 65535, &port); /* checked by spec.c, as is the host */
    memset(address, 0, sizeof *address);
    if (inet_pton(AF_INET, spec->ready_host, &address->v4.sin_addr) == 1) {
        address->v4.sin_family = AF_INET;
        address->v4.sin_port = htons((uint16_t)port);
        return sizeof address->v4;
    }
    (void)inet_pton(AF_INET6, spec->ready_host, &address->v6.sin6_addr);
    address->v6.sin6_family = AF_INET6;
    address->v6.sin6_port = htons((uint16_t)port);
    return sizeof address->v6;
}

static bool connects(const union address *address, socklen_t length)
{
    autoclose int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int error = 0;
    socklen_t size = sizeof error;
    if (fd < 0)
        return false;
    if (connect(fd, &address->any, length) == 0)
        return true;
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    if (errno != EINPROGRESS || poll(&wait, 1, CONNECT_MS) <= 0)
        return false;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
}

/* poll() on the report socket is the pause: it ends at once when the keeper is gone. */
static _Noreturn void probe(const struct spec *spec)
{
    union address address;
    socklen_t length = parse_address(spec, &address);
    int pause_ms = FIRST_PAUSE_MS;
    while (!connects(&address, length)) {
        struct pollfd keeper = {.fd = CHILD_REPORT, .events = 0};
        if (poll(&keeper, 1, pause_ms) > 0)
            _exit(1);
        pause_ms = pause_ms * 2 < LONGEST_PAUSE_MS ? pause_ms * 2 : LONGEST_PAUSE_MS;
    }
    say(WORD_READY, 0);
    _exit(0);
}

void probe_start(const struct spec *spec)
{
    if (!spec->ready_host)
        return;
    pid_t pid = (pid_t)MUST(STAGE_INIT, fork());
    if (pid == 0) {
        close(CHILD_STATUS);
        close(CHILD_OUT);
        close(CHILD_ERR);
        probe(spec);
    }
}
