/* SPDX-License-Identifier: MIT */
/* Time: the scaled TSC of the vcpu's time page, the wall clock, the one-shot timer.
 *
 * The hypervisor makes the version odd while it changes the page; a reader that saw an odd or
 * a changed version reads again. */
#include <pv/time.h>
#include <pv/cpu.h>
#include <pv/evtchn.h>
#include <pv/guest.h>
#include <pv/hypercall.h>
#include <pv/print.h>
#include <pv/smp.h>

static uint64_t scale(uint64_t cycles, uint32_t mul, int shift)
{
    cycles = shift < 0 ? cycles >> -shift : cycles << shift;
    return (unsigned __int128)cycles * mul >> 32;
}

uint64_t time_now(void)
{
    struct vcpu_time_info *t = &this_vcpu()->info->time;
    uint32_t version;
    uint64_t now;

    do {
        version = READ_ONCE(t->version) & ~1u;
        rmb();
        now = READ_ONCE(t->system_time) + scale(rdtsc() - READ_ONCE(t->tsc_timestamp),
                                                READ_ONCE(t->tsc_to_system_mul),
                                                READ_ONCE(t->tsc_shift));
        rmb();
    } while (READ_ONCE(t->version) != version);
    return now;
}

uint64_t time_tsc_to_ns(uint64_t cycles)
{
    struct vcpu_time_info *t = &this_vcpu()->info->time;

    return scale(cycles, t->tsc_to_system_mul, t->tsc_shift);
}

uint64_t time_tsc_khz(void)
{
    struct vcpu_time_info *t = &this_vcpu()->info->time;
    uint64_t khz = (1000000ull << 32) / (t->tsc_to_system_mul ? t->tsc_to_system_mul : 1);

    return t->tsc_shift < 0 ? khz << -t->tsc_shift : khz >> t->tsc_shift;
}

void time_wallclock(uint64_t *sec, uint32_t *nsec)
{
    uint32_t version;
    uint64_t ns;

    do {
        version = READ_ONCE(shared_info->wc_version) & ~1u;
        rmb();
        *sec = READ_ONCE(shared_info->wc_sec) | (uint64_t)READ_ONCE(shared_info->wc_sec_hi) << 32;
        *nsec = READ_ONCE(shared_info->wc_nsec);
        rmb();
    } while (READ_ONCE(shared_info->wc_version) != version);
    ns = time_now() + *nsec;
    *sec += ns / NS_PER_SEC;
    *nsec = ns % NS_PER_SEC;
}

int time_set_timer(uint64_t deadline)
{
    return hypercall_set_timer_op(deadline);
}

unsigned time_timer_fired(void)
{
    return this_vcpu()->timer_fired;
}

static void timer_event(evtchn_port_t port, void *arg)
{
    (void)port, (void)arg;
    this_vcpu()->timer_fired++;
}

void time_init_vcpu(void)
{
    struct vcpu_local *me = this_vcpu();

    hypercall_vcpu_op(VCPUOP_stop_periodic_timer, me->id, NULL);
    if (!me->timer_port && evtchn_bind_virq(VIRQ_TIMER, me->id, &me->timer_port))
        panic("cannot bind the timer of vcpu %u", me->id);
    evtchn_set_handler(me->timer_port, timer_event, NULL);
}

void time_sleep(uint64_t ns)
{
    static const volatile unsigned never;

    evtchn_wait_until(&never, time_now() + ns);
}

void time_delay(uint64_t ns)
{
    uint64_t end = time_now() + ns;

    while (time_now() < end)
        cpu_relax();
}
