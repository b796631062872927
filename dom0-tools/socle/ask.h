/* SPDX-License-Identifier: MIT */
/* Requests to guests: nodes below control/ that their kernels watch, and empty when they have seen
 * what is in them. */
#ifndef SOCLE_ASK_H
#define SOCLE_ASK_H

#include "domains.h"

/** ask_guests - write @value to control/@node of these domains
 * @seconds  how long to wait for each to empty it, or to end
 * @end      and wait then, without limit, for all to end; and for a while for those that are to be
 *           taken away when they have ended to be so
 * Returns EXIT_OK, or EXIT_FAILED after a line for each domain about what went wrong. */
int ask_guests(const struct xen_domctl_getdomaininfo *d, unsigned int nr, const char *node,
               const char *value, unsigned int seconds, bool end);

#endif
