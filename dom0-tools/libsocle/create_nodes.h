/* SPDX-License-Identifier: MIT */
/* What the store has of a domain, but for its devices. */
#ifndef LIBSOCLE_CREATE_NODES_H
#define LIBSOCLE_CREATE_NODES_H

#include "config.h"
#include "error.h"

#include <xen/event_channel.h>
#include <xen/xen.h>

struct create_rings {
    evtchn_port_t store_port, console_port;
    uint64_t store_frame, console_frame;
};

/** nodes_reach - is there a store? */
int nodes_reach(struct error *err);

/** nodes_check_name - -EEXIST: a domain has that name or uuid already. */
int nodes_check_name(const struct domain_config *c, struct error *err);

/** nodes_take_name - the name, and nothing else yet. */
int nodes_take_name(domid_t id, const struct domain_config *c, struct error *err);

/** nodes_write - everything, at once; then the store gets to know the domain. */
int nodes_write(domid_t id, const struct domain_config *c, const struct create_rings *rings,
                struct error *err);

/** nodes_remove - everything; repeatable. */
int nodes_remove(domid_t id, struct error *err);

#endif
