/* SPDX-License-Identifier: MIT */
/* The hypervisor's own watchdog: is every pcpu still getting to its softirqs?
 *
 * A timer on each pcpu moves its counter once a second. The PIT, through the IO-APIC, sends an NMI
 * to all pcpus 20 times a second, which gets through when interrupts are off; who finds its counter
 * unmoved for too long says where it is and panics. */
#include <asm/irq.h>
#include <asm/processor.h>
#include <asm/system.h>
#include <asm/traps.h>
#include <hv/console.h>

#define NMI_HZ        20
#define PIT_HZ        1193182
#define LIMIT_SECONDS 5

static struct watch {
    struct timer timer;
    uint32_t beats; /* moved by the timer */
    uint32_t seen;  /* by the NMI */
    uint32_t quiet; /* NMIs since it moved last */
} watch[NR_CPUS];

static void beat(void *data)
{
    struct watch *w = data;

    WRITE_ONCE(w->beats, w->beats + 1);
    timer_set(&w->timer, now() + SECONDS(1));
}

static void nmi(const struct cpu_regs *regs)
{
    struct watch *w = &watch[smp_processor_id()];

    if (!cpumask_test(&cpu_online_map, smp_processor_id()))
        return;
    if (w->seen != READ_ONCE(w->beats)) {
        w->seen = w->beats;
        w->quiet = 0;
    } else if (++w->quiet == LIMIT_SECONDS * NMI_HZ) {
        dump_last(regs);
        panic("watchdog: pcpu %u has been stuck for %u seconds", smp_processor_id(), LIMIT_SECONDS);
    }
}

void watchdog_init(void)
{
    for_each_cpu (n, cpu_online_map) {
        timer_init(&watch[n].timer, beat, &watch[n], n);
        timer_set(&watch[n].timer, now() + SECONDS(1));
    }
    traps_set_nmi_hook(nmi);
    outb(0x43, 0x34); /* channel 0, both bytes, rate generator */
    outb(0x40, (uint8_t)(PIT_HZ / NMI_HZ));
    outb(0x40, (uint8_t)(PIT_HZ / NMI_HZ >> 8));
    if (ioapic_route(0, IOAPIC_TO_ALL, IOAPIC_NMI))
        pr_warn("watchdog: the PIT's interrupt can not be had");
}
