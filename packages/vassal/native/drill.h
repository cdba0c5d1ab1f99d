/* The escape prober: what a hostile app would try, each attempt in a process of its own, none of which does
 * harm when it is allowed. Run as the app, with all its restrictions, instead of a program (blob word
 * `drill`). */
#ifndef KEEPER_DRILL_H
#define KEEPER_DRILL_H

#include "spec.h"

#include <stdbool.h>

enum verdict { DRILL_DENIED, DRILL_ALLOWED, DRILL_SKIPPED };

/* What became of an attempt; fits a pipe write. */
struct outcome {
    int verdict;
    int error; /* errno of a denial, else 0 */
    char detail[240];
};

struct attempt {
    const char *name;
    void (*run)(const struct spec *spec, struct outcome *outcome);
    bool bare; /* in the prober itself: it forks, or looks at what the prober was given */
};

/* Each file's attempts, ended by one without a name. */
extern const struct attempt drill_files[];
extern const struct attempt drill_system[];
extern const struct attempt drill_kernel[];
extern const struct attempt drill_namespaces[];
extern const struct attempt drill_processes[];

/* Never returns: its exit code is 0 when every attempt was made. */
_Noreturn void drill_run(const struct spec *spec);

/* The init of the jail: the parent of the prober. */
extern pid_t drill_init;

/* The `index`-th value of a word such as `hidden`, or NULL. */
const char *drill_value(const struct spec *spec, const char *key, size_t index);
/* The number of a word that is there at most once; 0 when it is not. */
long drill_number(const struct spec *spec, const char *key);

void denied(struct outcome *outcome, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void allowed(struct outcome *outcome, const char *format, ...) __attribute__((format(printf, 2, 3)));
void skipped(struct outcome *outcome, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A call that fails also where it is permitted (its arguments are nonsense on purpose): only these errors
 * deny. */
void judge_permission(struct outcome *outcome, long result, const char *what);

/* Open, read nothing, write nothing; the first that opens is allowed, else denied with the last error but
 * ENOENT. */
void try_open(struct outcome *outcome, const char *path, int flags);

void try_open_all(struct outcome *outcome, const char *const *paths, int flags);
/* Calls `look` for entries of a directory until one is allowed. */
void try_each(struct outcome *outcome, const char *dir, void (*look)(const char *, struct outcome *));

/* drill_outsider.c: the role of a process outside of the jail that attempts are aimed at. */
int outsider_run(const char *uid, const char *gid, const char *name);

#endif
