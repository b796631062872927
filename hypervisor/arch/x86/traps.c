/* SPDX-License-Identifier: MIT */
/* Exceptions: is it ours or the guest's, and what is done about it.
 *
 * From a guest, anything can come and ends in the guest: its handler is entered, the instruction is
 * emulated, or the domain is crashed. From ring 0 only the instructions of the exception table may
 * fault; everything else is our own mistake and a panic. */
#include <asm/mmu.h>
#include <asm/processor.h>
#include <asm/system.h>
#include <asm/traps.h>
#include <hv/console.h>

struct recovery {
    uintptr_t from, to;
};
extern const struct recovery ex_table_start[], ex_table_end[];

static bool recover(struct cpu_regs *regs)
{
    for (const struct recovery *r = ex_table_start; r < ex_table_end; r++) {
        if (r->from == regs->rip) {
            regs->rip = r->to;
            return true;
        }
    }
    return false;
}

/* ---- from ring 0 ---- */

/* Where in this pcpu's area @va is: it begins with the windows of GDT and LDT, where the CPU looks
 * descriptors up on a guest's behalf. */
static uint64_t in_area(uint64_t va)
{
    return va - percpu_area(smp_processor_id());
}

static bool in_ldt_window(uint64_t va)
{
    return in_area(va) - PERCPU_LDT < LDT_FRAMES * PAGE_SIZE;
}

/* The error code that names the selector whose descriptor lies at @va: what the CPU says of one
 * that is beyond its table. */
static uint32_t selector_error(uint64_t va)
{
    return (in_area(va) & 0xfff8) | (in_ldt_window(va) ? 4 : 0);
}

static bool ldt_fault(struct vcpu *v, uint64_t cr2)
{
    return !v->domain->is_idle && in_ldt_window(cr2) &&
           mmu_ldt_fault(v, (unsigned int)(in_area(cr2) - PERCPU_LDT));
}

void ring0_trap(struct cpu_regs *regs)
{
    uint64_t cr2 = regs->vector == TRAP_PF ? read_cr2() : 0;

    if (regs->vector == TRAP_PF && regs->rflags & X86_EFLAGS_IF && in_ldt_window(cr2)) {
        bool mapped;

        irq_enable(); /* it takes a lock whose holder may wait for this pcpu's TLB */
        mapped = ldt_fault(current, cr2);
        irq_disable();
        if (mapped)
            return;
    }
    if (regs->vector == TRAP_PF && regs->rflags & X86_EFLAGS_IF &&
        detach_hides(&current->arch.detached, cr2)) {
        irq_enable();
        detach_settle(current);
        irq_disable();
        return;
    }
    if (recover(regs))
        return;
    if (regs->vector == TRAP_BP) /* int3 of a BUG in assembly */
        panic("breakpoint in ring 0");
    dump_last(regs);
    panic("trap %u in ring 0, error code %#x, cr2 %#lx", regs->vector, regs->error_code, cr2);
}

static void (*nmi_hook)(const struct cpu_regs *regs);

void traps_set_nmi_hook(void (*fn)(const struct cpu_regs *regs))
{
    nmi_hook = fn;
}

/* #DB, NMI, #DF, #MC that interrupted ring 0, at any instruction. #DB there has been provoked by a
 * guest: a data breakpoint on the operand of the MOV SS before a SYSCALL (XSA-260), or TF kept over
 * SYSENTER. It decides nothing (XSA-265): drop TF and go on. */
void ring0_ist_trap(struct cpu_regs *regs)
{
    switch (regs->vector) {
    case TRAP_NMI:
        if (nmi_hook)
            nmi_hook(regs);
        return;
    case TRAP_DB:
        write_dr6(0xffff0ff0);
        regs->rflags &= ~(uint64_t)X86_EFLAGS_TF;
        return;
    default:
        dump_last(regs);
        panic("%s in ring 0", regs->vector == TRAP_DF ? "double fault" : "machine check");
    }
}

/* ---- from a guest ---- */

static inline void page_fault(struct cpu_regs *regs, struct vcpu *v, uint64_t cr2)
{
    uint32_t ec = regs->error_code;

    irq_enable();
    if ((ec & (PFEC_P | PFEC_W | PFEC_RSVD | PFEC_I)) == (PFEC_P | PFEC_W) && guest_in_kernel(v) &&
        ptwrite_fault(regs, cr2))
        return;
    if (unlikely(!(ec & PFEC_U)) &&
        in_area(cr2) < PERCPU_LDT + LDT_FRAMES * PAGE_SIZE) { /* the CPU itself, not an access */
        if (!ldt_fault(v, cr2))
            inject_trap(regs, TRAP_GP, selector_error(cr2));
        return;
    }
    inject_page_fault(regs, cr2, ec);
}

/* Of a vcpu that detaches tables. */
static __attribute__((noinline)) void page_fault_detached(struct cpu_regs *regs, struct vcpu *v,
                                                          uint64_t cr2)
{
    if (detach_hides(&v->arch.detached, cr2)) {
        irq_enable();
        detach_settle(v);
    } else {
        page_fault(regs, v, cr2);
    }
}

void guest_page_fault(struct cpu_regs *regs)
{
    struct vcpu *v = regs_vcpu(regs);
    uint64_t cr2 = read_cr2();

    if (unlikely(v->arch.detached.root_cr3))
        page_fault_detached(regs, v, cr2);
    else
        page_fault(regs, v, cr2);
}

/** soft_interrupt - int n by the guest: through its trap table, if the gate's DPL lets it. */
static void soft_interrupt(struct cpu_regs *regs, uint8_t vector, unsigned int insn_length)
{
    struct vcpu *v = regs_vcpu(regs);
    const struct guest_entry *t = &v->arch.traps[vector];

    if (t->rip && (guest_in_kernel(v) || t->dpl == 3)) {
        regs->rip += insn_length;
        inject_trap(regs, vector, 0);
    } else {
        inject_trap(regs, TRAP_GP, vector * 8u + 2);
    }
}

void guest_int80(struct cpu_regs *regs)
{
    irq_enable();
    regs->rip -= 2;
    soft_interrupt(regs, 0x80, 2);
}

/* Error codes with the IDT bit tell of an int n through a gate that ring 3 may not use. The vector
 * is taken from the instruction, as some emulators get it wrong in the error code. */
static void guest_general_protection(struct cpu_regs *regs)
{
    irq_enable();
    if ((regs->error_code & 3) == 2) {
        uint8_t insn[15];

        if (guest_fetch(regs, insn) >= 2 && insn[0] == 0xcd) {
            soft_interrupt(regs, insn[1], 2);
            return;
        }
    } else if (regs->error_code == 0 && emulate_privileged(regs)) {
        return;
    }
    inject_trap(regs, TRAP_GP, regs->error_code);
}

static void guest_debug(struct cpu_regs *regs)
{
    struct vcpu *v = regs_vcpu(regs);

    v->arch.dr6 = (v->arch.dr6 & ~15UL) | (read_dr6() & 0xe00f) | 0xffff0ff0;
    write_dr6(0xffff0ff0);
    irq_enable();
    inject_trap(regs, TRAP_DB, 0);
}

static void guest_no_device(struct cpu_regs *regs)
{
    struct vcpu *v = regs_vcpu(regs);

    v->arch.cr0_ts = 0; /* the ABI promises the guest's handler a cleared TS */
    asm volatile("clts");
    irq_enable();
    inject_trap(regs, TRAP_NM, 0);
}

void guest_trap(struct cpu_regs *regs)
{
    switch (regs->vector) {
    case TRAP_GP:
        guest_general_protection(regs);
        return;
    case TRAP_DB:
        guest_debug(regs);
        return;
    case TRAP_NM:
        guest_no_device(regs);
        return;
    case TRAP_NMI:
        if (nmi_hook)
            nmi_hook(regs);
        regs->vector = 0;
        return;
    case TRAP_MC:
        panic("machine check");
    case TRAP_UD:
        irq_enable();
        if (!emulate_forced(regs))
            inject_trap(regs, TRAP_UD, 0);
        return;
    case TRAP_BP: /* these two, like int 0x80, come through gates of ours that are open to ring 3 */
    case TRAP_OF:
        irq_enable();
        regs->rip -= 1;
        soft_interrupt(regs, (uint8_t)regs->vector, 1);
        return;
    default:
        irq_enable();
        inject_trap(regs, regs->vector, regs->error_code);
    }
}

/** guest_exit_fault - the final iretq faulted: its frame is intact in @regs, the guest's general
 * registers are in the fault's own frame, at @frame, which overlaps them. A selector of the LDT may
 * only want its page; everything else is for the failsafe callback. */
void guest_exit_fault(struct cpu_regs *regs, const struct cpu_regs *frame)
{
    uint64_t cr2 = read_cr2();
    uint32_t vector = frame->vector;

    memmove(regs, frame, offsetof(struct cpu_regs, error_code));
    regs->vector = 0;
    irq_enable();
    if (vector != TRAP_PF || !ldt_fault(regs_vcpu(regs), cr2))
        bounce_failsafe(regs);
}
