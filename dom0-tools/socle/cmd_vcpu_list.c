/* SPDX-License-Identifier: MIT */
/* socle vcpu-list: a line for each vcpu, and where it may run. */
#include "args.h"
#include "commands.h"
#include "domains.h"
#include "json.h"

#include <limits.h>
#include <stdlib.h>

#define VCPUS_MAX 8192u /* of a domain, whatever it says */

struct vcpu {
    struct xen_domctl_getvcpuinfo info;
    char *hard, *soft; /* CPUs */
};

static bool get(domid_t id, unsigned int nr, unsigned int nr_cpus, struct vcpu *v)
{
    struct xc_cpus hard, soft;

    if (xc_vcpu_info(id, nr, &v->info) || xc_vcpu_affinity(id, nr, &hard, &soft))
        return false; /* there is none, or no more */
    v->hard = cpus_text(&hard, nr_cpus);
    v->soft = cpus_text(&soft, nr_cpus);
    return true;
}

static void print(const char *name, domid_t id, unsigned int nr, const struct vcpu *v)
{
    printf("%-32s %5u %5u", name, id, nr);
    if (v->info.online)
        printf("%5u %3c%c- ", v->info.cpu, v->info.running ? 'r' : '-',
               v->info.blocked ? 'b' : '-');
    else
        printf("%5c %3c%cp ", '-', '-', '-');
    printf("%9.1f  %s / %s\n", v->info.cpu_time / 1e9, v->hard, v->soft);
}

static void put(yajl_gen g, const char *name, domid_t id, unsigned int nr, const struct vcpu *v)
{
    json_object(g, NULL);
    json_text(g, "name", name);
    json_number(g, "domid", id);
    json_number(g, "vcpu", nr);
    json_flag(g, "online", v->info.online);
    if (v->info.online) {
        json_number(g, "cpu", v->info.cpu);
        json_flag(g, "running", v->info.running);
        json_flag(g, "blocked", v->info.blocked);
    }
    json_number(g, "cpu_time_ns", v->info.cpu_time);
    json_text(g, "hard_affinity", v->hard);
    json_text(g, "soft_affinity", v->soft);
    yajl_gen_map_close(g);
}

static void each(const struct xen_domctl_getdomaininfo *d, const char *name, unsigned int nr_cpus,
                 yajl_gen g)
{
    for (unsigned int nr = 0; nr <= d->max_vcpu_id && nr < VCPUS_MAX; nr++) {
        struct vcpu v;

        if (!get(d->domain, nr, nr_cpus, &v))
            continue;
        if (g)
            put(g, name, d->domain, nr, &v);
        else
            print(name, d->domain, nr, &v);
        free(v.hard);
        free(v.soft);
    }
}

int cmd_vcpu_list(const struct command *self, int argc, char **argv)
{
    bool json = false;
    const struct command_option options[] = {{"json", 'j', &json}, {0}};
    int count = command_options(self, argc, argv, options, 0, INT_MAX);
    struct xen_domctl_getdomaininfo *d;
    unsigned int nr, nr_cpus;
    yajl_gen g = NULL;
    char **name;
    int rc;

    if (count < 0)
        return EXIT_USAGE;
    rc = machine_cpus(&nr_cpus);
    if (rc == 0)
        rc = domains_pick(argv + 1, count, &d, &nr);
    if (rc)
        return rc;
    name = domains_names(d, nr);
    if (json)
        yajl_gen_array_open(g = json_begin());
    else
        printf("%-32s %5s %5s %5s %5s %9s %s\n", "Name", "ID", "VCPU", "CPU", "State", "Time(s)",
               "Affinity (Hard / Soft)");
    for (unsigned int i = 0; i < nr; i++)
        each(&d[i], name[i], nr_cpus, g);
    if (json) {
        yajl_gen_array_close(g);
        json_end(g);
    }
    domains_names_free(name, nr);
    free(d);
    return EXIT_OK;
}
