/* SPDX-License-Identifier: MIT */
/* Holding off this pcpu's interrupts for a moment. */
#pragma once

#include <hv/types.h>

#ifdef SOCLE_HOST
unsigned long irqs_save(void);
void irqs_restore(unsigned long flags);
#else
#include <asm/processor.h>

/** irqs_save - interrupts off; returns what irqs_restore() needs to bring back the state before. */
static inline unsigned long irqs_save(void)
{
    return irq_save();
}

static inline void irqs_restore(unsigned long flags)
{
    irq_restore(flags);
}
#endif
