/* SPDX-License-Identifier: MIT */
/* Pools of pcpus: a domain runs on those of its pool. Pool 0 is always there, and has what no other has got;
 * the boot CPU stays in it. A pcpu that is in none idles. All pools have the one scheduler, which sees nothing
 * of them but where each vcpu may run. What changes here, changes under LOCK_DOMCTL. ABI: xen/sysctl.h. */
#include <hv/control.h>

#define MAX_POOLS 64
#define NO_POOL   MAX_POOLS
#define PARKED    (MAX_POOLS + 1) /* off line, as the control domain sees it */

static bool exists[MAX_POOLS] = {true};
static uint8_t pool_of[NR_CPUS];

static cpumask_t cpus_of(unsigned int id)
{
    cpumask_t cpus = CPUMASK_NONE;

    for_each_cpu (cpu, cpu_online_map)
        if (pool_of[cpu] == id)
            cpumask_set(&cpus, cpu);
    return cpus;
}

static unsigned int domains_in(unsigned int id)
{
    unsigned int n = 0;

    for_each_domain (d)
        n += d->sched.pool == id;
    return n;
}

bool cpupool_exists(unsigned int id)
{
    return id < MAX_POOLS && exists[id];
}

int cpupool_join(struct domain *d, unsigned int id)
{
    if (!cpupool_exists(id))
        return -ESRCH;
    if (cpumask_empty(cpus_of(id)))
        return -ENODEV;
    WRITE_ONCE(d->sched.pool, id);
    sched_domain_confine(d, cpus_of(id), true); /* what its affinity was means nothing there */
    return 0;
}

/* ---- operations ---- */

static long create(struct xen_sysctl_cpupool_op *p)
{
    uint32_t id = p->cpupool_id;

    if (id == XEN_SYSCTL_CPUPOOL_PAR_ANY)
        for (id = 0; cpupool_exists(id); id++)
            ;
    if (cpupool_exists(id))
        return -EEXIST;
    if (p->sched_id && p->sched_id != sched_policy()->id)
        return -ENOENT;
    if (id >= MAX_POOLS)
        return -ENOMEM;
    exists[id] = true;
    p->cpupool_id = id;
    return 0;
}

static long destroy(uint32_t id)
{
    if (!cpupool_exists(id))
        return -ENOENT;
    if (domains_in(id) || !cpumask_empty(cpus_of(id)))
        return -EBUSY;
    exists[id] = false;
    return 0;
}

/* The first one from that id on. */
static long info(struct xen_sysctl_cpupool_op *p)
{
    uint32_t id = p->cpupool_id;

    while (id < MAX_POOLS && !exists[id])
        id++;
    if (id >= MAX_POOLS)
        return -ENOENT;
    p->cpupool_id = id;
    p->sched_id = sched_policy()->id;
    p->n_dom = domains_in(id);
    return cpumask_to_guest(&p->cpumap, cpus_of(id));
}

static void put_cpu(unsigned int cpu, unsigned int from, unsigned int to)
{
    pool_of[cpu] = (uint8_t)to;
    for_each_domain (d)
        if (d->sched.pool == from || d->sched.pool == to)
            sched_domain_confine(d, cpus_of(d->sched.pool), false);
}

/* Any: the first one that is free, or the last one that is not. */
static long add_cpu(uint32_t id, uint32_t cpu)
{
    if (!cpupool_exists(id))
        return -ENOENT;
    if (cpu == XEN_SYSCTL_CPUPOOL_PAR_ANY && cpumask_empty(cpus_of(NO_POOL)))
        return -ENODEV;
    if (cpu == XEN_SYSCTL_CPUPOOL_PAR_ANY)
        cpu = cpumask_first(cpus_of(NO_POOL));
    if (!cpumask_has(&cpu_online_map, cpu))
        return -EINVAL;
    if (pool_of[cpu] != NO_POOL)
        return -ENODEV;
    put_cpu(cpu, NO_POOL, id);
    return 0;
}

static long remove_cpu(uint32_t id, uint32_t cpu)
{
    if (!cpupool_exists(id))
        return -ENOENT;
    if (cpu == XEN_SYSCTL_CPUPOOL_PAR_ANY)
        cpu = fls64(cpus_of(id).bits) - 1;
    if (!cpu || !cpumask_has(&cpu_online_map, cpu))
        return -EINVAL;
    if (pool_of[cpu] != id)
        return -EADDRNOTAVAIL;
    if (cpumask_weight(cpus_of(id)) == 1 && domains_in(id))
        return -EBUSY;
    put_cpu(cpu, id, NO_POOL);
    return 0;
}

long cpupool_park(unsigned int cpu)
{
    if (pool_of[cpu] == PARKED)
        return 0;
    if (pool_of[cpu])
        return -EBUSY;
    TRY(remove_cpu(0, cpu));
    pool_of[cpu] = PARKED;
    return 0;
}

void cpupool_unpark(unsigned int cpu)
{
    if (pool_of[cpu] == PARKED)
        put_cpu(cpu, PARKED, 0);
}

cpumask_t cpupool_working(void)
{
    return (cpumask_t){cpu_online_map.bits & ~cpus_of(PARKED).bits};
}

static long move(uint32_t id, domid_t who)
{
    struct domain *d __put_domain = domain_by_id(who);

    if (!d)
        return -ESRCH;
    if (d == current_domain())
        return -EPERM;
    if (d->sched.pool == id)
        return 0;
    return cpupool_join(d, id) ? -ENOENT : 0;
}

long cpupool_op(struct xen_sysctl_cpupool_op *p)
{
    switch (p->op) {
    case XEN_SYSCTL_CPUPOOL_OP_CREATE:
        return create(p);
    case XEN_SYSCTL_CPUPOOL_OP_INFO:
        return info(p);
    case XEN_SYSCTL_CPUPOOL_OP_FREEINFO:
        return cpumask_to_guest(&p->cpumap, cpus_of(NO_POOL));
    case XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN:
        return move(p->cpupool_id, (domid_t)p->domid);
    case XEN_SYSCTL_CPUPOOL_OP_DESTROY:
        return destroy(p->cpupool_id);
    case XEN_SYSCTL_CPUPOOL_OP_ADDCPU:
        return add_cpu(p->cpupool_id, p->cpu);
    case XEN_SYSCTL_CPUPOOL_OP_RMCPU:
        return remove_cpu(p->cpupool_id, p->cpu);
    default:
        return -ENOSYS;
    }
}
