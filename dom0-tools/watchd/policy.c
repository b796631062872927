/* SPDX-License-Identifier: MIT */
/* Rules: which action for which end, and how often. */
#include "policy.h"

#include <string.h>
#include <xen/sched.h>

/* A reason that we do not know is no good end. */
bool policy_action(const struct domain_config *c, unsigned int reason, enum config_action *action)
{
    switch (reason) {
    case SHUTDOWN_suspend:
        return false;
    case SHUTDOWN_poweroff:
        *action = c->on_poweroff;
        break;
    case SHUTDOWN_reboot:
        *action = c->on_reboot;
        break;
    default: /* crash, watchdog */
        *action = c->on_crash;
        break;
    }
    return true;
}

bool policy_may_restart(struct policy_history *h, const struct policy_limit *limit, uint64_t now)
{
    unsigned int old = 0;

    while (old < h->nr && (h->at[old] > now || now - h->at[old] >= limit->seconds))
        old++;
    h->nr -= old;
    memmove(h->at, h->at + old, h->nr * sizeof(h->at[0]));
    if (h->nr >= limit->restarts || h->nr >= POLICY_MOST)
        return false;
    h->at[h->nr++] = now;
    return true;
}
