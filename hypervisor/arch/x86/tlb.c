/* SPDX-License-Identifier: MIT */
/* Flushing translations, here and on other pcpus.
 *
 * A clock counts complete flushes; each pcpu notes its reading before it flushes. A frame that is
 * about to change its use carries the reading from when its last writable reference went: a pcpu
 * whose note is later has flushed since. So most frames that change hands need no interrupt to
 * anybody. A pcpu on the hypervisor's own root holds no guest's translations: it flushed when it
 * went there, and will when it leaves.
 *
 * A request to others is one at a time, under LOCK_TLB, with interrupts on: a pcpu that waits for
 * its own turn answers meanwhile. Locks held by a caller do no harm, as no interrupt handler takes
 * them. */
#include <asm/cpu.h>
#include <asm/system.h>
#include <asm/tlb.h>
#include <hv/domain.h>

static uint64_t clock = 1;
static spinlock_t lock = SPINLOCK_INIT(LOCK_TLB);
static cpumask_t todo;      /* pcpus that have not done the present request */
static bool caches_as_well; /* ... which is to write back their caches too */

static void note_flush(struct pcpu *p)
{
    WRITE_ONCE(p->arch.tlb_stamp, __atomic_add_fetch(&clock, 1, __ATOMIC_SEQ_CST));
}

/* Everything, global translations too. */
static void flush_hardware(struct pcpu *p)
{
    if (cpu.invpcid) {
        struct {
            uint64_t pcid, addr;
        } all = {0, 0};

        asm volatile("invpcid %0, %1" : : "m"(all), "r"(2UL) : "memory");
    } else {
        write_cr4(p->arch.cr4 & ~X86_CR4_PGE);
        write_cr4(p->arch.cr4);
    }
}

void tlb_load_root(struct pcpu *p, uint64_t cr3)
{
    /* Others take cr3 == hv_l4_paddr for "holds nothing": that is true only with the old root's
     * translations flushed, and no longer true before the new root is loaded. */
    if (cr3 != hv_l4_paddr)
        WRITE_ONCE(p->arch.cr3, cr3);
    note_flush(p);
    write_cr3(cr3);
    flush_hardware(p);
    WRITE_ONCE(p->arch.cr3, cr3);
}

void tlb_flush_this(void)
{
    struct pcpu *p = pcpu_self();
    unsigned long flags = irqs_save(); /* CR4 in between is not what others write */

    note_flush(p);
    flush_hardware(p);
    irqs_restore(flags);
}

static void flush_ipi(struct cpu_regs *regs __ignored)
{
    if (cpumask_test(&todo, smp_processor_id())) {
        tlb_flush_this();
        detach_reload_root();
        if (READ_ONCE(caches_as_well))
            caches_write_back();
        cpumask_clear(&todo, smp_processor_id());
    }
}

static void request(cpumask_t mask, bool caches)
{
    unsigned int self = smp_processor_id();

    if (cpumask_test(&mask, self)) {
        tlb_flush_this();
        mask.bits &= ~(1UL << self);
    }
    mask = cpumask_and(mask, cpu_online_map);
    if (cpumask_empty(mask))
        return;
    spin_lock(&lock);
    WRITE_ONCE(caches_as_well, caches);
    __atomic_store_n(&todo.bits, mask.bits, __ATOMIC_SEQ_CST);
    for_each_cpu (n, mask)
        lapic_send_ipi(n, VECTOR_TLB);
    while (!cpumask_empty((cpumask_t){__atomic_load_n(&todo.bits, __ATOMIC_ACQUIRE)}))
        cpu_relax();
    spin_unlock(&lock);
}

void tlb_flush_mask(cpumask_t mask)
{
    request(mask, false);
}

void caches_write_back_all(void)
{
    caches_write_back();
    request(cpu_online_map, true);
}

/* Those pcpus of @mask that run on some guest's root. The entries that made a flush necessary were
 * changed before this fence; whoever loads a root after it walks the changed tables. */
static cpumask_t on_guest_roots(cpumask_t mask)
{
    cpumask_t out = CPUMASK_NONE;

    mb();
    for_each_cpu (n, mask)
        if (READ_ONCE(pcpus[n].arch.cr3) != hv_l4_paddr)
            out.bits |= 1UL << n;
    return out;
}

void tlb_flush_domain(const struct domain *d)
{
    mb();
    tlb_flush_mask((cpumask_t){READ_ONCE(d->arch.tlb_cpus.bits)});
}

uint32_t tlb_clock(void)
{
    return (uint32_t)__atomic_load_n(&clock, __ATOMIC_SEQ_CST);
}

/* Pages carry the clock's low half. Taken as the latest moment that it can mean: too late a moment
 * costs a flush, no more. */
void tlb_flush_since(const struct domain *d, uint32_t stamp)
{
    cpumask_t mask = cpu_online_map;
    cpumask_t need = CPUMASK_NONE;
    uint64_t t = __atomic_load_n(&clock, __ATOMIC_SEQ_CST);

    t -= (uint32_t)((uint32_t)t - stamp);
    if (d) {
        mb();
        mask.bits = READ_ONCE(d->arch.tlb_cpus.bits);
    }
    mask = on_guest_roots(mask);
    for_each_cpu (n, mask)
        if (READ_ONCE(pcpus[n].arch.tlb_stamp) <= t)
            need.bits |= 1UL << n;
    tlb_flush_mask(need);
}

void tlb_init(void)
{
    irq_set_handler(VECTOR_TLB, flush_ipi);
}
