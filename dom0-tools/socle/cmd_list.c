/* SPDX-License-Identifier: MIT */
/* socle list: a line for each domain, or an object. */
#include "commands.h"
#include "domains.h"
#include "json.h"

#include "../libsocle/alloc.h"
#include "../libsocle/pools.h"
#include "../libsocle/state.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct columns {
    bool verbose, context, pool, nodes; /* beyond the usual ones */
};

static void print_header(const struct columns *c)
{
    printf("%-40s    ID   Mem VCPUs\tState\tTime(s)", "Name");
    if (c->verbose)
        printf("   UUID                            Reason-Code\tSecurity Label");
    else if (c->context)
        printf("   Security Label");
    if (c->pool)
        printf("         Cpupool");
    if (c->nodes)
        printf(" NODE Affinity");
    putchar('\n');
}

static void print_pool(uint32_t id)
{
    char *name = pool_name(id);

    printf(" %16s", name);
    free(name);
}

static void print_line(const struct xen_domctl_getdomaininfo *d, const char *name,
                       const struct columns *c)
{
    char state[STATE_ROOM], uuid[UUID_ROOM];

    domain_state(d, state);
    printf("%-40s %5d %5" PRIu64 " %5d     %s  %8.1f", name, d->domain, domain_mebibytes(d),
           d->nr_online_vcpus, state, d->cpu_time / 1e9);
    if (c->verbose) {
        domain_uuid(d, uuid);
        printf(" %s ", uuid);
        if (d->flags & XEN_DOMINF_shutdown)
            printf("%8x", domain_reason(d));
        else
            printf("%8s", "-");
    }
    if (c->verbose || c->context)
        printf(" %16s", "-"); /* there are none */
    if (c->pool)
        print_pool(d->cpupool);
    if (c->nodes)
        printf(" any node");
    putchar('\n');
}

static void put_object(yajl_gen g, const struct xen_domctl_getdomaininfo *d, const char *name)
{
    char state[STATE_ROOM], uuid[UUID_ROOM];

    domain_state(d, state);
    domain_uuid(d, uuid);
    json_object(g, NULL);
    json_number(g, "domid", d->domain);
    json_text(g, "name", name);
    json_text(g, "uuid", uuid);
    json_number(g, "memory", domain_mebibytes(d));
    json_number(g, "vcpus", d->nr_online_vcpus);
    json_text(g, "state", state);
    if (d->flags & XEN_DOMINF_shutdown)
        json_number(g, "reason", domain_reason(d));
    json_number(g, "cpu_time_ns", d->cpu_time);
    yajl_gen_map_close(g);
}

/* What tools remember of it, or can see of those of other tools. */
static void put_config(yajl_gen g, const struct xen_domctl_getdomaininfo *d, char *name)
{
    struct domain_config known, seen = {
                                    .name = name,
                                    .has_uuid = true,
                                    .memory = domain_mebibytes(d),
                                    .maxmem = domain_mebibytes(d),
                                    .vcpus = d->nr_online_vcpus,
                                    .maxvcpus = d->max_vcpu_id + 1,
                                    .weight = 256,
                                    .on_reboot = CONFIG_RESTART,
                                };

    memcpy(seen.uuid, d->handle, sizeof(seen.uuid));
    if (state_read(d->domain, d->handle, &known, NULL)) {
        config_generate(&seen, g);
        return;
    }
    free(known.name); /* a rename may be under way */
    known.name = must_copy(name, strlen(name));
    config_generate(&known, g);
    config_free(&known);
}

static void print_long(const struct xen_domctl_getdomaininfo *d, char *const *name, unsigned int nr)
{
    yajl_gen g = json_begin();

    json_list(g, NULL);
    for (unsigned int i = 0; i < nr; i++) {
        json_object(g, NULL);
        json_number(g, "domid", d[i].domain);
        json_key(g, "config");
        put_config(g, &d[i], name[i]);
        yajl_gen_map_close(g);
    }
    yajl_gen_array_close(g);
    json_end(g);
}

static void print_json(const struct xen_domctl_getdomaininfo *d, char *const *name, unsigned int nr)
{
    yajl_gen g = json_begin();

    yajl_gen_array_open(g);
    for (unsigned int i = 0; i < nr; i++)
        put_object(g, &d[i], name[i]);
    yajl_gen_array_close(g);
    json_end(g);
}

int cmd_list(const struct command *self, int argc, char **argv)
{
    struct columns columns = {0};
    bool json = false, whole = false;
    const struct command_option options[] = {{"long", 'l', &whole},
                                             {"verbose", 'v', &columns.verbose},
                                             {"context", 'Z', &columns.context},
                                             {"cpupool", 'c', &columns.pool},
                                             {"numa", 'n', &columns.nodes},
                                             {"json", 'j', &json},
                                             {0}};
    int count = command_options(self, argc, argv, options, 0, 1);
    struct xen_domctl_getdomaininfo *d;
    unsigned int nr;
    char **name;
    int rc;

    if (count < 0)
        return EXIT_USAGE;
    rc = domains_pick(argv + 1, count, &d, &nr);
    if (rc)
        return rc;
    name = domains_names(d, nr);
    if (whole) {
        print_long(d, name, nr);
    } else if (json) {
        print_json(d, name, nr);
    } else {
        print_header(&columns);
        for (unsigned int i = 0; i < nr; i++)
            print_line(&d[i], name[i], &columns);
    }
    domains_names_free(name, nr);
    free(d);
    return EXIT_OK;
}
