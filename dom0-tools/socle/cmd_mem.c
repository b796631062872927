/* SPDX-License-Identifier: MIT */
/* socle mem-set, socle mem-max: how much memory a guest shall have, and may have. Its balloon driver
 * gives back and takes what the target says; beyond the limit the hypervisor gives it none. */
#include "args.h"
#include "commands.h"
#include "domains.h"
#include "remember.h"

#include "../libsocle/xs.h"

#include <inttypes.h>
#include <stdlib.h>

#define SLACK_KIB   1024u        /* beyond the target, for what a guest has besides it */
#define CONTROL_MIN (128u << 10) /* KiB that the control domain goes on with */
#define NO_LIMIT    (1ull << 40) /* KiB; a domain without a limit has about all ones */

static int size_of(const char *name, const char *text, uint64_t *kib)
{
    if (arg_size(text, kib))
        return 0;
    return wrong("%s: expected a size such as 512, 512m or 2g, not %s", name, text);
}

/* The number in a node, or 0. */
static uint64_t number_in(domid_t id, const char *node)
{
    char *text = domain_node(id, node);
    uint64_t n = 0;

    if (text && !arg_number(text, NO_LIMIT, &n))
        n = 0;
    free(text);
    return n;
}

/* What the domain was made for; without a toolstack's word the hypervisor's limit, or all there is.
 */
static int limit_of(const struct xen_domctl_getdomaininfo *d, uint64_t *kib)
{
    struct xen_sysctl_physinfo machine;
    int rc = xc_physinfo(&machine);

    if (rc)
        return fail("machine", rc);
    *kib = number_in(d->domain, "memory/static-max");
    if (!*kib)
        *kib = d->max_pages > NO_LIMIT / 4 ? NO_LIMIT : d->max_pages * 4;
    if (*kib > machine.total_pages * 4)
        *kib = machine.total_pages * 4;
    return 0;
}

static int write_node(const struct xen_domctl_getdomaininfo *d, const char *node, uint64_t kib)
{
    char path[64], text[24];
    struct xs_pair pair = {path, text};

    snprintf(path, sizeof(path), "/local/domain/%u/%s", d->domain, node);
    snprintf(text, sizeof(text), "%" PRIu64, kib);
    return xs_put_all(&pair, 1);
}

/* The limit is raised before the guest may need it, and lowered when it need not have it any more.
 * The control domain has what the machine's command line says. */
static int set_target(const struct xen_domctl_getdomaininfo *d, uint64_t kib)
{
    uint64_t limit = kib + SLACK_KIB, now = d->max_pages * 4;
    bool raise = limit > now;
    int rc = raise ? xc_max_mem(d->domain, limit) : 0;

    if (rc == 0)
        rc = write_node(d, "memory/target", kib);
    if (rc == 0 && !raise && d->domain)
        rc = xc_max_mem(d->domain, limit);
    else if (rc && raise)
        xc_max_mem(d->domain, now);
    return rc;
}

static void change_target(struct domain_config *c, void *kib)
{
    c->memory = (*(uint64_t *)kib + 1023) / 1024;
}

static void change_limit(struct domain_config *c, void *kib)
{
    c->maxmem = (*(uint64_t *)kib + 1023) / 1024;
}

int cmd_mem_set(const struct command *self, int argc, char **argv)
{
    const struct command_option options[] = {{0}};
    struct xen_domctl_getdomaininfo d;
    uint64_t kib, limit = 0;
    int rc;

    if (command_options(self, argc, argv, options, 2, 2) < 0)
        return EXIT_USAGE;
    rc = size_of(argv[1], argv[2], &kib);
    if (rc == 0)
        rc = domain_named(argv[1], &d);
    if (rc == 0)
        rc = domain_must_have_nodes(d.domain, argv[1]);
    if (rc == 0)
        rc = limit_of(&d, &limit);
    if (rc)
        return rc;
    if (kib > limit)
        return refuse("%s: %" PRIu64 " KiB are more than its limit, %" PRIu64 " KiB", argv[1], kib,
                      limit);
    if (d.domain == 0 && kib < CONTROL_MIN)
        return refuse("%s: the control domain needs %u KiB", argv[1], CONTROL_MIN);
    rc = set_target(&d, kib);
    if (rc)
        return fail(argv[1], rc);
    domain_remember(&d, change_target, &kib);
    return EXIT_OK;
}

int cmd_mem_max(const struct command *self, int argc, char **argv)
{
    const struct command_option options[] = {{0}};
    struct xen_domctl_getdomaininfo d;
    uint64_t kib, target;
    int rc;

    if (command_options(self, argc, argv, options, 2, 2) < 0)
        return EXIT_USAGE;
    rc = size_of(argv[1], argv[2], &kib);
    if (rc == 0)
        rc = domain_named(argv[1], &d);
    if (rc == 0)
        rc = domain_must_have_nodes(d.domain, argv[1]);
    if (rc)
        return rc;
    target = number_in(d.domain, "memory/target");
    if (!target)
        target = d.tot_pages * 4;
    if (kib < target)
        return refuse("%s: %" PRIu64 " KiB are less than its target, %" PRIu64 " KiB", argv[1], kib,
                      target);
    rc = xc_max_mem(d.domain, kib + SLACK_KIB);
    if (rc == 0)
        rc = write_node(&d, "memory/static-max", kib);
    if (rc)
        return fail(argv[1], rc);
    domain_remember(&d, change_limit, &kib);
    return EXIT_OK;
}
