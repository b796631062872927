/* SPDX-License-Identifier: MIT */
/* Debug keys, and what they print of what many files have a part of: domains, registers, memory, locks.
 * They look at what changes meanwhile, without its locks. */
#include <hv/console.h>
#include <hv/domain.h>
#include <hv/evtchn.h>
#include <hv/gnttab.h>
#include <hv/irq.h>

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

static void dump_memory(void)
{
    pr_info("memory: %lu pages, %lu free, highest frame %#lx", total_pages, page_free_count(),
            max_page - 1);
}

static void dump_pages(struct domain *d)
{
    pr_info("d%u: %lu pages", d->id, d->tot_pages);
}

static void dump_locks(void)
{
    for_each_cpu (n, cpu_online_map)
        pr_info("pcpu %lu: ranks held %#x (in debug builds), softirqs pending %#x", n,
                READ_ONCE(pcpus[n].locks_held), pcpus[n].softirq_pending);
}

static void dump_domain_locks(struct domain *d)
{
    pr_info("d%u: in line for life cycle %u, pages %u", d->id, spin_waiting(&d->lock),
            spin_waiting(&d->page_lock));
}

#ifdef SOCLE_DEBUG
static void hang(void)
{
    (void)irqs_save();
    for (;;)
        cpu_relax();
}
#endif

static void list_keys(void);

static const struct key {
    char key;
    const char *what;
    void (*fn)(void);                 /* NULL: nothing */
    void (*of_each)(struct domain *); /* and this for each domain, likewise */
} keys[] = {
    {'h', "this list", list_keys},
    {'a', "timers", timer_dump},
    {'d', "registers of what runs on each CPU", dump_registers},
    {'e', "event channels", .of_each = evtchn_dump},
    {'g', "grant tables", .of_each = gnttab_dump},
    {'i', "interrupts", irq_dump},
    {'l', "locks", dump_locks, dump_domain_locks},
    {'m', "memory", dump_memory, dump_pages},
    {'q', "domains, and VIRQ_DEBUG to each vcpu", .of_each = dump_domain},
    {'r', "run queues", sched_dump, sched_dump_domain},
    {'0', "registers of dom0", dump_dom0},
    {'R', "reboot", machine_restart},
#ifdef SOCLE_DEBUG
    {'H', "hang this CPU, for the watchdog", hang},
#endif
};

static void list_keys(void)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(keys); i++)
        pr_info("key '%c': %s", keys[i].key, keys[i].what);
}

void debugkey_handle(char key)
{
    const struct key *k = keys;

    while (k < keys + ARRAY_SIZE(keys) && k->key != key)
        k++;
    if (k == keys + ARRAY_SIZE(keys)) {
        pr_info("no debug key '%c'; h lists them", key >= ' ' && key < 127 ? key : '?');
        return;
    }
    if (k->fn)
        k->fn();
    if (k->of_each)
        for_each_domain (d)
            k->of_each(d);
}
