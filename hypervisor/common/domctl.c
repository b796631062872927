/* SPDX-License-Identifier: MIT */
/* domctl: what the control domain does to domains. One short function for each operation; the rest
 * of them answers -ENOSYS. ABI: xen/domctl.h.
 *
 * One operation is under way at a time. Who finds another one there comes again, by the way out, so
 * that a vcpu which waits can still be stopped by the one that it waits for. A domain under
 * construction is an ordinary domain that has not been unpaused: it has all its vcpus from the
 * beginning, and anything may be done to it in any order. */
#include <hv/control.h>
#include <hv/evtchn_table.h>
#include <hv/hypercall.h>

#define PAUSES_MAX 1000000

/* ---- bitmaps ---- */

static int cpumask_from_guest(cpumask_t *mask, const struct xenctl_bitmap *map)
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

/* ---- making and ending ---- */

#define GRANT_FRAMES    64
#define MAPTRACK_FRAMES 1024
#define FLAGS_KNOWN                                                                                \
    (XEN_DOMCTL_CDF_s3_integrity | XEN_DOMCTL_CDF_oos_off | XEN_DOMCTL_CDF_xs_domain)

static int check_config(const struct xen_domctl_createdomain *cd)
{
    if (cd->flags & ~FLAGS_KNOWN || cd->iommu_opts || cd->vmtrace_size || cd->grant_opts != 1 ||
        cd->max_vcpus < 1 || cd->max_vcpus > MAX_VCPUS || !cd->max_grant_frames ||
        cd->max_grant_frames > GRANT_FRAMES || cd->max_maptrack_frames > MAPTRACK_FRAMES)
        return -EINVAL;
    return arch_domain_config_check(&cd->arch);
}

/* The next free id after the last one given out, 0 if there is none. */
static domid_t choose_id(void)
{
    static domid_t last;

    for (unsigned int n = 1; n < MAX_DOMAINS; n++) {
        last = (domid_t)(last % (MAX_DOMAINS - 1) + 1);
        if (domain_id_is_free(last))
            return last;
    }
    return 0;
}

static long op_create(struct domctl_call *c)
{
    const struct xen_domctl_createdomain *cd = &c->op.u.createdomain;
    bool any = c->op.domain == 0 || c->op.domain >= DOMID_FIRST_RESERVED;
    struct domain_params p = {
        .id = c->op.domain,
        .max_vcpus = cd->max_vcpus,
        .max_evtchn_port = cd->max_evtchn_port,
        .max_grant_frames =
            (unsigned int)(cd->max_grant_frames < 0 ? GRANT_FRAMES : cd->max_grant_frames),
        .max_maptrack_frames =
            (unsigned int)(cd->max_maptrack_frames < 0 ? MAPTRACK_FRAMES : cd->max_maptrack_frames),
        .cpupool = cd->cpupool_id,
    };
    int rc = check_config(cd);
    struct domain *d;

    if (!rc && any && !(p.id = choose_id()))
        rc = -ENOMEM;
    d = rc ? NULL : domain_create(&p, &rc);
    if (!d)
        return rc;
    d->tool_pauses = 1;
    d->on_shutdown = BOOT_PRESERVE;
    d->is_xenstore = cd->flags & XEN_DOMCTL_CDF_xs_domain;
    memcpy(d->handle, cd->handle, sizeof(d->handle));
    c->op.domain = d->id;
    rc = copy_to_guest(c->arg, &c->op, sizeof(c->op));
    if (!rc)
        domain_publish(d);
    else /* whoever does not get the id could not destroy it */
        while (domain_kill(d) == -ERESTART)
            ;
    return rc;
}

static long op_destroy(struct domctl_call *c)
{
    return c->d->is_privileged ? -EINVAL : domain_kill(c->d);
}

/* They are there since createdomain. */
static long op_max_vcpus(struct domctl_call *c)
{
    return c->op.u.max_vcpus.max == c->d->max_vcpus ? 0 : -EINVAL;
}

/* ---- pausing ---- */

static long op_pause(struct domctl_call *c)
{
    struct domain *d = c->d;

    if (d->tool_pauses == PAUSES_MAX)
        return -EOVERFLOW;
    WRITE_ONCE(d->tool_pauses, d->tool_pauses + 1);
    domain_pause(d);
    return 0;
}

static long op_unpause(struct domctl_call *c)
{
    struct domain *d = c->d;

    if (d->tool_pauses == 0)
        return -EINVAL;
    WRITE_ONCE(d->tool_pauses, d->tool_pauses - 1);
    domain_unpause(d);
    return 0;
}

static long op_resume(struct domctl_call *c)
{
    domain_resume(c->d);
    return 0;
}

/* ---- what there is to know ---- */

static void sum_vcpus(struct domain *d, struct xen_domctl_getdomaininfo *info)
{
    unsigned int nr = 0, blocked = 0;

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
        info->flags |= XEN_DOMINF_shutdown | (d->shutdown_code & XEN_DOMINF_shutdownmask)
                                                 << XEN_DOMINF_shutdownshift;
    if (READ_ONCE(d->tool_pauses))
        info->flags |= XEN_DOMINF_paused;
    if (d->is_xenstore)
        info->flags |= XEN_DOMINF_xs_domain;
    info->tot_pages = READ_ONCE(d->tot_pages);
    info->max_pages = READ_ONCE(d->max_pages);
    info->outstanding_pages = READ_ONCE(d->claimed_pages);
    info->shared_info_frame = virt_to_mfn(d->shared_info).n;
    info->cpupool = d->sched.pool;
    memcpy(info->handle, d->handle, sizeof(info->handle));
}

static long op_getinfo(struct domctl_call *c)
{
    domain_get_info(c->d, &c->op.u.getdomaininfo);
    c->op.domain = c->d->id;
    return 0;
}

static long op_vcpuinfo(struct domctl_call *c)
{
    struct xen_domctl_getvcpuinfo *info = &c->op.u.getvcpuinfo;
    struct vcpu *v = c->v;
    struct vcpu_runstate_info run;

    vcpu_runstate_get(v, &run);
    info->online = !test_bit(VPF_DOWN, &v->pause_flags);
    info->blocked = test_bit(VPF_BLOCKED, &v->pause_flags);
    info->running = run.state == RUNSTATE_running;
    info->cpu_time = run.time[RUNSTATE_running];
    info->cpu = READ_ONCE(v->sched.cpu);
    return 0;
}

/* ---- small settings ---- */

static long op_max_mem(struct domctl_call *c)
{
    uint64_t pages = c->op.u.max_mem.max_memkb >> (PAGE_SHIFT - 10);

    spin_lock(&c->d->page_lock);
    c->d->max_pages = min(pages, 0xffffffffUL);
    spin_unlock(&c->d->page_lock);
    return 0;
}

static long op_set_handle(struct domctl_call *c)
{
    memcpy(c->d->handle, c->op.u.setdomainhandle.handle, sizeof(c->d->handle));
    return 0;
}

static long op_set_time(struct domctl_call *c)
{
    WRITE_ONCE(c->d->time_offset_seconds, c->op.u.settimeoffset.time_offset_seconds);
    time_update_wallclock(c->d);
    return 0;
}

/* There is no debugger behind the hypervisor. */
static long op_set_debugging(struct domctl_call *c)
{
    return c->op.u.setdebugging.enable ? -EOPNOTSUPP : 0;
}

/* The port of a suspended domain on which the tools hear of it. */
static long op_subscribe(struct domctl_call *c)
{
    WRITE_ONCE(c->d->suspend_port, c->op.u.subscribe.port);
    return 0;
}

/* The control domain handles them all, and goes on doing so. */
static long op_virq_handler(struct domctl_call *c)
{
    unsigned int virq = c->op.u.set_virq_handler.virq;

    if (virq >= NR_VIRQS || !virq_is_global(virq))
        return -EINVAL;
    return c->d->is_privileged ? 0 : -EOPNOTSUPP;
}

static long op_trigger(struct domctl_call *c)
{
    const struct xen_domctl_sendtrigger *t = &c->op.u.sendtrigger;
    struct vcpu *v = domain_vcpu(c->d, t->vcpu);

    if (!v)
        return -ESRCH;
    if (t->trigger != XEN_DOMCTL_SENDTRIGGER_NMI)
        return t->trigger < XEN_DOMCTL_SENDTRIGGER_POWER ? -ENOSYS : -EINVAL; /* has no buttons */
    arch_vcpu_send_nmi(v);
    return 0;
}

/* ---- where and how much it runs ---- */

static long op_set_affinity(struct domctl_call *c)
{
    struct xen_domctl_vcpuaffinity *a = &c->op.u.vcpuaffinity;
    bool is_hard = a->flags & XEN_VCPUAFFINITY_HARD, is_soft = a->flags & XEN_VCPUAFFINITY_SOFT;
    cpumask_t hard, soft;
    long rc;

    if (!is_hard && !is_soft)
        return -EINVAL;
    if ((is_hard && cpumask_from_guest(&hard, &a->cpumap_hard)) ||
        (is_soft && cpumask_from_guest(&soft, &a->cpumap_soft)))
        return -EFAULT;
    if (a->flags & XEN_VCPUAFFINITY_FORCE)
        (void)sched_override_affinity(c->v, -1);
    rc = sched_set_affinity(c->v, is_hard ? &hard : NULL, is_soft ? &soft : NULL);
    if (!rc && is_hard)
        rc = cpumask_to_guest(&a->cpumap_hard, c->v->sched.allowed);
    if (!rc && is_soft)
        rc = cpumask_to_guest(&a->cpumap_soft, cpumask_and(c->v->sched.soft, c->d->sched.cpus));
    return rc;
}

static long op_get_affinity(struct domctl_call *c)
{
    struct xen_domctl_vcpuaffinity *a = &c->op.u.vcpuaffinity;
    long rc = 0;

    if (!(a->flags & (XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT)))
        return -EINVAL;
    if (a->flags & XEN_VCPUAFFINITY_HARD)
        rc = cpumask_to_guest(&a->cpumap_hard, c->v->sched.hard);
    if (!rc && a->flags & XEN_VCPUAFFINITY_SOFT)
        rc = cpumask_to_guest(&a->cpumap_soft, c->v->sched.soft);
    return rc;
}

/* There is node 0. */
static long op_set_nodes(struct domctl_call *c)
{
    cpumask_t nodes;

    if (cpumask_from_guest(&nodes, &c->op.u.nodeaffinity.nodemap))
        return -EFAULT;
    return nodes.bits & 1 ? 0 : -EINVAL;
}

static long op_get_nodes(struct domctl_call *c)
{
    return cpumask_to_guest(&c->op.u.nodeaffinity.nodemap, cpumask_of(0));
}

static long op_scheduler(struct domctl_call *c)
{
    struct xen_domctl_scheduler_op *s = &c->op.u.scheduler_op;
    struct sched_domain *own = &c->d->sched;

    if (s->sched_id != sched_policy()->id || s->sched_id != XEN_SCHEDULER_CREDIT2)
        return -EINVAL;
    switch (s->cmd) {
    case XEN_DOMCTL_SCHEDOP_getinfo:
        s->u.credit2.weight = own->weight;
        s->u.credit2.cap = own->cap;
        return 0;
    case XEN_DOMCTL_SCHEDOP_putinfo:
        return sched_domain_adjust(c->d, s->u.credit2.weight ? s->u.credit2.weight : own->weight,
                                   s->u.credit2.cap == 0xffff ? own->cap : s->u.credit2.cap);
    default:
        return -EINVAL;
    }
}

/* ---- dispatch ---- */

#define RESULT DOMCTL_RESULT
#define OTHER  DOMCTL_OTHER

static const struct domctl_row rows[] = {
    {XEN_DOMCTL_createdomain, DOMCTL_NO_DOMAIN, .fn = op_create},
    {XEN_DOMCTL_destroydomain, OTHER, .fn = op_destroy},
    {XEN_DOMCTL_pausedomain, OTHER, .fn = op_pause},
    {XEN_DOMCTL_unpausedomain, .fn = op_unpause},
    {XEN_DOMCTL_resumedomain, OTHER, .fn = op_resume},
    {XEN_DOMCTL_getdomaininfo, RESULT | DOMCTL_NEXT, .fn = op_getinfo},
    {XEN_DOMCTL_getvcpuinfo, RESULT, -ESRCH, .fn = op_vcpuinfo},
    {XEN_DOMCTL_max_vcpus, OTHER, .fn = op_max_vcpus},
    {XEN_DOMCTL_max_mem, .fn = op_max_mem},
    {XEN_DOMCTL_setvcpuaffinity, 0, -ESRCH, .fn = op_set_affinity},
    {XEN_DOMCTL_getvcpuaffinity, 0, -ESRCH, .fn = op_get_affinity},
    {XEN_DOMCTL_setnodeaffinity, .fn = op_set_nodes},
    {XEN_DOMCTL_getnodeaffinity, .fn = op_get_nodes},
    {XEN_DOMCTL_scheduler_op, RESULT, .fn = op_scheduler},
    {XEN_DOMCTL_setdomainhandle, .fn = op_set_handle},
    {XEN_DOMCTL_settimeoffset, .fn = op_set_time},
    {XEN_DOMCTL_setdebugging, OTHER, .fn = op_set_debugging},
    {XEN_DOMCTL_sendtrigger, .fn = op_trigger},
    {XEN_DOMCTL_subscribe, .fn = op_subscribe},
    {XEN_DOMCTL_set_virq_handler, .fn = op_virq_handler},
    /* for domains whose memory is translated, that serve such domains, or are given devices */
    {XEN_DOMCTL_soft_reset, OTHER, .answer = -EINVAL},
    {XEN_DOMCTL_set_target, .answer = -EOPNOTSUPP},
    {XEN_DOMCTL_get_paging_mempool_size, .answer = -EOPNOTSUPP},
    {XEN_DOMCTL_set_paging_mempool_size, .answer = -EOPNOTSUPP},
    {XEN_DOMCTL_setvnumainfo, .answer = -EOPNOTSUPP},
    {XEN_DOMCTL_assign_device, .answer = -EOPNOTSUPP},
    {XEN_DOMCTL_test_assign_device, .answer = -EOPNOTSUPP},
    {XEN_DOMCTL_deassign_device, .answer = -EOPNOTSUPP},
    {XEN_DOMCTL_get_device_group, .answer = -EOPNOTSUPP},
    {0},
};

int control_begin(void *op, size_t size, guest_ptr_t arg, uint32_t version)
{
    if (!current_domain()->is_privileged)
        return -EPERM;
    if (copy_from_guest(op, arg, size))
        return -EFAULT;
    return ((const uint32_t *)op)[1] == version ? 0 : -EACCES;
}

spinlock_t domctl_lock = SPINLOCK_INIT(LOCK_DOMCTL);

static struct domain *find_domain(const struct domctl_row *row, domid_t id)
{
    struct domain *d = domain_peer(id);

    for (unsigned int i = id + 1u; !d && row->flags & DOMCTL_NEXT && i < MAX_DOMAINS; i++)
        d = domain_peer((domid_t)i);
    return d;
}

/* With the lock held. */
static long run(const struct domctl_row *row, struct domctl_call *c)
{
    long rc;

    if (row->flags & OTHER && c->d == current_domain())
        return -EINVAL;
    if (!row->fn)
        return row->answer;
    if (row->no_vcpu) {
        c->v = domain_vcpu(c->d, c->op.u.vcpucontext.vcpu); /* the first word of them all */
        if (!c->v)
            return row->no_vcpu;
    }
    if (!(row->flags & DOMCTL_STOPPED))
        return row->fn(c);
    if (c->v == current)
        return -EINVAL;
    vcpu_pause_sync(c->v);
    rc = row->fn(c);
    vcpu_unpause(c->v);
    return rc;
}

long do_domctl(guest_ptr_t arg)
{
    struct domctl_call c = {.arg = arg};
    const struct domctl_row *row;
    long rc = -ERESTART;

    TRY(control_begin(&c.op, sizeof(c.op), arg, XEN_DOMCTL_INTERFACE_VERSION));
    row = find_row(rows, c.op.cmd) ?: find_row(arch_domctl, c.op.cmd);
    if (!row)
        return -ENOSYS;
    if (!(row->flags & DOMCTL_NO_DOMAIN) && !(c.d = find_domain(row, c.op.domain)))
        return -ESRCH;
    if (spin_trylock(&domctl_lock)) {
        rc = run(row, &c);
        spin_unlock(&domctl_lock);
    }
    domain_peer_put(c.d);
    if (rc == -ERESTART)
        return hypercall_continue(__HYPERVISOR_domctl, 1, (unsigned long)arg.va);
    if (((rc == 0 && row->flags & RESULT) || row->flags & DOMCTL_TELLS) &&
        copy_to_guest(arg, &c.op, sizeof(c.op)))
        rc = -EFAULT;
    return rc;
}
