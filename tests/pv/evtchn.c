/* SPDX-License-Identifier: MIT */
/* Event channels in the 2-level layout: every operation, good and refused, with the error numbers
 * that Xen 4.17 gives; then what hostile guests tried. Tests with a second domain need one booted
 * with `peer`. */
// domu: name=b mem=32M vcpus=1 -- peer
#include <pv/test.h>
#include <pv/peer.h>

#define NOWHERE   ((void *)0x10)                 /* not mapped */
#define FORBIDDEN ((void *)0xffff830000000000ul) /* the hypervisor's */
#define HIGH_PORT 0x7fffffffu

#define OP(cmd, type, ...)                                                                         \
    hypercall_event_channel_op(EVTCHNOP_##cmd, &(struct evtchn_##type){__VA_ARGS__})

static long send_raw(evtchn_port_t port)
{
    return OP(send, send, port);
}

static struct evtchn_status status_of(domid_t dom, evtchn_port_t port)
{
    struct evtchn_status st = {.dom = dom, .port = port};

    if (hypercall_event_channel_op(EVTCHNOP_status, &st))
        st.status = ~0u;
    return st;
}

static long status_rc(domid_t dom, evtchn_port_t port)
{
    return OP(status, status, .dom = dom, .port = port);
}

static bool upcall_pending(unsigned vcpu)
{
    return READ_ONCE(shared_info->vcpu_info[vcpu].evtchn_upcall_pending);
}

static bool selected(unsigned vcpu, evtchn_port_t port)
{
    return test_bit(port / 64, &shared_info->vcpu_info[vcpu].evtchn_pending_sel);
}

/* Forget what is pending, as an upcall would; events are off in these tests. */
static void forget(evtchn_port_t port)
{
    evtchn_clear(port);
    WRITE_ONCE(shared_info->vcpu_info[0].evtchn_pending_sel, 0);
    WRITE_ONCE(shared_info->vcpu_info[0].evtchn_upcall_pending, 0);
}

/* A port of ours that is open to the kind of event that reaches vcpu @vcpu. Not masked. */
static evtchn_port_t ipi_port(unsigned vcpu)
{
    evtchn_port_t port = 0;

    check_eq(evtchn_bind_ipi(vcpu, &port), 0);
    test_and_clear_bit(port, shared_info->evtchn_mask);
    return port;
}

static bool have_peer(struct peer *p)
{
    return status_rc(1, 0) == 0 && peer_connect(p, 1) == 0;
}

/* A port in domain 1; the library's function would mask ours of the same number. */
static evtchn_port_t port_of_peer(void)
{
    struct evtchn_alloc_unbound op = {.dom = 1, .remote_dom = DOMID_SELF};

    check_eq(hypercall_event_channel_op(EVTCHNOP_alloc_unbound, &op), 0);
    return op.port;
}

/* ---- the operations ---- */

TEST(alloc_unbound)
{
    evtchn_port_t a, b, again;
    struct evtchn_status st;

    need_eq(evtchn_alloc_unbound(DOMID_SELF, 7, &a), 0);
    need_eq(evtchn_alloc_unbound(guest_domid(), DOMID_SELF, &b), 0);
    check(a != 0 && b != 0 && a != b);
    st = status_of(DOMID_SELF, a);
    check_eq(st.status, EVTCHNSTAT_unbound);
    check_eq(st.u.unbound.dom, 7);
    check_eq(st.vcpu, 0);
    check_eq(status_of(DOMID_SELF, b).u.unbound.dom, guest_domid());
    check_eq(evtchn_close(a), 0);
    check_eq(status_of(DOMID_SELF, a).status, EVTCHNSTAT_closed);
    need_eq(evtchn_alloc_unbound(DOMID_SELF, 7, &again), 0);
    check_eq(again, a); /* the lowest free one */
    check_eq(evtchn_close(again), 0);
    check_eq(evtchn_close(b), 0);
}

TEST(alloc_unbound_refused)
{
    evtchn_port_t port;

    check_eq(evtchn_alloc_unbound(99, 0, &port), -ESRCH);
    check_eq(evtchn_alloc_unbound(DOMID_IO, 0, &port), -ESRCH);
    check_eq(evtchn_alloc_unbound(DOMID_XEN, 0, &port), -ESRCH);
    check_eq(evtchn_alloc_unbound(DOMID_INVALID, 0, &port), -ESRCH);
    check_eq(evtchn_alloc_unbound(DOMID_IDLE, 0, &port), -ESRCH);
}

TEST(bind_interdomain)
{
    evtchn_port_t a, b;
    struct evtchn_status st;

    need_eq(evtchn_alloc_unbound(DOMID_SELF, DOMID_SELF, &a), 0);
    test_and_clear_bit(a, shared_info->evtchn_mask);
    need_eq(evtchn_bind_interdomain(DOMID_SELF, a, &b), 0);
    check(a != b);
    check(evtchn_is_pending(b)); /* something may have been sent before */
    check(!evtchn_is_pending(a));
    forget(b);
    st = status_of(DOMID_SELF, b);
    check_eq(st.status, EVTCHNSTAT_interdomain);
    check_eq(st.u.interdomain.port, a);
    check_eq(st.u.interdomain.dom, guest_domid());
    check_eq(status_of(DOMID_SELF, a).u.interdomain.port, b);
    check_eq(send_raw(b), 0);
    check(evtchn_is_pending(a) && !evtchn_is_pending(b));
    check(selected(0, a) && upcall_pending(0));
    forget(a);
    check_eq(send_raw(a), 0);
    check(evtchn_is_pending(b));
    forget(b);
    check_eq(evtchn_close(a), 0);
    st = status_of(DOMID_SELF, b);
    check_eq(st.status, EVTCHNSTAT_unbound); /* for the one who left */
    check_eq(st.u.unbound.dom, guest_domid());
    check_eq(send_raw(b), 0);
    check_eq(evtchn_close(b), 0);
}

TEST(bind_interdomain_refused)
{
    evtchn_port_t a, b, port;

    need_eq(evtchn_alloc_unbound(DOMID_SELF, 77, &a), 0);
    b = ipi_port(0);
    check_eq(evtchn_bind_interdomain(99, a, &port), -ESRCH);
    check_eq(evtchn_bind_interdomain(DOMID_XEN, a, &port), -ESRCH);
    check_eq(evtchn_bind_interdomain(DOMID_SELF, a, &port), -EINVAL); /* not for us */
    check_eq(evtchn_bind_interdomain(DOMID_SELF, b, &port), -EINVAL); /* not unbound */
    check_eq(evtchn_bind_interdomain(DOMID_SELF, 0, &port), -EINVAL);
    check_eq(evtchn_bind_interdomain(DOMID_SELF, HIGH_PORT, &port), -EINVAL);
    check_eq(evtchn_bind_interdomain(DOMID_SELF, ~0u, &port), -EINVAL);
    check_eq(evtchn_close(a), 0);
    check_eq(evtchn_bind_interdomain(DOMID_SELF, a, &port), -EINVAL);
    check_eq(evtchn_close(b), 0);
}

static bool is_per_vcpu(unsigned virq)
{
    return virq == VIRQ_TIMER || virq == VIRQ_DEBUG || virq == VIRQ_XENOPROF || virq == VIRQ_XENPMU;
}

TEST(bind_virq)
{
    evtchn_port_t port;
    struct evtchn_status st;

    for (unsigned virq = 0; virq < NR_VIRQS; virq++) {
        long rc = evtchn_bind_virq(virq, 0, &port);

        if (rc == -EEXIST && (virq == VIRQ_TIMER || virq == VIRQ_CONSOLE))
            continue; /* the library's */
        if (check_eq(rc, 0)) {
            st = status_of(DOMID_SELF, port);
            check_eq(st.status, EVTCHNSTAT_virq);
            check_eq(st.u.virq, virq);
            check_eq(evtchn_bind_virq(virq, 0, &port), -EEXIST);
            check_eq(send_raw(port), -EINVAL);
            check_eq(evtchn_bind_vcpu(port, 0), is_per_vcpu(virq) ? -EINVAL : 0);
            check_eq(evtchn_close(port), 0);
        }
    }
    check_eq(evtchn_bind_virq(NR_VIRQS, 0, &port), -EINVAL);
    check_eq(evtchn_bind_virq(~0u, 0, &port), -EINVAL);
}

TEST(bind_virq_per_vcpu_and_global)
{
    evtchn_port_t a, b;

    for (unsigned virq = 0; virq < NR_VIRQS; virq++)
        check_eq(evtchn_bind_virq(virq, 5000, &a), is_per_vcpu(virq) ? -ENOENT : -EINVAL);
    if (vcpu_count() < 2)
        skip("one vcpu only");
    need_eq(evtchn_bind_virq(VIRQ_DEBUG, 0, &a), 0);
    need_eq(evtchn_bind_virq(VIRQ_DEBUG, 1, &b), 0);
    check(a != b);
    check_eq(status_of(DOMID_SELF, b).vcpu, 1);
    check_eq(evtchn_bind_virq(VIRQ_CONSOLE, 1, &b), -EINVAL);
    check_eq(evtchn_close(a), 0);
    check_eq(evtchn_bind_virq(VIRQ_DEBUG, 1, &b), -EEXIST);
    check_eq(evtchn_close(b), 0);
}

TEST(bind_ipi)
{
    evtchn_port_t port, other;
    struct evtchn_status st;

    check_eq(evtchn_bind_ipi(5000, &port), -ENOENT);
    check_eq(evtchn_bind_ipi(~0u, &port), -ENOENT);
    port = ipi_port(0);
    st = status_of(DOMID_SELF, port);
    check_eq(st.status, EVTCHNSTAT_ipi);
    check_eq(st.vcpu, 0);
    check_eq(send_raw(port), 0);
    check(evtchn_is_pending(port) && selected(0, port) && upcall_pending(0));
    forget(port);
    check_eq(evtchn_bind_vcpu(port, 0), -EINVAL);
    if (vcpu_count() > 1) {
        other = ipi_port(1); /* of a vcpu that is down: kept for it */
        WRITE_ONCE(shared_info->vcpu_info[1].evtchn_upcall_pending, 0);
        check_eq(send_raw(other), 0);
        check(selected(1, other) && upcall_pending(1));
        check(!upcall_pending(0));
        check_eq(evtchn_close(other), 0);
    }
    check_eq(evtchn_close(port), 0);
}

TEST(bind_pirq_refused)
{
    check_eq(OP(bind_pirq, bind_pirq, .pirq = ~0u), -EINVAL);
    check_eq(OP(bind_pirq, bind_pirq, .pirq = 0x7fffffff), -EINVAL);
    check_eq(OP(bind_pirq, bind_pirq, .pirq = 0x10000), -EINVAL);
}

TEST(bind_vcpu)
{
    evtchn_port_t a, b, virq;
    unsigned last = vcpu_count() - 1;

    need_eq(evtchn_alloc_unbound(DOMID_SELF, DOMID_SELF, &a), 0);
    need_eq(evtchn_bind_virq(VIRQ_CON_RING, 0, &virq), 0);
    check_eq(evtchn_bind_vcpu(a, 5000), -ENOENT);
    check_eq(evtchn_bind_vcpu(HIGH_PORT, 5000), -ENOENT);
    check_eq(evtchn_bind_vcpu(HIGH_PORT, 0), -EINVAL);
    check_eq(evtchn_bind_vcpu(0, 0), -EINVAL);
    check_eq(evtchn_bind_vcpu(a, last), 0);
    check_eq(status_of(DOMID_SELF, a).vcpu, last);
    check_eq(evtchn_bind_vcpu(virq, last), 0);
    check_eq(status_of(DOMID_SELF, virq).vcpu, last);
    need_eq(evtchn_bind_interdomain(DOMID_SELF, a, &b), 0);
    forget(b);
    check_eq(status_of(DOMID_SELF, a).vcpu, last); /* binding keeps it */
    test_and_clear_bit(a, shared_info->evtchn_mask);
    check_eq(send_raw(b), 0);
    check(selected(last, a));
    check_eq(evtchn_bind_vcpu(a, 0), 0);
    forget(a);
    check_eq(evtchn_close(a), 0);
    check_eq(evtchn_bind_vcpu(a, 0), -EINVAL);
    check_eq(evtchn_close(b), 0);
    check_eq(evtchn_close(virq), 0);
}

TEST(send_refused)
{
    evtchn_port_t port = ipi_port(0);

    check_eq(send_raw(0), -EINVAL);
    check_eq(send_raw(HIGH_PORT), -EINVAL);
    check_eq(send_raw(~0u), -EINVAL);
    check_eq(send_raw(1u << 17), -EINVAL);
    check_eq(evtchn_close(port), 0);
    check_eq(send_raw(port), -EINVAL);
}

TEST(close_refused)
{
    evtchn_port_t port = ipi_port(0);

    check_eq(evtchn_close(0), -EINVAL);
    check_eq(evtchn_close(HIGH_PORT), -EINVAL);
    check_eq(evtchn_close(~0u), -EINVAL);
    check_eq(evtchn_close(port), 0);
    check_eq(evtchn_close(port), -EINVAL);
}

TEST(close_forgets_the_event)
{
    evtchn_port_t port = ipi_port(0);

    evtchn_mask(port);
    check_eq(send_raw(port), 0);
    check(evtchn_is_pending(port));
    check_eq(evtchn_close(port), 0);
    check(!evtchn_is_pending(port));
}

TEST(status_refused)
{
    struct evtchn_status st = {.dom = DOMID_SELF, .port = 0};

    check_eq(status_rc(99, 0), -ESRCH);
    check_eq(status_rc(DOMID_IO, 0), -ESRCH);
    check_eq(status_rc(DOMID_SELF, HIGH_PORT), -EINVAL);
    check_eq(status_rc(DOMID_SELF, ~0u), -EINVAL);
    check_eq(hypercall_event_channel_op(EVTCHNOP_status, &st), 0);
    check_eq(st.status, EVTCHNSTAT_closed); /* port 0 exists, and is nobody's */
}

TEST(masks)
{
    evtchn_port_t port = ipi_port(0);

    evtchn_mask(port);
    forget(port);
    check_eq(send_raw(port), 0);
    check(evtchn_is_pending(port));
    check(!selected(0, port) && !upcall_pending(0));
    check_eq(OP(unmask, unmask, port), 0);
    check(!evtchn_is_masked(port));
    check(selected(0, port) && upcall_pending(0));
    WRITE_ONCE(shared_info->vcpu_info[0].evtchn_pending_sel, 0);
    WRITE_ONCE(shared_info->vcpu_info[0].evtchn_upcall_pending, 0);
    check_eq(OP(unmask, unmask, port), 0); /* was not masked: nothing to do */
    check(!selected(0, port) && !upcall_pending(0));
    check_eq(send_raw(port), 0); /* pending already: nothing new */
    check(!selected(0, port) && !upcall_pending(0));
    forget(port);
    check_eq(evtchn_close(port), 0);
    evtchn_mask(port);
    check_eq(OP(unmask, unmask, port), 0); /* a closed one */
    check_eq(OP(unmask, unmask, HIGH_PORT), -EINVAL);
    check_eq(OP(unmask, unmask, ~0u), -EINVAL);
}

TEST(fifo_operations_are_refused)
{
    evtchn_port_t port = ipi_port(0);
    uint64_t mfn = virt_to_mfn(alloc_page());

    check_eq(OP(set_priority, set_priority, port, 3), -ENOSYS);
    check_eq(OP(set_priority, set_priority, HIGH_PORT, 3), -EINVAL);
    check_eq(OP(expand_array, expand_array, mfn), -EOPNOTSUPP);
    check_eq(OP(init_control, init_control, .control_gfn = mfn, .vcpu = 5000), -ENOENT);
    check_eq(OP(init_control, init_control, .control_gfn = mfn, .offset = 4), -EINVAL);
    check_eq(OP(init_control, init_control, .control_gfn = mfn, .offset = 4096 - 64), -EINVAL);
    check_eq(OP(init_control, init_control, .control_gfn = mfn, .offset = ~7u), -EINVAL);
    check_eq(OP(init_control, init_control, .control_gfn = ~0ul), -EINVAL);
    check_eq(
        OP(init_control, init_control, .control_gfn = pte_mfn(*pt_entry((uint64_t)shared_info, 2))),
        -EINVAL); /* a page table */
    /* The failures left everything as it was. */
    check_eq(send_raw(port), 0);
    check(test_bit(port, shared_info->evtchn_pending));
    check_eq(OP(expand_array, expand_array, mfn), -EOPNOTSUPP);
    forget(port);
    check_eq(evtchn_close(port), 0);
}

TEST(unknown_commands)
{
    struct evtchn_status st = {0};

    check_eq(hypercall_event_channel_op(15, &st), -ENOSYS);
    check_eq(hypercall_event_channel_op(99, &st), -ENOSYS);
    check_eq(hypercall_event_channel_op(-1, &st), -ENOSYS);
    check_eq(hypercall2(__HYPERVISOR_event_channel_op, 99, HC_PTR(FORBIDDEN)), -ENOSYS);
}

TEST(bad_pointers)
{
    for (int cmd = 0; cmd <= EVTCHNOP_set_priority; cmd++) {
        check_eq(hypercall_event_channel_op(cmd, NOWHERE), -EFAULT);
        check_eq(hypercall_event_channel_op(cmd, FORBIDDEN), -EFAULT);
        check_eq(hypercall_event_channel_op(cmd, (void *)0x0000800000000000ul), -EFAULT);
        check_eq(hypercall_event_channel_op(cmd, (void *)~0ul), -EFAULT);
    }
}

/* The number of the command is an int: what is above it in the register is ignored. */
TEST(wide_command)
{
    struct evtchn_bind_ipi op = {0};

    check_eq(hypercall2(__HYPERVISOR_event_channel_op, 0xdead00000000ul | EVTCHNOP_bind_ipi,
                        HC_PTR(&op)),
             0);
    check_eq(evtchn_close(op.port), 0);
}

TEST(old_form)
{
    struct evtchn_op op = {.cmd = EVTCHNOP_bind_ipi};

    need_eq(hypercall1(__HYPERVISOR_event_channel_op_compat, HC_PTR(&op)), 0);
    check_eq(status_of(DOMID_SELF, op.u.bind_ipi.port).status, EVTCHNSTAT_ipi);
    op = (struct evtchn_op){.cmd = EVTCHNOP_close, .u.close.port = op.u.bind_ipi.port};
    check_eq(hypercall1(__HYPERVISOR_event_channel_op_compat, HC_PTR(&op)), 0);
    op = (struct evtchn_op){.cmd = EVTCHNOP_reset, .u = {{0}}};
    check_eq(hypercall1(__HYPERVISOR_event_channel_op_compat, HC_PTR(&op)), -ENOSYS);
    op.cmd = ~0u;
    check_eq(hypercall1(__HYPERVISOR_event_channel_op_compat, HC_PTR(&op)), -ENOSYS);
    check_eq(hypercall1(__HYPERVISOR_event_channel_op_compat, HC_PTR(FORBIDDEN)), -EFAULT);
    check_eq(hypercall1(__HYPERVISOR_event_channel_op_compat, HC_PTR(NOWHERE)), -EFAULT);
}

static volatile unsigned handled, handled_on;

static void handler(evtchn_port_t port, void *arg)
{
    (void)port, (void)arg;
    handled++;
    handled_on = vcpu_id();
}

TEST(upcall)
{
    evtchn_port_t port;

    need_eq(evtchn_bind_ipi(0, &port), 0);
    handled = 0;
    evtchn_set_handler(port, handler, NULL);
    check_eq(send_raw(port), 0);
    check_eq(send_raw(port), 0);
    check_eq(handled, 0);
    events_enable();
    check_eq(handled, 1);
    check_eq(send_raw(port), 0);
    check_eq(handled, 2);
    events_disable();
    evtchn_set_handler(port, NULL, NULL);
    check_eq(evtchn_close(port), 0);
}

/* ---- what hostile guests tried (numbers: Xen security advisories) ---- */

/* 221 */
TEST(poll_for_ports_that_do_not_exist)
{
    evtchn_port_t ports[3] = {1, HIGH_PORT, ~0u};
    struct sched_poll poll = {.nr_ports = 1};

    for (unsigned i = 1; i < 3; i++) {
        set_xen_guest_handle(poll.ports, &ports[i]);
        check_eq(hypercall_sched_op(SCHEDOP_poll, &poll), -EINVAL);
    }
    poll.nr_ports = 3;
    set_xen_guest_handle(poll.ports, ports);
    check_eq(hypercall_sched_op(SCHEDOP_poll, &poll), -EINVAL);
}

/* 317, 496: all ports in use; failures leave nothing; then all are closed again. */
TEST(ports_run_out)
{
    static evtchn_port_t ports[4096];
    struct evtchn_bind_ipi op = {0};
    evtchn_port_t port, ours;
    unsigned n = 0;
    long rc;

    need_eq(evtchn_alloc_unbound(DOMID_SELF, DOMID_SELF, &ours), 0);
    while ((rc = hypercall_event_channel_op(EVTCHNOP_bind_ipi, &op)) == 0 && n < 4096)
        ports[n++] = op.port;
    check_eq(rc, -ENOSPC);
    check_ge(n, 256);
    check_le(n, 4095);
    check_eq(evtchn_bind_virq(VIRQ_DEBUG, 0, &port), -ENOSPC);
    check_eq(evtchn_alloc_unbound(DOMID_SELF, 0, &port), -ENOSPC);
    check_eq(evtchn_bind_interdomain(DOMID_SELF, ours, &port), -ENOSPC);
    check_eq(status_of(DOMID_SELF, ours).status, EVTCHNSTAT_unbound);
    check_eq(send_raw(ports[n - 1]), 0);
    check(test_bit(ports[n - 1], shared_info->evtchn_pending));
    check_eq(evtchn_close(ports[n / 2]), 0);
    check_eq(evtchn_bind_virq(VIRQ_DEBUG, 0, &port), 0);
    check_eq(port, ports[n / 2]);
    for (unsigned i = 0; i < n; i++)
        if (evtchn_close(ports[i]))
            check_eq(ports[i], 0);
    check_eq(evtchn_close(ours), 0);
    forget(ports[n - 1]);
}

/* 343: ports are closed and opened on one vcpu while another sends through them. */
static volatile bool stop_racing;

static void racing_sender(void *arg)
{
    (void)arg;
    while (!stop_racing)
        for (evtchn_port_t p = 0; p < 24; p++) {
            send_raw(p);
            OP(unmask, unmask, p);
            OP(bind_vcpu, bind_vcpu, p, p % 2);
        }
}

TEST(close_races_send)
{
    evtchn_port_t opened[8], b;

    if (vcpu_count() < 2)
        skip("one vcpu only");
    stop_racing = false;
    need_eq(vcpu_start(1, racing_sender, NULL), 0);
    for (unsigned round = 0; round < 400; round++) {
        for (unsigned i = 0; i < 8; i += 2) {
            check_eq(evtchn_alloc_unbound(DOMID_SELF, DOMID_SELF, &opened[i]), 0);
            check_eq(evtchn_bind_interdomain(DOMID_SELF, opened[i], &b), 0);
            opened[i + 1] = b;
        }
        for (unsigned i = 0; i < 8; i++)
            check_eq(evtchn_close(opened[(i * 3) % 8]), 0);
    }
    stop_racing = true;
    vcpu_wait_down(1);
}

/* 295 and kin: the shared words are scribbled over while events are sent. */
static void scribbler(void *arg)
{
    uint64_t x = 88172645463325252ul;

    (void)arg;
    while (!stop_racing) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        for (unsigned i = 2; i < 64; i++) {
            WRITE_ONCE(shared_info->evtchn_pending[i], x * i);
            WRITE_ONCE(shared_info->evtchn_mask[i], ~x * i);
        }
        WRITE_ONCE(shared_info->vcpu_info[1].evtchn_pending_sel, x);
        WRITE_ONCE(shared_info->vcpu_info[2].evtchn_pending_sel, x);
    }
    for (unsigned i = 2; i < 64; i++) {
        WRITE_ONCE(shared_info->evtchn_mask[i], ~0ul);
        WRITE_ONCE(shared_info->evtchn_pending[i], 0);
    }
}

TEST(scribbled_shared_info)
{
    static evtchn_port_t ports[300];

    if (vcpu_count() < 2)
        skip("one vcpu only");
    for (unsigned i = 0; i < 300; i++)
        need_eq(evtchn_bind_ipi(i % 2, &ports[i]), 0);
    stop_racing = false;
    need_eq(vcpu_start(1, scribbler, NULL), 0);
    for (unsigned round = 0; round < 100; round++)
        for (unsigned i = 0; i < 300; i++)
            if (send_raw(ports[i]) || OP(unmask, unmask, ports[i]))
                check_eq(i, -1);
    stop_racing = true;
    vcpu_wait_down(1);
    for (unsigned i = 0; i < 300; i++)
        check_eq(evtchn_close(ports[i]), 0);
    WRITE_ONCE(shared_info->vcpu_info[0].evtchn_pending_sel, 0);
}

/* ---- two domains ---- */

static long peer_alloc(long dom, long remote, long c, long d)
{
    struct evtchn_alloc_unbound op = {.dom = dom, .remote_dom = remote};
    long rc = hypercall_event_channel_op(EVTCHNOP_alloc_unbound, &op);

    (void)c, (void)d;
    return rc ? rc : op.port;
}

static long peer_status_rc(long dom, long port, long c, long d)
{
    (void)c, (void)d;
    return status_rc(dom, port);
}

static long peer_reset(long dom, long b, long c, long d)
{
    (void)b, (void)c, (void)d;
    return OP(reset, reset, dom);
}

static long peer_bind(long dom, long port, long c, long d)
{
    struct evtchn_bind_interdomain op = {.remote_dom = dom, .remote_port = port};
    long rc = hypercall_event_channel_op(EVTCHNOP_bind_interdomain, &op);

    (void)c, (void)d;
    return rc ? rc : op.local_port;
}

static long peer_send(long port, long b, long c, long d)
{
    (void)b, (void)c, (void)d;
    return send_raw(port);
}

static long peer_close(long port, long b, long c, long d)
{
    (void)b, (void)c, (void)d;
    return evtchn_close(port);
}

static long peer_pending(long port, long b, long c, long d)
{
    (void)b, (void)c, (void)d;
    return evtchn_is_pending(port);
}

TEST(unprivileged_domain_is_refused)
{
    struct peer p;
    domid_t me = guest_domid();

    if (!have_peer(&p))
        skip("no second domain");
    check_eq(peer_call(&p, peer_alloc, me, 1, 0, 0), -EPERM);
    check_eq(peer_call(&p, peer_alloc, 99, 1, 0, 0), -ESRCH);
    check_eq(peer_call(&p, peer_status_rc, me, 1, 0, 0), -EPERM);
    check_eq(peer_call(&p, peer_reset, me, 0, 0, 0), -EPERM);
    check_eq(OP(reset, reset, 1), -EINVAL); /* it is not paused */
    peer_disconnect(&p);
}

TEST(events_between_domains)
{
    domid_t me = guest_domid();
    evtchn_port_t a, b;
    struct evtchn_status st;
    struct peer p;
    long rc;

    if (!have_peer(&p))
        skip("no second domain");
    need_eq(evtchn_alloc_unbound(DOMID_SELF, 1, &a), 0);
    rc = peer_call(&p, peer_bind, me, a, 0, 0);
    check_ge(rc, 1);
    check_eq(peer_call(&p, peer_bind, me, a, 0, 0), -EINVAL);
    st = status_of(1, rc); /* a privileged one may look */
    check_eq(st.status, EVTCHNSTAT_interdomain);
    check_eq(st.u.interdomain.dom, me);
    check_eq(st.u.interdomain.port, a);
    check(!evtchn_is_pending(a));
    check_eq(peer_call(&p, peer_send, rc, 0, 0, 0), 0);
    check(evtchn_is_pending(a));
    evtchn_clear(a); /* and nothing else: the peer's last answer may just be coming */
    check_eq(send_raw(a), 0);
    check_eq(peer_call(&p, peer_pending, rc, 0, 0, 0), 1);
    check_eq(peer_call(&p, peer_close, rc, 0, 0, 0), 0);
    st = status_of(DOMID_SELF, a);
    check_eq(st.status, EVTCHNSTAT_unbound);
    check_eq(st.u.unbound.dom, 1);
    check_eq(send_raw(a), 0);
    check_eq(evtchn_close(a), 0);
    check_eq(peer_call(&p, peer_bind, me, a, 0, 0), -EINVAL);

    /* A port that the privileged domain makes in the other one. */
    a = port_of_peer();
    check_eq(status_of(1, a).u.unbound.dom, me);
    need_eq(evtchn_bind_interdomain(1, a, &b), 0);
    check_eq(send_raw(b), 0);
    check_eq(peer_call(&p, peer_pending, a, 0, 0, 0), 1);
    check_eq(peer_call(&p, peer_close, a, 0, 0, 0), 0);
    check_eq(evtchn_close(b), 0);
    peer_disconnect(&p);
}

static long peer_die(long a, long b, long c, long d)
{
    (void)a, (void)b, (void)c, (void)d;
    guest_shutdown(SHUTDOWN_poweroff);
}

/* The other end's domain goes away: our ports wait for it, or its id, to come back. */
TEST(peer_dies)
{
    evtchn_port_t made, bound;
    struct evtchn_status st;
    struct peer p;

    if (!have_peer(&p))
        skip("no second domain");
    made = port_of_peer();
    need_eq(evtchn_bind_interdomain(1, made, &bound), 0);
    peer_start(&p, peer_die, 0, 0, 0, 0);
    check(eventually(status_of(DOMID_SELF, bound).status == EVTCHNSTAT_unbound));
    for (unsigned i = 0; i < 2; i++) {
        st = status_of(DOMID_SELF, i ? p.port : bound);
        check_eq(st.status, EVTCHNSTAT_unbound);
        check_eq(st.u.unbound.dom, 1);
    }
    check_eq(send_raw(bound), 0);
    check_eq(evtchn_close(bound), 0);
    check_eq(evtchn_close(p.port), 0);
    check_eq(gnttab_unmap(p.page, p.handle), GNTST_okay); /* the last that is left of it */
    check(eventually(status_rc(1, 0) == -ESRCH));
}

/* ---- the end of all ports: last, as the library's are closed too ---- */

TEST(reset)
{
    evtchn_port_t port = 0, a, b;

    check_eq(OP(reset, reset, 99), -ESRCH);
    for (unsigned i = 0; i < 200; i++)
        check_eq(evtchn_bind_ipi(0, &port), 0);
    need_eq(evtchn_alloc_unbound(DOMID_SELF, DOMID_SELF, &a), 0);
    need_eq(evtchn_bind_interdomain(DOMID_SELF, a, &b), 0);
    check_eq(OP(reset, reset, DOMID_SELF), 0);
    for (evtchn_port_t p = 1; p <= b; p++)
        if (status_of(DOMID_SELF, p).status != EVTCHNSTAT_closed)
            check_eq(p, 0);
    check_eq(evtchn_bind_virq(VIRQ_TIMER, 0, &port), 0);
    check_eq(port, 1);
    check_eq(OP(reset, reset, guest_domid()), 0);
    check_eq(send_raw(port), -EINVAL);
}

static void resetting(void *arg)
{
    (void)arg;
    while (!stop_racing) {
        OP(reset, reset, DOMID_SELF);
        for (evtchn_port_t p = 0; p < 16; p++) {
            send_raw(p);
            evtchn_close(p);
        }
    }
}

/* 338, 343: two vcpus, both opening, sending and resetting. */
TEST(reset_races_everything)
{
    evtchn_port_t port, b;

    if (vcpu_count() < 2)
        skip("one vcpu only");
    OP(reset, reset, DOMID_SELF);
    stop_racing = false;
    need_eq(vcpu_start(1, resetting, NULL), 0);
    for (unsigned round = 0; round < 2000; round++) {
        struct evtchn_bind_virq virq = {.virq = VIRQ_DEBUG, .vcpu = round % 2};

        if (evtchn_alloc_unbound(DOMID_SELF, DOMID_SELF, &port) == 0)
            evtchn_bind_interdomain(DOMID_SELF, port, &b);
        hypercall_event_channel_op(EVTCHNOP_bind_virq, &virq);
        send_raw(port);
        if (round % 50 == 0)
            OP(reset, reset, DOMID_SELF);
    }
    stop_racing = true;
    vcpu_wait_down(1);
    while (OP(reset, reset, DOMID_SELF) == -EAGAIN)
        cpu_relax();
    need_eq(evtchn_bind_virq(VIRQ_DEBUG, 0, &port), 0);
    check_eq(port, 1);
}
