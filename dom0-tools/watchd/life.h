/* SPDX-License-Identifier: MIT */
/* What is done about one domain that has ended, or that killed tools have left something of.
 *
 * Files in state_dir(), beside those of state.h:
 *   ID.life       locked by whoever does this, so that a second one leaves it alone
 *   ID.restart    the configuration of a guest that is to run again in place of this domain
 *   UUID.restarts when a guest was restarted lately
 *
 * L1  ID.restart is there before the old domain is touched, and until the new one is complete. So
 *     whoever finds it goes on: ends the old domain (or renames it) if that is still there, and
 *     makes the new one, unless a complete domain has that uuid. Each step may be done again.
 * L3  What a domain is called is what the store says. Who renames it writes there first, and may be
 *     killed before ID.json has the name as well.
 * L2  Of a domain without ID.json of its own nothing is touched: it is another tool's. */
#ifndef WATCHD_LIFE_H
#define WATCHD_LIFE_H

#include "policy.h"

#include "../libsocle/error.h"

#include <xen/domctl.h>

struct life_world { /* what this needs of others; tests have their own */
    int (*info)(domid_t id, struct xen_domctl_getdomaininfo *info); /* -ESRCH: no such domain */
    int (*domains)(struct xen_domctl_getdomaininfo **list, unsigned int *nr); /* by malloc() */
    int (*end)(domid_t id, struct error *err);
    int (*create)(const struct domain_config *c, domid_t *id, struct error *err);
    int (*unpause)(domid_t id);
    /* Devices go; then it is known by this name, at last by this uuid. */
    int (*rename)(domid_t id, const struct domain_config *c, struct error *err);
    uint64_t (*now)(void); /* seconds */
    void (*wait)(unsigned int seconds);
    char *(*name)(domid_t id); /* what it is called now, by malloc(); NULL: nobody knows */
    void (*log)(const char *format, ...) __attribute__((format(printf, 1, 2)));
};

enum life_result {
    LIFE_DONE,
    LIFE_FAILED, /* and said so; it may be tried again */
    LIFE_BUSY,   /* somebody else is at it */
};

/** life_handle - do what there is to do about domain @id. */
enum life_result life_handle(domid_t id, const struct policy_limit *limit,
                             const struct life_world *world);

/** life_pending - has somebody left work on this domain half-done? */
bool life_pending(domid_t id);

#endif
