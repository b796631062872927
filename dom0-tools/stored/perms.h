/* SPDX-License-Identifier: MIT */
/* Who may do what with a node. */
#ifndef STORED_PERMS_H
#define STORED_PERMS_H

#include "../libsocle/bytes.h"

#include <stdbool.h>
#include <stdint.h>
#include <xen/xen.h>

enum {
    PERM_READ = 1,
    PERM_WRITE = 2,
    PERM_OWNER = 4, /* may change permissions; never stored */
};

struct perm { /* the first of a node: its owner, and what all who are not named may do */
    domid_t id;
    uint8_t bits;
};

#define PERMS_MAX 1024 /* of one node; what fits into a message is fewer */

struct who { /* somebody who asks */
    domid_t id;
    domid_t target; /* whose rights it has as well; DOMID_INVALID: nobody's */
    bool privileged;
};

/** perms_allow - PERM_* bits that somebody has on a node with these permissions. */
unsigned int perms_allow(const struct who *who, const struct perm *perms, unsigned int nr);

/** perms_parse - read strings such as "n0", "r5", one after the other
 * @text, @len  ends with a NUL
 * Returns how many were put into @perms (PERMS_MAX of them fit), -EINVAL. */
int perms_parse(const char *text, size_t len, struct perm *perms);

/** perms_format - the other way round, appended to @out. */
void perms_format(const struct perm *perms, unsigned int nr, struct bytes *out);

#endif
