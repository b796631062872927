/* SPDX-License-Identifier: MIT */
/* What is to be done about a guest that has ended. Nothing here looks at the world. */
#ifndef WATCHD_POLICY_H
#define WATCHD_POLICY_H

#include "../libsocle/config.h"

/** policy_action - by its configuration, after it has ended for this reason (SHUTDOWN_*)
 * Returns false when it has not really ended: it was saved. */
bool policy_action(const struct domain_config *c, unsigned int reason, enum config_action *action);

enum { POLICY_MOST = 64 };

struct policy_limit {
    unsigned int restarts, seconds; /* at most so many in so long a time; restarts <= POLICY_MOST */
};

struct policy_history { /* when a guest has been restarted, oldest first; in seconds */
    uint64_t at[POLICY_MOST];
    unsigned int nr;
};

/** policy_may_restart - once more, at @now, without breaking the limit? If so, that is noted.
 * What is too old to matter is forgotten. */
bool policy_may_restart(struct policy_history *h, const struct policy_limit *limit, uint64_t now);

#endif
