/* SPDX-License-Identifier: MIT */
/* Rules of access:
 *   - a privileged one may do all,
 *   - the owner of a node may do all with it,
 *   - whoever is named in a further entry may do what that entry says (the first one counts),
 *   - everybody else may do what the owner's entry says.
 * A domain with a target has the target's rights as well as its own. */
#include "perms.h"

#include "../libsocle/alloc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned int allow_id(domid_t id, const struct perm *perms, unsigned int nr)
{
    if (perms[0].id == id)
        return PERM_READ | PERM_WRITE | PERM_OWNER;
    for (unsigned int i = 1; i < nr; i++) {
        if (perms[i].id == id)
            return perms[i].bits;
    }
    return perms[0].bits;
}

unsigned int perms_allow(const struct who *who, const struct perm *perms, unsigned int nr)
{
    unsigned int bits;

    if (who->privileged)
        return PERM_READ | PERM_WRITE | PERM_OWNER;
    bits = allow_id(who->id, perms, nr);
    if (who->target != DOMID_INVALID)
        bits |= allow_id(who->target, perms, nr);
    return bits;
}

static const char letters[] = "nrwb"; /* by bits */

int perms_parse(const char *text, size_t len, struct perm *perms)
{
    int nr = 0;

    for (const char *end = text + len; text < end; text += strlen(text) + 1, nr++) {
        const char *letter = *text ? strchr(letters, *text) : NULL;
        unsigned long id;
        char *rest;

        if (!letter || text[1] < '0' || text[1] > '9' || nr == PERMS_MAX)
            return -EINVAL;
        errno = 0;
        id = strtoul(text + 1, &rest, 10);
        if (errno || *rest || id >= DOMID_FIRST_RESERVED)
            return -EINVAL;
        perms[nr] = (struct perm){.id = id, .bits = letter - letters};
    }
    return nr ? nr : -EINVAL;
}

void perms_format(const struct perm *perms, unsigned int nr, struct bytes *out)
{
    for (unsigned int i = 0; i < nr; i++) {
        char text[16];
        int len = snprintf(text, sizeof(text), "%c%u", letters[perms[i].bits & 3], perms[i].id);

        must_have(bytes_append(out, text, len + 1, SIZE_MAX / 2));
    }
}
