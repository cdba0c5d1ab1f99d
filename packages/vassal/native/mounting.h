/* What the mount steps of a jail share. Run by a jail's first process, as root, in its own mount namespace.
 * Sources are looked up in the host's view; targets below `root`, which becomes `/`. Neither follows a
 * symlink. */
#ifndef KEEPER_MOUNTING_H
#define KEEPER_MOUNTING_H

#include "spec.h"
#include "sys.h"

#include <sys/types.h>

struct mounting {
    struct spec *spec;
    uint64_t generation;
    int scratch; /* the child's own copy of the scratch mount, or -1 */
    int root;    /* what becomes `/` */
    dev_t root_file_system;
    size_t own_count; /* file systems of the jail alone: what is mounted there gets a place */
    dev_t own[72];    /* what spec/root-rules.ts allows, and ours */
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

/* targets.c: where a step mounts. -1 with errno; ENOENT when it is not there. */
int target_open(const struct mounting *m, const char *path);
/* Made where it is missing, if it lies in a file system of the jail's own; -1 with errno. */
int target_make(const struct mounting *m, const char *path, bool dir);
void target_own(struct mounting *m, int dir, const char *what);
/* Put a taken tree at `path`, and forget it; the launch fails about `path`. */
void target_put(const struct mounting *m, int *tree, const char *path);
/* A new file system at `path`. */
void target_mount(const struct mounting *m, const char *path, const char *type, unsigned long flags,
                  const char *options);
void target_mkdir(struct mounting *m, struct mount_step *step);
void target_symlink(struct mounting *m, struct mount_step *step);

/* overlay.c: layers as a taken tree, or the launch fails. `upper` may be empty. */
int overlay_take(const struct mounting *m, const char *lowers, const char *upper, unsigned flags);

/* root.c */
void root_prepare(struct mounting *m);
void root_become(struct mounting *m);
void root_change(const struct spec *spec); /* chroot, without mounts of its own */

#endif
