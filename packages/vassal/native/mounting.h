/* What the mount steps of a jail share. Run by a jail's first process, as root, in its own mount namespace.
 */
#ifndef KEEPER_MOUNTING_H
#define KEEPER_MOUNTING_H

#include "spec.h"
#include "sys.h"

struct mounting {
    struct spec *spec;
    uint64_t generation;
    int scratch; /* the child's own copy of the scratch mount, or -1 */
};

/* What hides has no business of being written, run or opened as a device. */
#define COVER (KEEPER_MOUNT_RDONLY | KEEPER_MOUNT_NOSUID | KEEPER_MOUNT_NODEV | KEEPER_MOUNT_NOEXEC)

/* A result or a text that did not fit: pass, or fail the launch about `what`. */
void must_mount(long result, const char *what);
void must_format(bool fits, const char *what);

/* Make `path` in the scratch directory, so that the tree of `step` can stand on it. `path` is changed. */
void make_place(struct mounting *m, char *path, const struct mount_step *step);

/* covers.c */
void mount_keep(struct mounting *m, struct mount_step *step);
void mount_hide(struct mounting *m, struct mount_step *step);
void mount_mask(struct mounting *m, struct mount_step *step);
void mount_readonly(struct mounting *m, struct mount_step *step);

#endif
