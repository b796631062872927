/* SPDX-License-Identifier: MIT */
/* socle cpupool-create, -destroy, -cpu-add, -cpu-remove, -migrate: pools of CPUs. What can be known to fail
 * fails before anything changes; what fails nevertheless is undone. */
#include "args.h"
#include "commands.h"
#include "domains.h"
#include "remember.h"

#include "../libsocle/alloc.h"
#include "../libsocle/pools.h"
#include "../libsocle/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct command_option none[] = {{0}};

static int find(const char *name, struct xc_pool *p)
{
    int rc = hypervisor_open();

    if (rc)
        return rc;
    rc = pool_find(name, p);
    return rc == -ENOENT ? refuse("there is no pool %s", name) : rc ? fail(name, rc) : 0;
}

static int cpus_named(const char *text, struct xc_cpus *cpus)
{
    unsigned int nr;
    int rc = machine_cpus(&nr);

    if (rc || arg_cpus(text, nr, cpus))
        return rc;
    return wrong("expected CPUs from 0 to %u such as 0-3,^1, or all, not %s", nr - 1, text);
}

/* ---- CPUs of pools ---- */

/* All that are named, or none; @p is where they are to be now: NULL, in no pool. */
static int must_be_in(const struct xc_pool *p, const struct xc_cpus *cpus)
{
    struct xc_pool *list;
    unsigned int nr;
    int rc = xc_pools(&list, &nr);

    if (rc)
        return fail("pools of CPUs", rc);
    for (unsigned int cpu = 0; cpu < XC_MAX_CPUS && rc == 0; cpu++) {
        unsigned int i = 0;
        char *name;

        if (!cpus_has(cpus, cpu))
            continue;
        while (i < nr && !cpus_has(&list[i].cpus, cpu))
            i++;
        if (p ? i < nr && list[i].id == p->id : i == nr)
            continue;
        name = i < nr ? pool_name(list[i].id) : NULL;
        if (!name)
            rc = refuse("CPU %u is in no pool", cpu);
        else if (p)
            rc = refuse("CPU %u is in %s", cpu, name);
        else
            rc = refuse("CPU %u is in %s; socle cpupool-cpu-remove %s %u frees it", cpu, name, name,
                        cpu);
        free(name);
    }
    free(list);
    return rc;
}

/* Those up to and without @end; the first error. */
static int change(int (*step)(uint32_t id, uint32_t cpu), uint32_t id, const struct xc_cpus *cpus,
                  unsigned int end, unsigned int *at)
{
    int rc = 0;

    for (unsigned int cpu = 0; cpu < end && rc == 0; cpu++) {
        *at = cpu;
        if (cpus_has(cpus, cpu))
            rc = step(id, cpu);
    }
    return rc;
}

static int add(uint32_t id, const struct xc_cpus *cpus)
{
    unsigned int at = 0, ignored;
    int rc = change(xc_pool_add_cpu, id, cpus, XC_MAX_CPUS, &at);

    if (rc == 0)
        return EXIT_OK;
    change(xc_pool_remove_cpu, id, cpus, at, &ignored);
    return refuse("CPU %u: %s", at, strerror(-rc));
}

static int take(uint32_t id, const struct xc_cpus *cpus, const char *name)
{
    unsigned int at = 0, ignored;
    int rc = change(xc_pool_remove_cpu, id, cpus, XC_MAX_CPUS, &at);

    if (rc == 0)
        return EXIT_OK;
    change(xc_pool_add_cpu, id, cpus, at, &ignored);
    if (rc == -EBUSY)
        return refuse("%s: CPU %u is the last one, and there are domains", name, at);
    return rc == -EINVAL && id == 0 ? refuse("CPU %u stays in %s", at, name)
                                    : refuse("CPU %u: %s", at, strerror(-rc));
}

static int change_cpus(const struct command *self, int argc, char **argv, bool more)
{
    struct xc_cpus cpus;
    struct xc_pool p;
    int rc;

    if (command_options(self, argc, argv, none, 2, 2) < 0)
        return EXIT_USAGE;
    rc = find(argv[1], &p);
    rc = rc ?: cpus_named(argv[2], &cpus);
    rc = rc ?: must_be_in(more ? NULL : &p, &cpus);
    return rc ?: more ? add(p.id, &cpus) : take(p.id, &cpus, argv[1]);
}

int cmd_cpupool_cpu_add(const struct command *self, int argc, char **argv)
{
    return change_cpus(self, argc, argv, true);
}

int cmd_cpupool_cpu_remove(const struct command *self, int argc, char **argv)
{
    return change_cpus(self, argc, argv, false);
}

/* ---- pools ---- */

/* With the machine locked: nobody else takes the name meanwhile. */
static int make(const char *name, const struct xc_cpus *cpus)
{
    struct xc_pool other;
    uint32_t id, scheduler;
    int rc = pool_find(name, &other);

    if (rc == 0)
        return refuse("%s: there is a pool of that name", name);
    rc = rc == -ENOENT ? xc_scheduler(&scheduler) : rc;
    rc = rc ?: xc_pool_create(scheduler, &id);
    if (rc)
        return fail(name, rc);
    rc = pool_take_name(id, name);
    rc = rc ? fail("store", rc) : add(id, cpus);
    if (rc) {
        xc_pool_destroy(id);
        pool_drop_name(id);
    }
    return rc;
}

int cmd_cpupool_create(const struct command *self, int argc, char **argv)
{
    struct error err = {0};
    struct xc_cpus cpus;
    int rc, lock;

    if (command_options(self, argc, argv, none, 2, 2) < 0)
        return EXIT_USAGE;
    if (!config_name_ok(argv[1]))
        return wrong("%s: expected " CONFIG_NAME_FORM, argv[1]);
    rc = hypervisor_open();
    rc = rc ?: cpus_named(argv[2], &cpus);
    rc = rc ?: must_be_in(NULL, &cpus);
    if (rc)
        return rc;
    lock = state_lock_machine(&err);
    if (lock < 0)
        return refuse("%s", err.text);
    rc = make(argv[1], &cpus);
    state_unlock_machine(lock);
    return rc;
}

int cmd_cpupool_destroy(const struct command *self, int argc, char **argv)
{
    struct xc_pool p;
    int rc;

    if (command_options(self, argc, argv, none, 1, 1) < 0)
        return EXIT_USAGE;
    rc = find(argv[1], &p);
    if (rc)
        return rc;
    if (p.id == 0)
        return refuse("%s is always there", argv[1]);
    if (p.domains)
        return refuse("%s: %u domain%s in it", argv[1], p.domains,
                      p.domains == 1 ? " is" : "s are");
    rc = take(p.id, &p.cpus, argv[1]);
    if (rc)
        return rc;
    rc = xc_pool_destroy(p.id);
    if (rc) {
        add(p.id, &p.cpus);
        return fail(argv[1], rc);
    }
    rc = pool_drop_name(p.id);
    return rc && rc != -ENOENT ? fail("store", rc) : EXIT_OK;
}

static void remember(struct domain_config *c, void *name)
{
    free(c->pool);
    c->pool = strcmp(name, POOL_0) == 0 ? NULL : must_copy(name, strlen(name));
}

int cmd_cpupool_migrate(const struct command *self, int argc, char **argv)
{
    struct xen_domctl_getdomaininfo d;
    struct xc_pool p;
    int rc;

    if (command_options(self, argc, argv, none, 2, 2) < 0)
        return EXIT_USAGE;
    rc = guest_named(argv[1], "stays in " POOL_0, &d);
    rc = rc ?: find(argv[2], &p);
    if (rc)
        return rc;
    rc = xc_pool_move(d.domain, p.id);
    if (rc == -ENOENT)
        return refuse("%s: the pool has no CPUs", argv[2]);
    if (rc)
        return fail(argv[1], rc);
    domain_remember(&d, remember, argv[2]);
    return EXIT_OK;
}
