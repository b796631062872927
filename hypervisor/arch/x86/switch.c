/* SPDX-License-Identifier: MIT */
/* Switching a pcpu from one vcpu to another.
 *
 * General registers are in struct vcpu already. Segments, their bases, debug and FPU registers are
 * saved as soon as a vcpu is switched out, so any pcpu may take it; they stay loaded too, and a vcpu
 * that comes back to where it ran last, with nobody in between but the idle vcpu, finds them there.
 * FPU state is always switched with the vcpu, never on first use (XSA-267).
 * An idle pcpu holds nothing of any guest's page tables: root, TLB or mask. So no root that is in use
 * can ever be reclaimed (XSA-494). */
#include <asm/cpu.h>
#include <asm/fpu.h>
#include <asm/switch.h>
#include <asm/system.h>
#include <asm/tlb.h>
#include <asm/traps.h>
#include <asm/usercopy.h>
#include <hv/softirq.h>

#define READ_SEG(reg)                                                                              \
    ({                                                                                             \
        uint16_t sel;                                                                              \
        asm volatile("mov %%" #reg ", %0" : "=r"(sel));                                            \
        sel;                                                                                       \
    })

static void save_segments(struct vcpu *v)
{
    struct arch_vcpu *a = &v->arch;
    uint64_t active = rdmsr(MSR_GS_BASE), shadow = rdmsr(MSR_SHADOW_GS_BASE);

    a->ds = READ_SEG(ds);
    a->es = READ_SEG(es);
    a->fs = READ_SEG(fs);
    a->gs = READ_SEG(gs);
    a->fs_base = rdmsr(MSR_FS_BASE);
    a->gs_base_kernel = a->in_kernel ? active : shadow;
    a->gs_base_user = a->in_kernel ? shadow : active;
}

/* Returns how many selectors did not load. The bases are canonical: checked on every way in. */
static int load_segments(struct vcpu *v)
{
    struct arch_vcpu *a = &v->arch;
    int failed = load_ds(a->ds) + load_es(a->es) + load_fs(a->fs) + load_gs(a->gs);

    wrmsr(MSR_FS_BASE, a->fs_base);
    wrmsr(MSR_GS_BASE, a->in_kernel ? a->gs_base_kernel : a->gs_base_user);
    wrmsr(MSR_SHADOW_GS_BASE, a->in_kernel ? a->gs_base_user : a->gs_base_kernel);
    return failed;
}

static void load_debug_registers(struct pcpu *p, struct vcpu *v)
{
    const struct arch_vcpu *a = &v->arch;

    if (!(a->dr7 & 0xff)) {
        if (p->arch.dr7 & 0xff)
            write_dr7(p->arch.dr7 = 0x400);
        return;
    }
    load_breakpoints(v);
    write_dr7(p->arch.dr7 = a->dr7);
}

/** gdt_load - show the vcpu's GDT frames in this pcpu's window and forget the LDT pages of another.
 * Only this pcpu uses the window, so its own invlpg is enough. */
void gdt_load(struct pcpu *p, struct vcpu *v)
{
    uintptr_t window = percpu_area(p->id) + PERCPU_GDT;
    unsigned int frames = DIV_ROUND_UP(v->arch.gdt_entries, 512);

    for (unsigned int i = 0; i < max(frames, p->arch.gdt_mapped); i++) {
        p->arch.window_l1[i] =
            i < frames ? pte_make(v->arch.gdt_frames[i], PTE_P | PTE_W | PTE_A | PTE_D | PTE_NX)
                       : gdt_empty_entry;
        invlpg(window + i * PAGE_SIZE);
    }
    p->arch.gdt_mapped = frames;
    ldt_window_clear(p);
}

/** ldt_window_clear - unmap what mmu_ldt_fault() has mapped. */
void ldt_window_clear(struct pcpu *p)
{
    uintptr_t window = percpu_area(p->id) + PERCPU_LDT;

    if (!p->arch.ldt_mapped)
        return;
    for (unsigned int i = 0; i < LDT_FRAMES; i++) {
        p->arch.window_l1[16 + i] = 0;
        invlpg(window + i * PAGE_SIZE);
    }
    p->arch.ldt_mapped = 0;
}

/** vcpu_load_ldtr - LDTR for the current vcpu's base and limit; null without an LDT (XSA-298). */
void vcpu_load_ldtr(struct pcpu *p, const struct vcpu *v)
{
    uint64_t base = percpu_area(p->id) + PERCPU_LDT;
    uint16_t sel = v->arch.ldt_entries ? SEL_LDT : 0;

    if (sel)
        desc_set_system(&p->arch.gdt[(SEL_LDT & 0xfff) / 8], base, v->arch.ldt_entries * 8 - 1,
                        0x82);
    asm volatile("lldt %0" : : "r"(sel) : "memory");
}

/** vcpu_update_cr4 - give the current vcpu the CR4 bits that it chose (XSA-293). */
void vcpu_update_cr4(struct pcpu *p, const struct vcpu *v)
{
    uint64_t cr4 = (cr4_hv & ~GUEST_CR4_BITS) | (v->arch.cr4 & GUEST_CR4_BITS);

    if (cr4 != p->arch.cr4)
        write_cr4(p->arch.cr4 = cr4);
}

/* Everything of @next but its general registers. */
static void load_state(struct pcpu *p, struct vcpu *next)
{
    bool back = p->arch.loaded == next && next->arch.last_pcpu == p;
    struct arch_vcpu *a = &next->arch;
    int failed = 0;

    a->stack = pcpu_stack_base();
    p->arch.tss->rsp0 = (uint64_t)(&a->regs + 1);
    ports_close(p);
    cpumask_set(&next->domain->arch.tlb_cpus, p->id);
    tlb_load_root(p, a->in_kernel ? a->cr3_kernel : a->cr3_user);
    vcpu_update_cr4(p, next);
    if (!back) {
        gdt_load(p, next);
        vcpu_load_ldtr(p, next);
        p->arch.loaded = next;
        a->last_pcpu = p;
        irq_enable(); /* a selector may fault its page of the LDT in (ring0_trap) */
        failed = load_segments(next);
        irq_disable();
        load_debug_registers(p, next);
    }
    fpu_load(p, next);
    if (failed)
        bounce_failsafe(&a->regs);
}

void context_switch(struct vcpu *prev, struct vcpu *next)
{
    struct pcpu *p = pcpu_self();

    irq_disable();
    if (!prev->domain->is_idle) {
        save_segments(prev);
        fpu_save(prev);
        tlb_load_root(p, hv_l4_paddr);
        cpumask_clear(&prev->domain->arch.tlb_cpus, p->id);
    }
    p->curr = next;
    if (next->domain->is_idle) {
        sched_switched_out(prev);
        stack_restart(idle_loop);
    }
    load_state(p, next);
    sched_switched_out(prev);
    time_update_vcpu(next);
    vcpu_update_runstate_area(next);
    enter_guest(&next->arch.regs);
}

/** idle_loop - what the idle vcpu runs: softirqs, or halt until the next interrupt. */
void idle_loop(void)
{
    for (;;) {
        irq_disable();
        if (softirq_pending()) {
            irq_enable();
            softirq_run();
        } else {
            asm volatile("sti; hlt" : : : "memory");
        }
    }
}
