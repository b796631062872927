/* SPDX-License-Identifier: MIT */
/* Services of arch/x86 to itself: interrupts, device mappings, descriptor tables, bring-up. */
#pragma once

#include <hv/types.h>
#include <asm/regs.h>

/* Interrupt vectors. 0x20..0xdf are for devices. */
#define VECTOR_TIMER     0xf0 /* local APIC timer */
#define VECTOR_KICK      0xf1 /* look at your softirqs */
#define VECTOR_TLB       0xf2 /* shoot-down */
#define VECTOR_STOP      0xf3 /* halt: panic or shutdown on another pcpu */
#define VECTOR_SERIAL    0xe0
#define VECTOR_ERROR     0xfe
#define VECTOR_SPURIOUS  0xff
#define VECTOR_SYSCALL80 0x80 /* guests' int 0x80 has its own fast entry */

/** irq_dispatch - C part of every interrupt entry; interrupts are off. irq.c */
void irq_dispatch(struct cpu_regs *regs);
/** irq_set_handler - who serves @vector; boot only, or LOCK_IRQ. */
void irq_set_handler(uint8_t vector, void (*fn)(struct cpu_regs *regs));

/** lapic_eoi, lapic_send_ipi - local APIC, xAPIC or x2APIC. */
void lapic_eoi(void);
void lapic_send_ipi(unsigned int cpu, uint8_t vector);

/** map_device - uncached mapping of device registers, boot only; never undone. panics when full. */
void *map_device(uint64_t paddr, size_t len);
/** map_window - the same for one page, at any time, until the next call; under LOCK_PCI. */
void *map_window(uint64_t paddr);

/** percpu_area_init - page tables, stacks, GDT, TSS and entry stubs of @cpu; -ENOMEM. paging.c, desc.c */
int percpu_area_init(unsigned int cpu);
static inline uintptr_t percpu_area(unsigned int cpu);

extern uint64_t hv_l4[]; /* master L4 table: its slots 256.. are copied into every guest L4 */
extern uint64_t hv_l4_paddr;
/** hv_l4_fill - write the hypervisor's slots into a guest L4 table (its direct-map address);
 * the m2p slot only if @m2p. */
void hv_l4_fill(uint64_t *l4, bool m2p);

#include <asm/layout.h>
static inline uintptr_t percpu_area(unsigned int cpu)
{
    return PERCPU_VIRT + (uintptr_t)cpu * PERCPU_STRIDE;
}

/* The traps' symbolizer and stack printer (traps.c, symbols.c). */
void dump_regs(const struct cpu_regs *regs);
void dump_stack(uintptr_t sp);
/** dump_last - both, if it is not a guest's context: we are about to panic. */
void dump_last(const struct cpu_regs *regs);
