/* SPDX-License-Identifier: MIT */
/* All that the daemon asks of the hypervisor. xenio.c does it; tests have their own. */
#ifndef STORED_XENIO_H
#define STORED_XENIO_H

#include <stdbool.h>
#include <stdint.h>
#include <xen/xen.h>

enum { XENIO_DOMAINS = 0 }; /* as a port: some domain may have ended */

enum xenio_state { XENIO_RUNNING, XENIO_SHUT_DOWN, XENIO_GONE };

/** xenio_open - returns a descriptor that is readable when an event waits, or a negative errno. */
int xenio_open(void);
/** xenio_dom0 - frame and port of the ring that the kernel here offers; or a negative errno. */
int xenio_dom0(uint64_t *frame, uint32_t *port);
/** xenio_map - the page of a domain's ring, or NULL; xenio_unmap gives it back. */
void *xenio_map(domid_t id, uint64_t frame);
void xenio_unmap(domid_t id, void *page);
/** xenio_bind - a port here for one there, or a negative errno; xenio_unbind closes it. */
int xenio_bind(domid_t id, uint32_t remote_port);
void xenio_unbind(uint32_t port);
/** xenio_notify - tell the other side. */
void xenio_notify(uint32_t port);
/** xenio_event - the next port with an event, XENIO_DOMAINS, or -EAGAIN. */
int xenio_event(void);
/** xenio_look - see how all domains are, in one go; returns 0 or a negative errno (-ENODEV: not open). */
int xenio_look(void);
/** xenio_state - how was this domain then? */
enum xenio_state xenio_state(domid_t id);

#endif
