/* SPDX-License-Identifier: MIT */
/* What comes after the entry code of an interrupt: the vector's handler, then the end of interrupt.
 * Handlers run with interrupts off and do little: they leave a word for a softirq. */
#include <asm/system.h>
#include <hv/percpu.h>
#include <hv/printk.h>

static void (*handler[256])(struct cpu_regs *regs);

void irq_set_handler(uint8_t vector, void (*fn)(struct cpu_regs *regs))
{
    WRITE_ONCE(handler[vector], fn);
}

void irq_dispatch(struct cpu_regs *regs)
{
    uint8_t vector = (uint8_t)regs->vector;
    void (*fn)(struct cpu_regs *) = READ_ONCE(handler[vector]);

    regs->vector = 0; /* leave by iret */
    if (vector == VECTOR_SPURIOUS)
        return;
    lapic_eoi();
    if (fn)
        fn(regs);
    else
        pr_warn("pcpu %u: interrupt %#x has no handler", smp_processor_id(), vector);
}
