/* SPDX-License-Identifier: MIT */
/* socle top: what domains do, between one look and the next. */
#ifndef SOCLE_TOP_H
#define SOCLE_TOP_H

#include "counters.h"
#include "domains.h"

#include "../libsocle/bytes.h"

/* A look at everything. */
struct look {  /* all zero: none */
    double at; /* seconds */
    struct xen_sysctl_physinfo machine;
    struct xen_domctl_getdomaininfo *d;
    char **name;
    unsigned int nr;
    struct counters *devices;
    unsigned int nr_devices;
};

/** look_take - a result as of domains_find(). */
int look_take(struct look *l);
void look_free(struct look *l);

/** look_load - per cent of a CPU that its domain @i has used since the look before; 0 if it was not
 * there or there is none. */
double look_load(const struct look *l, const struct look *before, unsigned int i);

enum top_order { TOP_BY_ID, TOP_BY_NAME, TOP_BY_LOAD, TOP_BY_MEMORY, TOP_ORDERS };

struct top_shape {
    bool full_names, networks, disks, vcpus; /* more than a line for each domain */
    enum top_order order;
};

/** top_table - a line with the headings, and those of the domains */
void top_table(struct bytes *text, const struct look *l, const struct look *before,
               const struct top_shape *shape);
/** top_summary - three lines about the machine. */
void top_summary(struct bytes *text, const struct look *l, const struct top_shape *shape);
/** top_json - write a list of objects to standard output. */
void top_json(const struct look *l, const struct look *before);

/** top_screen - show it on the terminal, until somebody wants to leave
 * @iterations  0: no limit   Returns an exit status. */
int top_screen(struct top_shape *shape, unsigned int delay_ms, unsigned int iterations);

#endif
