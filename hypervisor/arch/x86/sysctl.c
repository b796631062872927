/* SPDX-License-Identifier: MIT */
/* sysctl: features of the CPUs. ABI: xen/sysctl.h. */
#include <asm/cpu_policy.h>
#include <hv/control.h>
#include <hv/hypercall.h>

void arch_physinfo(struct xen_sysctl_physinfo *p)
{
    uint32_t words[CPU_FEATURE_WORDS];

    cpu_policy_features(true, words);
    memcpy(p->hw_cap, words, sizeof(p->hw_cap));
}

/* CPUID runs in guests as on the machine: there is nothing to level it by. */
static long op_levelling(struct xen_sysctl *op)
{
    op->u.cpu_levelling_caps.caps = 0;
    return 0;
}

static long op_featureset(struct xen_sysctl *op)
{
    struct xen_sysctl_cpu_featureset *f = &op->u.cpu_featureset;
    uint32_t words[CPU_FEATURE_WORDS], room = f->nr_features;

    if (f->index > XEN_SYSCTL_cpu_featureset_hvm_max)
        return -EINVAL;
    if (f->index == XEN_SYSCTL_cpu_featureset_hvm || f->index == XEN_SYSCTL_cpu_featureset_hvm_max)
        return -EOPNOTSUPP;
    cpu_policy_features(f->index <= XEN_SYSCTL_cpu_featureset_host, words);
    f->nr_features = CPU_FEATURE_WORDS;
    if (!f->features.p)
        return 0;
    f->nr_features = min(room, (uint32_t)CPU_FEATURE_WORDS);
    if (copy_to_guest(guest_ptr_of(f->features), words, f->nr_features * sizeof(words[0])))
        return -EFAULT;
    return room < CPU_FEATURE_WORDS ? -ENOBUFS : 0;
}

static long op_policy(struct xen_sysctl *op)
{
    struct xen_sysctl_cpu_policy *p = &op->u.cpu_policy;

    if (p->_rsvd || p->index > XEN_SYSCTL_cpu_policy_hvm_default)
        return -EINVAL;
    if (p->index == XEN_SYSCTL_cpu_policy_hvm_max || p->index == XEN_SYSCTL_cpu_policy_hvm_default)
        return -EOPNOTSUPP;
    return cpu_policy_list(NULL, guest_ptr_of(p->leaves), &p->nr_leaves, guest_ptr_of(p->msrs),
                           &p->nr_msrs);
}

const struct sysctl_row arch_sysctl[] = {
    {XEN_SYSCTL_get_cpu_levelling_caps, 1, op_levelling},
    {XEN_SYSCTL_get_cpu_featureset, 2, op_featureset},
    {XEN_SYSCTL_get_cpu_policy, 2, op_policy},
    {0},
};
