/* SPDX-License-Identifier: MIT */
/* What domains, vcpus and the scheduler ask of the architecture. Weak, like everything here: see
 * fake.h. */
#include "fake.h"

#include <hv/control.h>
#include <hv/errno.h>
#include <hv/irq.h>
#include <hv/memory.h>
#include <hv/printk.h>
#include <stdlib.h>

#define WEAK __attribute__((weak))

WEAK struct e820_entry e820_map[128];
WEAK unsigned int e820_nr;
WEAK cpumask_t cpu_online_map, cpu_present_map;

WEAK int arch_domain_init(struct domain *d)
{
    spin_lock_init(&d->arch.mmu_lock, LOCK_MMU);
    return 0;
}

WEAK void arch_domain_free(struct domain *d)
{
    (void)d;
}

WEAK int arch_vcpu_init(struct vcpu *v)
{
    (void)v;
    return 0;
}

WEAK void arch_vcpu_free(struct vcpu *v)
{
    (void)v;
}

WEAK int arch_vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *ctxt)
{
    (void)v;
    return ctxt->flags == ~0UL ? -EINVAL : 0;
}

WEAK void arch_dump_vcpu(struct vcpu *v)
{
    (void)v;
}

WEAK void arch_areas_open(struct vcpu *v)
{
    (void)v;
}

WEAK void arch_areas_close(struct vcpu *v)
{
    (void)v;
}

WEAK void arch_vcpu_send_nmi(struct vcpu *v)
{
    v->arch.nmi_pending = 1;
}

WEAK uint64_t arch_pcpu_physid(unsigned int cpu)
{
    return 0x100000000UL * (cpu + 1) + cpu;
}

WEAK void machine_shutdown(uint32_t reason)
{
    panic("machine_shutdown %u", reason);
}

WEAK void context_switch(struct vcpu *prev, struct vcpu *next)
{
    panic("context_switch from d%uv%u to d%uv%u", prev->domain->id, prev->id, next->domain->id,
          next->id);
}

WEAK void time_update_vcpu(struct vcpu *v)
{
    v->info->time.version += 2;
}

WEAK void time_set_wallclock(uint64_t secs, uint32_t nsecs, uint64_t system_time_base)
{
    (void)secs, (void)nsecs, (void)system_time_base;
}

WEAK uint32_t time_tsc_khz(void)
{
    return 1000000;
}

/* ---- physical interrupts: none ---- */

WEAK int pirq_check(struct domain *d, uint32_t pirq)
{
    (void)pirq;
    return d->is_privileged ? 0 : -EPERM;
}

WEAK int pirq_bind(struct domain *d, uint32_t pirq, uint32_t port)
{
    (void)d, (void)pirq, (void)port;
    return -EINVAL;
}

WEAK void pirq_unbind(struct domain *d, uint32_t pirq, uint32_t port)
{
    (void)d, (void)pirq, (void)port;
}

WEAK void pirq_move(struct domain *d, uint32_t pirq, const struct vcpu *v)
{
    (void)d, (void)pirq, (void)v;
}

WEAK void pirq_domain_destroy(struct domain *d)
{
    (void)d;
}

WEAK void pirq_audit_refs(struct domain *d, void (*add)(void *ctx, mfn_t m, bool writable), void *ctx)
{
    (void)d, (void)add, (void)ctx;
}

/* ---- control operations ---- */

WEAK const struct domctl_row arch_domctl[1];
WEAK const struct sysctl_row arch_sysctl[1];

WEAK int arch_domain_config_check(const struct xen_arch_domainconfig *config)
{
    (void)config;
    return 0;
}

WEAK void arch_physinfo(struct xen_sysctl_physinfo *p)
{
    (void)p;
}

WEAK void time_update_wallclock(struct domain *d)
{
    (void)d;
}
