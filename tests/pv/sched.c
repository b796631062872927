/* SPDX-License-Identifier: MIT */
/* sched_op: yield, block, poll, watchdog, shutdown of others; good and refused. What ends a domain is
 * tried on a second one. */
#include <pv/test.h>
#include <xen/sched.h>
#include <xen/vcpu.h>

static long op(int cmd, void *arg)
{
    return hypercall_sched_op(cmd, arg);
}

TEST(no_such_operation)
{
    check_eq(op(8, NULL), -ENOSYS);
    check_eq(op(-1, NULL), -ENOSYS);
    check_eq(op(0x7fffffff, NULL), -ENOSYS);
    check_eq(hypercall2(__HYPERVISOR_sched_op_compat, 3, 0), -ENOSYS);
    check_eq(hypercall2(__HYPERVISOR_sched_op_compat, 99, 0), -ENOSYS);
}

TEST(bad_pointers)
{
    static const int commands[] = {SCHEDOP_shutdown,      SCHEDOP_poll,     SCHEDOP_remote_shutdown,
                                   SCHEDOP_shutdown_code, SCHEDOP_watchdog, SCHEDOP_pin_override};
    void *unmapped = vm_reserve(1);

    for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        check_eq(op(commands[i], unmapped), -EFAULT);
        check_eq(op(commands[i], (void *)HYPERVISOR_VIRT_START), -EFAULT);
        check_eq(op(commands[i], (void *)~0ul), -EFAULT);
    }
}

TEST(yield)
{
    for (unsigned i = 0; i < 100; i++)
        check_eq(op(SCHEDOP_yield, NULL), 0);
    check_eq(op(SCHEDOP_yield, (void *)-1), 0);
    check_eq(hypercall2(__HYPERVISOR_sched_op_compat, SCHEDOP_yield, 0), 0);
}

static volatile unsigned count;

static void count_event(evtchn_port_t port, void *arg)
{
    (void)port, (void)arg;
    count++;
}

/* An event that is pending keeps the vcpu from blocking; upcalls are on afterwards. */
TEST(block_with_an_event_pending)
{
    evtchn_port_t port;

    need_eq(evtchn_bind_ipi(0, &port), 0);
    evtchn_set_handler(port, count_event, NULL);
    count = 0;
    for (unsigned i = 1; i <= 20; i++) {
        check_eq(evtchn_send(port), 0);
        check_eq(count, i - 1);
        check_eq(i % 2 ? op(SCHEDOP_block, NULL)
                       : hypercall2(__HYPERVISOR_sched_op_compat, SCHEDOP_block, 0), 0);
        check(events_enabled());
        check_eq(count, i);
        events_disable();
    }
    check_eq(evtchn_close(port), 0);
}

TEST(block_until_a_timer)
{
    uint64_t start = time_now();
    unsigned before = time_timer_fired();

    need_eq(time_set_timer(start + 3 * NS_PER_MS), 0);
    check_eq(op(SCHEDOP_block, NULL), 0);
    check_eq(time_timer_fired(), before + 1);
    check_ge(time_now(), start + 3 * NS_PER_MS);
    events_disable();
}

/* ---- poll ---- */

static long poll(evtchn_port_t *ports, unsigned n, uint64_t timeout)
{
    struct sched_poll p = {.nr_ports = n, .timeout = timeout};

    set_xen_guest_handle(p.ports, ports);
    return op(SCHEDOP_poll, &p);
}

TEST(poll_times_out)
{
    uint64_t start = time_now();
    evtchn_port_t port;

    need_eq(evtchn_bind_ipi(0, &port), 0);
    check_eq(poll(&port, 1, start + 3 * NS_PER_MS), 0);
    check_ge(time_now(), start + 3 * NS_PER_MS);
    check(!events_enabled());
    start = time_now();
    check_eq(poll(NULL, 0, start + 3 * NS_PER_MS), 0);
    check_ge(time_now(), start + 3 * NS_PER_MS);
    check_eq(poll(&port, 1, 1), 0); /* long past */
    check_eq(evtchn_close(port), 0);
}

/* Ports are looked at masked or not, upcalls masked or not; nothing is delivered or cleared. */
TEST(poll_sees_pending_ports)
{
    uint64_t far = time_now() + 60 * NS_PER_SEC;
    evtchn_port_t port[128];

    count = 0;
    for (unsigned i = 0; i < 128; i++) {
        need_eq(evtchn_bind_ipi(0, &port[i]), 0);
        evtchn_mask(port[i]);
    }
    check_eq(evtchn_send(port[127]), 0);
    check_eq(poll(port, 128, far), 0);
    check_lt(time_now(), far);
    check_eq(poll(&port[127], 1, 0), 0);
    check(evtchn_is_pending(port[127]));
    evtchn_clear(port[127]);
    for (unsigned i = 0; i < 128; i++)
        check_eq(evtchn_close(port[i]), 0);
}

TEST(poll_refuses)
{
    static evtchn_port_t ports[129];
    uint64_t soon = time_now() + NS_PER_MS;
    evtchn_port_t bad;

    check_eq(poll(ports, 129, soon), -EINVAL);
    check_eq(poll(ports, ~0u, soon), -EINVAL);
    bad = 1u << 20;
    check_eq(poll(&bad, 1, soon), -EINVAL);
    bad = ~0u; /* XSA-221: a number, not a port */
    check_eq(poll(&bad, 1, soon), -EINVAL);
    check_eq(poll(vm_reserve(1), 1, soon), -EFAULT);
    check_eq(poll((evtchn_port_t *)HYPERVISOR_VIRT_START, 1, soon), -EFAULT);
    /* Not blocked, not polling any more. */
    time_sleep(2 * NS_PER_MS);
}

static void kick_later(void *arg)
{
    evtchn_port_t port = (evtchn_port_t)(unsigned long)arg;

    time_sleep(5 * NS_PER_MS);
    check_eq(evtchn_send(port), 0);
}

TEST(poll_is_woken_by_its_port)
{
    uint64_t far = time_now() + 60 * NS_PER_SEC;
    evtchn_port_t port[2];

    if (vcpu_count() < 2)
        skip("one vcpu only");
    for (unsigned n = 1; n <= 2; n++) {
        struct evtchn_status st;

        need_eq(evtchn_bind_ipi(0, &port[0]), 0);
        need_eq(evtchn_alloc_unbound(DOMID_SELF, DOMID_SELF, &port[1]), 0);
        evtchn_mask(port[0]);
        evtchn_mask(port[1]);
        check_eq(evtchn_status(port[0], &st), 0);
        {
            /* Vcpu 1 sends on a pair whose other end we poll. */
            evtchn_port_t peer;

            need_eq(evtchn_bind_interdomain(DOMID_SELF, port[1], &peer), 0);
            evtchn_mask(peer);
            evtchn_clear(peer);
            evtchn_clear(port[1]);
            need_eq(vcpu_start(1, kick_later, (void *)(unsigned long)peer), 0);
            do /* one that polls for several ports may be woken by any */
                check_eq(poll(n == 1 ? &port[1] : port, n, far), 0);
            while (n > 1 && !evtchn_is_pending(port[1]) && time_now() < far);
            check(evtchn_is_pending(port[1]));
            check_lt(time_now(), far);
            vcpu_wait_down(1);
            evtchn_clear(port[1]);
            check_eq(evtchn_close(peer), 0);
        }
        check_eq(evtchn_close(port[0]), 0);
        check_eq(evtchn_close(port[1]), 0);
    }
}

/* ---- watchdog: never to run out here ---- */

/* int: that is how wide Xen's answer is */
static int watchdog(uint32_t id, uint32_t timeout)
{
    struct sched_watchdog w = {.id = id, .timeout = timeout};

    return op(SCHEDOP_watchdog, &w);
}

TEST(watchdogs)
{
    int a = watchdog(0, 1000), b = watchdog(0, 1000);

    check(a == 1 || a == 2);
    check_eq(a + b, 3);
    check_eq(watchdog(0, 1000), -ENOSPC);
    check_eq(watchdog((uint32_t)a, 500), 0);
    check_eq(watchdog((uint32_t)a, 0), 0);
    check_eq(watchdog((uint32_t)a, 0), -EINVAL); /* not running */
    check_eq(watchdog((uint32_t)a, 5), -EINVAL);
    check_eq(watchdog(0, 1000), a);
    check_eq(watchdog(1, 0), 0);
    check_eq(watchdog(2, 0), 0);
    check_eq(watchdog(3, 10), -EINVAL);
    check_eq(watchdog(~0u, 10), -EINVAL);
}

/* ---- pinning ---- */

TEST(pin_override)
{
    struct sched_pin_override pin = {.pcpu = -1};

    if (!guest_is_initial())
        skip("not the control domain");
    check_eq(op(SCHEDOP_pin_override, &pin), -EINVAL); /* there is none */
    pin.pcpu = 0;
    check_eq(op(SCHEDOP_pin_override, &pin), 0);
    check_eq(op(SCHEDOP_pin_override, &pin), -EBUSY);
    pin.pcpu = 100000;
    check_eq(op(SCHEDOP_pin_override, &pin), -EINVAL);
    pin.pcpu = 0x7fffffff;
    check_eq(op(SCHEDOP_pin_override, &pin), -EINVAL);
    time_sleep(NS_PER_MS);
    pin.pcpu = -1;
    check_eq(op(SCHEDOP_pin_override, &pin), 0);
    if (vcpu_count() < 2)
        return;
    pin.pcpu = 1;
    check_eq(op(SCHEDOP_pin_override, &pin), 0);
    time_sleep(NS_PER_MS);
    pin.pcpu = 0;
    check_eq(op(SCHEDOP_pin_override, &pin), -EBUSY);
    pin.pcpu = -7;
    check_eq(op(SCHEDOP_pin_override, &pin), 0);
}

/* ---- shutting down ---- */

static long remote(domid_t dom, unsigned reason)
{
    struct sched_remote_shutdown r = {.domain_id = dom, .reason = reason};

    return op(SCHEDOP_remote_shutdown, &r);
}

TEST(remote_shutdown_of_nobody)
{
    check_eq(remote(999, SHUTDOWN_poweroff), -ESRCH);
    check_eq(remote(DOMID_IO, SHUTDOWN_poweroff), -ESRCH);
    check_eq(remote(DOMID_IDLE, SHUTDOWN_poweroff), -ESRCH);
    check_eq(remote(0xffff, SHUTDOWN_poweroff), -ESRCH);
}

/* Sleeping, waking, yielding and polling on all vcpus at once: nobody is forgotten. */
#define ROUNDS 40
static volatile unsigned rounds[MAX_VCPUS];

static void restless(void *arg)
{
    unsigned me = vcpu_id();
    uint64_t until = *(uint64_t *)arg;

    for (rounds[me] = 0; rounds[me] < ROUNDS && time_now() < until; rounds[me]++) {
        switch (rounds[me] % 4) {
        case 0:
            time_sleep(50 * NS_PER_US);
            break;
        case 1:
            op(SCHEDOP_yield, NULL);
            break;
        case 2:
            time_delay(20 * NS_PER_US);
            break;
        default:
            poll(NULL, 0, time_now() + 30 * NS_PER_US);
        }
    }
}

TEST(wake_and_sleep_storm)
{
    uint64_t until = time_now() + 60 * NS_PER_SEC;
    unsigned n = vcpu_count();

    for (unsigned i = 1; i < n; i++)
        need_eq(vcpu_start(i, restless, &until), 0);
    restless(&until);
    for (unsigned i = 1; i < n; i++)
        vcpu_wait_down(i);
    for (unsigned i = 0; i < n; i++)
        check_eq(rounds[i], ROUNDS);
}

/* ---- with a second domain ---- */

static long in_peer(long what, long reason, long c, long d)
{
    (void)c, (void)d;
    if (what == SCHEDOP_remote_shutdown)
        return remote((domid_t)reason, SHUTDOWN_crash);
    if (what == SCHEDOP_pin_override) {
        struct sched_pin_override pin = {.pcpu = 0};

        return op(SCHEDOP_pin_override, &pin);
    }
    if (what == SCHEDOP_shutdown_code) {
        struct sched_shutdown s = {.reason = (unsigned)reason};

        return op(SCHEDOP_shutdown_code, &s);
    }
    return -1;
}

TEST(unprivileged_may_not)
{
    struct peer p;

    if (peer_connect(&p, 1))
        skip("no second domain");
    check_eq(peer_call(&p, in_peer, SCHEDOP_remote_shutdown, 0, 0, 0), -EPERM);
    check_eq(peer_call(&p, in_peer, SCHEDOP_pin_override, 0, 0, 0), -EPERM);
    check_eq(peer_call(&p, in_peer, SCHEDOP_shutdown_code, SHUTDOWN_reboot, 0, 0), 0);
    peer_disconnect(&p);
    check_eq(remote(1, SHUTDOWN_poweroff), 0);
    /* It is gone before long: found no more. */
    check(eventually(remote(1, SHUTDOWN_poweroff) == -ESRCH));
}

/* The last one: the reason noted here is not the one of the end, but the first one noted wins. */
TEST(shutdown_code)
{
    struct sched_shutdown s = {.reason = SHUTDOWN_poweroff};

    check_eq(op(SCHEDOP_shutdown_code, &s), 0);
    check_eq(op(SCHEDOP_shutdown_code, &s), 0);
}
