/* SPDX-License-Identifier: MIT */
/* Structure offsets for the assembly files. The Makefile turns the marked lines of the compiler's
 * output into <asm/offsets.h>. */
#include <hv/hypercall.h>

#define DEFINE(sym, val) asm volatile("\n.ascii \"->" #sym " %c0\"" : : "i"(val))
/* Offsets of struct vcpu as seen from a pointer to its saved registers. */
#define FROM_REGS(sym, member)                                                                     \
    DEFINE(sym, (long)offsetof(struct vcpu, member) - (long)offsetof(struct vcpu, arch.regs))

void asm_offsets(void)
{
    DEFINE(REGS_r15, offsetof(struct cpu_regs, r15));
    DEFINE(REGS_rbx, offsetof(struct cpu_regs, rbx));
    DEFINE(REGS_r11, offsetof(struct cpu_regs, r11));
    DEFINE(REGS_rax, offsetof(struct cpu_regs, rax));
    DEFINE(REGS_rcx, offsetof(struct cpu_regs, rcx));
    DEFINE(REGS_error_code, offsetof(struct cpu_regs, error_code));
    DEFINE(REGS_vector, offsetof(struct cpu_regs, vector));
    DEFINE(REGS_rip, offsetof(struct cpu_regs, rip));
    DEFINE(REGS_cs, offsetof(struct cpu_regs, cs));
    DEFINE(REGS_rflags, offsetof(struct cpu_regs, rflags));
    DEFINE(REGS_rsp, offsetof(struct cpu_regs, rsp));
    DEFINE(REGS_SIZE, sizeof(struct cpu_regs));
    FROM_REGS(V_stack, arch.stack);
    FROM_REGS(V_in_kernel, arch.in_kernel);
    FROM_REGS(V_info, info);
    FROM_REGS(V_nmi_pending, arch.nmi_pending);
    DEFINE(INFO_upcall_pending, offsetof(struct vcpu_info, evtchn_upcall_pending));
    DEFINE(INFO_upcall_mask, offsetof(struct vcpu_info, evtchn_upcall_mask));
    DEFINE(PCPU_softirq_pending, offsetof(struct pcpu, softirq_pending));
    DEFINE(PCPU_current, offsetof(struct pcpu, curr));
    DEFINE(VCPU_regs, offsetof(struct vcpu, arch.regs));
    DEFINE(STACK_TOP_SIZE, sizeof(struct stack_top));
    DEFINE(NR_HYPERCALLS, NR_HYPERCALLS);
}
