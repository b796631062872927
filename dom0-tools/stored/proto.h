/* SPDX-License-Identifier: MIT */
/* The requests of the protocol (include/xen/io/xs_wire.h). */
#ifndef STORED_PROTO_H
#define STORED_PROTO_H

#include "conn.h"

/** proto_request - do what a message asks for and queue the answer
 * @payload  h->len bytes, at most XENSTORE_PAYLOAD_MAX; nothing else about them is known */
void proto_request(struct conn *c, const struct xsd_sockmsg *h, const uint8_t *payload);

#endif
