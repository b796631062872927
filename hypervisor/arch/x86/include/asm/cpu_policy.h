/* SPDX-License-Identifier: MIT */
/* What CPUID tells a guest. */
#pragma once

#include <hv/types.h>

struct cpuid_leaf {
    uint32_t a, b, c, d;
};

/** cpu_policy_init - read this machine's leaves once and take out what PV guests cannot use. */
void cpu_policy_init(void);
/** guest_cpuid - the answer for @v; leaves that do not exist are zero. */
void guest_cpuid(const struct vcpu *v, uint32_t leaf, uint32_t sub, struct cpuid_leaf *out);
/** guest_cr4 - the CR4 that @v sees. */
uint64_t guest_cr4(const struct vcpu *v);
