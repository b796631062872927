/* SPDX-License-Identifier: MIT */
/* FPU and extended state of vcpus. */
#pragma once

#include <hv/percpu.h>

int fpu_vcpu_init(struct vcpu *v); /* -ENOMEM */
void fpu_vcpu_free(struct vcpu *v);
/** fpu_save - the running vcpu's registers into its area; they stay valid in the registers. */
void fpu_save(struct vcpu *v);
/** fpu_load - @v's state and its CR0.TS onto this pcpu. */
void fpu_load(struct pcpu *p, struct vcpu *v);
/** fpu_set_context - legacy state from a vcpu_guest_context; zeros mean the initial state. */
void fpu_set_context(struct vcpu *v, const void *fxsave512, bool valid);
/** fpu_set_state - of a vcpu that does not run: XCR0 and @n bytes as XSAVE writes them (0: unchanged), which
 * hold @components. -EINVAL. */
int fpu_set_state(struct vcpu *v, uint64_t xcr0, uint64_t components, const void *area, size_t n);
/** fpu_set_xcr0 - the guest's XSETBV of register 0; -EINVAL if the value breaks a rule (XSA-54). */
int fpu_set_xcr0(struct vcpu *v, uint64_t xcr0);
void fpu_set_ts(struct vcpu *v, bool set);
