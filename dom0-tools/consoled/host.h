/* SPDX-License-Identifier: MIT */
/* What the daemon asks of the hypervisor. host.c does it; tests have their own. */
#ifndef CONSOLED_HOST_H
#define CONSOLED_HOST_H

#include <stdint.h>
#include <xen/xen.h>

/** host_open - returns a descriptor that is readable when an event waits, or a negative errno. */
int host_open(void);
/** host_map - the page of a domain's console, NULL and errno; host_unmap gives it back. */
void *host_map(domid_t id, uint64_t frame);
void host_unmap(void *page);
/** host_bind - a port here for one there, or a negative errno; host_unbind closes it. */
int host_bind(domid_t id, uint32_t remote_port);
/** host_bind_log - a port for "the hypervisor's log has grown", or a negative errno. */
int host_bind_log(void);
void host_unbind(uint32_t port);
/** host_notify - tell the other side. */
void host_notify(uint32_t port);
/** host_event - the next port with an event, which gets no other one until host_unmask(); or -EAGAIN. */
int host_event(void);
void host_unmask(uint32_t port);

#endif
