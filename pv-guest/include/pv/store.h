/* SPDX-License-Identifier: MIT */
/* The store, by the domain's ring: one request at a time, of one vcpu. */
#ifndef PV_STORE_H
#define PV_STORE_H

#include <pv/types.h>
#include <xen/event_channel.h>
#include <xen/io/xs_wire.h>

/** store_init - use the page and the port of start_info; false: there are none. */
bool store_init(void);

/** store_use - use these; to be done again when the ring has been connected anew. */
void store_use(struct xenstore_domain_interface *page, evtchn_port_t port);

/** store_ask - a request and its answer
 * @data  strings with their NULs
 * Returns the type of the answer, XS_ERROR or @type; waits for it for as long as it takes. */
uint32_t store_ask(uint32_t tx, uint32_t type, const void *data, uint32_t len);

/** store_write, store_read - requests of one node; read: the value, "" if there is none. */
bool store_write(const char *path, const char *value);
const char *store_read(const char *path);

/** store_wait - ring the bell, and wait until it rings here, or for a tenth of a second. */
void store_wait(void);

/** store_faults - what the daemon has done that it must not. */
extern unsigned store_faults;
extern unsigned store_events;                       /* watch events that came */
extern uint32_t store_len;                          /* of the last answer, */
extern char store_answer[XENSTORE_PAYLOAD_MAX + 1]; /* with a NUL behind it */

#endif
