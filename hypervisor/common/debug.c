/* SPDX-License-Identifier: MIT */
/* Debug keys about what many files have a part of: domains, registers, memory, locks. Those of one
 * file's own data are registered there. They look at what changes meanwhile, without its locks. */
#include <hv/console.h>
#include <hv/domain.h>
#include <hv/evtchn.h>

static void dump_registers(void)
{
    for_each_cpu (n, cpu_online_map) {
        pr_info("pcpu %lu%s:", n,
                pcpus[n].curr->domain->is_idle ? " is idle" : ", as the guest left it");
        if (!pcpus[n].curr->domain->is_idle)
            arch_dump_vcpu(pcpus[n].curr);
    }
}

static void dump_dom0(void)
{
    if (!dom0)
        return;
    for_each_vcpu (dom0, v)
        arch_dump_vcpu(v);
}

static void dump_domain(struct domain *d)
{
    pr_info("d%u (%s): %lu pages of %lu, %u vcpus, paused %d%s%s%s", d->id, d->name, d->tot_pages,
            d->max_pages, d->max_vcpus, d->pause_count, d->is_privileged ? ", privileged" : "",
            d->is_shut_down ? ", shut down" : "", d->is_dying ? ", dying" : "");
    for_each_vcpu (d, v) {
        pr_info("  v%u pcpu %u pause flags %lx, upcall %s%s; told by VIRQ_DEBUG", v->id,
                v->sched.cpu, v->pause_flags, v->info->evtchn_upcall_pending ? "pending" : "none",
                v->info->evtchn_upcall_mask ? " (masked)" : "");
        evtchn_send_virq(v, VIRQ_DEBUG);
    }
}

static void dump_domains(void)
{
    for_each_domain (d)
        dump_domain(d);
}

static void dump_memory(void)
{
    pr_info("memory: %lu pages, %lu free, highest frame %#lx", total_pages, page_free_count(),
            max_page - 1);
    for_each_domain (d)
        pr_info("d%u: %lu pages", d->id, d->tot_pages);
}

static void dump_locks(void)
{
    for_each_cpu (n, cpu_online_map)
        pr_info("pcpu %lu: ranks held %#x (in debug builds), softirqs pending %#x", n,
                READ_ONCE(pcpus[n].locks_held), pcpus[n].softirq_pending);
    for_each_domain (d)
        pr_info("d%u: in line for life cycle %u, pages %u", d->id, spin_waiting(&d->lock),
                spin_waiting(&d->page_lock));
}

void debug_init(void)
{
    debugkey_register('d', "registers of what runs on each CPU", dump_registers);
    debugkey_register('0', "registers of dom0", dump_dom0);
    debugkey_register('q', "domains, and VIRQ_DEBUG to each vcpu", dump_domains);
    debugkey_register('m', "memory", dump_memory);
    debugkey_register('l', "locks", dump_locks);
}
