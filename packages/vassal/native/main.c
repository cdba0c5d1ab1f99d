/* Chooses the role. Started by the emperor, as root, from a clean command line. */
#include "drill.h"
#include "host_probe.h"
#include "service.h"
#include "spawner.h"
#include "title.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv, char **environment)
{
    if (argc == 3 && strcmp(argv[1], "notify") == 0)
        return service_notify(argv[2]);
    if (argc == 2 && strcmp(argv[1], "probe") == 0)
        return host_probe();
    if (argc == 5 && strcmp(argv[1], "outsider") == 0)
        return outsider_run(argv[2], argv[3], argv[4]);
    if (argc < 4 || strcmp(argv[1], "spawner") != 0) {
        (void)fprintf(stderr, "usage: keeper spawner KEEPERS_DIR CGROUP_LEAF [PADDING]\n"
                              "       keeper notify TEXT\n"
                              "       keeper outsider UID GID NAME\n"
                              "       keeper probe\n");
        return 2;
    }
    title_init(argc, argv, environment);
    return spawner_run(argv[2], argv[3]);
}
