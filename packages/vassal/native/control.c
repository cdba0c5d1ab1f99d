/* The connection: bounded buffers, never a blocking call. Run by the keeper. */
#include "control.h"

#include "facts.h"
#include "io.h"
#include "keeper.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPT_PAUSE_NS (200 * NS_PER_MS)

/* Where the counted bytes of a launch gather; given back to the kernel after it. */
static page_aligned char payload[WHOLE_PAGES(TAG_MAX + BLOB_MAX)];

void client_init(struct client *client)
{
    client->fd = -1;
}

void client_forget_payload(void)
{
    RELEASE(payload);
}

void client_close(struct client *client)
{
    close_fd(&client->fd);
    client->input_used = 0;
    client->output_start = client->output_end = 0;
    client->launch = 0;
    client->payload_used = 0;
}

bool client_has_output(const struct client *client)
{
    return client->fd >= 0 && client->output_end > client->output_start;
}

static bool is_served(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid());
}

void client_accept(struct keeper *keeper)
{
    int fd = accept4(keeper->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        /* Gone again; or no descriptor is left, and he would wake us for ever. */
        bool again = errno == EAGAIN || errno == EINTR || errno == ECONNABORTED;
        keeper->accept_ns = again ? 0 : monotonic_ns() + ACCEPT_PAUSE_NS;
        return;
    }
    if (!is_served(fd)) {
        close(fd);
        return;
    }
    client_close(&keeper->client);
    keeper->client.fd = fd;
    facts_replay(keeper);
    client_flush(&keeper->client);
}

void client_flush(struct client *client)
{
    while (client_has_output(client)) {
        ssize_t sent = send(client->fd, client->output + client->output_start,
                            client->output_end - client->output_start, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno == EAGAIN)
            return;
        if (sent < 0) {
            client_close(client);
            return;
        }
        client->output_start += (size_t)sent;
    }
    client->output_start = client->output_end = 0;
}

void client_write(struct client *client, const char *bytes, size_t size)
{
    if (client->fd < 0)
        return;
    if (client->output_end + size > sizeof client->output) {
        client_flush(client);
        size_t waiting = client->output_end - client->output_start;
        memmove(client->output, client->output + client->output_start, waiting);
        client->output_start = 0;
        client->output_end = waiting;
    }
    if (client->fd < 0 || client->output_end + size > sizeof client->output) {
        client_close(client);
        return;
    }
    memcpy(client->output + client->output_end, bytes, size);
    client->output_end += size;
}

static void drop_input(struct client *client, size_t size)
{
    client->input_used -= size;
    memmove(client->input, client->input + size, client->input_used);
}

static size_t payload_missing(const struct client *client)
{
    return client->tag_size + client->blob_size - client->payload_used;
}

static void finish_launch(struct keeper *keeper)
{
    struct client *client = &keeper->client;
    uint64_t id = client->launch;
    client->launch = 0;
    client->payload_used = 0;
    command_launch(keeper, id, payload, client->tag_size, payload + client->tag_size, client->blob_size);
    client_forget_payload();
}

/* Take from the input what belongs to the launch. */
static void fill_payload(struct keeper *keeper)
{
    struct client *client = &keeper->client;
    size_t size = payload_missing(client) < client->input_used ? payload_missing(client) : client->input_used;
    memcpy(payload + client->payload_used, client->input, size);
    client->payload_used += size;
    drop_input(client, size);
}

/* False: nothing more can be done with what is there. */
static bool take_line(struct keeper *keeper)
{
    struct client *client = &keeper->client;
    char line[LINE_MAX_BYTES];
    char *end = memchr(client->input, '\n', client->input_used);
    if (!end) {
        if (client->input_used == sizeof client->input)
            client_close(client);
        return false;
    }
    size_t size = (size_t)(end - client->input);
    memcpy(line, client->input, size);
    line[size] = '\0';
    drop_input(client, size + 1);
    if (memchr(line, '\0', size) || !command_run(keeper, line))
        client_close(client);
    return true;
}

static void digest(struct keeper *keeper)
{
    struct client *client = &keeper->client;
    while (client->fd >= 0) {
        if (client->launch) {
            fill_payload(keeper);
            if (payload_missing(client))
                return;
            finish_launch(keeper);
        } else if (!take_line(keeper)) {
            return;
        }
    }
}

void client_readable(struct keeper *keeper)
{
    struct client *client = &keeper->client;
    bool counted = client->launch && client->input_used == 0;
    char *to = counted ? payload + client->payload_used : client->input + client->input_used;
    size_t room = counted ? payload_missing(client) : sizeof client->input - client->input_used;

    ssize_t got = recv(client->fd, to, room, MSG_DONTWAIT);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (got <= 0) {
        client_close(client);
        return;
    }
    if (counted)
        client->payload_used += (size_t)got;
    else
        client->input_used += (size_t)got;
    digest(keeper);
}
