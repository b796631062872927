/* SPDX-License-Identifier: MIT */
/* Domains begin and end here. */
#ifndef LIBSOCLE_CREATE_H
#define LIBSOCLE_CREATE_H

#include "config.h"
#include "error.h"

#include <signal.h>
#include <xen/xen.h>

struct create_options {                                                  /* all zero: as usual */
    bool paused;                                                         /* do not let it run yet */
    void (*progress)(void *ctx, const char *what, unsigned int percent); /* of what takes long */
    void *ctx;
    const volatile sig_atomic_t *stop; /* may be NULL; not 0: give up, and undo what was done */
};

/** domain_create - make a domain and let it run
 * @id  written only on success
 * First ends what killed tools left half-built. Needs xcall_open(). On failure nothing is left of
 * the domain. */
int domain_create(const struct domain_config *c, const struct create_options *o, domid_t *id,
                  struct error *err);

/** domain_end - end a domain: its devices, memory, store nodes, and what tools remember of it
 * For domains of other tools, too. Repeatable; no error if there is no such domain any more.
 * Returns -EPERM for dom0; what could not be done otherwise, after all that could be has been. */
int domain_end(domid_t id, struct error *err);

/** domain_sweep - end all domains that killed tools have left half-built. */
void domain_sweep(void);

#endif
