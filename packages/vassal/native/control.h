/* The line protocol with the emperor: docs/reference/keeper-protocol.md. */
#ifndef KEEPER_CONTROL_H
#define KEEPER_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINE_MAX_BYTES 2048
#define OUTPUT_MAX 65536
#define TAG_MAX 512

struct keeper;

/* The one connection. What is read is bounded by the line, what waits for it by OUTPUT_MAX. */
struct client {
    int fd; /* -1: nobody is there */
    size_t input_used, output_start, output_end;

    uint64_t launch; /* a `launch` whose counted bytes are coming: its generation, else 0 */
    size_t tag_size, blob_size, payload_used;

    char input[LINE_MAX_BYTES];
    char output[OUTPUT_MAX];
};

void client_init(struct client *client);
void client_forget_payload(void);

/* Somebody waits at the listener: he replaces whoever is connected, and gets the replay. */
void client_accept(struct keeper *keeper);

/* Bytes have come, or the connection broke. */
void client_readable(struct keeper *keeper);

/* Send what waits, as far as it goes. */
void client_flush(struct client *client);

/* Queue bytes; a peer that does not read is disconnected. */
void client_write(struct client *client, const char *bytes, size_t size);

void client_close(struct client *client);
bool client_has_output(const struct client *client);

/* commands.c: do one line. False: it cannot be read, close the connection. */
bool command_run(struct keeper *keeper, char *line);

/* commands.c: a launch whose bytes are complete. */
void command_launch(struct keeper *keeper, uint64_t id, char *tag, size_t tag_size, char *blob,
                    size_t blob_size);

#endif
