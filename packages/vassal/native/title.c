/* See title.h. Run by keeper and init: they are forks of the spawner and would all look like it. */
#include "title.h"

#include "io.h"

#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

static char *area;
static size_t area_size;

/* Arguments and environment stand behind each other on the stack. */
void title_init(int argc, char **argv, char **environment)
{
    char *end = argv[0];
    for (int i = 0; i < argc; i++)
        if (argv[i] == end)
            end += strlen(end) + 1;
    for (; *environment; environment++)
        if (*environment == end)
            end += strlen(end) + 1;
    area = argv[0];
    area_size = (size_t)(end - area);
}

void title_set(const char *role, const char *name)
{
    char title[160];
    (void)snprintf(title, sizeof title, "%s %s", role, name);
    memset(area, 0, area_size);
    if (area_size > 0)
        (void)snprintf(area, area_size, "%s", title);
    (void)prctl(PR_SET_NAME, title, 0, 0, 0);
}
