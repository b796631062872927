/* SPDX-License-Identifier: MIT */
/* sched_op and set_timer_op: what a vcpu asks of the scheduler. ABI: xen/sched.h. */
#include <hv/evtchn.h>
#include <hv/hypercall.h>
#include <hv/runqueue.h>
#include <xen/sched.h>

#define POLL_MAX_PORTS 128

static long sched_yield(void)
{
    struct vcpu *v = current;
    struct runqueue *rq __unlock_queue = vcpu_queue_lock(v);

    v->sched.yielded = 1;
    softirq_raise(SOFTIRQ_SCHEDULE);
    return 0;
}

/* ---- poll ---- */

/** sched_poll_event - see hv/sched.h. A vcpu that polls for several ports is woken by any: it looks. */
void sched_poll_event(struct domain *d, uint32_t port)
{
    for_each_vcpu (d, v) {
        uint32_t wanted = READ_ONCE(v->poll_port);

        if (test_bit(v->id, d->poll_mask) && (wanted == 0 || wanted == port))
            vcpu_unblock(v);
    }
}

static void poll_timeout(void *data)
{
    struct vcpu *v = data;

    if (test_bit(v->id, v->domain->poll_mask))
        vcpu_unblock(v);
}

void vcpu_init_poll(struct vcpu *v)
{
    timer_init(&v->poll_timer, poll_timeout, v, smp_processor_id());
}

/* 1: one of the ports, or an upcall, is pending; 0: none; -errno. *@last: the last port. */
static long poll_ports(struct vcpu *v, const struct sched_poll *poll, evtchn_port_t *last)
{
    if (READ_ONCE(v->info->evtchn_upcall_pending) && !READ_ONCE(v->info->evtchn_upcall_mask))
        return 1;
    for (unsigned int i = 0; i < poll->nr_ports; i++) {
        if (get_element(poll->ports, i, last))
            return -EFAULT;
        TRY(evtchn_port_pending(v->domain, *last));
    }
    return 0;
}

/* First block, then look: an event that comes in between finds us in poll_mask and wakes us. */
static long sched_poll(const struct sched_poll *poll)
{
    struct vcpu *v = current;
    evtchn_port_t last = 0;
    long rc;

    if (poll->nr_ports > POLL_MAX_PORTS)
        return -EINVAL;
    timer_stop(&v->poll_timer);
    WRITE_ONCE(v->poll_port, 0);
    set_bit(v->id, v->domain->poll_mask);
    set_bit(VPF_BLOCKED, &v->pause_flags);
    rc = poll_ports(v, poll, &last);
    if (rc) {
        clear_bit(v->id, v->domain->poll_mask);
        clear_bit(VPF_BLOCKED, &v->pause_flags);
        return rc > 0 ? 0 : rc;
    }
    if (poll->nr_ports == 1)
        WRITE_ONCE(v->poll_port, last);
    if (poll->timeout)
        timer_set_here(&v->poll_timer, (s_time_t)min(poll->timeout, (uint64_t)STIME_MAX));
    softirq_raise(SOFTIRQ_SCHEDULE);
    return 0;
}

/* ---- the end of domains ---- */

static long sched_shutdown_code(struct domain *d, uint32_t reason)
{
    spin_guard(&d->lock);
    if (d->shutdown_code == ~0u)
        d->shutdown_code = (uint8_t)reason;
    return 0;
}

static long sched_remote_shutdown(const struct sched_remote_shutdown *op)
{
    struct domain *d __put_peer = domain_peer(op->domain_id);

    if (!d)
        return -ESRCH;
    if (!current_domain()->is_privileged)
        return -EPERM;
    domain_shutdown(d, (uint8_t)op->reason);
    return 0;
}

/* ---- watchdog ---- */

static void watchdog_expired(void *data)
{
    struct domain *d = data;

    guest_printk(d, LOG_WARN, "watchdog expired");
    domain_shutdown(d, SHUTDOWN_watchdog);
}

void domain_init_watchdogs(struct domain *d)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(d->watchdog_timer); i++)
        timer_init(&d->watchdog_timer[i], watchdog_expired, d, smp_processor_id());
}

static long watchdog_start(struct domain *d, uint32_t timeout)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(d->watchdog_timer); i++) {
        if (d->watchdog_inuse & 1u << i)
            continue;
        d->watchdog_inuse |= (uint8_t)(1u << i);
        timer_set(&d->watchdog_timer[i], now() + SECONDS(timeout));
        return i + 1;
    }
    return -ENOSPC;
}

static long watchdog_restart(struct domain *d, unsigned int i, uint32_t timeout)
{
    if (!(d->watchdog_inuse & 1u << i))
        return -EINVAL;
    if (timeout) {
        timer_set(&d->watchdog_timer[i], now() + SECONDS(timeout));
    } else {
        timer_stop(&d->watchdog_timer[i]);
        d->watchdog_inuse &= (uint8_t) ~(1u << i);
    }
    return 0;
}

static long sched_watchdog(struct domain *d, const struct sched_watchdog *op)
{
    if (op->id > ARRAY_SIZE(d->watchdog_timer))
        return -EINVAL;
    spin_guard(&d->watchdog_lock);
    return op->id ? watchdog_restart(d, op->id - 1, op->timeout) : watchdog_start(d, op->timeout);
}

/* ---- the calls ---- */

#define OP(name, type, work)                                                                       \
    case SCHEDOP_##name:                                                                           \
        return RUN_OP(arg, struct sched_##type, false, work)

static __attribute__((noinline)) long other_op(int cmd, guest_ptr_t arg)
{
    struct domain *d = current_domain();

    switch (cmd) {
        OP(shutdown, shutdown, (domain_shutdown(d, (uint8_t)op.reason), 0));
        OP(poll, poll, sched_poll(&op));
        OP(remote_shutdown, remote_shutdown, sched_remote_shutdown(&op));
        OP(shutdown_code, shutdown, sched_shutdown_code(d, op.reason));
        OP(watchdog, watchdog, sched_watchdog(d, &op));
    case SCHEDOP_pin_override:
        return !d->is_privileged ? -EPERM
                                 : RUN_OP(arg, struct sched_pin_override, false,
                                          sched_override_affinity(current, op.pcpu));
    default:
        return -ENOSYS;
    }
}

long do_sched_op(int cmd, guest_ptr_t arg)
{
    if (cmd == SCHEDOP_yield)
        return sched_yield();
    if (cmd != SCHEDOP_block)
        return other_op(cmd, arg);
    vcpu_block_events();
    return 0;
}

/** do_sched_op_compat - the first version of the call: its shutdown takes the reason itself. */
long do_sched_op_compat(int cmd, unsigned long arg)
{
    if (cmd == SCHEDOP_yield || cmd == SCHEDOP_block)
        return do_sched_op(cmd, guest_ptr(arg));
    if (cmd != SCHEDOP_shutdown)
        return -ENOSYS;
    domain_shutdown(current_domain(), (uint8_t)arg);
    return 0;
}

/** do_set_timer_op - VIRQ_TIMER for this vcpu at system time @timeout, 0: never.
 * A time that is negative or more than 2^50 ns (13 days) away is a kernel's overflow: neither "now"
 * nor "never" would be right for all of them, so it is 100 ms from now. */
long do_set_timer_op(int64_t timeout)
{
    struct timer *t = &current->singleshot_timer;

    if (unlikely(timeout == 0)) {
        timer_stop(t);
        return 0;
    }
    if (unlikely((uint64_t)timeout >> 50)) {
        s_time_t from_now = (s_time_t)((uint64_t)timeout - (uint64_t)now());

        if (timeout < 0 || (from_now > 0 && from_now >> 50))
            timeout = now() + MS(100);
    }
    timer_set_here(t, timeout);
    return 0;
}
