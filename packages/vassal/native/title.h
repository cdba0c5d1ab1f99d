/* What ps shows. */
#ifndef KEEPER_TITLE_H
#define KEEPER_TITLE_H

/* Remember where the arguments and the environment stand; the environment is wiped by title_set(). */
void title_init(int argc, char **argv, char **environment);

/* Show `ROLE NAME` instead of the arguments this process was started with. */
void title_set(const char *role, const char *name);

#endif
