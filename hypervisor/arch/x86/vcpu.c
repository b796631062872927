/* SPDX-License-Identifier: MIT */
/* What vcpu_op needs to know of x86. */
#include <asm/tlb.h>
#include <hv/domain.h>

void arch_areas_open(struct vcpu *v)
{
    if (!v->arch.in_kernel)
        load_root(pcpu_self(), v->arch.cr3_kernel);
}

void arch_areas_close(struct vcpu *v)
{
    if (!v->arch.in_kernel)
        load_root(pcpu_self(), v->arch.cr3_user);
}

void arch_vcpu_send_nmi(struct vcpu *v)
{
    if (!__atomic_exchange_n(&v->arch.nmi_pending, 1, __ATOMIC_SEQ_CST))
        vcpu_kick(v);
}

uint64_t arch_pcpu_physid(unsigned int cpu)
{
    const struct arch_pcpu *a = &pcpus[cpu].arch;

    return (uint64_t)a->acpi_id << 32 | a->apic_id;
}
