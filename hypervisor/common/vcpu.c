/* SPDX-License-Identifier: MIT */
/* vcpu_op: bringing vcpus up and down, their timers, and the areas that they share with the hypervisor.
 * ABI: xen/vcpu.h; error numbers as Xen 4.17 gives them. */
#include <hv/evtchn.h>
#include <hv/heap.h>
#include <hv/hypercall.h>
#include <xen/sched.h>

#define PERIOD_MIN     MS(1) /* XSA-20 */
#define PERIOD_MAX     (STIME_MAX >> 1)
#define PERIOD_DEFAULT MS(10) /* kernels that do not want it stop it */

/* ---- timers ---- */

static void singleshot_expired(void *data)
{
    evtchn_send_virq(data, VIRQ_TIMER);
}

/* The tick comes while the vcpu runs. One that sleeps is not woken by it, but told when it runs again
 * that ticks have passed: once. */
static void tick(struct vcpu *v, s_time_t t, s_time_t period)
{
    v->periodic_last = t;
    evtchn_send_virq(v, VIRQ_TIMER);
    timer_set_here(&v->periodic_timer, t + period);
}

static void periodic_expired(void *data)
{
    struct vcpu *v = data;
    s_time_t period = READ_ONCE(v->periodic_period);

    if (period && READ_ONCE(v->sched.on_cpu))
        tick(v, now(), period);
}

void vcpu_resume_periodic_timer(struct vcpu *v)
{
    s_time_t period = READ_ONCE(v->periodic_period), t = now();

    if (!period)
        return;
    if (t - v->periodic_last >= period)
        tick(v, t, period);
    else
        timer_set_here(&v->periodic_timer, v->periodic_last + period);
}

void vcpu_init_timers(struct vcpu *v)
{
    unsigned int cpu = smp_processor_id();

    timer_init(&v->singleshot_timer, singleshot_expired, v, cpu);
    timer_init(&v->periodic_timer, periodic_expired, v, cpu);
    v->periodic_period = PERIOD_DEFAULT;
    vcpu_init_poll(v);
}

void vcpu_stop_timers(struct vcpu *v)
{
    timer_kill(&v->singleshot_timer);
    timer_kill(&v->periodic_timer);
    timer_kill(&v->poll_timer);
}

static long set_periodic_timer(struct vcpu *v, uint64_t period_ns)
{
    if (period_ns < PERIOD_MIN || period_ns > PERIOD_MAX)
        return -EINVAL;
    WRITE_ONCE(v->periodic_period, (s_time_t)period_ns);
    if (READ_ONCE(v->sched.on_cpu))
        timer_set(&v->periodic_timer, now() + (s_time_t)period_ns);
    return 0;
}

static long stop_periodic_timer(struct vcpu *v)
{
    WRITE_ONCE(v->periodic_period, 0);
    timer_stop(&v->periodic_timer);
    return 0;
}

static long set_singleshot_timer(struct vcpu *v, const struct vcpu_set_singleshot_timer *op)
{
    if (op->flags & VCPU_SSHOTTMR_future && op->timeout_abs_ns < (uint64_t)now())
        return -ETIME;
    timer_set_here(&v->singleshot_timer, (s_time_t)min(op->timeout_abs_ns, (uint64_t)STIME_MAX));
    return 0;
}

static long stop_singleshot_timer(struct vcpu *v)
{
    if (v != current)
        return -EINVAL;
    timer_stop(&v->singleshot_timer);
    return 0;
}

/* ---- up and down ---- */

/* Vcpus beyond those in shared_info need a vcpu_info of their own first. */
static bool has_info(const struct vcpu *v)
{
    return v->id < XEN_LEGACY_MAX_VCPUS || v->info_mfn.n != INVALID_MFN_N;
}

static long vcpu_initialise(struct vcpu *v, guest_ptr_t arg)
{
    struct vcpu_guest_context *ctxt __free_heap = NULL;
    long rc;

    if (!has_info(v))
        return -EINVAL;
    ctxt = heap_new(struct vcpu_guest_context);
    if (!ctxt)
        return -ENOMEM;
    if (copy_from_guest(ctxt, arg, sizeof(*ctxt)))
        return -EFAULT;
    spin_guard(&v->domain->lock);
    rc = v->is_initialised ? -EEXIST : arch_vcpu_set_context(v, ctxt);
    if (rc == 0)
        v->is_initialised = true;
    if (rc == -ERESTART)
        rc = hypercall_continue(__HYPERVISOR_vcpu_op, 3, (unsigned long)VCPUOP_initialise,
                                (unsigned long)v->id, (unsigned long)arg.va);
    return rc;
}

static long vcpu_up(struct vcpu *v)
{
    if (!has_info(v))
        return -EINVAL;
    spin_guard(&v->domain->lock);
    if (!v->is_initialised)
        return -EINVAL;
    if (test_and_clear_bit(VPF_DOWN, &v->pause_flags))
        vcpu_wake(v);
    return 0;
}

/* The last one that goes down takes the domain with it. */
static long vcpu_down(struct vcpu *v)
{
    struct domain *d = v->domain;
    bool others = false;

    spin_lock(&d->lock);
    for_each_vcpu (d, w)
        if (w != v && !test_bit(VPF_DOWN, &w->pause_flags))
            others = true;
    if (others && !test_and_set_bit(VPF_DOWN, &v->pause_flags))
        vcpu_sleep_nosync(v);
    spin_unlock(&d->lock);
    if (!others)
        domain_shutdown(d, SHUTDOWN_poweroff);
    return 0;
}

/* ---- shared areas ---- */

static long register_info(struct vcpu *v, gfn_t g, unsigned int offset)
{
    struct domain *d = v->domain;
    struct vcpu_info *info;
    struct page *pg;

    if (offset > PAGE_SIZE - sizeof(struct vcpu_info) || offset % _Alignof(struct vcpu_info))
        return -ENXIO;
    spin_guard(&d->lock);
    if (v->info_mfn.n != INVALID_MFN_N || READ_ONCE(d->is_dying) ||
        (v != current && !test_bit(VPF_DOWN, &v->pause_flags)))
        return -EINVAL;
    pg = page_from_gfn_writable(d, g);
    if (!pg)
        return -EINVAL;
    info = (struct vcpu_info *)((char *)page_virt(pg) + offset);
    memcpy(info, v->info, sizeof(*info));
    /* Contents before pointer: senders take no lock and use either. What they did to the old one in
     * between is made good by marking everything as pending. */
    __atomic_store_n(&v->info, info, __ATOMIC_SEQ_CST);
    v->info_mfn = page_mfn(pg);
    evtchn_vcpu_info_moved(v);
    return 0;
}

void vcpu_unmap_info(struct vcpu *v)
{
    struct page *pg;

    if (v->info_mfn.n == INVALID_MFN_N)
        return;
    pg = mfn_page(v->info_mfn);
    __atomic_store_n(&v->info, v->own_info, __ATOMIC_SEQ_CST);
    v->info_mfn = mfn(INVALID_MFN_N);
    page_put_writable(pg);
}

/* The area is written through the guest's page tables, which may change: that it can be written now is
 * not asked, later failures are not told. */
static long register_runstate_area(struct vcpu *v, guest_ptr_t area)
{
    struct vcpu_runstate_info info;

    if (!guest_range_ok(area, sizeof(info)))
        return -EFAULT;
    WRITE_ONCE(v->runstate_guest.va, area.va);
    if (area.va) {
        vcpu_runstate_get(v, &info);
        (void)!copy_to_guest(area, &info, sizeof(info));
    }
    return 0;
}

static long register_time_area(struct vcpu *v, guest_ptr_t area)
{
    if (!guest_range_ok(area, sizeof(struct vcpu_time_info)))
        return -EFAULT;
    WRITE_ONCE(v->time_guest.va, area.va);
    if (v == current)
        time_update_vcpu(v);
    return 0;
}

static long get_runstate(struct vcpu *v, guest_ptr_t arg)
{
    struct vcpu_runstate_info info;

    vcpu_runstate_get(v, &info);
    return copy_to_guest(arg, &info, sizeof(info));
}

/* Only a vcpu of the control domain that is tied to one pcpu may know which. */
static long get_physid(struct vcpu *v, guest_ptr_t arg)
{
    struct vcpu_get_physid op;

    if (!v->domain->is_privileged || cpumask_weight(v->sched.hard) != 1)
        return -EINVAL;
    op.phys_id = arch_pcpu_physid(cpumask_first(v->sched.hard));
    return copy_to_guest(arg, &op, sizeof(op));
}

#define PLAIN_OP(name, work)                                                                       \
    case VCPUOP_##name:                                                                            \
        return work
#define OP(name, type, work) PLAIN_OP(name, RUN_OP(arg, struct vcpu_##type, false, work))

long do_vcpu_op(int cmd, unsigned int vcpuid, guest_ptr_t arg)
{
    struct vcpu *v = domain_vcpu(current_domain(), vcpuid);

    if (!v)
        return -ENOENT;
    switch (cmd) {
        OP(set_periodic_timer, set_periodic_timer, set_periodic_timer(v, op.period_ns));
        OP(register_vcpu_info, register_vcpu_info, register_info(v, gfn(op.mfn), op.offset));
        OP(register_runstate_memory_area, register_runstate_memory_area,
           register_runstate_area(v, guest_ptr(op.addr.p)));
        OP(register_vcpu_time_memory_area, register_time_memory_area,
           register_time_area(v, guest_ptr(op.addr.p)));
    case VCPUOP_set_singleshot_timer:
        return v != current ? -EINVAL
                            : RUN_OP(arg, struct vcpu_set_singleshot_timer, false,
                                     set_singleshot_timer(v, &op));
        PLAIN_OP(initialise, vcpu_initialise(v, arg));
        PLAIN_OP(up, vcpu_up(v));
        PLAIN_OP(down, vcpu_down(v));
        PLAIN_OP(is_up, !test_bit(VPF_DOWN, &v->pause_flags));
        PLAIN_OP(get_runstate_info, get_runstate(v, arg));
        PLAIN_OP(stop_periodic_timer, stop_periodic_timer(v));
        PLAIN_OP(stop_singleshot_timer, stop_singleshot_timer(v));
        PLAIN_OP(send_nmi, arg.va ? -EINVAL : (arch_vcpu_send_nmi(v), 0));
        PLAIN_OP(get_physid, get_physid(v, arg));
    default:
        return -ENOSYS;
    }
}
