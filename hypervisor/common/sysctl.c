/* SPDX-License-Identifier: MIT */
/* sysctl: the machine as the control domain's tools see it. The rest of the operations answers
 * -ENOSYS. ABI: xen/sysctl.h. */
#include <hv/console.h>
#include <hv/control.h>
#include <hv/hypercall.h>

#define KEYS_MAX 64

static long op_readconsole(struct xen_sysctl *op)
{
    struct xen_sysctl_readconsole *r = &op->u.readconsole;
    uint32_t done = 0, index = r->index;
    char buf[256];

    while (done < r->count) {
        size_t n = min((size_t)(r->count - done), sizeof(buf));

        n = console_read_ring(buf, n, &index, r->incremental || done, false);
        if (n == 0)
            break;
        if (copy_to_guest(guest_ptr(guest_ptr_of(r->buffer).va + done), buf, n))
            return -EFAULT;
        done += (uint32_t)n;
    }
    if (r->clear)
        (void)console_read_ring(buf, 0, &index, true, true);
    r->count = done;
    r->index = index;
    return 0;
}

static long op_debug_keys(struct xen_sysctl *op)
{
    const struct xen_sysctl_debug_keys *k = &op->u.debug_keys;
    char keys[KEYS_MAX];

    if (k->nr_keys > KEYS_MAX)
        return -E2BIG;
    if (copy_from_guest(keys, guest_ptr_of(k->keys), k->nr_keys))
        return -EFAULT;
    for (uint32_t i = 0; i < k->nr_keys; i++)
        debugkey_handle(keys[i]);
    return 0;
}

/* Numbers below this may be those of a CPU on line. */
static uint32_t nr_cpus(void)
{
    return fls64(cpu_online_map.bits);
}

static long op_physinfo(struct xen_sysctl *op)
{
    struct xen_sysctl_physinfo *p = &op->u.physinfo;

    *p = (struct xen_sysctl_physinfo){
        .threads_per_core = 1,
        .cores_per_socket = cpumask_weight(cpu_online_map),
        .nr_cpus = cpumask_weight(cpupool_working()),
        .max_cpu_id = nr_cpus() - 1,
        .nr_nodes = 1,
        .cpu_khz = time_tsc_khz(),
        .capabilities = XEN_SYSCTL_PHYSCAP_pv | XEN_SYSCTL_PHYSCAP_gnttab_v1,
        .total_pages = total_pages,
        .free_pages = page_free_count(),
        .outstanding_pages = page_claimed_count(),
        .max_mfn = max_page - 1,
    };
    arch_physinfo(p);
    return 0;
}

static long op_sched_id(struct xen_sysctl *op)
{
    op->u.sched_id.sched_id = sched_policy()->id;
    return 0;
}

static long op_domain_list(struct xen_sysctl *op)
{
    struct xen_sysctl_getdomaininfolist *l = &op->u.getdomaininfolist;
    struct xen_domctl_getdomaininfo info;
    uint32_t n = 0;

    for_each_domain (d) {
        if (d->id < l->first_domain)
            continue;
        if (n == l->max_domains)
            break;
        domain_get_info(d, &info);
        if (put_element(l->buffer, n++, &info))
            return -EFAULT;
    }
    l->num_domains = n;
    return 0;
}

static long op_cpuinfo(struct xen_sysctl *op)
{
    struct xen_sysctl_getcpuinfo *g = &op->u.getcpuinfo;
    uint32_t n = min(g->max_cpus, nr_cpus());

    for (unsigned int i = 0; i < n; i++) {
        struct xen_sysctl_cpuinfo info = {0};

        if (cpumask_test(&cpu_online_map, i))
            info.idletime = (uint64_t)sched_idle_time(i);
        if (put_element(g->info, i, &info))
            return -EFAULT;
    }
    g->nr_cpus = n;
    return 0;
}

static long op_availheap(struct xen_sysctl *op)
{
    op->u.availheap.avail_bytes = page_free_count() << PAGE_SHIFT;
    return 0;
}

/* ---- topology: one socket, a core for each CPU, one node ---- */

static long op_cputopo(struct xen_sysctl *op)
{
    struct xen_sysctl_cputopoinfo *t = &op->u.cputopoinfo;
    cpumask_t working = cpupool_working();
    uint32_t room = t->num_cpus;

    t->num_cpus = nr_cpus();
    if (!t->cputopo.p)
        return 0;
    if (room < t->num_cpus)
        return -ENOBUFS;
    for (uint32_t i = 0; i < t->num_cpus; i++) {
        struct xen_sysctl_cputopo topo = {i, 0, 0};

        if (!cpumask_test(&working, i))
            topo = (struct xen_sysctl_cputopo){XEN_INVALID_CORE_ID, XEN_INVALID_SOCKET_ID,
                                               XEN_INVALID_NODE_ID};
        TRY(put_element(t->cputopo, i, &topo));
    }
    return 0;
}

static long op_numa(struct xen_sysctl *op)
{
    struct xen_sysctl_numainfo *n = &op->u.numainfo;
    struct xen_sysctl_meminfo mem = {total_pages << PAGE_SHIFT, page_free_count() << PAGE_SHIFT};
    uint32_t room = n->num_nodes, here = 10;

    n->num_nodes = 1;
    if (!room && (n->meminfo.p || n->distance.p))
        return -ENOBUFS;
    if ((n->meminfo.p && copy_to_guest(guest_ptr_of(n->meminfo), &mem, sizeof(mem))) ||
        (n->distance.p && copy_to_guest(guest_ptr_of(n->distance), &here, sizeof(here))))
        return -EFAULT;
    return 0;
}

/* Devices are on no node. A long list is done in parts: the caller comes again for the rest. */
static long op_pcitopo(struct xen_sysctl *op)
{
    struct xen_sysctl_pcitopoinfo *t = &op->u.pcitopoinfo;
    uint32_t i = 0;

    if (!t->devs.p || !t->nodes.p)
        return -EINVAL;
    for (; i < t->num_devs && !(i && hypercall_preempt_needed()); i++) {
        physdev_pci_device_t dev;
        uint32_t node;

        if (get_element(t->devs, i, &dev))
            return -EFAULT;
        node = dev.seg ? XEN_INVALID_DEV : XEN_INVALID_NODE_ID;
        if (put_element(t->nodes, i, &node))
            return -EFAULT;
    }
    t->num_devs = i;
    return 0;
}

/* ---- pools and their scheduler ---- */

static long op_cpupool(struct xen_sysctl *op)
{
    long rc = -ERESTART;

    if (spin_trylock(&domctl_lock)) {
        rc = cpupool_op(&op->u.cpupool_op);
        spin_unlock(&domctl_lock);
    }
    return rc;
}

/* Nobody is kept on a CPU because it has only just got it: a rate limit of 0. */
static long op_scheduler(struct xen_sysctl *op)
{
    struct xen_sysctl_scheduler_op *s = &op->u.scheduler_op;

    if (!cpupool_exists(s->cpupool_id))
        return -ESRCH;
    if (s->sched_id != sched_policy()->id || s->cmd > XEN_SYSCTL_SCHEDOP_getinfo)
        return -EINVAL;
    if (s->cmd == XEN_SYSCTL_SCHEDOP_putinfo)
        return s->u.sched_credit2.ratelimit_us ? -EOPNOTSUPP : 0;
    s->u.sched_credit2.ratelimit_us = 0;
    return 0;
}

/* No trace is kept. */
static long op_trace(struct xen_sysctl *op)
{
    struct xen_sysctl_tbuf_op *t = &op->u.tbuf_op;

    if (t->cmd != XEN_SYSCTL_TBUFOP_get_info)
        return t->cmd == XEN_SYSCTL_TBUFOP_disable ? 0 : -EINVAL;
    *t = (struct xen_sysctl_tbuf_op){.cmd = t->cmd};
    return 0;
}

static const struct sysctl_row rows[] = {
    {XEN_SYSCTL_readconsole, 1, op_readconsole},
    {XEN_SYSCTL_debug_keys, 0, op_debug_keys},
    {XEN_SYSCTL_physinfo, 1, op_physinfo},
    {XEN_SYSCTL_sched_id, 1, op_sched_id},
    {XEN_SYSCTL_getdomaininfolist, 1, op_domain_list},
    {XEN_SYSCTL_getcpuinfo, 1, op_cpuinfo},
    {XEN_SYSCTL_availheap, 1, op_availheap},
    {XEN_SYSCTL_cputopoinfo, 2, op_cputopo},
    {XEN_SYSCTL_numainfo, 2, op_numa},
    {XEN_SYSCTL_pcitopoinfo, 1, op_pcitopo},
    {XEN_SYSCTL_cpupool_op, 1, op_cpupool},
    {XEN_SYSCTL_scheduler_op, 1, op_scheduler},
    {XEN_SYSCTL_tbuf_op, 1, op_trace},
    {0},
};

long do_sysctl(guest_ptr_t arg)
{
    const struct sysctl_row *row;
    struct xen_sysctl op;
    long rc;

    TRY(control_begin(&op, sizeof(op), arg, XEN_SYSCTL_INTERFACE_VERSION));
    row = find_row(rows, op.cmd) ?: find_row(arch_sysctl, op.cmd);
    if (!row)
        return -ENOSYS;
    rc = row->fn(&op);
    if (rc == -ERESTART)
        return hypercall_continue(__HYPERVISOR_sysctl, 1, (unsigned long)arg.va);
    if ((rc == 0 ? row->result : row->result > 1) && copy_to_guest(arg, &op, sizeof(op)))
        rc = -EFAULT;
    return rc;
}
