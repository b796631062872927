/* SPDX-License-Identifier: MIT */
/* Event channels: each operation good and refused, the attacks of the past, and random sequences of
 * operations by three domains against a model. 2-level layout; see evtchn_fifo_test.c for the
 * other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "fake.h"
#include <hv/errno.h>
#include <hv/evtchn_table.h>
#include <hv/heap.h>
#include <hv/hypercall.h>
#include <hv/irq.h>
#include <pthread.h>
#include <stdlib.h>

#define DOMS     3
#define VCPUS    3
#define MAX_PORT 199

static struct domain *dom[DOMS];
static size_t heap_before;

/* ---- calls as a guest makes them ---- */

static long op(struct vcpu *v, int cmd, void *arg)
{
    fake_run(v);
    return do_event_channel_op(cmd, guest_ptr((uintptr_t)arg));
}

static long alloc_unbound(unsigned int by, domid_t d, domid_t remote)
{
    struct evtchn_alloc_unbound a = {.dom = d, .remote_dom = remote};
    long rc = op(dom[by]->vcpu[0], EVTCHNOP_alloc_unbound, &a);

    return rc ? rc : (long)a.port;
}

static long bind(unsigned int by, domid_t remote, uint32_t port)
{
    struct evtchn_bind_interdomain a = {.remote_dom = remote, .remote_port = port};
    long rc = op(dom[by]->vcpu[0], EVTCHNOP_bind_interdomain, &a);

    return rc ? rc : (long)a.local_port;
}

static long bind_virq(unsigned int by, uint32_t virq, uint32_t vcpu)
{
    struct evtchn_bind_virq a = {.virq = virq, .vcpu = vcpu};
    long rc = op(dom[by]->vcpu[0], EVTCHNOP_bind_virq, &a);

    return rc ? rc : (long)a.port;
}

static long bind_ipi(unsigned int by, uint32_t vcpu)
{
    struct evtchn_bind_ipi a = {.vcpu = vcpu};
    long rc = op(dom[by]->vcpu[0], EVTCHNOP_bind_ipi, &a);

    return rc ? rc : (long)a.port;
}

static long close_port(unsigned int by, uint32_t port)
{
    return op(dom[by]->vcpu[0], EVTCHNOP_close, &(struct evtchn_close){port});
}

static long send(unsigned int by, uint32_t port)
{
    return op(dom[by]->vcpu[0], EVTCHNOP_send, &(struct evtchn_send){port});
}

static long unmask(unsigned int by, uint32_t port)
{
    return op(dom[by]->vcpu[0], EVTCHNOP_unmask, &(struct evtchn_unmask){port});
}

static long bind_vcpu(unsigned int by, uint32_t port, uint32_t vcpu)
{
    return op(dom[by]->vcpu[0], EVTCHNOP_bind_vcpu, &(struct evtchn_bind_vcpu){port, vcpu});
}

static long reset(unsigned int by, domid_t d)
{
    return op(dom[by]->vcpu[0], EVTCHNOP_reset, &(struct evtchn_reset){d});
}

static long status(unsigned int by, domid_t d, uint32_t port, struct evtchn_status *st)
{
    memset(st, 0xee, sizeof(*st));
    st->dom = d;
    st->port = port;
    return op(dom[by]->vcpu[0], EVTCHNOP_status, st);
}

static bool pending(unsigned int d, uint32_t port)
{
    return test_bit(port, dom[d]->shared_info->evtchn_pending);
}

static bool upcall(unsigned int d, unsigned int vcpu, uint32_t port)
{
    struct vcpu_info *info = dom[d]->vcpu[vcpu]->info;

    return info->evtchn_upcall_pending && test_bit(port / 64, &info->evtchn_pending_sel);
}

/* What a guest does in its upcall: forget all. */
static void eat(unsigned int d)
{
    memset(dom[d]->shared_info->evtchn_pending, 0, sizeof(dom[d]->shared_info->evtchn_pending));
    for (unsigned int i = 0; i < VCPUS; i++) {
        dom[d]->vcpu[i]->info->evtchn_upcall_pending = 0;
        dom[d]->vcpu[i]->info->evtchn_pending_sel = 0;
    }
}

static int setup(void **state)
{
    (void)state;
    fake_init_alloc(8192, 4);
    heap_before = heap_used();
    for (unsigned int i = 0; i < DOMS; i++) {
        dom[i] = fake_domain(i, i == 0, VCPUS);
        assert_int_equal(evtchn_domain_init(dom[i], MAX_PORT), 0);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < DOMS; i++) {
        assert_int_equal(evtchn_audit(dom[i]), 0);
        assert_int_equal(dom[i]->refcnt, 1);
        dom[i]->is_dying = DOMDYING_DYING;
        fake_preempt_every = 0;
        assert_int_equal(evtchn_domain_destroy(dom[i]), 0);
    }
    for (unsigned int i = 0; i < DOMS; i++) {
        assert_int_equal(dom[i]->refcnt, 1);
        evtchn_domain_free(dom[i]);
    }
    assert_int_equal(heap_used(), heap_before);
    return 0;
}

/* ---- the operations ---- */

static void unbound_and_bind(void **state)
{
    struct evtchn_status st;
    long p, q;

    (void)state;
    p = alloc_unbound(1, DOMID_SELF, 2);
    assert_int_equal(p, 1);          /* the lowest free one; 0 is never handed out */
    assert_int_equal(send(1, p), 0); /* nobody listens: accepted, dropped */
    assert_int_equal(status(1, DOMID_SELF, p, &st), 0);
    assert_int_equal(st.status, EVTCHNSTAT_unbound);
    assert_int_equal(st.u.unbound.dom, 2);
    assert_int_equal(bind(0, 1, p), -EINVAL); /* not for domain 0 */
    assert_int_equal(bind(2, 9, p), -ESRCH);
    assert_int_equal(bind(2, 1, p + 1), -EINVAL);
    assert_int_equal(bind(2, 1, 1u << 31), -EINVAL);
    assert_int_equal(bind(2, 1, 0), -EINVAL);
    q = bind(2, 1, p);
    assert_int_equal(q, 1);
    assert_true(pending(2, q)); /* something may have been sent before */
    assert_false(pending(1, p));
    assert_int_equal(bind(2, 1, p), -EINVAL); /* taken */
    eat(2);
    assert_int_equal(send(1, p), 0);
    assert_true(pending(2, q) && upcall(2, 0, q));
    assert_int_equal(send(2, q), 0);
    assert_true(pending(1, p) && upcall(1, 0, p));
    assert_int_equal(status(0, 2, q, &st), 0);
    assert_int_equal(st.status, EVTCHNSTAT_interdomain);
    assert_int_equal(st.u.interdomain.dom, 1);
    assert_int_equal(st.u.interdomain.port, p);
    assert_int_equal(close_port(2, q), 0);
    assert_false(pending(2, q));
    assert_int_equal(status(1, 1, p, &st), 0);
    assert_int_equal(st.status, EVTCHNSTAT_unbound);
    assert_int_equal(st.u.unbound.dom, 2);
    assert_int_equal(close_port(2, q), -EINVAL);
    assert_int_equal(bind(2, 1, p), q); /* may come back */
}

static void loops_within_one_domain(void **state)
{
    long p = alloc_unbound(1, DOMID_SELF, DOMID_SELF), q = bind(1, DOMID_SELF, p);

    (void)state;
    assert_true(p > 0 && q > 0 && p != q);
    eat(1);
    assert_int_equal(send(1, p), 0);
    assert_true(pending(1, q) && !pending(1, p));
    assert_int_equal(close_port(1, p), 0);
    assert_int_equal(send(1, q), 0);
    assert_false(pending(1, p));
}

static void others_ports_are_for_the_privileged(void **state)
{
    struct evtchn_status st;
    long p;

    (void)state;
    assert_int_equal(alloc_unbound(1, 2, 1), -EPERM);
    assert_int_equal(alloc_unbound(1, 77, 1), -ESRCH);
    assert_int_equal(alloc_unbound(0, DOMID_IO, 1), -ESRCH);
    assert_int_equal(alloc_unbound(0, DOMID_IDLE, 1), -ESRCH);
    p = alloc_unbound(0, 2, 1);
    assert_true(p > 0);
    assert_int_equal(status(1, 2, p, &st), -EPERM);
    assert_int_equal(status(0, 2, p, &st), 0);
    assert_int_equal(st.u.unbound.dom, 1);
    assert_int_equal(status(0, 2, 1u << 20, &st), -EINVAL);
    assert_int_equal(status(0, 2, ~0u, &st), -EINVAL);
    assert_int_equal(status(0, 77, 0, &st), -ESRCH);
    assert_int_equal(reset(1, 2), -EPERM);
    assert_int_equal(reset(0, 2), -EINVAL); /* it runs */
    dom[2]->pause_count = 1;
    assert_int_equal(reset(0, 2), 0);
    assert_int_equal(status(0, 2, p, &st), 0);
    assert_int_equal(st.status, EVTCHNSTAT_closed);
}

static void virqs(void **state)
{
    struct evtchn_status st;
    long p, q;

    (void)state;
    assert_int_equal(bind_virq(1, NR_VIRQS, 0), -EINVAL);
    assert_int_equal(bind_virq(1, ~0u, 0), -EINVAL);
    assert_int_equal(bind_virq(1, VIRQ_TIMER, VCPUS), -ENOENT);
    assert_int_equal(bind_virq(1, VIRQ_CON_RING, 1), -EINVAL); /* global ones on vcpu 0 only */
    p = bind_virq(1, VIRQ_TIMER, 2);
    assert_true(p > 0);
    assert_int_equal(bind_virq(1, VIRQ_TIMER, 2), -EEXIST);
    q = bind_virq(1, VIRQ_TIMER, 1);
    assert_true(q > 0 && q != p);
    assert_int_equal(send(1, p), -EINVAL);
    evtchn_send_virq(dom[1]->vcpu[2], VIRQ_TIMER);
    assert_true(pending(1, p) && upcall(1, 2, p) && !pending(1, q));
    evtchn_send_virq(dom[1]->vcpu[0], VIRQ_TIMER); /* not bound: nothing */
    evtchn_send_virq(dom[1]->vcpu[0], NR_VIRQS);
    assert_int_equal(bind_vcpu(1, p, 0), -EINVAL); /* a vcpu's own virq stays there */
    assert_int_equal(status(1, 1, p, &st), 0);
    assert_int_equal(st.status, EVTCHNSTAT_virq);
    assert_int_equal(st.u.virq, VIRQ_TIMER);
    assert_int_equal(st.vcpu, 2);
    assert_int_equal(close_port(1, p), 0);
    evtchn_send_virq(dom[1]->vcpu[2], VIRQ_TIMER);
    assert_false(pending(1, p));

    p = bind_virq(0, VIRQ_DOM_EXC, 0);
    assert_int_equal(bind_vcpu(0, p, 1), 0); /* a global one may move */
    evtchn_send_global_virq(dom[0], VIRQ_DOM_EXC);
    evtchn_send_global_virq(NULL, VIRQ_DOM_EXC);
    assert_true(pending(0, p) && upcall(0, 1, p));
    assert_int_equal(bind_virq(0, VIRQ_DOM_EXC, 0), -EEXIST);
    assert_int_equal(close_port(0, p), 0);
    assert_true(bind_virq(0, VIRQ_DOM_EXC, 0) > 0);
}

static void ipis_and_vcpus(void **state)
{
    struct evtchn_status st;
    long p, q;

    (void)state;
    assert_int_equal(bind_ipi(1, VCPUS), -ENOENT);
    assert_int_equal(bind_ipi(1, ~0u), -ENOENT);
    p = bind_ipi(1, 2);
    assert_int_equal(send(1, p), 0);
    assert_true(pending(1, p) && upcall(1, 2, p) && !upcall(1, 0, p));
    assert_ptr_equal(fake_last_kicked, dom[1]->vcpu[2]);
    assert_int_equal(status(1, 1, p, &st), 0);
    assert_int_equal(st.status, EVTCHNSTAT_ipi);
    assert_int_equal(st.vcpu, 2);
    assert_int_equal(bind_vcpu(1, p, 0), -EINVAL);
    q = alloc_unbound(1, DOMID_SELF, 2);
    assert_int_equal(bind_vcpu(1, q, VCPUS), -ENOENT);
    assert_int_equal(bind_vcpu(1, q, 1), 0);
    assert_int_equal(bind_vcpu(1, 1u << 30, 1), -EINVAL);
    assert_int_equal(bind_vcpu(1, 0, 1), -EINVAL);
    q = bind(2, 1, q);
    assert_int_equal(send(2, q), 0);
    assert_int_equal(status(1, 1, 2, &st), 0);
    assert_true(upcall(1, st.vcpu, 2));
}

/* One interrupt, number 5: which port it goes to, and what was asked of it. It comes at the very
 * moment at which it is bound. */
static struct {
    uint32_t port;
    unsigned int binds, unbinds;
    const struct vcpu *target;
    int refuse;
} line;

int pirq_bind(struct domain *d, uint32_t pirq, uint32_t port)
{
    if (line.refuse || pirq != 5)
        return line.refuse ? line.refuse : -EINVAL;
    if (line.port)
        return -EEXIST;
    line.port = port;
    line.binds++;
    evtchn_send_pirq(d, port);
    return 0;
}

void pirq_unbind(struct domain *d, uint32_t pirq, uint32_t port)
{
    if (line.port != port)
        return;
    assert_int_equal(pirq, 5);
    evtchn_send_pirq(d, port); /* the last one is on its way: the port is still there */
    line.port = 0;
    line.unbinds++;
}

void pirq_move(struct domain *d, uint32_t pirq, const struct vcpu *v)
{
    assert_ptr_equal(v->domain, d);
    assert_int_equal(pirq, 5);
    line.target = v;
}

static long bind_pirq(unsigned int by, uint32_t pirq)
{
    struct evtchn_bind_pirq a = {.pirq = pirq};
    long rc = op(dom[by]->vcpu[0], EVTCHNOP_bind_pirq, &a);

    return rc ? rc : (long)a.port;
}

static void physical_interrupts(void **state)
{
    struct evtchn_status st;
    uint32_t active = dom[0]->evtchn->active;
    long p;

    (void)state;
    memset(&line, 0, sizeof(line));
    assert_int_equal(bind_pirq(1, 5), -EPERM);
    line.refuse = -EBUSY;
    assert_int_equal(bind_pirq(0, 5), -EBUSY);
    assert_int_equal(dom[0]->evtchn->active, active);
    line.refuse = 0;
    p = bind_pirq(0, 5);
    assert_true(p > 0);
    assert_true(pending(0, p) && upcall(0, 0, p)); /* not lost */
    assert_int_equal(bind_pirq(0, 5), -EEXIST);
    assert_int_equal(line.port, p);
    assert_int_equal(dom[0]->evtchn->active, active + 1);
    assert_int_equal(send(0, p), -EINVAL);
    assert_int_equal(status(0, 0, p, &st), 0);
    assert_int_equal(st.status, EVTCHNSTAT_pirq);
    assert_int_equal(st.u.pirq, 5);
    assert_int_equal(bind_vcpu(0, p, VCPUS), -ENOENT);
    assert_int_equal(bind_vcpu(0, p, 1), 0);
    assert_ptr_equal(line.target, dom[0]->vcpu[1]);
    eat(0);
    evtchn_send_pirq(dom[0], p);
    assert_true(pending(0, p) && upcall(0, 1, p) && !upcall(0, 0, p));
    assert_int_equal(close_port(0, p), 0);
    assert_int_equal(line.unbinds, 1);
    assert_false(pending(0, p));
    evtchn_send_pirq(dom[0], p); /* too late */
    evtchn_send_pirq(dom[0], 1u << 30);
    assert_false(pending(0, p));
    assert_int_equal(bind_pirq(0, 5), p); /* teardown closes it */
    assert_int_equal(reset(0, 0), 0);
    assert_int_equal(line.unbinds, 2);
    assert_int_equal(bind_pirq(0, 5), p);
}

static void masks(void **state)
{
    struct shared_info *s = dom[1]->shared_info;
    long p = bind_ipi(1, 1);

    (void)state;
    set_bit(p, s->evtchn_mask);
    assert_int_equal(send(1, p), 0);
    assert_true(pending(1, p) && !upcall(1, 1, p));
    assert_int_equal(fake_vcpu_kicks, 0);
    assert_int_equal(unmask(1, p), 0);
    assert_false(test_bit(p, s->evtchn_mask));
    assert_true(upcall(1, 1, p));
    assert_int_equal(fake_vcpu_kicks, 1);
    assert_int_equal(send(1, p), 0);   /* pending still: nothing new */
    assert_int_equal(unmask(1, p), 0); /* was not masked: nothing new */
    assert_int_equal(fake_vcpu_kicks, 1);
    assert_int_equal(unmask(1, 0), 0);
    assert_int_equal(unmask(1, p + 1), 0);
    assert_int_equal(unmask(1, 4096), -EINVAL);
    assert_true(1 == evtchn_port_pending(dom[1], p));
    assert_false(evtchn_port_pending(dom[1], p + 1));
    assert_true(evtchn_port_pending(dom[1], p) >= 0 && evtchn_port_pending(dom[1], ~0u) == -EINVAL);
}

static void what_is_not_there(void **state)
{
    struct evtchn_bind_pirq pirq = {.pirq = 1};
    struct evtchn_set_priority prio = {.port = 1, .priority = 3};
    struct evtchn_expand_array exp = {.array_gfn = 1};

    (void)state;
    assert_int_equal(op(dom[1]->vcpu[0], 14, &prio), -ENOSYS);
    assert_int_equal(op(dom[1]->vcpu[0], -1, &prio), -ENOSYS);
    assert_int_equal(op(dom[1]->vcpu[0], EVTCHNOP_bind_pirq, &pirq), -EPERM);
    assert_int_equal(op(dom[0]->vcpu[0], EVTCHNOP_bind_pirq, &pirq), -EINVAL);
    assert_int_equal(op(dom[1]->vcpu[0], EVTCHNOP_set_priority, &prio), -ENOSYS);
    assert_int_equal(op(dom[1]->vcpu[0], EVTCHNOP_expand_array, &exp), -EOPNOTSUPP);
    for (int cmd = 0; cmd <= EVTCHNOP_set_priority; cmd++)
        assert_int_equal(op(dom[1]->vcpu[0], cmd, NULL), -EFAULT);
}

static void old_form_of_the_hypercall(void **state)
{
    struct evtchn_op o = {.cmd = EVTCHNOP_bind_ipi};

    (void)state;
    fake_run(dom[1]->vcpu[0]);
    assert_int_equal(do_event_channel_op_compat(guest_ptr((uintptr_t)&o)), 0);
    assert_int_equal(o.u.bind_ipi.port, 1);
    o = (struct evtchn_op){.cmd = EVTCHNOP_send, .u.send.port = 1};
    assert_int_equal(do_event_channel_op_compat(guest_ptr((uintptr_t)&o)), 0);
    assert_true(pending(1, 1));
    o.cmd = EVTCHNOP_reset;
    assert_int_equal(do_event_channel_op_compat(guest_ptr((uintptr_t)&o)), -ENOSYS);
    assert_int_equal(do_event_channel_op_compat(guest_ptr(0)), -EFAULT);
}

/* ---- what hostile guests tried (numbers: Xen security advisories) ---- */

/* 317, 496: all ports in use; a failed bind changes nothing. */
static void ports_run_out(void **state)
{
    struct evtchn_status st;
    long p, last = 0, remote;

    (void)state;
    remote = alloc_unbound(2, DOMID_SELF, 1);
    while ((p = bind_ipi(1, 0)) > 0)
        last = p;
    assert_int_equal(p, -ENOSPC);
    assert_int_equal(last, MAX_PORT);
    assert_int_equal(bind_virq(1, VIRQ_TIMER, 0), -ENOSPC);
    assert_int_equal(alloc_unbound(1, DOMID_SELF, 0), -ENOSPC);
    assert_int_equal(bind(1, 2, remote), -ENOSPC);
    assert_int_equal(status(0, 2, remote, &st), 0);
    assert_int_equal(st.status, EVTCHNSTAT_unbound);
    assert_int_equal(evtchn_audit(dom[1]), 0);
    assert_int_equal(close_port(1, 77), 0);
    assert_int_equal(bind_virq(1, VIRQ_TIMER, 0), 77);
    assert_int_equal(bind_virq(1, VIRQ_DEBUG, 0), -ENOSPC);
}

/* 344: a reset of many ports makes way, goes on where it was, and is complete in the end. */
static void reset_is_preemptible(void **state)
{
    long rc;

    (void)state;
    for (unsigned int i = 1; i <= 60; i++) {
        long p = alloc_unbound(1, DOMID_SELF, 2);

        assert_true(bind(2, 1, p) > 0);
    }
    assert_true(bind_virq(1, VIRQ_TIMER, 1) > 0);
    fake_preempt_every = 1;
    for (unsigned int i = 0; (rc = reset(1, DOMID_SELF)) == FAKE_CONTINUED; i++) {
        assert_true(i < 20);
        assert_int_equal(fake_continuation.nr, __HYPERVISOR_event_channel_op);
        assert_int_equal(fake_continuation.args[0], EVTCHNOP_reset);
    }
    assert_int_equal(rc, 0);
    assert_true(fake_continuation.calls >= 3);
    assert_int_equal(dom[1]->evtchn->active, 0);
    assert_int_equal(dom[2]->evtchn->active, 60); /* the other ends wait for a new peer */
    assert_int_equal(dom[1]->vcpu[1]->virq_to_port[VIRQ_TIMER], 0);
}

static void destruction_is_preemptible(void **state)
{
    long rc;
    unsigned int calls = 0;

    (void)state;
    for (unsigned int i = 1; i <= 60; i++)
        assert_true(bind(2, 1, alloc_unbound(1, DOMID_SELF, 2)) > 0);
    dom[1]->is_dying = DOMDYING_DYING;
    fake_preempt_every = 1;
    while ((rc = evtchn_domain_destroy(dom[1])) == -ERESTART)
        assert_true(++calls < 20);
    assert_int_equal(rc, 0);
    assert_true(calls >= 3);
    assert_int_equal(alloc_unbound(1, DOMID_SELF, 2), -EINVAL);
    assert_int_equal(bind_virq(1, VIRQ_TIMER, 0), -EINVAL);
    assert_int_equal(send(2, 5), 0);
}

/* 342: ports of a former FIFO domain beyond the bit maps are not touched there. */
static void ports_beyond_the_bit_maps(void **state)
{
    struct domain *d = fake_domain(7, false, 1);
    struct evtchn_alloc_unbound a = {.dom = DOMID_SELF, .remote_dom = 0};
    unsigned int n = 0;

    (void)state;
    assert_int_equal(evtchn_domain_init(d, ~0u), 0);
    while (op(d->vcpu[0], EVTCHNOP_alloc_unbound, &a) == 0)
        n++;
    assert_int_equal(n, 4095);
    assert_int_equal(a.port, 4095);
    d->is_dying = DOMDYING_DYING;
    assert_int_equal(evtchn_domain_destroy(d), 0);
    evtchn_domain_free(d);
}

/* No result is written for a failed operation, and a fault on the way back is reported. */
static void faulting_arguments(void **state)
{
    struct evtchn_bind_ipi *a = (void *)mfn_to_virt(fake_frame(1));
    struct evtchn_status st;

    (void)state;
    a->vcpu = 0;
    a->port = 0xabcd;
    fake_fault_start = (uintptr_t)&a->port;
    fake_fault_end = fake_fault_start + 1;
    assert_int_equal(op(dom[1]->vcpu[0], EVTCHNOP_bind_ipi, a), -EFAULT);
    fake_fault_start = fake_fault_end = 0;
    assert_int_equal(status(1, 1, 1, &st), 0);
    assert_int_equal(st.status, EVTCHNSTAT_closed);
}

static void vcpu_info_moves(void **state)
{
    struct vcpu *v = dom[1]->vcpu[1];
    struct vcpu_info other = {0};

    (void)state;
    v->info = &other;
    evtchn_vcpu_info_moved(v);
    assert_int_equal(other.evtchn_upcall_pending, 1);
    assert_true(other.evtchn_pending_sel == ~0UL);
    v->info = &dom[1]->shared_info->vcpu_info[1];
}

/* ---- random operations against a model ---- */

struct model_port {
    unsigned int state; /* EVTCHNSTAT_* */
    unsigned int vcpu, virq, peer_dom, peer_port;
    bool pending;
};
static struct model_port model[DOMS][MAX_PORT + 1];

static unsigned long rnd(unsigned long n)
{
    return (unsigned long)random() % n;
}

static long model_find(unsigned int d)
{
    for (unsigned int p = 1; p <= MAX_PORT; p++)
        if (model[d][p].state == EVTCHNSTAT_closed)
            return p;
    return -ENOSPC;
}

static long model_virq(unsigned int d, unsigned int virq, unsigned int vcpu)
{
    for (unsigned int p = 1; p <= MAX_PORT; p++)
        if (model[d][p].state == EVTCHNSTAT_virq && model[d][p].virq == virq &&
            (virq == VIRQ_DOM_EXC || model[d][p].vcpu == vcpu))
            return p;
    return 0;
}

static void model_close(unsigned int d, unsigned int p)
{
    struct model_port *m = &model[d][p];

    if (m->state == EVTCHNSTAT_interdomain) {
        struct model_port *peer = &model[m->peer_dom][m->peer_port];

        peer->state = EVTCHNSTAT_unbound;
        peer->peer_dom = d;
        peer->peer_port = 0;
    }
    memset(m, 0, sizeof(*m));
}

static void step_open(unsigned int d)
{
    long want = model_find(d), got;
    unsigned int vcpu = rnd(VCPUS), other = rnd(DOMS), virq = rnd(2) ? VIRQ_TIMER : VIRQ_DOM_EXC;

    switch (rnd(3)) {
    case 0:
        got = alloc_unbound(d, DOMID_SELF, other);
        if (want > 0)
            model[d][want] = (struct model_port){EVTCHNSTAT_unbound, .peer_dom = other};
        break;
    case 1:
        got = bind_ipi(d, vcpu);
        if (want > 0)
            model[d][want] = (struct model_port){EVTCHNSTAT_ipi, .vcpu = vcpu};
        break;
    default:
        if (virq == VIRQ_DOM_EXC && vcpu)
            want = -EINVAL;
        else if (model_virq(d, virq, vcpu))
            want = -EEXIST;
        got = bind_virq(d, virq, vcpu);
        if (want > 0)
            model[d][want] = (struct model_port){EVTCHNSTAT_virq, .vcpu = vcpu, .virq = virq};
        break;
    }
    assert_int_equal(got, want);
}

static void step_bind(unsigned int d)
{
    unsigned int rd = rnd(DOMS), rp = rnd(MAX_PORT + 1);
    long want = model_find(d), got;

    if (want > 0 && (model[rd][rp].state != EVTCHNSTAT_unbound || model[rd][rp].peer_dom != d))
        want = -EINVAL;
    got = bind(d, rd, rp);
    assert_int_equal(got, want);
    if (got > 0) {
        model[d][got] = (struct model_port){EVTCHNSTAT_interdomain, .peer_dom = rd, .peer_port = rp,
                                            .pending = true};
        model[rd][rp].state = EVTCHNSTAT_interdomain;
        model[rd][rp].peer_dom = d;
        model[rd][rp].peer_port = got;
    }
}

static void step_send(unsigned int d, unsigned int p)
{
    struct model_port *m = &model[d][p], *to = NULL;
    unsigned int at = d;
    long want = 0;

    if (m->state == EVTCHNSTAT_interdomain) {
        at = m->peer_dom;
        to = &model[at][m->peer_port];
    } else if (m->state == EVTCHNSTAT_ipi) {
        to = m;
    } else if (m->state != EVTCHNSTAT_unbound) {
        want = -EINVAL;
    }
    assert_int_equal(send(d, p), want);
    if (to && !to->pending) {
        to->pending = true;
        assert_true(upcall(at, to->vcpu, to - model[at]));
    }
}

static void step_change(unsigned int d, unsigned int p)
{
    struct model_port *m = &model[d][p];
    unsigned int vcpu = rnd(VCPUS);
    long want = 0;

    switch (rnd(3)) {
    case 0:
        if (m->state == EVTCHNSTAT_closed)
            want = -EINVAL;
        assert_int_equal(close_port(d, p), want);
        if (!want)
            model_close(d, p);
        break;
    case 1:
        if (m->state != EVTCHNSTAT_unbound && m->state != EVTCHNSTAT_interdomain &&
            !(m->state == EVTCHNSTAT_virq && m->virq == VIRQ_DOM_EXC))
            want = -EINVAL;
        assert_int_equal(bind_vcpu(d, p, vcpu), want);
        if (!want)
            m->vcpu = vcpu;
        break;
    default: /* the guest takes an event */
        clear_bit(p, dom[d]->shared_info->evtchn_pending);
        m->pending = false;
        break;
    }
}

static void compare(unsigned int d)
{
    for (unsigned int p = 0; p <= MAX_PORT; p++) {
        struct model_port *m = &model[d][p];
        struct evtchn_status st;

        if (evtchn_port_pending(dom[d], p) == -EINVAL)
            continue;
        assert_int_equal(status(0, d, p, &st), 0);
        assert_int_equal(st.status, m->state);
        assert_int_equal(st.vcpu, m->vcpu);
        if (m->state == EVTCHNSTAT_interdomain) {
            assert_int_equal(st.u.interdomain.dom, m->peer_dom);
            assert_int_equal(st.u.interdomain.port, m->peer_port);
        } else if (m->state == EVTCHNSTAT_unbound) {
            assert_int_equal(st.u.unbound.dom, m->peer_dom);
        }
        if (m->state != EVTCHNSTAT_closed)
            assert_int_equal(pending(d, p), m->pending);
    }
    assert_int_equal(evtchn_audit(dom[d]), 0);
}

static void random_operations(void **state)
{
    (void)state;
    memset(model, 0, sizeof(model));
    srandom(4711);
    for (unsigned int i = 0; i < 1000000; i++) {
        unsigned int d = rnd(DOMS), p = rnd(MAX_PORT + 1);

        switch (rnd(8)) {
        case 0:
            step_open(d);
            break;
        case 1:
        case 2:
            step_bind(d);
            break;
        case 3:
        case 4:
            step_send(d, p);
            break;
        case 5:
        case 6:
            step_change(d, p);
            break;
        default:
            if (rnd(2000) == 0) {
                assert_int_equal(reset(d, DOMID_SELF), 0);
                for (unsigned int q = 1; q <= MAX_PORT; q++)
                    model_close(d, q);
            }
        }
        if (i % 5000 == 0)
            for (d = 0; d < DOMS; d++)
                compare(d);
    }
}

/* ---- 338, 343: everybody at once ---- */

static void *racer(void *arg)
{
    unsigned int me = (unsigned int)(uintptr_t)arg, seed = me;

    fake_cpu(me);
    for (unsigned int i = 0; i < 60000; i++) {
        unsigned int d = rand_r(&seed) % DOMS, p = rand_r(&seed) % 24;

        switch (rand_r(&seed) % 12) {
        case 0:
            (void)alloc_unbound(d, DOMID_SELF, rand_r(&seed) % DOMS);
            break;
        case 1:
        case 2:
        case 3:
            (void)bind(d, rand_r(&seed) % DOMS, p);
            break;
        case 4:
            (void)bind_virq(d, VIRQ_TIMER, rand_r(&seed) % VCPUS);
            break;
        case 5:
            (void)close_port(d, p);
            break;
        case 6:
            evtchn_send_virq(dom[d]->vcpu[p % VCPUS], VIRQ_TIMER);
            break;
        case 7:
            if (i % 64 == 0)
                (void)reset(d, DOMID_SELF);
            break;
        case 8:
            (void)bind_vcpu(d, p, rand_r(&seed) % VCPUS);
            (void)unmask(d, p);
            break;
        default:
            (void)send(d, p);
            (void)evtchn_port_pending(dom[d], p);
        }
    }
    return NULL;
}

static void races(void **state)
{
    pthread_t t[3];

    (void)state;
    for (uintptr_t i = 0; i < ARRAY_SIZE(t); i++)
        assert_int_equal(pthread_create(&t[i], NULL, racer, (void *)(i + 1)), 0);
    for (unsigned int i = 0; i < ARRAY_SIZE(t); i++)
        pthread_join(t[i], NULL);
    for (unsigned int d = 0; d < DOMS; d++) {
        struct evtchn *chn;

        assert_int_equal(evtchn_audit(dom[d]), 0);
        /* Whoever delivers does so before the port is closed, and closing forgets the event. */
        for (uint32_t p = 0; (chn = evtchn_lookup(dom[d]->evtchn, p)); p++)
            assert_false(!evtchn_is_open(chn) && pending(d, p));
    }
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(unbound_and_bind),
        T(loops_within_one_domain),
        T(others_ports_are_for_the_privileged),
        T(virqs),
        T(ipis_and_vcpus),
        T(physical_interrupts),
        T(masks),
        T(what_is_not_there),
        T(old_form_of_the_hypercall),
        T(ports_run_out),
        T(reset_is_preemptible),
        T(destruction_is_preemptible),
        T(ports_beyond_the_bit_maps),
        T(faulting_arguments),
        T(vcpu_info_moves),
        T(random_operations),
        T(races),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
