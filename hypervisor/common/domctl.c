/* SPDX-License-Identifier: MIT */
/* domctl: what the control domain does to domains. One short function for each operation; the rest of
 * them answers -ENOSYS. ABI: xen/domctl.h. */
#include <hv/hypercall.h>
#include <xen/domctl.h>

#define PAUSES_MAX 1000000

/* ---- bitmaps ---- */

int cpumask_from_guest(cpumask_t *mask, const struct xenctl_bitmap *map)
{
    unsigned int bytes = min(DIV_ROUND_UP(map->nr_bits, 8u), (unsigned int)sizeof(mask->bits));

    mask->bits = 0;
    if (copy_from_guest(&mask->bits, guest_ptr_of(map->bitmap), bytes))
        return -EFAULT;
    if (map->nr_bits < 64)
        mask->bits &= (1UL << map->nr_bits) - 1;
    return 0;
}

int cpumask_to_guest(const struct xenctl_bitmap *map, cpumask_t mask)
{
    unsigned int bytes = DIV_ROUND_UP(map->nr_bits, 8u);
    unsigned int own = min(bytes, (unsigned int)sizeof(mask.bits));

    if (map->nr_bits < 64)
        mask.bits &= (1UL << map->nr_bits) - 1;
    if (copy_to_guest(guest_ptr_of(map->bitmap), &mask.bits, own))
        return -EFAULT;
    return bytes > own ? clear_guest(guest_ptr(guest_ptr_of(map->bitmap).va + own),
                                     min(bytes, (unsigned int)PAGE_SIZE) - own)
                       : 0;
}

/* ---- operations; each gets the domain and our copy of the whole argument ---- */

static long op_destroy(struct domain *d, struct xen_domctl *op)
{
    (void)op;
    return d == current_domain() || d->is_privileged ? -EINVAL : domain_kill(d);
}

static long op_pause(struct domain *d, struct xen_domctl *op)
{
    long rc = 0;

    (void)op;
    if (d == current_domain())
        return -EINVAL;
    spin_lock(&d->lock);
    if (d->tool_pauses == PAUSES_MAX)
        rc = -EOVERFLOW;
    else
        d->tool_pauses++;
    spin_unlock(&d->lock);
    if (!rc)
        domain_pause(d);
    return rc;
}

static long op_unpause(struct domain *d, struct xen_domctl *op)
{
    long rc = 0;

    (void)op;
    spin_lock(&d->lock);
    if (d->tool_pauses == 0)
        rc = -EINVAL;
    else
        d->tool_pauses--;
    spin_unlock(&d->lock);
    if (!rc)
        domain_unpause(d);
    return rc;
}

static long op_resume(struct domain *d, struct xen_domctl *op)
{
    (void)op;
    if (d == current_domain())
        return -EINVAL;
    domain_resume(d);
    return 0;
}

static void sum_vcpus(struct domain *d, struct xen_domctl_getdomaininfo *info)
{
    unsigned int nr = 0, blocked = 0;
    struct vcpu *v;

    info->max_vcpu_id = XEN_INVALID_MAX_VCPU_ID;
    for_each_vcpu (d, v) {
        struct vcpu_runstate_info run;

        vcpu_runstate_get(v, &run);
        info->cpu_time += run.time[RUNSTATE_running];
        info->max_vcpu_id = v->id;
        if (test_bit(VPF_DOWN, &v->pause_flags))
            continue;
        nr++;
        blocked += test_bit(VPF_BLOCKED, &v->pause_flags);
        if (run.state == RUNSTATE_running)
            info->flags |= XEN_DOMINF_running;
    }
    info->nr_online_vcpus = nr;
    if (nr && blocked == nr)
        info->flags |= XEN_DOMINF_blocked;
}

void domain_get_info(struct domain *d, struct xen_domctl_getdomaininfo *info)
{
    memset(info, 0, sizeof(*info));
    info->domain = d->id;
    sum_vcpus(d, info);
    if (READ_ONCE(d->is_dying) == DOMDYING_DEAD)
        info->flags |= XEN_DOMINF_dying;
    if (READ_ONCE(d->is_shut_down))
        info->flags |= XEN_DOMINF_shutdown |
                       (d->shutdown_code & XEN_DOMINF_shutdownmask) << XEN_DOMINF_shutdownshift;
    if (READ_ONCE(d->tool_pauses))
        info->flags |= XEN_DOMINF_paused;
    info->tot_pages = READ_ONCE(d->tot_pages);
    info->max_pages = READ_ONCE(d->max_pages);
    info->shared_info_frame = virt_to_mfn(d->shared_info).n;
    memcpy(info->handle, d->handle, sizeof(info->handle));
}

static long op_getinfo(struct domain *d, struct xen_domctl *op)
{
    domain_get_info(d, &op->u.getdomaininfo);
    op->domain = d->id;
    return 0;
}

static long op_max_mem(struct domain *d, struct xen_domctl *op)
{
    uint64_t pages = op->u.max_mem.max_memkb >> (PAGE_SHIFT - 10);

    spin_lock(&d->page_lock);
    d->max_pages = min(pages, 0xffffffffUL);
    spin_unlock(&d->page_lock);
    return 0;
}

static long op_set_affinity(struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_vcpuaffinity *a = &op->u.vcpuaffinity;
    struct vcpu *v = domain_vcpu(d, a->vcpu);
    cpumask_t hard, soft;
    long rc;

    if (!(a->flags & (XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT)))
        return -EINVAL;
    if (!v)
        return -ESRCH;
    if (a->flags & XEN_VCPUAFFINITY_HARD && cpumask_from_guest(&hard, &a->cpumap_hard))
        return -EFAULT;
    if (a->flags & XEN_VCPUAFFINITY_SOFT && cpumask_from_guest(&soft, &a->cpumap_soft))
        return -EFAULT;
    if (a->flags & XEN_VCPUAFFINITY_FORCE)
        (void)sched_override_affinity(v, -1);
    rc = sched_set_affinity(v, a->flags & XEN_VCPUAFFINITY_HARD ? &hard : NULL,
                            a->flags & XEN_VCPUAFFINITY_SOFT ? &soft : NULL);
    if (rc)
        return rc;
    if (a->flags & XEN_VCPUAFFINITY_HARD)
        rc = cpumask_to_guest(&a->cpumap_hard, cpumask_and(v->sched.hard, cpu_online_map));
    if (!rc && a->flags & XEN_VCPUAFFINITY_SOFT)
        rc = cpumask_to_guest(&a->cpumap_soft, cpumask_and(v->sched.soft, cpu_online_map));
    return rc;
}

static long op_get_affinity(struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_vcpuaffinity *a = &op->u.vcpuaffinity;
    struct vcpu *v = domain_vcpu(d, a->vcpu);
    long rc = 0;

    if (!(a->flags & (XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT)))
        return -EINVAL;
    if (!v)
        return -ESRCH;
    if (a->flags & XEN_VCPUAFFINITY_HARD)
        rc = cpumask_to_guest(&a->cpumap_hard, v->sched.hard);
    if (!rc && a->flags & XEN_VCPUAFFINITY_SOFT)
        rc = cpumask_to_guest(&a->cpumap_soft, v->sched.soft);
    return rc;
}

static long op_vcpuinfo(struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_getvcpuinfo *info = &op->u.getvcpuinfo;
    struct vcpu *v = domain_vcpu(d, info->vcpu);
    struct vcpu_runstate_info run;

    if (!v)
        return -ESRCH;
    vcpu_runstate_get(v, &run);
    info->online = !test_bit(VPF_DOWN, &v->pause_flags);
    info->blocked = test_bit(VPF_BLOCKED, &v->pause_flags);
    info->running = run.state == RUNSTATE_running;
    info->cpu_time = run.time[RUNSTATE_running];
    info->cpu = READ_ONCE(v->sched.cpu);
    return 0;
}

static long op_scheduler(struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_scheduler_op *s = &op->u.scheduler_op;

    if (s->sched_id != sched_policy()->id || s->sched_id != XEN_SCHEDULER_CREDIT2)
        return -EINVAL;
    switch (s->cmd) {
    case XEN_DOMCTL_SCHEDOP_getinfo:
        s->u.credit2.weight = d->sched.weight;
        s->u.credit2.cap = d->sched.cap;
        return 0;
    case XEN_DOMCTL_SCHEDOP_putinfo:
        return sched_domain_adjust(d, s->u.credit2.weight ? s->u.credit2.weight : d->sched.weight,
                                   s->u.credit2.cap == 0xffff ? d->sched.cap : s->u.credit2.cap);
    default:
        return -EINVAL;
    }
}

static const struct {
    uint32_t cmd;
    bool has_result;
    long (*fn)(struct domain *d, struct xen_domctl *op);
} ops[] = {
    {XEN_DOMCTL_destroydomain, false, op_destroy},
    {XEN_DOMCTL_pausedomain, false, op_pause},
    {XEN_DOMCTL_unpausedomain, false, op_unpause},
    {XEN_DOMCTL_resumedomain, false, op_resume},
    {XEN_DOMCTL_getdomaininfo, true, op_getinfo},
    {XEN_DOMCTL_getvcpuinfo, true, op_vcpuinfo},
    {XEN_DOMCTL_max_mem, false, op_max_mem},
    {XEN_DOMCTL_setvcpuaffinity, false, op_set_affinity},
    {XEN_DOMCTL_getvcpuaffinity, false, op_get_affinity},
    {XEN_DOMCTL_scheduler_op, true, op_scheduler},
};

static long run(unsigned int i, struct xen_domctl *op, guest_ptr_t arg)
{
    struct domain *d = domain_by_id_or_self(op->domain);
    long rc;

    if (!d)
        return -ESRCH;
    rc = ops[i].fn(d, op);
    domain_put(d);
    if (rc == 0 && ops[i].has_result)
        rc = copy_to_guest(arg, op, sizeof(*op));
    if (rc == -ERESTART)
        return hypercall_continue(__HYPERVISOR_domctl, 1, (unsigned long)arg.va);
    return rc;
}

long do_domctl(guest_ptr_t arg)
{
    struct xen_domctl op;

    if (!current_domain()->is_privileged)
        return -EPERM;
    if (copy_from_guest(&op, arg, sizeof(op)))
        return -EFAULT;
    if (op.interface_version != XEN_DOMCTL_INTERFACE_VERSION)
        return -EACCES;
    for (unsigned int i = 0; i < ARRAY_SIZE(ops); i++)
        if (ops[i].cmd == op.cmd)
            return run(i, &op, arg);
    return -ENOSYS;
}
