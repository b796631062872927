/* SPDX-License-Identifier: MIT */
/* socle cpupool-list: a line for each pool of CPUs, or an object. */
#include "args.h"
#include "commands.h"
#include "domains.h"
#include "json.h"
#include "scheduler.h"

#include "../libsocle/pools.h"

#include <stdlib.h>
#include <string.h>

static unsigned int count(const struct xc_cpus *cpus)
{
    unsigned int n = 0;

    for (unsigned int cpu = 0; cpu < XC_MAX_CPUS; cpu++)
        n += cpus_has(cpus, cpu);
    return n;
}

/* As numbers, even if it has all. */
static char *list_of(const struct xc_cpus *cpus)
{
    char *text = cpus_text(cpus, XC_MAX_CPUS);

    if (count(cpus) == 0)
        text[0] = 0;
    return text;
}

static void print_line(const struct xc_pool *p, const char *name, bool lists)
{
    char *cpus = list_of(&p->cpus);

    if (lists)
        printf("%-19s%s\n", name, cpus);
    else
        printf("%-19s%3u %9s       y       %4u\n", name, count(&p->cpus),
               scheduler_name(p->scheduler), p->domains);
    free(cpus);
}

static void put_object(yajl_gen g, const struct xc_pool *p, const char *name)
{
    char *cpus = list_of(&p->cpus);

    json_object(g, NULL);
    json_text(g, "name", name);
    json_number(g, "id", p->id);
    json_text(g, "cpus", cpus);
    json_text(g, "scheduler", scheduler_name(p->scheduler));
    json_number(g, "domains", p->domains);
    yajl_gen_map_close(g);
    free(cpus);
}

int cmd_cpupool_list(const struct command *self, int argc, char **argv)
{
    bool json = false, lists = false, any = false;
    const struct command_option options[] = {{"cpus", 'c', &lists}, {"json", 'j', &json}, {0}};
    int args = command_options(self, argc, argv, options, 0, 1), rc;
    struct xc_pool *p;
    yajl_gen g = NULL;
    unsigned int nr;

    if (args < 0)
        return EXIT_USAGE;
    rc = hypervisor_open();
    if (rc)
        return rc;
    rc = xc_pools(&p, &nr);
    if (rc)
        return fail("pools of CPUs", rc);
    for (unsigned int i = 0; i < nr; i++) {
        char *name = pool_name(p[i].id);

        if (args == 0 || strcmp(name, argv[1]) == 0) {
            if (!any && json)
                json_list(g = json_begin(), NULL);
            else if (!any)
                printf("%-19s%s\n", "Name",
                       lists ? "CPU list" : "CPUs   Sched     Active   Domain count");
            any = true;
            if (json)
                put_object(g, &p[i], name);
            else
                print_line(&p[i], name, lists);
        }
        free(name);
    }
    free(p);
    if (!any)
        return refuse("there is no pool %s", argv[1]);
    if (json) {
        yajl_gen_array_close(g);
        json_end(g);
    }
    return EXIT_OK;
}
