/* From root to the tenant: bounding set, groups, ids, keyring, capability sets, no_new_privs. Run by the
 * child of the keeper; the order is the one that works (reference: mechanics (f)): ambient must come after
 * the ids. */
#include "jail.h"
#include "report.h"
#include "sys.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdio.h>
#include <sys/prctl.h>

#define KEYRING_JOIN 1

/* capset() silently drops what the kernel does not know, so numbers are checked first. Asked of the kernel
 * itself: the /proc of a jail may be masked. */
static unsigned last_capability(void)
{
    unsigned count = 0;
    while (count < 64 && prctl(PR_CAPBSET_READ, count, 0, 0, 0) >= 0)
        count++;
    /* Any other error would leave those above in the bounding set. */
    if (count == 0 || (count < 64 && errno != EINVAL))
        fail(STAGE_IDENTITY, "capabilities");
    return count - 1;
}

static bool wants(const struct spec *spec, unsigned capability)
{
    return (spec->caps >> capability) & 1;
}

static void refuse_unknown(const struct spec *spec, unsigned last)
{
    for (unsigned capability = 0; capability < 64; capability++) {
        char what[24];
        if (!wants(spec, capability))
            continue;
        (void)snprintf(what, sizeof what, "capability %u", capability);
        errno = EINVAL;
        if (capability > last)
            fail(STAGE_IDENTITY, what);
        errno = EPERM;
        if (prctl(PR_CAPBSET_READ, capability, 0, 0, 0) != 1)
            fail(STAGE_IDENTITY, what);
    }
}

static void bound(const struct spec *spec, unsigned last)
{
    for (unsigned capability = 0; capability <= last; capability++)
        if (!wants(spec, capability))
            MUST(STAGE_IDENTITY, prctl(PR_CAPBSET_DROP, capability, 0, 0, 0));
}

#define SETPCAP_BIT (UINT64_C(1) << CAP_SETPCAP)

/* `caps` in three sets, and `more` in those that exec forgets. */
static void put_capabilities(uint64_t caps, uint64_t more)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    for (int i = 0; i < 2; i++) {
        uint32_t kept = (uint32_t)(caps >> (32 * i)), now = (uint32_t)((caps | more) >> (32 * i));
        data[i] = (struct __user_cap_data_struct){.effective = now, .permitted = now, .inheritable = kept};
    }
    MUST(STAGE_IDENTITY, syscall(SYS_capset, &header, data));
}

/* Securebits may forbid to raise and to keep, so they come after both, while we may still set them. */
static void set_capabilities(const struct spec *spec, unsigned last)
{
    put_capabilities(spec->caps, spec->securebits ? SETPCAP_BIT : 0);
    MUST(STAGE_IDENTITY, prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
    for (unsigned capability = 0; capability <= last; capability++)
        if (wants(spec, capability))
            MUST(STAGE_IDENTITY, prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0));
    if (!spec->securebits) {
        MUST(STAGE_IDENTITY, prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0));
        return;
    }
    MUST(STAGE_IDENTITY, prctl(PR_SET_SECUREBITS, spec->securebits, 0, 0, 0));
    put_capabilities(spec->caps, 0);
}

static void join_new_keyring(void)
{
    /* A kernel built without keys has none to share. */
    if (syscall(SYS_keyctl, KEYRING_JOIN, NULL, 0, 0, 0) < 0 && errno != ENOSYS)
        fail(STAGE_IDENTITY, "session keyring");
}

void identity_become(const struct spec *spec)
{
    unsigned last = last_capability();
    refuse_unknown(spec, last);
    MUST(STAGE_IDENTITY, prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0));
    bound(spec, last);
    if (!spec->single_id) /* there the kernel lets nobody change groups */
        MUST(STAGE_IDENTITY, setgroups(spec->groups.count, spec->groups.at));
    MUST(STAGE_IDENTITY, setresgid(spec->gid, spec->gid, spec->gid));
    MUST(STAGE_IDENTITY, setresuid(spec->uid, spec->uid, spec->uid));
    join_new_keyring(); /* as the tenant: its own, in its own quota */
    set_capabilities(spec, last);
    if (spec->no_new_privs)
        MUST(STAGE_IDENTITY, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    /* From here on others of this uid could take us over: hooks as the user, and what runs outside. */
    MUST(STAGE_IDENTITY, prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
}
