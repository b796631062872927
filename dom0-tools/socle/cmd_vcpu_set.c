/* SPDX-License-Identifier: MIT */
/* socle vcpu-set: how many of its vcpus a guest may use. Its kernel takes them up and lays them
 * down by itself. */
#include "args.h"
#include "commands.h"
#include "domains.h"
#include "remember.h"

#include "../libsocle/alloc.h"
#include "../libsocle/xs.h"

#include <stdlib.h>

static int write_targets(domid_t id, unsigned int count, unsigned int max)
{
    struct xs_pair *pair = must_alloc(max * sizeof(*pair));
    char(*path)[64] = must_alloc(max * sizeof(*path));
    int rc;

    for (unsigned int v = 0; v < max; v++) {
        snprintf(path[v], sizeof(path[v]), "/local/domain/%u/cpu/%u/availability", id, v);
        pair[v] = (struct xs_pair){path[v], v < count ? "online" : "offline"};
    }
    rc = xs_put_all(pair, max);
    free(pair);
    free(path);
    return rc;
}

static void change(struct domain_config *c, void *count)
{
    c->vcpus = *(uint64_t *)count;
}

int cmd_vcpu_set(const struct command *self, int argc, char **argv)
{
    bool ignore_host = false;
    const struct command_option options[] = {{"ignore-host", 'i', &ignore_host}, {0}};
    struct xen_domctl_getdomaininfo d;
    unsigned int nr_cpus, max;
    uint64_t count;
    int rc;

    if (command_options(self, argc, argv, options, 2, 2) < 0)
        return EXIT_USAGE;
    rc = machine_cpus(&nr_cpus);
    if (rc == 0)
        rc = domain_named(argv[1], &d);
    if (rc == 0)
        rc = domain_must_have_nodes(d.domain, argv[1]);
    if (rc)
        return rc;
    max = d.max_vcpu_id + 1;
    if (!arg_number(argv[2], max, &count) || count == 0)
        return refuse("%s: expected a number of vcpus from 1 to %u, not %s", argv[1], max, argv[2]);
    if (count > nr_cpus && count > d.nr_online_vcpus && !ignore_host)
        return refuse("%s: this machine has %u CPUs; --ignore-host gives a domain more vcpus",
                      argv[1], nr_cpus);
    rc = write_targets(d.domain, count, max);
    if (rc)
        return fail(argv[1], rc);
    domain_remember(&d, change, &count);
    return EXIT_OK;
}
