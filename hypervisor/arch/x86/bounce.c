/* SPDX-License-Identifier: MIT */
/* Bounces: a trap, an event or a system call becomes an entry into the guest's kernel.
 *
 * A frame is pushed on the guest's kernel stack (xen/arch-x86/xen.h): rcx, r11, an error code if
 * there is one, rip, cs with the old upcall mask above it, rflags, rsp, ss. The guest returns
 * through the iret hypercall. rflags in the frame shows the upcall mask as IF. A frame that can't
 * be pushed means that the guest has lost its stack: it is crashed. */
#include <asm/switch.h>
#include <asm/tlb.h>
#include <asm/traps.h>
#include <hv/hypercall.h>

/* Switch page tables and GS base of the running vcpu. */
static inline void change_mode(struct vcpu *v, bool kernel)
{
    v->arch.in_kernel = kernel;
    asm volatile("swapgs" : : : "memory");
    load_root(pcpu_self(), kernel ? v->arch.cr3_kernel : v->arch.cr3_user);
}

static uint64_t flags_for_frame(const struct vcpu *v, uint64_t rflags, bool masked)
{
    rflags &= ~(uint64_t)(X86_EFLAGS_IF | X86_EFLAGS_IOPL);
    if (!masked)
        rflags |= X86_EFLAGS_IF;
    if (v->domain->vm_assist & (1u << VMASST_TYPE_architectural_iopl))
        rflags |= (uint64_t)v->arch.iopl << 12;
    return rflags;
}

/* Where the frame goes: below the interrupted stack of the guest's kernel, or at the top of the one
 * that it has set aside for entries from user mode, whose kernel tables are loaded then. */
static uint64_t frame_top(struct cpu_regs *regs, struct vcpu *v)
{
    if (guest_in_kernel(v)) {
        regs->cs &= 0xfffc; /* the guest knows its kernel as ring 0 */
        return regs->rsp & ~15UL;
    }
    change_mode(v, true);
    return v->arch.kernel_sp & ~15UL;
}

/* The five words that every frame ends with. */
static inline void put_context(uint64_t words[5], const struct cpu_regs *regs, const struct vcpu *v)
{
    uint8_t mask = READ_ONCE(v->info->evtchn_upcall_mask);

    words[0] = regs->rip;
    words[1] = (uint16_t)regs->cs | (uint64_t)mask << 32;
    words[2] = flags_for_frame(v, regs->rflags, mask);
    words[3] = regs->rsp;
    words[4] = regs->ss;
}

/* The frame is at @sp: continue the guest at @to. */
static inline void go_to(struct cpu_regs *regs, struct vcpu *v, const struct guest_entry *to,
                         uint64_t sp)
{
    if (to->masks)
        WRITE_ONCE(v->info->evtchn_upcall_mask, 1);
    regs->vector = 0;
    regs->rip = to->rip;
    regs->cs = FLAT_KERNEL_CS;
    regs->ss = FLAT_KERNEL_SS;
    regs->rsp = sp;
    regs->rflags &=
        ~(uint64_t)(X86_EFLAGS_AC | X86_EFLAGS_VM | X86_EFLAGS_RF | X86_EFLAGS_NT | X86_EFLAGS_TF);
}

/* The frame could not be pushed at @sp. Was the stack (of a kernel, then) hidden by a detached
 * table? */
static bool stack_was_hidden(struct vcpu *v, uint64_t rip, uint64_t sp)
{
    unsigned long flags;

    if (!v->arch.detached.table) {
        domain_crash(v->domain, "no stack for an entry at %#lx: sp %#lx", rip, sp);
        return false;
    }
    flags = irqs_save();
    irq_enable();
    detach_settle(v);
    irqs_restore(flags);
    return true;
}

static void enter_again(struct cpu_regs *regs, const struct guest_entry *to,
                        const uint32_t *error_code, uint64_t sp);

/* @error_code: NULL, none. */
static inline void enter(struct cpu_regs *regs, const struct guest_entry *to,
                         const uint32_t *error_code)
{
    struct vcpu *v = regs_vcpu(regs);
    uint64_t frame[8], sp = frame_top(regs, v);
    int rc;

    put_context(&frame[3], regs, v);
    if (error_code) {
        frame[0] = regs->rcx;
        frame[1] = regs->r11;
        frame[2] = *error_code;
        sp -= 8 * 8;
        rc = copy_to_guest(guest_ptr(sp), frame, 8 * 8);
    } else {
        frame[1] = regs->rcx;
        frame[2] = regs->r11;
        sp -= 7 * 8;
        rc = copy_to_guest(guest_ptr(sp), &frame[1], 7 * 8);
    }
    if (likely(!rc))
        go_to(regs, v, to, sp);
    else
        enter_again(regs, to, error_code, sp);
}

static __attribute__((noinline)) void enter_again(struct cpu_regs *regs,
                                                  const struct guest_entry *to,
                                                  const uint32_t *error_code, uint64_t sp)
{
    if (stack_was_hidden(regs_vcpu(regs), to->rip, sp))
        enter(regs, to, error_code);
}

/* #DF, #TS, #NP, #SS, #GP, #PF, #AC, #CP push an error code. */
#define VECTORS_WITH_ERROR                                                                         \
    (1u << TRAP_DF | 1u << TRAP_TS | 1u << TRAP_NP | 1u << TRAP_SS | 1u << TRAP_GP |               \
     1u << TRAP_PF | 1u << TRAP_AC | 1u << 21)

void inject_trap(struct cpu_regs *regs, unsigned int vector, uint32_t error_code)
{
    struct vcpu *v = regs_vcpu(regs);
    const struct guest_entry *to = &v->arch.traps[vector];
    bool has_error = vector < 32 && (VECTORS_WITH_ERROR >> vector & 1);

    if (unlikely(!to->rip))
        domain_crash(v->domain, "no handler for trap %u, error code %#x", vector, error_code);
    else
        enter(regs, to, has_error ? &error_code : NULL);
}

void inject_page_fault(struct cpu_regs *regs, uint64_t cr2, uint32_t error_code)
{
    struct vcpu *v = regs_vcpu(regs);

    WRITE_ONCE(v->info->arch.cr2, cr2);
    if (guest_in_kernel(v))
        error_code &= ~PFEC_U;
    else
        error_code |= PFEC_U;
    inject_trap(regs, TRAP_PF, error_code);
}

void bounce_event(struct cpu_regs *regs)
{
    struct vcpu *v = regs_vcpu(regs);
    const struct guest_entry *to = &v->arch.callback[CALLBACKTYPE_event];

    if (unlikely(!to->rip))
        domain_crash(v->domain, "an event is pending and there is no event callback");
    else
        enter(regs, to, NULL);
}

/* To the callback, or to the handler of vector 2: for the guest the two are one. */
void bounce_nmi(struct cpu_regs *regs)
{
    struct vcpu *v = regs_vcpu(regs);
    struct guest_entry to = v->arch.callback[CALLBACKTYPE_nmi];

    if (!to.rip)
        to.rip = v->arch.traps[TRAP_NMI].rip;
    to.masks = true;
    v->arch.nmi_pending = 0;
    if (!to.rip)
        return;
    v->arch.nmi_masked = 1;
    enter(regs, &to, NULL);
}

/* The instruction at rip - 2, of user mode, goes to a callback; without one it is undefined to this guest
 * (XSA-8). */
static inline void bounce_syscall(struct cpu_regs *regs, const struct guest_entry *to)
{
    irq_enable();
    if (likely(to->rip)) {
        enter(regs, to, NULL);
    } else {
        regs->vector = 0;
        regs->rip -= 2;
        inject_trap(regs, TRAP_UD, 0);
    }
}

void bounce_user_syscall(struct cpu_regs *regs)
{
    bounce_syscall(regs, &regs_vcpu(regs)->arch.callback[CALLBACKTYPE_syscall]);
}

void bounce_syscall32(struct cpu_regs *regs)
{
    static const struct guest_entry none;
    const struct vcpu *v = regs_vcpu(regs);

    bounce_syscall(regs, guest_in_kernel(v) ? &none : &v->arch.callback[CALLBACKTYPE_syscall32]);
}

void bounce_sysenter(struct cpu_regs *regs)
{
    const struct guest_entry *to = &regs_vcpu(regs)->arch.callback[CALLBACKTYPE_sysenter];

    irq_enable();
    regs->rflags &= ~(uint64_t)(X86_EFLAGS_NT | X86_EFLAGS_TF);
    if (!to->rip)
        inject_trap(regs, TRAP_GP, 0);
    else
        enter(regs, to, NULL);
}

void bounce_failsafe(struct cpu_regs *regs)
{
    struct vcpu *v = regs_vcpu(regs);
    const struct guest_entry *to = &v->arch.callback[CALLBACKTYPE_failsafe];
    uint64_t frame[11], sp;

    if (!to->rip) {
        domain_crash(v->domain, "a return to a bad context and no failsafe callback");
        return;
    }
    sp = frame_top(regs, v) - sizeof(frame);
    frame[0] = regs->rcx;
    frame[1] = regs->r11;
    frame[2] = v->arch.ds;
    frame[3] = v->arch.es;
    frame[4] = v->arch.fs;
    frame[5] = v->arch.gs;
    put_context(&frame[6], regs, v);
    if (!copy_to_guest(guest_ptr(sp), frame, sizeof(frame)))
        go_to(regs, v, to, sp);
    else if (stack_was_hidden(v, to->rip, sp))
        bounce_failsafe(regs);
}

static __attribute__((noinline)) long settle_and_iret(struct vcpu *v)
{
    detach_settle(v);
    return do_iret();
}

/** do_iret - the guest kernel's return from a trap: struct iret_context at its stack pointer. What
 * it names is sanitised here; what the CPU still refuses ends in the failsafe callback. */
long do_iret(void)
{
    struct vcpu *v = current;
    struct cpu_regs *regs = &v->arch.regs;
    struct iret_context f;

    if (unlikely(v->arch.detached.unsettled)) /* it may be a return to user mode */
        return settle_and_iret(v);
    if (unlikely(copy_from_guest(&f, guest_ptr(regs->rsp), sizeof(f)))) {
        domain_crash(v->domain, "iret: no frame at sp %#lx", regs->rsp);
        return 0;
    }
    if ((f.cs & 3) == 3) {
        if (unlikely(!v->arch.cr3_user)) {
            domain_crash(v->domain, "iret to user mode without user page tables");
            return 0;
        }
        ports_close(pcpu_self());
        change_mode(v, false);
    }
    if (v->domain->vm_assist & (1u << VMASST_TYPE_architectural_iopl))
        v->arch.iopl = (f.rflags & X86_EFLAGS_IOPL) >> 12;
    regs->rip = f.rip;
    regs->cs = (uint16_t)f.cs | 3;
    regs->rflags =
        (f.rflags & ~(uint64_t)(X86_EFLAGS_IOPL | X86_EFLAGS_VM | X86_EFLAGS_NT)) | X86_EFLAGS_IF;
    regs->rsp = f.rsp;
    regs->ss = (uint16_t)f.ss | 3;
    if (f.flags & VGCF_in_syscall && regs->cs == FLAT_RING3_CS64 && regs->ss == FLAT_RING3_SS64) {
        regs->vector = ENTRY_SYSCALL;
    } else {
        regs->vector = 0;
        regs->r11 = f.r11;
        regs->rcx = f.rcx;
    }
    v->arch.nmi_masked = 0;
    WRITE_ONCE(v->info->evtchn_upcall_mask, !(f.rflags & X86_EFLAGS_IF));
    return (long)f.rax;
}
