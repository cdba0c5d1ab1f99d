/* Mount trees by descriptor: nothing here ever follows a symlink. Run by a jail's first process (root). */
#ifndef KEEPER_TREE_H
#define KEEPER_TREE_H

#include <stdbool.h>

/* Take a clone of what stands at `path` (below `dir`, or absolute): its descriptor, or -1 with errno. */
int tree_take(int dir, const char *path, bool recursive);

/* The same of what an O_PATH descriptor stands for. */
int tree_clone(int from, bool recursive);

/* Restrict a taken tree, KEEPER_MOUNT_*: 0, or -1 with errno. */
int tree_restrict(int tree, unsigned flags, bool recursive);

/* Put a taken tree over what the O_PATH descriptor `target` stands for: 0, or -1 with errno. */
int tree_put(int tree, int target);

/* O_PATH descriptor without following any symlink, or -1 with errno. */
int tree_open(int dir, const char *path);

#endif
