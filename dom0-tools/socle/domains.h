/* SPDX-License-Identifier: MIT */
/* Domains as commands see them: with a name, found by it or by their id. */
#ifndef SOCLE_DOMAINS_H
#define SOCLE_DOMAINS_H

#include "../libsocle/xc.h"

/** hypervisor_open - get ready to talk to it; EXIT_FAILED after a line about why not, 0. */
int hypervisor_open(void);

/** fail - write "socle: WHAT: why" to standard error; returns EXIT_FAILED. */
int fail(const char *what, int rc);

/** domain_name - as the store has it, from malloc(); "(null)" without one. */
char *domain_name(domid_t id);

/** domains_find - all domains, or the one that @which names; NULL: all
 * Returns 0, or EXIT_FAILED after a line about what went wrong. */
int domains_find(const char *which, struct xen_domctl_getdomaininfo **list, unsigned int *nr);

/** domain_act - what `socle pause DOMAIN` and its like do. */
int domain_act(const char *which, int (*act)(domid_t id));

#endif
