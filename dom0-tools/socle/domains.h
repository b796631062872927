/* SPDX-License-Identifier: MIT */
/* Domains as commands see them: with a name, found by it or by their id. */
#ifndef SOCLE_DOMAINS_H
#define SOCLE_DOMAINS_H

#include "../libsocle/xc.h"

/** hypervisor_open - get ready to talk to it; EXIT_FAILED after a line about why not, 0. */
int hypervisor_open(void);

/** fail - write "socle: WHAT: why" to standard error; returns EXIT_FAILED. */
int fail(const char *what, int rc);

/** refuse - write "socle: " and the line to standard error; returns EXIT_FAILED. */
int refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** wrong - the same of an argument; returns EXIT_USAGE. */
int wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** domain_name - as the store has it, from malloc(); "(null)" without one. */
char *domain_name(domid_t id);

/** domains_find - all domains, or the one that @which names; NULL: all
 * Returns 0, or EXIT_FAILED after a line about what went wrong. */
int domains_find(const char *which, struct xen_domctl_getdomaininfo **list, unsigned int *nr);

/** domain_named - the domain that @which names; results as of domains_find(). */
int domain_named(const char *which, struct xen_domctl_getdomaininfo *d);

/** guest_named - the same, but the control domain is refused, because of @why. */
int guest_named(const char *which, const char *why, struct xen_domctl_getdomaininfo *d);

/** domains_pick - those that @which names, in that order; @count 0: all. */
int domains_pick(char *const *which, unsigned int count, struct xen_domctl_getdomaininfo **list,
                 unsigned int *nr);

/** domains_names - a domain_name() for each. */
char **domains_names(const struct xen_domctl_getdomaininfo *list, unsigned int nr);
void domains_names_free(char **name, unsigned int nr);

/** domain_act - what `socle pause DOMAIN` and its like do. */
int domain_act(const char *which, int (*act)(domid_t id));

#define UUID_ROOM 40

/** domain_uuid - the handle of a domain as text. */
void domain_uuid(const struct xen_domctl_getdomaininfo *d, char text[UUID_ROOM]);

/** domain_reason - the code that it gave when it shut down; see xen/sched.h. */
unsigned int domain_reason(const struct xen_domctl_getdomaininfo *d);

#define STATE_ROOM 8

/** domain_state - letters: running, blocked, paused, shut down, why, dying. */
void domain_state(const struct xen_domctl_getdomaininfo *d, char text[STATE_ROOM]);

/** domain_mebibytes - memory that it has, or is about to get. */
uint64_t domain_mebibytes(const struct xen_domctl_getdomaininfo *d);

/** domain_node - the value of a node below /local/domain/ID, as of xs_get(). */
char *domain_node(domid_t id, const char *node);

/** domain_must_have_nodes - those below /local/domain/ID, by which its kernel can be told something
 * @which  as it was named   Returns 0, or EXIT_FAILED after a line. */
int domain_must_have_nodes(domid_t id, const char *which);

/** machine_cpus - CPUs that have a number; a result as of domains_find(). */
int machine_cpus(unsigned int *nr);

#endif
