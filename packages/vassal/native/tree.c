/* See tree.h. */
#include "tree.h"

#include "io.h"
#include "sys.h"

#include <fcntl.h>
#include <sys/mount.h>

int tree_open(int dir, const char *path)
{
    return sys_openat2(dir, path, O_PATH | O_CLOEXEC, RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
}

int tree_take(int dir, const char *path, bool recursive)
{
    autoclose int from = tree_open(dir, path);
    return from < 0 ? -1 : tree_clone(from, recursive);
}

int tree_clone(int from, bool recursive)
{
    return sys_open_tree(from, "",
                         KEEPER_OPEN_TREE_CLONE | KEEPER_OPEN_TREE_CLOEXEC | KEEPER_AT_EMPTY_PATH |
                             (recursive ? KEEPER_AT_RECURSIVE : 0));
}

int tree_restrict(int tree, unsigned flags, bool recursive)
{
    /* Private where read-only: a later mount of the host would come in writable. */
    struct mount_attributes attributes = {.set = flags,
                                          .propagation = flags & KEEPER_MOUNT_RDONLY ? MS_PRIVATE : 0};
    if (!flags)
        return 0;
    return sys_mount_setattr(tree, "", KEEPER_AT_EMPTY_PATH | (recursive ? KEEPER_AT_RECURSIVE : 0),
                             &attributes);
}

int tree_put(int tree, int target)
{
    return sys_move_mount(tree, "", target, "",
                          KEEPER_MOVE_MOUNT_F_EMPTY_PATH | KEEPER_MOVE_MOUNT_T_EMPTY_PATH);
}
