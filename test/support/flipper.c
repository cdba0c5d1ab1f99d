/* Flips a name between a directory of its own and a symlink to somebody else's, as fast as it goes.
 * flipper DIR NAME TARGET: DIR/NAME is the directory, DIR/NAME.away its other place. DIR itself may be flipped by
 * another flipper, so it is opened once. Ends with its parent. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    char away[256], link[256];
    if (argc != 4)
        return 2;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const char *name = argv[2];
    int dir = open(argv[1], O_PATH | O_DIRECTORY | O_CLOEXEC);
    snprintf(away, sizeof away, "%s.away", name);
    snprintf(link, sizeof link, "%s.link", name);
    if (dir < 0 || symlinkat(argv[3], dir, link) < 0)
        return 1;
    printf("flipping\n");
    fflush(stdout);
    for (;;) {
        /* directory away, link in; link away, directory in */
        if (renameat(dir, name, dir, away) < 0 || renameat(dir, link, dir, name) < 0 ||
            renameat(dir, name, dir, link) < 0 || renameat(dir, away, dir, name) < 0) {
            perror("flipper");
            return 1;
        }
    }
}
