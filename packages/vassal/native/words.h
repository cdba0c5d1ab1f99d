/* The functions of directives.def: each takes the arguments of one word into the spec, or refuses them
 * (false). */
#ifndef KEEPER_WORDS_H
#define KEEPER_WORDS_H

#include "spec.h"

#define DIRECTIVE(word, count, function) bool function(struct spec *spec, char **args);
#include "directives.def"
#undef DIRECTIVE

/* The next free element of a list, or NULL when there are too many. */
#define NEXT(list) ((list).count < LENGTH((list).at) ? &(list).at[(list).count++] : NULL)

/* Refuse what is there twice, or empty. */
bool take_text(const char **field, const char *text);
bool take_path(const char **field, const char *path);
bool take_flag(bool *flag);

/* hook_words.c: every hook has the arguments that its action takes. */
bool hooks_are_whole(const struct spec *spec);
const char *hook_phase_name(enum hook_phase phase);

#endif
