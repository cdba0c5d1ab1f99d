/* Small tools around descriptors, text and time. Run by every process of the program; none allocates, none
 * exits. */
#ifndef KEEPER_IO_H
#define KEEPER_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)
#define NEVER INT64_MAX

/* Close a descriptor if it is open, and forget it: safe to call twice. */
void close_fd(int *fd);
#define autoclose __attribute__((cleanup(close_fd)))

/* CLOCK_MONOTONIC, the clock of every deadline and of every AT in the protocol. */
int64_t monotonic_ns(void);
int64_t monotonic_ms(void);

/* Strict decimal: digits only, no sign, at most `most`. */
bool parse_number(const char *text, uint64_t most, uint64_t *number);
bool parse_hex(const char *text, uint64_t *number);
bool parse_octal(const char *text, uint64_t most, uint64_t *number);

/* Copy with its NUL, or refuse (false) when it does not fit. */
bool copy_text(char *to, size_t size, const char *from);

/* Format, or refuse (false) when it does not fit. */
bool format_text(char *to, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Absolute, without empty, `.` or `..` components, no slash at the end; `/` itself is fine. */
bool is_plain_path(const char *path);

/* `path` is `dir` or lies below it. */
bool is_below(const char *path, const char *dir);

/* Read a small file whole: its length (the text is NUL-terminated, cut at size - 1), or -errno. */
int read_small(int dir, const char *path, char *buffer, size_t size);

/* Write `text` into an existing file with one write(): 0 or -errno. */
int write_small(const char *path, const char *text);

/* Remove a tree made by us (root's own, no tenant can write there); depth is bounded. 0 or -errno. */
int remove_tree(int dir, const char *name, int depth);

/* Make every missing component of a relative path, 0755: 0 or -errno. */
int make_dirs(int dir, const char *path);

/* Give the pages of a buffer back to the kernel: they read as zero afterwards. RELEASE() takes whole objects
 * whose size is whole pages; anything else would wipe its neighbour. */
#define PAGE 4096
#define WHOLE_PAGES(size) (((size) + PAGE - 1) / PAGE * PAGE)
#define page_aligned __attribute__((aligned(PAGE)))
#define RELEASE(object)                                                                                      \
    do {                                                                                                     \
        _Static_assert(sizeof(object) % PAGE == 0, "whole pages only");                                      \
        release_pages(&(object), sizeof(object));                                                            \
    } while (0)
void release_pages(void *start, size_t size);

/* The same for the stack below the caller's frame: what a deep call once touched. */
void release_stack(void);

#endif
