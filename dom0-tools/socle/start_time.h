/* SPDX-License-Identifier: MIT */
/* When domains were started. */
#ifndef SOCLE_START_TIME_H
#define SOCLE_START_TIME_H

#include "domains.h"

/** start_times - of each domain, in seconds since 1970, or -1: nobody knows; from malloc()
 * A toolstack writes it to the store, /vm/UUID/start_time; the control domain's is that of its
 * kernel. */
int64_t *start_times(const struct xen_domctl_getdomaininfo *d, unsigned int nr);

/** start_time_age - seconds since then, 0 if the clock has been set back meanwhile; -1: unknown. */
int64_t start_time_age(int64_t start);

#endif
