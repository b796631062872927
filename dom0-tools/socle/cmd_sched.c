/* SPDX-License-Identifier: MIT */
/* socle sched: shares of domains in the processors, and what the scheduler does for all. */
#include "args.h"
#include "commands.h"
#include "domains.h"
#include "json.h"
#include "remember.h"
#include "scheduler.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- the pool ---- */

static bool is_credit2(uint32_t scheduler)
{
    return scheduler == XEN_SCHEDULER_CREDIT2;
}

static void print_pool(uint32_t scheduler, const struct xen_sysctl_scheduler_op *s)
{
    if (is_credit2(scheduler))
        printf("Cpupool Pool-0: ratelimit=%uus\n", s->u.sched_credit2.ratelimit_us);
    else
        printf("Cpupool Pool-0: tslice=%ums ratelimit=%uus migration-delay=%uus\n",
               s->u.sched_credit.tslice_ms, s->u.sched_credit.ratelimit_us,
               s->u.sched_credit.vcpu_migr_delay_us);
}

static void put_pool(yajl_gen g, uint32_t scheduler, const struct xen_sysctl_scheduler_op *s)
{
    json_text(g, "pool", "Pool-0");
    json_text(g, "scheduler", scheduler_name(scheduler));
    if (is_credit2(scheduler)) {
        json_number(g, "ratelimit_us", s->u.sched_credit2.ratelimit_us);
    } else {
        json_number(g, "tslice_ms", s->u.sched_credit.tslice_ms);
        json_number(g, "ratelimit_us", s->u.sched_credit.ratelimit_us);
        json_number(g, "migration_delay_us", s->u.sched_credit.vcpu_migr_delay_us);
    }
}

static int set_ratelimit(uint32_t scheduler, const char *text)
{
    struct xen_sysctl_scheduler_op s = {0};
    uint64_t us;
    int rc;

    if (!arg_number(text, XEN_SYSCTL_SCHED_RATELIMIT_MAX, &us) ||
        (us && us < XEN_SYSCTL_SCHED_RATELIMIT_MIN))
        return wrong("--ratelimit: expected 0, or microseconds from %u to %u, not %s",
                     XEN_SYSCTL_SCHED_RATELIMIT_MIN, XEN_SYSCTL_SCHED_RATELIMIT_MAX, text);
    rc = xc_pool_sched(scheduler, &s);
    if (is_credit2(scheduler))
        s.u.sched_credit2.ratelimit_us = us;
    else
        s.u.sched_credit.ratelimit_us = us;
    if (rc == 0)
        rc = xc_set_pool_sched(scheduler, &s);
    if (rc == -EOPNOTSUPP)
        return refuse("this hypervisor's scheduler has no rate limit");
    return rc ? fail("scheduler", rc) : 0;
}

/* ---- domains ---- */

static void print_domain(const char *name, domid_t id, uint32_t scheduler, yajl_gen g)
{
    uint32_t weight, cap;

    if (xc_domain_shares(id, scheduler, &weight, &cap))
        return; /* it has just ended */
    if (!g) {
        printf("%-33s %4u %6u %4u\n", name, id, weight, cap);
        return;
    }
    json_object(g, NULL);
    json_text(g, "name", name);
    json_number(g, "domid", id);
    json_number(g, "weight", weight);
    json_number(g, "cap", cap);
    yajl_gen_map_close(g);
}

static int show(const struct xen_domctl_getdomaininfo *d, unsigned int nr, uint32_t scheduler,
                bool json)
{
    struct xen_sysctl_scheduler_op s = {0};
    int rc = xc_pool_sched(scheduler, &s);
    yajl_gen g = NULL;
    char **name;

    if (rc)
        return fail("scheduler", rc);
    if (json) {
        g = json_begin();
        json_object(g, NULL);
        put_pool(g, scheduler, &s);
        json_list(g, "domains");
    } else {
        print_pool(scheduler, &s);
        printf("%-33s %4s %6s %4s\n", "Name", "ID", "Weight", "Cap");
    }
    name = domains_names(d, nr);
    for (unsigned int i = 0; i < nr; i++)
        print_domain(name[i], d[i].domain, scheduler, g);
    domains_names_free(name, nr);
    if (json) {
        yajl_gen_array_close(g);
        yajl_gen_map_close(g);
        json_end(g);
    }
    return EXIT_OK;
}

static int number_of(const char *option, const char *text, unsigned int min, unsigned int max,
                     uint32_t *value)
{
    uint64_t n;

    if (!text)
        return 0;
    if (!arg_number(text, max, &n) || n < min)
        return wrong("%s: expected a number from %u to %u, not %s", option, min, max, text);
    *value = n;
    return 0;
}

struct shares {
    uint32_t weight, cap;
};

static void change(struct domain_config *c, void *shares)
{
    const struct shares *s = shares;

    c->weight = s->weight == XC_SAME ? c->weight : s->weight;
    c->cap = s->cap == XC_SAME ? c->cap : s->cap;
}

static int adjust(const struct xen_domctl_getdomaininfo *d, uint32_t scheduler, const char *weight,
                  const char *cap, const char *name)
{
    struct shares s = {XC_SAME, XC_SAME};
    int rc = number_of("--weight", weight, 1, 65535, &s.weight);

    if (rc == 0) /* per cent of a CPU for each vcpu */
        rc = number_of("--cap", cap, 0, 100 * (d->max_vcpu_id + 1), &s.cap);
    if (rc)
        return rc;
    rc = xc_set_domain_shares(d->domain, scheduler, s.weight, s.cap);
    if (rc)
        return fail(name, rc);
    domain_remember(d, change, &s);
    return EXIT_OK;
}

int cmd_sched(const struct command *self, int argc, char **argv)
{
    const char *domain = NULL, *weight = NULL, *cap = NULL, *ratelimit = NULL;
    bool json = false;
    const struct command_option options[] = {{"domain", 'd', .value = &domain},
                                             {"weight", 'w', .value = &weight},
                                             {"cap", 'c', .value = &cap},
                                             {"ratelimit", 'r', .value = &ratelimit},
                                             {"json", 'j', &json},
                                             {0}};
    int count = command_options(self, argc, argv, options, 0, 1);
    struct xen_domctl_getdomaininfo *d;
    uint32_t scheduler;
    unsigned int nr;
    int rc;

    if (count < 0 || (count && domain))
        return count < 0 ? EXIT_USAGE : command_misuse(self);
    if (count)
        domain = argv[1];
    if ((weight || cap) && !domain)
        return wrong("expected a domain with --weight and --cap");
    rc = domains_find(domain, &d, &nr);
    if (rc)
        return rc;
    rc = xc_scheduler(&scheduler);
    if (rc)
        rc = fail("scheduler", rc);
    else if (!is_credit2(scheduler) && scheduler != XEN_SCHEDULER_CREDIT)
        rc = refuse("the scheduler, %s, knows no weights", scheduler_name(scheduler));
    else if (ratelimit)
        rc = set_ratelimit(scheduler, ratelimit);
    if (rc == 0 && (weight || cap))
        rc = adjust(d, scheduler, weight, cap, domain);
    else if (rc == 0 && !ratelimit)
        rc = show(d, nr, scheduler, json);
    free(d);
    return rc;
}
