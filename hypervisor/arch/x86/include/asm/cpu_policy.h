/* SPDX-License-Identifier: MIT */
/* What CPUID tells a guest. */
#pragma once

#include <asm/processor.h>

struct xen_domctl_cpu_policy;

/* Words of features, in the ABI's order (1d 1c e1d e1c Da1 7b0 7c0 e7d e8b 7d0 7a1 e21a 7b1 7d2).
 */
#define CPU_FEATURE_WORDS 14

/** cpu_policy_init - read this machine's leaves once and take out what PV guests cannot use. */
void cpu_policy_init(void);
/** guest_cpuid - the answer for @v; leaves that do not exist are zero. */
void guest_cpuid(const struct vcpu *v, uint32_t leaf, uint32_t sub, struct cpuid_leaf *out);

/** cpu_policy_features - those of the machine (@host) or the most that a guest can have. */
void cpu_policy_features(bool host, uint32_t words[CPU_FEATURE_WORDS]);
/** cpu_policy_list - the leaves of @d, NULL: of a domain from which nothing was taken, to the guest's
 * @leaves, which have room for *@nr_leaves; va 0 only asks. *@nr_leaves becomes how many there are. The same
 * for MSRs. -ENOBUFS, -EFAULT. */
int cpu_policy_list(const struct domain *d, guest_ptr_t leaves, uint32_t *nr_leaves,
                    guest_ptr_t msrs, uint32_t *nr_msrs);
/** cpu_policy_set - take from @d the features that the tools' policy lacks; those that it has too
 * much are ignored. -EINVAL: what cannot be, told in err_*; -E2BIG, -EFAULT. After an error nothing
 * has changed. */
int cpu_policy_set(struct domain *d, struct xen_domctl_cpu_policy *p);
