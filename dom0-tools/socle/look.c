/* SPDX-License-Identifier: MIT */
/* A look at all domains, for socle top. */
#include "top.h"

#include "commands.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

int look_take(struct look *l)
{
    struct timespec now;
    int rc;

    *l = (struct look){0};
    rc = domains_find(NULL, &l->d, &l->nr);
    if (rc)
        return rc;
    clock_gettime(CLOCK_MONOTONIC, &now);
    l->at = now.tv_sec + now.tv_nsec / 1e9;
    l->name = domains_names(l->d, l->nr);
    l->devices = counters_read("/sys", &l->nr_devices);
    rc = xc_physinfo(&l->machine);
    return rc ? fail("machine", rc) : 0;
}

void look_free(struct look *l)
{
    if (l->name)
        domains_names_free(l->name, l->nr);
    free(l->d);
    free(l->devices);
    *l = (struct look){0};
}

double look_load(const struct look *l, const struct look *before, unsigned int i)
{
    const struct xen_domctl_getdomaininfo *d = &l->d[i];

    for (unsigned int k = 0; before && k < before->nr; k++) {
        const struct xen_domctl_getdomaininfo *b = &before->d[k];

        if (b->domain == d->domain && memcmp(b->handle, d->handle, sizeof(d->handle)) == 0 &&
            d->cpu_time >= b->cpu_time && l->at > before->at)
            return (d->cpu_time - b->cpu_time) / 1e9 / (l->at - before->at) * 100;
    }
    return 0;
}
