/* SPDX-License-Identifier: MIT */
/* socle dominfo: all that there is to know about one domain. */
#include "args.h"
#include "commands.h"
#include "counters.h"
#include "domains.h"
#include "rows.h"
#include "start_time.h"

#include <stdlib.h>
#include <string.h>
#include <xen/sched.h>

/* What it is doing, in words. */
static const char *doing(const struct xen_domctl_getdomaininfo *d)
{
    static const char *const ended[] = {
        [SHUTDOWN_poweroff] = "powered off",
        [SHUTDOWN_reboot] = "wants to reboot",
        [SHUTDOWN_suspend] = "suspended",
        [SHUTDOWN_crash] = "crashed",
        [SHUTDOWN_watchdog] = "stopped by its watchdog",
        [SHUTDOWN_soft_reset] = "wants to be reset",
    };
    unsigned int reason = domain_reason(d);

    if (d->flags & XEN_DOMINF_dying)
        return "being destroyed";
    if (d->flags & XEN_DOMINF_shutdown)
        return reason < sizeof(ended) / sizeof(ended[0]) ? ended[reason] : "ended";
    return d->flags & XEN_DOMINF_paused    ? "paused"
           : d->flags & XEN_DOMINF_running ? "running"
           : d->flags & XEN_DOMINF_blocked ? "waiting"
                                           : "ready";
}

static void memory_rows(struct rows *r, const struct xen_domctl_getdomaininfo *d)
{
    char *target = domain_node(d->domain, "memory/target");
    uint64_t kib;

    row_number(r, "memory", domain_mebibytes(d));
    if (target && arg_number(target, UINT64_MAX, &kib))
        row_number(r, "memory_target", kib / 1024);
    if (d->max_pages < UINT32_MAX)
        row_number(r, "memory_limit", d->max_pages / 256);
    free(target);
}

static void share_rows(struct rows *r, domid_t id)
{
    uint32_t scheduler, weight, cap;

    if (xc_scheduler(&scheduler) || xc_domain_shares(id, scheduler, &weight, &cap))
        return;
    row_number(r, "weight", weight);
    row_number(r, "cap", cap);
}

/* Those that this domain's kernel has the other ends of. */
static void device_rows(struct rows *r, domid_t id)
{
    unsigned int nr;
    struct counters *c = counters_read("/sys", &nr);

    row_number(r, "disks", counters_sum(c, nr, id, true).device);
    row_number(r, "nics", counters_sum(c, nr, id, false).device);
    free(c);
}

static void time_rows(struct rows *r, const struct xen_domctl_getdomaininfo *d)
{
    int64_t *start = start_times(d, 1);

    row_real(r, "cpu_time", d->cpu_time / 1e9, 1);
    if (start[0] >= 0) {
        row_number(r, "start_time", start[0]);
        row_number(r, "uptime", start_time_age(start[0]));
    }
    free(start);
}

int cmd_dominfo(const struct command *self, int argc, char **argv)
{
    bool json = false;
    const struct command_option options[] = {{"json", 'j', &json}, {0}};
    int count = command_options(self, argc, argv, options, 1, 2);
    char state[STATE_ROOM], uuid[UUID_ROOM], *name;
    struct xen_domctl_getdomaininfo d;
    struct rows r;
    int rc;

    if (count < 0)
        return EXIT_USAGE;
    rc = domain_named(argv[1], &d);
    if (rc)
        return rc;
    name = domain_name(d.domain);
    domain_state(&d, state);
    domain_uuid(&d, uuid);
    rows_begin(&r, 15, json, count > 1 ? argv[2] : NULL);
    row_number(&r, "domid", d.domain);
    row_text(&r, "name", "%s", name);
    row_text(&r, "uuid", "%s", uuid);
    row_text(&r, "state", "%s", state);
    row_text(&r, "doing", "%s", doing(&d));
    memory_rows(&r, &d);
    row_number(&r, "vcpus", d.nr_online_vcpus);
    row_number(&r, "maxvcpus", d.max_vcpu_id + 1ll);
    share_rows(&r, d.domain);
    device_rows(&r, d.domain);
    time_rows(&r, &d);
    free(name);
    return rows_end(&r);
}
