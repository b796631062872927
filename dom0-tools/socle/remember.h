/* SPDX-License-Identifier: MIT */
/* Changes that shall outlive a domain's reboot. */
#ifndef SOCLE_REMEMBER_H
#define SOCLE_REMEMBER_H

#include "domains.h"

#include "../libsocle/config.h"

/** domain_remember - change the configuration that a domain will start with again
 * That of a domain of other tools is theirs. What goes wrong is told, and is no error: the change
 * itself has been made. */
void domain_remember(const struct xen_domctl_getdomaininfo *d,
                     void (*change)(struct domain_config *c, void *ctx), void *ctx);

#endif
