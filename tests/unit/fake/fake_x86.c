/* SPDX-License-Identifier: MIT */
/* What the page-table code of arch/x86 asks of the parts of it that have instructions of their own.
 * Weak, like everything here: see fake.h. */
#include "fake.h"

#include <asm/cpu.h>
#include <asm/mmu.h>
#include <asm/switch.h>
#include <asm/system.h>
#include <asm/tlb.h>
#include <asm/traps.h>
#include <hv/guest_access.h>

#define WEAK __attribute__((weak))

WEAK struct cpu_features cpu = {.paddr_bits = 40};
WEAK uint64_t hv_l4_paddr;

/* The hypervisor's slots show no more than who wrote them. */
WEAK void hv_l4_fill(uint64_t *l4, bool m2p)
{
    for (unsigned int i = 0; i < HV_L4_SLOTS; i++)
        l4[HV_L4_FIRST + i] = i || m2p ? 0xf111ed0000000000UL + i : 0;
}

WEAK bool iomem_permitted(struct domain *d, mfn_t m)
{
    (void)d, (void)m;
    return false;
}

WEAK bool iomem_read_only(mfn_t m)
{
    (void)m;
    return false;
}

WEAK void tlb_load_root(struct pcpu *p, uint64_t cr3)
{
    p->arch.cr3 = cr3;
    fake_tlb_flushes++;
}

WEAK void tlb_flush_this(void)
{
    fake_tlb_flushes++;
}

WEAK void tlb_invlpg(uint64_t va)
{
    (void)va;
}

WEAK void caches_write_back_all(void)
{
}

WEAK void caches_write_back(void)
{
}

WEAK void gdt_load(struct pcpu *p, struct vcpu *v)
{
    p->arch.gdt_mapped = DIV_ROUND_UP(v->arch.gdt_entries, 512);
}

WEAK void ldt_window_clear(struct pcpu *p)
{
    p->arch.ldt_mapped = 0;
}

WEAK void vcpu_load_ldtr(struct pcpu *p, const struct vcpu *v)
{
    (void)p, (void)v;
}

WEAK int domain_kill(struct domain *d)
{
    d->is_dying = DOMDYING_DYING;
    return arch_domain_relinquish(d);
}

/* ---- emulate.c ---- */

WEAK size_t guest_fetch(const struct cpu_regs *regs, uint8_t buf[15])
{
    return copy_from_guest(buf, guest_ptr(regs->rip), 15) ? 0 : 15;
}

WEAK void emulate_retire(struct cpu_regs *regs, unsigned int length)
{
    regs->rip += length;
}

WEAK void domain_reap(void)
{
}
