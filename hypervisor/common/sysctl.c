/* SPDX-License-Identifier: MIT */
/* sysctl: the machine as the control domain's tools see it. The rest of the operations answers -ENOSYS.
 * ABI: xen/sysctl.h. */
#include <hv/console.h>
#include <hv/control.h>
#include <hv/hypercall.h>
#include <xen/sysctl.h>

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

static long op_physinfo(struct xen_sysctl *op)
{
    struct xen_sysctl_physinfo *p = &op->u.physinfo;

    *p = (struct xen_sysctl_physinfo){
        .threads_per_core = 1,
        .cores_per_socket = cpumask_weight(cpu_online_map),
        .nr_cpus = cpumask_weight(cpu_online_map),
        .max_cpu_id = NR_CPUS - 1,
        .nr_nodes = 1,
        .cpu_khz = time_tsc_khz(),
        .capabilities = XEN_SYSCTL_PHYSCAP_pv | XEN_SYSCTL_PHYSCAP_gnttab_v1,
        .total_pages = total_pages,
        .free_pages = page_free_count(),
        .max_mfn = max_page - 1,
    };
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
    struct domain *d = NULL;
    uint32_t n = 0;

    while ((d = domain_next(d))) {
        if (d->id < l->first_domain)
            continue;
        if (n == l->max_domains) {
            domain_put(d);
            break;
        }
        domain_get_info(d, &info);
        if (copy_to_guest(guest_ptr_index(guest_ptr_of(l->buffer), n, sizeof(info)), &info,
                          sizeof(info))) {
            domain_put(d);
            return -EFAULT;
        }
        n++;
    }
    l->num_domains = n;
    return 0;
}

static long op_cpuinfo(struct xen_sysctl *op)
{
    struct xen_sysctl_getcpuinfo *g = &op->u.getcpuinfo;
    uint32_t n = min(g->max_cpus, 64 - (uint32_t)__builtin_clzl(cpu_online_map.bits | 1));

    for (unsigned int i = 0; i < n; i++) {
        struct xen_sysctl_cpuinfo info = {0};

        if (cpumask_test(&cpu_online_map, i))
            info.idletime = (uint64_t)sched_idle_time(i);
        if (copy_to_guest(guest_ptr_index(guest_ptr_of(g->info), i, sizeof(info)), &info,
                          sizeof(info)))
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

static const struct {
    uint32_t cmd;
    bool has_result;
    long (*fn)(struct xen_sysctl *op);
} ops[] = {
    {XEN_SYSCTL_readconsole, true, op_readconsole},
    {XEN_SYSCTL_debug_keys, false, op_debug_keys},
    {XEN_SYSCTL_physinfo, true, op_physinfo},
    {XEN_SYSCTL_sched_id, true, op_sched_id},
    {XEN_SYSCTL_getdomaininfolist, true, op_domain_list},
    {XEN_SYSCTL_getcpuinfo, true, op_cpuinfo},
    {XEN_SYSCTL_availheap, true, op_availheap},
};

long do_sysctl(guest_ptr_t arg)
{
    struct xen_sysctl op;

    if (!current_domain()->is_privileged)
        return -EPERM;
    if (copy_from_guest(&op, arg, sizeof(op)))
        return -EFAULT;
    if (op.interface_version != XEN_SYSCTL_INTERFACE_VERSION)
        return -EACCES;
    for (unsigned int i = 0; i < ARRAY_SIZE(ops); i++) {
        long rc;

        if (ops[i].cmd != op.cmd)
            continue;
        rc = ops[i].fn(&op);
        if (rc == 0 && ops[i].has_result)
            rc = copy_to_guest(arg, &op, sizeof(op));
        return rc;
    }
    return -ENOSYS;
}

/* There are no security labels. */
long do_xsm_op(guest_ptr_t arg)
{
    (void)arg;
    return -ENOSYS;
}

/* There are no fully virtual domains. */
long do_hvm_op(unsigned long op, guest_ptr_t arg)
{
    (void)op, (void)arg;
    return -ENOSYS;
}
