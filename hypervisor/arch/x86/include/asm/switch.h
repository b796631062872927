/* SPDX-License-Identifier: MIT */
/* What the running vcpu has loaded in its pcpu, and how a hypercall changes it. */
#pragma once

#include <asm/processor.h>
#include <asm/pte.h>
#include <hv/domain.h>

/* CR4 bits that a guest may choose for itself; the rest is the hypervisor's. */
#define GUEST_CR4_BITS (X86_CR4_TSD | X86_CR4_DE | X86_CR4_FSGSBASE)

/** guest_cr0 - as @v sees it. */
static inline uint64_t guest_cr0(const struct vcpu *v)
{
    return (read_cr0() & ~X86_CR0_TS) | v->arch.cr0_ts;
}

struct tss {
    uint32_t reserved0;
    uint64_t rsp0, rsp1, rsp2, reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3, iomap;
} __attribute__((packed));
_Static_assert(sizeof(struct tss) == 104, "SDM vol. 3, 8.7");

/* Values of iomap: all ports trap; or the bitmap in the pages behind the TSS says which do.
 *
 * The control domain's kernel, at a virtual IOPL of 1 and more, may reach what the bitmap leaves open.
 * Its first access since it was entered from user mode, or switched in, traps and opens the bitmap
 * (emulate.c); every way to user mode or to another vcpu closes it. */
#define TSS_LIMIT        0x2fff
#define TSS_PORTS_CLOSED 0x3000
#define TSS_PORTS_OPEN   0x1000

static inline void ports_close(struct pcpu *p)
{
    p->arch.tss->iomap = TSS_PORTS_CLOSED;
}

/* What fills a pcpu's GDT window behind the guest's own pages: selectors beyond them find a descriptor
 * that is not present, and no page fault. paging.c */
extern uint64_t gdt_empty_entry;

void load_breakpoints(const struct vcpu *v);
void gdt_load(struct pcpu *p, struct vcpu *v);
void ldt_window_clear(struct pcpu *p);
void vcpu_load_ldtr(struct pcpu *p, const struct vcpu *v);
void vcpu_update_cr4(struct pcpu *p, const struct vcpu *v);
void idle_loop(void) __noreturn;

static inline void *pcpu_stack_base(void)
{
    uintptr_t sp;

    asm("mov %%rsp, %0" : "=r"(sp));
    return (struct stack_top *)((sp | (STACK_SIZE - 1)) + 1) - 1;
}

/** desc_set_system - a descriptor of 16 bytes, of a TSS or LDT. desc.c */
void desc_set_system(uint64_t desc[2], uint64_t base, uint32_t limit, uint64_t type);
