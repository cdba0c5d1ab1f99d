#ifndef KEEPER_SPAWNER_H
#define KEEPER_SPAWNER_H

/* Serve requests on stdin until end-of-file: the exit code. */
int spawner_run(const char *keepers_dir, const char *cgroup_leaf);

#endif
