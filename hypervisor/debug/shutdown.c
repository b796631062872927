/* SPDX-License-Identifier: MIT */
/* The last act of a debug build: everything stops, all references are recounted, every domain is
 * destroyed, and all memory must have come back. */
#include <asm/boot.h>
#include <hv/domain.h>
#include <hv/memory.h>
#include <hv/softirq.h>

static uint64_t free_at_start; /* pages; what a hypervisor without domains should have */

void audit_mark_free(void)
{
    page_alloc_drain();
    free_at_start = page_free_count();
}

void audit_expect_free(uint64_t pages)
{
    free_at_start += pages;
}

static cpumask_t stopped;

static void stop_here(void)
{
    if (!current_domain()->is_idle) { /* on the idle vcpu, so that no guest's tables are in use */
        softirq_raise(SOFTIRQ_STOP);
        softirq_raise(SOFTIRQ_SCHEDULE);
        return;
    }
    cpumask_set(&stopped, smp_processor_id());
    for (;;)
        asm volatile("hlt"); /* flushes are still answered */
}

/* The other pcpus stop between two pieces of work: counts are settled, no locks are held. */
static void quiesce(void)
{
    softirq_register(SOFTIRQ_STOP, stop_here);
    cpumask_set(&stopped, smp_processor_id());
    for_each_cpu (n, cpu_online_map)
        if (n != smp_processor_id())
            softirq_raise_on(n, SOFTIRQ_STOP);
    for (unsigned int ms = 0; READ_ONCE(stopped.bits) != cpu_online_map.bits; ms++) {
        if (ms == 5000)
            panic("audit: pcpus %#lx do not stop", cpu_online_map.bits & ~stopped.bits);
        delay_us(1000);
    }
}

void audit_at_shutdown(void)
{
    uint64_t frames = 0;
    unsigned int errors;
    long lost;

    quiesce();
    errors = audit_everything(&frames);
    for_each_domain (d)
        while (domain_kill(d) == -ERESTART)
            ;
    domain_reap();
    page_alloc_drain();
    errors += page_alloc_check();
    lost = (long)(free_at_start - page_free_count());
    if (errors || lost)
        pr_err("audit: FAILED, %u errors, %ld pages lost", errors, lost);
    else
        pr_info("audit: ok (%lu frames, %lu pages free)", frames, page_free_count());
}
