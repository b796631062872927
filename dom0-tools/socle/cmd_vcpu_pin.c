/* SPDX-License-Identifier: MIT */
/* socle vcpu-pin: where vcpus may run, and where they had better. */
#include "args.h"
#include "commands.h"
#include "domains.h"
#include "remember.h"

#include "../libsocle/alloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A set of CPUs, or "-": as it is. */
static int cpus_of(const char *text, unsigned int nr_cpus, struct xc_cpus *room,
                   const struct xc_cpus **cpus)
{
    *cpus = strcmp(text, "-") == 0 ? NULL : room;
    if (!*cpus || arg_cpus(text, nr_cpus, room))
        return 0;
    return wrong("expected CPUs from 0 to %u such as 0-3,^1, or all, or -, not %s", nr_cpus - 1,
                 text);
}

static int vcpus_of(const char *text, const struct xen_domctl_getdomaininfo *d, unsigned int *first,
                    unsigned int *last)
{
    uint64_t n;

    *first = 0;
    *last = d->max_vcpu_id;
    if (strcmp(text, "all") == 0)
        return 0;
    if (!arg_number(text, d->max_vcpu_id, &n))
        return wrong("expected a vcpu from 0 to %u, or all, not %s", d->max_vcpu_id, text);
    *first = *last = n;
    return 0;
}

static int pin(domid_t id, unsigned int vcpu, const struct xc_cpus *hard,
               const struct xc_cpus *soft, bool force, const char *name)
{
    int rc = xc_set_vcpu_affinity(id, vcpu, hard, soft, force);

    if (rc == -EINVAL)
        return refuse("%s: vcpu %u: none of these CPUs is on line", name, vcpu);
    if (rc == -EBUSY)
        return refuse("%s: vcpu %u is pinned for the time being; --force ends that", name, vcpu);
    return rc ? refuse("%s: vcpu %u: %s", name, vcpu, strerror(-rc)) : EXIT_OK;
}

struct pins {
    unsigned int first, last;
    struct config_cpus cpus;
    bool all_vcpus, all_cpus;
};

/* CPUs of all vcpus alike become those of each. */
static void list_each(struct domain_config *c)
{
    struct config_cpus *list = must_alloc(c->maxvcpus * sizeof(*list));

    for (unsigned int i = 0; i < c->maxvcpus; i++)
        list[i] = c->has_cpus ? c->cpus : i < c->nr_vcpu_cpus ? c->vcpu_cpus[i] : config_cpus_all();
    free(c->vcpu_cpus);
    c->vcpu_cpus = list;
    c->nr_vcpu_cpus = c->maxvcpus;
    c->has_cpus = false;
}

static void change(struct domain_config *c, void *ctx)
{
    const struct pins *p = ctx;

    if (p->all_vcpus) {
        free(c->vcpu_cpus);
        c->vcpu_cpus = NULL;
        c->nr_vcpu_cpus = 0;
        c->has_cpus = !p->all_cpus;
        c->cpus = p->cpus;
        return;
    }
    list_each(c);
    for (unsigned int i = p->first; i <= p->last && i < c->maxvcpus; i++)
        c->vcpu_cpus[i] = p->all_cpus ? config_cpus_all() : p->cpus;
}

/* Soft ones are a wish of the moment. */
static void remember(const struct xen_domctl_getdomaininfo *d, unsigned int first,
                     unsigned int last, char **argv, const struct xc_cpus *cpus)
{
    struct pins p = {.first = first,
                     .last = last,
                     .all_vcpus = strcmp(argv[2], "all") == 0,
                     .all_cpus = strcmp(argv[3], "all") == 0};

    _Static_assert(sizeof(p.cpus) == sizeof(*cpus), "the same CPUs");
    memcpy(&p.cpus, cpus, sizeof(p.cpus));
    domain_remember(d, change, &p);
}

int cmd_vcpu_pin(const struct command *self, int argc, char **argv)
{
    bool force = false;
    const struct command_option options[] = {{"force", 'f', &force}, {0}};
    int count = command_options(self, argc, argv, options, 3, 4);
    struct xc_cpus hard_room, soft_room;
    const struct xc_cpus *hard, *soft;
    struct xen_domctl_getdomaininfo d;
    unsigned int nr_cpus, first = 0, last = 0;
    int rc;

    if (count < 0)
        return EXIT_USAGE;
    rc = machine_cpus(&nr_cpus);
    if (rc == 0)
        rc = domain_named(argv[1], &d);
    if (rc == 0)
        rc = vcpus_of(argv[2], &d, &first, &last);
    if (rc == 0)
        rc = cpus_of(argv[3], nr_cpus, &hard_room, &hard);
    if (rc == 0)
        rc = cpus_of(count > 3 ? argv[4] : "-", nr_cpus, &soft_room, &soft);
    for (unsigned int v = first; rc == 0 && (hard || soft) && v <= last; v++)
        rc = pin(d.domain, v, hard, soft, force, argv[1]);
    if (rc == 0 && hard)
        remember(&d, first, last, argv, hard);
    return rc;
}
