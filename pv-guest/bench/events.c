/* SPDX-License-Identifier: MIT */
/* Bench rows: event channels, scheduling, timers. All but one use bench_event as upcall. */
#include "bench.h"
#include <pv/evtchn.h>
#include <pv/guest.h>
#include <pv/hypercall.h>
#include <pv/smp.h>
#include <pv/time.h>
#include <pv/trap.h>

#define AHEAD (100 * NS_PER_US) /* how far in the future deadlines are set */

void bench_event(void);
extern volatile uint64_t bench_event_tsc;

static evtchn_port_t port;

static void set_upcall(void (*entry)(void))
{
    struct callback_register cb = {.type = CALLBACKTYPE_event, .address = (unsigned long)entry};

    hypercall_callback_op(CALLBACKOP_register, &cb);
}

/* As if the event had been handled. */
static void forget(evtchn_port_t p)
{
    test_and_clear_bit(p, shared_info->evtchn_pending);
    this_vcpu()->info->evtchn_pending_sel = 0;
    this_vcpu()->info->evtchn_upcall_pending = 0;
}

static bool prepare_port(void)
{
    if (evtchn_bind_ipi(0, &port))
        return false;
    forget(port);
    evtchn_unmask(port);
    set_upcall(bench_event);
    return true;
}

static void release_port(void)
{
    events_disable();
    evtchn_close(port);
    set_upcall(entry_event);
}

static uint64_t send_to_self(void)
{
    struct evtchn_send op = {.port = port};
    uint64_t ticks;

    WRITE_ONCE(this_vcpu()->info->evtchn_upcall_mask, 0);
    ticks = TIMED(hypercall_event_channel_op(EVTCHNOP_send, &op));
    WRITE_ONCE(this_vcpu()->info->evtchn_upcall_mask, 1);
    forget(port);
    return ticks;
}

static uint64_t send_to_masked(void)
{
    struct evtchn_send op = {.port = port};
    uint64_t ticks;

    evtchn_mask(port);
    ticks = TIMED(hypercall_event_channel_op(EVTCHNOP_send, &op));
    forget(port);
    return ticks;
}

static uint64_t yield(void)
{
    return TIMED(hypercall_sched_op(SCHEDOP_yield, NULL));
}

/* An event waits behind the vcpu's mask, which block takes away. */
static uint64_t block_pending(void)
{
    struct evtchn_send op = {.port = port};
    uint64_t ticks;

    hypercall_event_channel_op(EVTCHNOP_send, &op);
    ticks = TIMED(hypercall_sched_op(SCHEDOP_block, NULL));
    WRITE_ONCE(this_vcpu()->info->evtchn_upcall_mask, 1);
    forget(port);
    return ticks;
}

static uint64_t set_timer(void)
{
    uint64_t when = time_now() + NS_PER_SEC, ticks;

    ticks = TIMED(hypercall_set_timer_op(when));
    return ticks;
}

/* ---- how late is a timer? ---- */

static evtchn_port_t timer_port;

static bool prepare_timer(void)
{
    timer_port = this_vcpu()->timer_port;
    forget(timer_port);
    set_upcall(bench_event);
    return true;
}

static void release_timer(void)
{
    events_disable();
    set_upcall(entry_event);
}

/* Ticks from the deadline to the upcall's first rdtsc, by the vcpu's own scale of time. */
static uint64_t lateness(bool block)
{
    uint64_t tsc = rdtsc(), now = time_now(), deadline = now + AHEAD;

    bench_event_tsc = 0;
    hypercall_set_timer_op(deadline);
    WRITE_ONCE(this_vcpu()->info->evtchn_upcall_mask, 0);
    if (block)
        hypercall_sched_op(SCHEDOP_block, NULL);
    while (!bench_event_tsc)
        cpu_relax();
    WRITE_ONCE(this_vcpu()->info->evtchn_upcall_mask, 1);
    forget(timer_port);
    return bench_event_tsc - tsc - AHEAD * time_tsc_khz() / 1000000;
}

static uint64_t timer_spinning(void)
{
    return lateness(false);
}

static uint64_t timer_blocked(void)
{
    return lateness(true);
}

const struct bench_row bench_events[] = {
    {"event_self", 1, prepare_port, send_to_self, release_port},
    {"event_masked", 1, prepare_port, send_to_masked, release_port},
    {"sched_yield", 1, NULL, yield, NULL},
    {"block_pending", 1, prepare_port, block_pending, release_port},
    {"set_timer", 1, NULL, set_timer, NULL},
    {"timer_spinning", 1, prepare_timer, timer_spinning, release_timer},
    {"timer_blocked", 1, prepare_timer, timer_blocked, release_timer},
    {NULL, 0, NULL, NULL, NULL},
};
