/* SPDX-License-Identifier: MIT */
/* The x86 part of struct pcpu, and how a pcpu finds itself: by its stack.
 * The GS base belongs to the guest at all times, so the way in needs neither swapgs nor an MSR. */
#pragma once

#include <hv/types.h>
#include <asm/layout.h>

struct pcpu;

struct arch_pcpu {
    uint32_t apic_id;
    uint32_t acpi_id;
    uint64_t cr3; /* what is loaded; changes together with the register */
    uint64_t cr4;
    uint64_t tlb_stamp; /* TLB clock at this pcpu's last complete flush */
    struct tss *tss;
    uint64_t *gdt;           /* page 14 of the GDT window, in the direct map */
    uint64_t *window_l1;     /* entries of the GDT and LDT windows of this pcpu */
    unsigned int gdt_mapped; /* guest frames in the window now */
    unsigned int ldt_mapped; /* 1 if any LDT page may be mapped */
    uint64_t dr7;            /* what is loaded */
    struct vcpu *loaded;     /* whose segments, GDT and debug registers are loaded; only compared */
    uint64_t irqs[4];        /* bit per vector: an interrupt to be passed on; softirq IRQ */
    int64_t deadline;        /* of the local APIC timer; ns */
};

/* At the very top of a pcpu's main stack, so that the stack pointer leads to it. */
struct stack_top {
    struct pcpu *self;
    uint64_t pad;
};

#ifndef SOCLE_HOST
static inline struct pcpu *pcpu_self_inline(void)
{
    uintptr_t sp;

    asm("mov %%rsp, %0" : "=r"(sp));
    return ((struct stack_top *)((sp | (STACK_SIZE - 1)) + 1) - 1)->self;
}
#define pcpu_self() pcpu_self_inline()
#endif
