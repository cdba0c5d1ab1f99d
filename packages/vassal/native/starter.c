/* Run by a child of the keeper, as root, in the generation's control group and the keeper's namespaces: what
 * needs to happen before the jail has namespaces of its own. The init is cloned from here, so that it is born
 * in what was joined, but as a child of the keeper. */
#include "starter.h"

#include "hook.h"
#include "io.h"
#include "jail.h"
#include "report.h"
#include "sys.h"
#include "title.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

bool starter_is_needed(const struct spec *spec)
{
    return spec->setns != NULL || hooks_have(spec, HOOK_PRE_JAIL);
}

/* Until the keeper knows of it the init does nothing; if we die it ends. */
static _Noreturn void be_init(struct birth *birth, int go)
{
    char word;
    if (MUST(STAGE_INIT, read(go, &word, 1)) != 1)
        _exit(125);
    birth->status = CHILD_STATUS;
    birth->report = CHILD_REPORT;
    birth->out = CHILD_OUT;
    birth->err = CHILD_ERR;
    init_run(birth);
}

_Noreturn void starter_run(const struct birth *given)
{
    struct birth birth = *given;
    struct spec *spec = birth.spec;
    int go[2], pidfd = -1;
    title_set("starter", birth.name);
    init_take_descriptors(&birth);
    /* What pre-jail hooks leave behind is below us, and nothing of a launch outlives its keeper. */
    MUST(STAGE_INIT, prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
    MUST(STAGE_INIT, prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0));

    cgroups_v1_join(spec);
    spec->cgroups_v1.count = 0; /* the init is born in them, and may not see them any more */
    hooks_run(spec, HOOK_PRE_JAIL);
    setns_join(spec);

    MUST(STAGE_INIT, pipe2(go, O_CLOEXEC));
    struct clone_request request = {
        .flags = namespaces_at_clone(spec) | KEEPER_CLONE_PARENT | KEEPER_CLONE_PIDFD |
                 (spec->jail_pid ? KEEPER_CLONE_PARENT_SETTID : 0),
        .pidfd = (uint64_t)(uintptr_t)&pidfd,
        .parent_tid = (uint64_t)(uintptr_t)spec->jail_pid,
    }; /* with CLONE_PARENT the signal of its end is that of ours */
    pid_t pid = (pid_t)must(sys_clone3(&request), STAGE_NAMESPACES, "clone3");
    if (pid == 0) {
        close(go[1]);
        be_init(&birth, go[0]);
    }
    MUST(STAGE_INIT, say_with(WORD_INIT, pid, &pidfd, 1));
    MUST(STAGE_INIT, write(go[1], "", 1));
    _exit(0);
}
