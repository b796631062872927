/* SPDX-License-Identifier: MIT */
/* Knobs of fake_xenio.c. */
#ifndef FAKE_XENIO_H
#define FAKE_XENIO_H

#include "dom0-tools/stored/xenio.h"

#include <xen/io/xs_wire.h>

enum { FAKE_DOMAINS = 8, FAKE_FRAME = 77, FAKE_PORT = 5 };

struct fake_domain {
    struct xenstore_domain_interface page;
    bool gone, shut_down;
    int mapped, bound;                       /* how often */
    unsigned int notified;                   /* by the daemon */
    uint32_t shown_req_cons, shown_rsp_prod; /* indexes at the last notification */
};
extern struct fake_domain fake_domains[FAKE_DOMAINS];

/* Called at each notification, before it is counted; may be NULL. */
extern void (*fake_on_notify)(uint32_t port);

#endif
