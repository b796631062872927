/* SPDX-License-Identifier: MIT */
/* Changes that shall outlive a domain's reboot. */
#include "remember.h"

#include "../libsocle/state.h"

#include <errno.h>

/* Only those are locked: a lock without a configuration means that a domain is half-built. */
static bool is_ours(const struct xen_domctl_getdomaininfo *d)
{
    struct domain_config config;
    int rc = state_read(d->domain, d->handle, &config, NULL);

    if (rc == 0)
        config_free(&config);
    return rc != -ENOENT;
}

void domain_remember(const struct xen_domctl_getdomaininfo *d,
                     void (*change)(struct domain_config *c, void *ctx), void *ctx)
{
    struct domain_config config;
    struct error err = {0};
    int lock, rc;

    if (!is_ours(d))
        return;
    lock = state_lock(d->domain, true, &err);
    if (lock < 0) {
        refuse("not remembered: %s", err.text);
        return;
    }
    rc = state_read(d->domain, d->handle, &config, &err);
    if (rc == 0) {
        change(&config, ctx);
        rc = state_write(d->domain, &config, &err);
        config_free(&config);
    }
    if (rc && rc != -ENOENT)
        refuse("not remembered: %s", err.text);
    state_unlock(d->domain, lock);
}
