/* SPDX-License-Identifier: MIT */
/* Traps: how a guest is interrupted, and how it comes back. */
#pragma once

#include <hv/domain.h>

static inline struct vcpu *regs_vcpu(struct cpu_regs *regs)
{
    return container_of(regs, struct vcpu, arch.regs);
}

static inline bool guest_in_kernel(const struct vcpu *v)
{
    return v->arch.in_kernel;
}

/* ---- bounce.c ---- */

/** inject_trap - enter the guest's handler for @vector, as the CPU would have entered it. An error
 * code is pushed if the vector has one. A guest without a handler is crashed. */
void inject_trap(struct cpu_regs *regs, unsigned int vector, uint32_t error_code);
/** inject_page_fault - the same for #PF, which also leaves @cr2 in the vcpu's info. */
void inject_page_fault(struct cpu_regs *regs, uint64_t cr2, uint32_t error_code);
void bounce_event(struct cpu_regs *regs);
void bounce_nmi(struct cpu_regs *regs);
void bounce_user_syscall(struct cpu_regs *regs);
void bounce_syscall32(struct cpu_regs *regs);
void bounce_sysenter(struct cpu_regs *regs);
/** bounce_failsafe - the segments or the frame that the guest asked to return with did not load. */
void bounce_failsafe(struct cpu_regs *regs);

/* ---- emulate.c ---- */

/** emulate_privileged - #GP with error code 0: perform the instruction on the guest's behalf.
 * Returns true if it is done (or has led to another trap): nothing more to inject. */
bool emulate_privileged(struct cpu_regs *regs);
/** emulate_forced - #UD: the forced-emulation prefix. */
bool emulate_forced(struct cpu_regs *regs);
/** emulate_retire - an instruction of @length bytes is done: go on behind it; a set TF traps. */
void emulate_retire(struct cpu_regs *regs, unsigned int length);
/** guest_fetch - copy instruction bytes at the guest's rip: how many could be had, 0..15. */
size_t guest_fetch(const struct cpu_regs *regs, uint8_t buf[15]);

/* ---- callback.c, descriptor.c: checks shared with whole contexts ---- */
int trap_set(struct vcpu *v, const struct trap_info *ti);
/** callback_set - register @rip for @type (CALLBACKTYPE_*); -EINVAL: no such address; -ENOSYS: nor type. */
int callback_set(struct vcpu *v, unsigned int type, uint64_t rip, bool masks);
bool debugreg_address_ok(uint64_t addr);
int debugreg_check_dr7(const struct vcpu *v, uint64_t *dr7);

/* ---- traps.c ---- */

/** traps_set_nmi_hook - called on every NMI, with whatever it interrupted; it must not return to that
 * through anything that takes locks. */
void traps_set_nmi_hook(void (*fn)(const struct cpu_regs *regs));

/* ---- entry.S, switch.c ---- */
void enter_guest(struct cpu_regs *regs) __noreturn;
void stack_restart(void (*fn)(void)) __noreturn;

/** is_canonical - a linear address that the CPU accepts with 4-level paging. */
static inline bool is_canonical(uint64_t va)
{
    return (uint64_t)((int64_t)(va << 16) >> 16) == va;
}

/** guest_code_ok - an address that a guest may register as an entry point (XSA-193, XSA-215). */
static inline bool guest_code_ok(uint64_t va)
{
    return is_canonical(va) && (va < HV_VIRT_START || va >= HV_VIRT_END);
}
