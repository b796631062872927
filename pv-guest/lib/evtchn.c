/* SPDX-License-Identifier: MIT */
/* Event channels.
 *
 * The upcall clears "pending" of the vcpu before it looks at the bits, so an event that comes
 * during the scan raises a new upcall. Port bits are cleared before their handler runs, for the
 * same reason. */
#include <pv/evtchn.h>
#include <pv/cpu.h>
#include <pv/errno.h>
#include <pv/guest.h>
#include <pv/hypercall.h>
#include <pv/mm.h>
#include <pv/print.h>
#include <pv/smp.h>
#include <pv/time.h>
#include "internal.h"

#define PORTS_PER_CHUNK 256
#define MAX_CHUNKS      512 /* 131072 ports, the FIFO limit */

struct port_handler {
    evtchn_handler_fn *fn;
    void *arg;
};

static struct port_handler first_chunk[PORTS_PER_CHUNK];
static struct port_handler *chunks[MAX_CHUNKS] = {first_chunk};
static bool use_fifo;

/* ---- this vcpu's mask ---- */

bool events_enabled(void)
{
    return !READ_ONCE(this_vcpu()->info->evtchn_upcall_mask);
}

void events_disable(void)
{
    WRITE_ONCE(this_vcpu()->info->evtchn_upcall_mask, 1);
    barrier();
}

void events_enable(void)
{
    struct vcpu_info *info = this_vcpu()->info;

    barrier();
    WRITE_ONCE(info->evtchn_upcall_mask, 0);
    barrier(); /* unmask before looking: an event comes either by itself or is seen here */
    if (unlikely(READ_ONCE(info->evtchn_upcall_pending)))
        hypercall_xen_version(XENVER_version, NULL); /* any hypercall's exit delivers it */
}

bool events_save(void)
{
    bool were_enabled = events_enabled();

    events_disable();
    return were_enabled;
}

void events_restore(bool were_enabled)
{
    if (were_enabled)
        events_enable();
}

/* ---- delivery ---- */

static void deliver(evtchn_port_t port)
{
    struct port_handler *chunk = chunks[port / PORTS_PER_CHUNK];
    struct port_handler *h = &chunk[port % PORTS_PER_CHUNK];

    if (chunk && h->fn)
        h->fn(port, h->arg);
    else
        evtchn_mask(port); /* nobody listens: keep it quiet until someone does */
}

static void scan_two_level(struct vcpu_local *me)
{
    uint64_t groups = __atomic_exchange_n(&me->info->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);

    for (; groups; groups &= groups - 1) {
        unsigned g = __builtin_ctzl(groups);
        uint64_t bits =
            READ_ONCE(shared_info->evtchn_pending[g]) & ~READ_ONCE(shared_info->evtchn_mask[g]);

        for (; bits; bits &= bits - 1) {
            evtchn_port_t port = g * 64 + __builtin_ctzl(bits);

            if (test_and_clear_bit(port, shared_info->evtchn_pending))
                deliver(port);
        }
    }
}

void evtchn_upcall(void)
{
    struct vcpu_local *me = this_vcpu();

    while (__atomic_exchange_n(&me->info->evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST)) {
        if (use_fifo)
            evtchn_fifo_scan(me, deliver);
        else
            scan_two_level(me);
    }
}

/* ---- masks and handlers ---- */

static bool port_valid(evtchn_port_t port)
{
    return port < (use_fifo ? MAX_CHUNKS * PORTS_PER_CHUNK : EVTCHN_2L_NR_CHANNELS);
}

bool evtchn_is_masked(evtchn_port_t port)
{
    if (use_fifo)
        return READ_ONCE(*evtchn_fifo_word(port)) >> EVTCHN_FIFO_MASKED & 1;
    return test_bit(port, shared_info->evtchn_mask);
}

bool evtchn_is_pending(evtchn_port_t port)
{
    if (use_fifo)
        return READ_ONCE(*evtchn_fifo_word(port)) >> EVTCHN_FIFO_PENDING & 1;
    return test_bit(port, shared_info->evtchn_pending);
}

bool evtchn_clear(evtchn_port_t port)
{
    uint32_t bit = 1u << EVTCHN_FIFO_PENDING;

    if (use_fifo)
        return __atomic_fetch_and(evtchn_fifo_word(port), ~bit, __ATOMIC_SEQ_CST) & bit;
    return test_and_clear_bit(port, shared_info->evtchn_pending);
}

void evtchn_mask(evtchn_port_t port)
{
    if (use_fifo)
        __atomic_fetch_or(evtchn_fifo_word(port), 1u << EVTCHN_FIFO_MASKED, __ATOMIC_SEQ_CST);
    else
        test_and_set_bit(port, shared_info->evtchn_mask);
}

/* The hypervisor's unmask also raises the upcall for an event that is pending. */
void evtchn_unmask(evtchn_port_t port)
{
    struct evtchn_unmask op = {.port = port};

    if (evtchn_is_pending(port)) {
        hypercall_event_channel_op(EVTCHNOP_unmask, &op);
        return;
    }
    if (use_fifo)
        __atomic_fetch_and(evtchn_fifo_word(port), ~(1u << EVTCHN_FIFO_MASKED), __ATOMIC_SEQ_CST);
    else
        test_and_clear_bit(port, shared_info->evtchn_mask);
    if (evtchn_is_pending(port)) { /* it came in between, perhaps unseen */
        evtchn_mask(port);
        hypercall_event_channel_op(EVTCHNOP_unmask, &op);
    }
}

static struct port_handler *handler_slot(evtchn_port_t port)
{
    unsigned c = port / PORTS_PER_CHUNK;

    if (!chunks[c])
        chunks[c] = alloc_page();
    if (!chunks[c])
        panic("no memory for event handlers");
    return &chunks[c][port % PORTS_PER_CHUNK];
}

void evtchn_set_handler(evtchn_port_t port, evtchn_handler_fn *fn, void *arg)
{
    struct port_handler *h;

    if (!port_valid(port))
        panic("handler for port %u, which cannot be", port);
    h = handler_slot(port);
    evtchn_mask(port);
    h->arg = arg;
    WRITE_ONCE(h->fn, fn);
    if (fn)
        evtchn_unmask(port);
}

/* ---- the calls ---- */

/* A new port starts masked and not pending; with FIFO its event word must exist first. */
static int new_port(int rc, evtchn_port_t got, evtchn_port_t *port)
{
    if (rc)
        return rc;
    if (use_fifo && (rc = evtchn_fifo_expand(got)))
        return rc;
    evtchn_mask(got);
    *port = got;
    return 0;
}

int evtchn_alloc_unbound(domid_t dom, domid_t remote, evtchn_port_t *port)
{
    struct evtchn_alloc_unbound op = {.dom = dom, .remote_dom = remote};
    int rc = hypercall_event_channel_op(EVTCHNOP_alloc_unbound, &op);

    if (!rc && dom != DOMID_SELF && dom != guest_domid()) { /* the port is not ours to mask */
        *port = op.port;
        return 0;
    }
    return new_port(rc, op.port, port);
}

int evtchn_bind_interdomain(domid_t remote, evtchn_port_t remote_port, evtchn_port_t *port)
{
    struct evtchn_bind_interdomain op = {.remote_dom = remote, .remote_port = remote_port};
    int rc = hypercall_event_channel_op(EVTCHNOP_bind_interdomain, &op);

    return new_port(rc, op.local_port, port);
}

int evtchn_bind_virq(unsigned virq, unsigned vcpu, evtchn_port_t *port)
{
    struct evtchn_bind_virq op = {.virq = virq, .vcpu = vcpu};
    int rc = hypercall_event_channel_op(EVTCHNOP_bind_virq, &op);

    return new_port(rc, op.port, port);
}

int evtchn_bind_ipi(unsigned vcpu, evtchn_port_t *port)
{
    struct evtchn_bind_ipi op = {.vcpu = vcpu};
    int rc = hypercall_event_channel_op(EVTCHNOP_bind_ipi, &op);

    return new_port(rc, op.port, port);
}

int evtchn_bind_vcpu(evtchn_port_t port, unsigned vcpu)
{
    struct evtchn_bind_vcpu op = {.port = port, .vcpu = vcpu};

    return hypercall_event_channel_op(EVTCHNOP_bind_vcpu, &op);
}

int evtchn_close(evtchn_port_t port)
{
    struct evtchn_close op = {.port = port};
    int rc = hypercall_event_channel_op(EVTCHNOP_close, &op);

    if (rc == 0)
        evtchn_set_handler(port, NULL, NULL);
    return rc;
}

int evtchn_send(evtchn_port_t port)
{
    struct evtchn_send op = {.port = port};

    return hypercall_event_channel_op(EVTCHNOP_send, &op);
}

int evtchn_status(evtchn_port_t port, struct evtchn_status *out)
{
    *out = (struct evtchn_status){.dom = DOMID_SELF, .port = port};
    return hypercall_event_channel_op(EVTCHNOP_status, out);
}

/* ---- waiting ---- */

/* SCHEDOP_block lets events in and returns once one is there, without a gap between the two. */
void evtchn_wait(const volatile unsigned *flag)
{
    bool were_enabled = events_save();

    while (!*flag) {
        hypercall_sched_op(SCHEDOP_block, NULL);
        events_disable();
    }
    events_restore(were_enabled);
}

bool evtchn_wait_until(const volatile unsigned *flag, uint64_t deadline)
{
    bool were_enabled = events_save();

    if (deadline == EVTCHN_FOREVER)
        evtchn_wait(flag);
    while (!*flag && time_now() < deadline) {
        time_set_timer(deadline);
        hypercall_sched_op(SCHEDOP_block, NULL);
        events_disable();
    }
    events_restore(were_enabled);
    return *flag;
}

/* ---- start ---- */

void evtchn_init(void)
{
    for (unsigned g = 0; g < ARRAY_SIZE(shared_info->evtchn_mask); g++)
        shared_info->evtchn_mask[g] = ~0ul;
}

bool evtchn_is_fifo(void)
{
    return use_fifo;
}

int evtchn_use_fifo(unsigned nr_vcpus)
{
    bool were_enabled = events_save();
    int rc = use_fifo ? -EEXIST : evtchn_fifo_start(nr_vcpus);

    if (rc == 0) {
        uint64_t masks[ARRAY_SIZE(shared_info->evtchn_mask)];

        for (unsigned g = 0; g < ARRAY_SIZE(masks); g++)
            masks[g] = shared_info->evtchn_mask[g];
        use_fifo = true;
        for (evtchn_port_t p = 1; p < EVTCHN_2L_NR_CHANNELS && evtchn_fifo_word(p); p++)
            if (!(masks[p / 64] >> p % 64 & 1))
                evtchn_unmask(p);
    }
    events_restore(were_enabled);
    return rc;
}
