/* SPDX-License-Identifier: MIT */
/* The fake machine of fake.h. */
#define _GNU_SOURCE
#include "fake.h"

#include <hv/console.h>
#include <hv/evtchn.h>
#include <hv/gnttab.h>
#include <hv/guest_access.h>
#include <hv/heap.h>
#include <hv/hypercall.h>
#include <hv/mmu.h>
#include <hv/printk.h>
#include <hv/softirq.h>
#include <hv/errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>

#define WEAK __attribute__((weak))

WEAK struct pcpu pcpus[NR_CPUS];
WEAK struct page *frame_table;
WEAK struct domain *dom0;
WEAK struct domain *idle_domain;

uint64_t *fake_m2p;
uintptr_t fake_fault_start, fake_fault_end;
unsigned long fake_copies;
void (*fake_copy_hook)(uintptr_t va, size_t n, bool to_guest);
unsigned int fake_preempt_every;
struct fake_continuation fake_continuation;
__thread jmp_buf *fake_panic_jump;
char fake_panic_text[256];
s_time_t fake_now;
uint32_t fake_tlb_clock;
unsigned long fake_tlb_flushes;
unsigned long fake_cache_flushed;
unsigned long fake_kicks[NR_CPUS];
unsigned long fake_vcpu_kicks;
struct vcpu *fake_last_kicked;
unsigned long fake_crashes;
struct domain *fake_last_crashed;
char fake_log[4096];
s_time_t fake_timer_deadline[NR_CPUS];
struct fake_mapping fake_mappings[FAKE_MAPPINGS];
unsigned int fake_nr_mappings;
int fake_map_error;

static uint8_t *ram;
static unsigned long ram_frames, ram_top; /* frames at and above ram_top are handed out already */
static struct domain *domains[MAX_DOMAINS];
static __thread unsigned int this_cpu;
static __thread bool irqs_off;
static unsigned int preempt_asked;

/* ---- life ---- */

static void ram_init(unsigned long frames)
{
    if (ram)
        munmap(ram, ram_frames * PAGE_SIZE);
    ram =
        mmap(NULL, frames * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (ram == MAP_FAILED)
        abort();
    free(frame_table);
    free(fake_m2p);
    frame_table = calloc(frames, sizeof(*frame_table));
    fake_m2p = calloc(frames, sizeof(*fake_m2p));
    for (unsigned long i = 0; i < frames; i++)
        fake_m2p[i] = INVALID_M2P;
    ram_frames = ram_top = max_page = total_pages = frames;
}

void fake_init(unsigned long frames, unsigned int cpus)
{
    page_alloc_reset();
    heap_reset();
    ram_init(frames ? frames : 4096);
    memset(domains, 0, sizeof(domains));
    memset(pcpus, 0, sizeof(pcpus));
    memset(&fake_continuation, 0, sizeof(fake_continuation));
    memset(fake_kicks, 0, sizeof(fake_kicks));
    memset(fake_mappings, 0, sizeof(fake_mappings));
    memset(fake_log, 0, sizeof(fake_log));
    fake_fault_start = fake_fault_end = 0;
    fake_copies = fake_tlb_flushes = fake_cache_flushed = fake_vcpu_kicks = fake_crashes = 0;
    fake_copy_hook = NULL;
    fake_preempt_every = preempt_asked = 0;
    fake_now = 0;
    fake_tlb_clock = 1;
    fake_last_kicked = NULL;
    fake_last_crashed = NULL;
    fake_nr_mappings = 0;
    fake_map_error = 0;
    fake_panic_jump = NULL;
    dom0 = NULL;
    this_cpu = 0;
    irqs_off = false;

    idle_domain = fake_domain(DOMID_IDLE, false, cpus ? cpus : 1);
    idle_domain->is_idle = true;
    for (unsigned int i = 0; i < idle_domain->max_vcpus; i++) {
        pcpus[i].id = i;
        pcpus[i].idle = pcpus[i].curr = idle_domain->vcpu[i];
        fake_timer_deadline[i] = STIME_MAX;
    }
}

void fake_init_alloc(unsigned long frames, unsigned int cpus)
{
    fake_init(frames, cpus);
    page_alloc_init_region(mfn(16), mfn(ram_top));
}

mfn_t fake_frame(unsigned int n)
{
    if (ram_top < 16 + n)
        abort();
    ram_top -= n;
    for (unsigned int i = 0; i < n; i++)
        frame_table[ram_top + i].count = PGC_HV | 1;
    return mfn(ram_top);
}

static void *ram_object(size_t size)
{
    return mfn_to_virt(fake_frame(DIV_ROUND_UP(size, PAGE_SIZE)));
}

/* Objects must lie in fake RAM, for a frame names its owner by frame number. Before the allocator
 * has the RAM they come from its top; then from the allocator. */
static void *object(size_t size)
{
    unsigned int order = 0;
    struct page *pg;

    while ((PAGE_SIZE << order) < size)
        order++;
    if (!page_free_count())
        return ram_object(size);
    pg = page_alloc(order, PA_ZERO);
    return pg ? page_virt(pg) : NULL;
}

struct domain *fake_domain(domid_t id, bool privileged, unsigned int nr)
{
    struct domain *d = object(sizeof(*d));
    struct shared_info *si = object(PAGE_SIZE);

    if (!d || !si)
        abort();
    d->id = id;
    d->is_privileged = privileged;
    d->sched.cpus = CPUMASK_ALL;
    d->arch.iomem.nr = privileged; /* it has devices */
    d->refcnt = 1;
    d->shutdown_code = ~0u;
    d->max_pages = 1UL << 40;
    d->max_vcpus = nr;
    d->shared_info = si;
    spin_lock_init(&d->lock, LOCK_DOMAIN);
    spin_lock_init(&d->page_lock, LOCK_PAGES);
    spin_lock_init(&d->watchdog_lock, LOCK_WATCHDOG);
    spin_lock_init(&d->arch.mmu_lock, LOCK_MMU);
    for (unsigned int i = 0; i < nr; i++) {
        struct vcpu *v = object(sizeof(*v));

        if (!v)
            abort();
        v->id = i;
        v->domain = d;
        v->info_mfn = mfn(INVALID_MFN_N);
        v->info = i < 32 ? &si->vcpu_info[i] : object(PAGE_SIZE);
        v->is_initialised = true;
        list_init(&v->sched.queue);
        v->sched.hard = v->sched.soft = v->sched.allowed = CPUMASK_ALL;
        d->vcpu[i] = v;
    }
    if (privileged)
        dom0 = d;
    if (id < MAX_DOMAINS)
        domains[id] = d;
    return d;
}

void fake_run(struct vcpu *v)
{
    pcpu_self()->curr = v;
}

void fake_cpu(unsigned int cpu)
{
    this_cpu = cpu;
    pcpus[cpu].id = cpu;
}

/* ---- pcpus and interrupts ---- */

WEAK struct pcpu *pcpu_self(void)
{
    return &pcpus[this_cpu];
}

WEAK unsigned long irqs_save(void)
{
    unsigned long flags = !irqs_off;

    irqs_off = true;
    return flags;
}

WEAK void irqs_restore(unsigned long flags)
{
    irqs_off = !flags;
}

WEAK bool irqs_enabled(void)
{
    return !irqs_off;
}

WEAK void cpu_relax(void)
{
    sched_yield(); /* threads share few processors here */
}

WEAK void smp_kick(unsigned int cpu)
{
    fake_kicks[cpu]++;
}

WEAK s_time_t now(void)
{
    return fake_now;
}

WEAK void arch_timer_set(s_time_t deadline)
{
    fake_timer_deadline[this_cpu] = deadline;
}

/* ---- RAM ---- */

WEAK void *mfn_to_virt(mfn_t m)
{
    if (m.n >= ram_frames)
        abort();
    return ram + m.n * PAGE_SIZE;
}

WEAK mfn_t virt_to_mfn(const void *va)
{
    return mfn(((uintptr_t)va - (uintptr_t)ram) / PAGE_SIZE);
}

WEAK void m2p_set(mfn_t m, uint64_t pfn_n)
{
    fake_m2p[m.n] = pfn_n;
}

WEAK uint64_t m2p_get(mfn_t m)
{
    return fake_m2p[m.n];
}

WEAK uint64_t m2p_chunk(unsigned int i)
{
    return 0x1000 + i * 512UL;
}

/* ---- translations ---- */

WEAK uint32_t tlb_clock(void)
{
    return fake_tlb_clock;
}

WEAK void tlb_flush_mask(cpumask_t mask)
{
    (void)mask;
    fake_tlb_flushes++;
}

WEAK void tlb_flush_domain(const struct domain *d)
{
    (void)d;
    fake_tlb_flushes++;
}

WEAK void tlb_flush_since(const struct domain *d, uint32_t stamp)
{
    (void)d, (void)stamp;
    fake_tlb_flushes++;
}

WEAK void cache_flush_range(const void *va, size_t n)
{
    (void)va;
    fake_cache_flushed += n;
}

/* ---- page types: the counts only, nothing is validated ---- */

WEAK int page_get_type(struct page *pg, enum page_type type)
{
    uint64_t t = READ_ONCE(pg->type), n;

    do {
        if (pgt_count(t) && pgt_type(t) != type)
            return -EBUSY;
        n = pgt_count(t) ? t + 1 : PGT(type) | PGT_VALIDATED | 1;
    } while (
        !__atomic_compare_exchange_n(&pg->type, &t, n, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    return 0;
}

WEAK void page_put_type(struct page *pg)
{
    if (pgt_count(__atomic_fetch_sub(&pg->type, 1, __ATOMIC_SEQ_CST)) == 0)
        abort();
}

void fake_to_table(struct page *pg)
{
    struct domain *d = page_owner(pg);

    memset(page_virt(pg), 0, PAGE_SIZE);
    spin_guard(&d->arch.mmu_lock);
    if (page_get_type(pg, PGT_L1))
        abort();
}

void fake_from_table(struct page *pg)
{
    struct domain *d = page_owner(pg);

    spin_guard(&d->arch.mmu_lock);
    page_put_type(pg);
}

WEAK int page_put_type_preempt(struct page *pg)
{
    page_put_type(pg);
    return 0;
}

WEAK bool page_get_writable(struct page *pg, struct domain *d)
{
    if (!page_get(pg, d))
        return false;
    if (page_get_type(pg, PGT_WRITABLE)) {
        page_put(pg);
        return false;
    }
    return true;
}

WEAK void page_put_writable(struct page *pg)
{
    page_put_type(pg);
    page_put(pg);
}

static struct fake_mapping *mapping_find(const struct domain *d, uint64_t addr)
{
    for (unsigned int i = 0; i < FAKE_MAPPINGS; i++)
        if (fake_mappings[i].page && fake_mappings[i].addr == addr && fake_mappings[i].d == d)
            return &fake_mappings[i];
    return NULL;
}

WEAK int mmu_grant_map(uint64_t addr, struct page *pg, bool writable, bool contains_pte, bool user,
                       uint16_t avail)
{
    struct domain *owner = page_owner(pg);
    int rc = fake_map_error;

    (void)contains_pte, (void)user, (void)avail;
    fake_map_error = 0;
    if (rc)
        return rc;
    if (mapping_find(current_domain(), addr))
        return -EBUSY;
    for (unsigned int i = 0; i < FAKE_MAPPINGS; i++) {
        if (fake_mappings[i].page)
            continue;
        if (!(writable ? page_get_writable(pg, owner) : page_get(pg, owner)))
            return -EINVAL;
        fake_mappings[i] = (struct fake_mapping){addr, pg, current_domain(), writable};
        fake_nr_mappings++;
        return 0;
    }
    return -EFAULT;
}

WEAK int mmu_grant_unmap(uint64_t addr, struct page *pg, bool writable, bool contains_pte,
                         uint64_t new_addr)
{
    struct fake_mapping *m = mapping_find(current_domain(), addr);

    (void)contains_pte;
    if (!m || m->page != pg || (m->writable && !writable))
        return -EINVAL;
    if (m->writable)
        page_put_writable(pg);
    else
        page_put(pg);
    m->page = NULL;
    fake_nr_mappings--;
    if (new_addr && (m = mapping_find(current_domain(), new_addr)))
        m->addr = addr;
    return 0;
}

/* ---- guest memory ---- */

WEAK bool guest_range_ok(guest_ptr_t p, size_t n)
{
    uintptr_t last = p.va + (n ? n - 1 : 0);

    if (last < p.va)
        return false;
    return last < HV_VIRT_START || p.va >= HV_VIRT_END;
}

static bool guest_faults(guest_ptr_t p, size_t n, bool to_guest)
{
    if (!guest_range_ok(p, n))
        return true;
    if (fake_copy_hook)
        fake_copy_hook(p.va, n, to_guest);
    if (n == 0)
        return false;
    if (p.va < PAGE_SIZE || p.va >= HV_VIRT_START)
        return true;
    if (p.va < fake_fault_end && p.va + n > fake_fault_start)
        return true;
    fake_copies++;
    return false;
}

WEAK int copy_from_guest(void *dst, guest_ptr_t src, size_t n)
{
    if (guest_faults(src, n, false)) {
        memset(dst, 0, n);
        return -EFAULT;
    }
    memcpy(dst, (const void *)src.va, n);
    return 0;
}

WEAK int copy_to_guest(guest_ptr_t dst, const void *src, size_t n)
{
    if (guest_faults(dst, n, true))
        return -EFAULT;
    memcpy((void *)dst.va, src, n);
    return 0;
}

WEAK int clear_guest(guest_ptr_t dst, size_t n)
{
    if (guest_faults(dst, n, true))
        return -EFAULT;
    memset((void *)dst.va, 0, n);
    return 0;
}

/* ---- continuations ---- */

WEAK bool hypercall_preempt_needed(void)
{
    return fake_preempt_every && ++preempt_asked % fake_preempt_every == 0;
}

WEAK long hypercall_continue(unsigned int nr, unsigned int nargs, ...)
{
    va_list ap;

    va_start(ap, nargs);
    fake_continuation.calls++;
    fake_continuation.nr = nr;
    fake_continuation.nargs = nargs;
    for (unsigned int i = 0; i < nargs; i++)
        fake_continuation.args[i] = va_arg(ap, unsigned long);
    va_end(ap);
    return FAKE_CONTINUED;
}

/* ---- messages ---- */

static void log_append(const char *s)
{
    size_t n = strlen(s), have = strlen(fake_log);

    if (getenv("FAKE_VERBOSE"))
        fprintf(stderr, "%s\n", s);
    if (n >= sizeof(fake_log))
        return;
    if (have + n >= sizeof(fake_log)) {
        memmove(fake_log, fake_log + n, have - min(have, n) + 1);
        have = strlen(fake_log);
        if (have + n >= sizeof(fake_log))
            have = 0;
    }
    memcpy(fake_log + have, s, n + 1);
}

WEAK void printk(enum log_level level, const char *fmt, ...)
{
    char line[512];
    va_list ap;

    (void)level;
    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    log_append(line);
}

WEAK void guest_printk(const struct domain *d, enum log_level level, const char *fmt, ...)
{
    char line[512];
    int n = snprintf(line, sizeof(line), "d%u: ", d->id);
    va_list ap;

    (void)level;
    va_start(ap, fmt);
    vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
    va_end(ap);
    log_append(line);
}

WEAK void debugkey_handle(char key)
{
    (void)key;
}

WEAK void panic(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(fake_panic_text, sizeof(fake_panic_text), fmt, ap);
    va_end(ap);
    if (fake_panic_jump)
        longjmp(*fake_panic_jump, 1);
    fprintf(stderr, "panic: %s\n", fake_panic_text);
    abort();
}

/* ---- domains, vcpus ---- */

WEAK struct domain *domain_by_id(domid_t id)
{
    struct domain *d = id < MAX_DOMAINS ? domains[id] : NULL;

    return d && domain_get(d) ? d : NULL;
}

WEAK struct domain *domain_peer(domid_t id)
{
    struct domain *d = current_domain();

    return id == DOMID_SELF || id == d->id ? d : domain_by_id(id);
}

WEAK void domain_peer_put(struct domain *d)
{
    if (d && d != current_domain())
        domain_put(d);
}

WEAK int domain_target(domid_t id, struct domain **out)
{
    *out = domain_peer(id);
    if (!*out)
        return -ESRCH;
    if (*out == current_domain() || current_domain()->is_privileged)
        return 0;
    domain_put(*out);
    *out = NULL;
    return -EPERM;
}

WEAK bool domain_get(struct domain *d)
{
    __atomic_fetch_add(&d->refcnt, 1, __ATOMIC_SEQ_CST);
    return true;
}

WEAK void domain_put(struct domain *d)
{
    if (__atomic_sub_fetch(&d->refcnt, 1, __ATOMIC_SEQ_CST) < 0)
        abort();
}

WEAK struct domain *domain_next(struct domain *prev)
{
    unsigned int i = prev ? prev->id + 1u : 0;
    struct domain *d = NULL;

    if (prev)
        domain_put(prev);
    for (; i < MAX_DOMAINS && !d; i++)
        d = domain_by_id((domid_t)i);
    return d;
}

WEAK struct vcpu *domain_vcpu(struct domain *d, unsigned int id)
{
    return id < d->max_vcpus ? d->vcpu[id] : NULL;
}

WEAK void domain_crash(struct domain *d, const char *why, ...)
{
    (void)why;
    fake_crashes++;
    fake_last_crashed = d;
    d->is_shut_down = true;
}

WEAK void domain_shutdown(struct domain *d, uint32_t reason)
{
    d->is_shut_down = true;
    d->shutdown_code = reason;
}

static void kicked(struct vcpu *v)
{
    fake_vcpu_kicks++;
    fake_last_kicked = v;
}

WEAK void vcpu_kick(struct vcpu *v)
{
    kicked(v);
}

WEAK void vcpu_wake(struct vcpu *v)
{
    kicked(v);
}

WEAK void vcpu_unblock(struct vcpu *v)
{
    clear_bit(VPF_BLOCKED, &v->pause_flags);
    kicked(v);
}

WEAK void vcpu_pause_nosync(struct vcpu *v)
{
    __atomic_fetch_add(&v->pause_count, 1, __ATOMIC_SEQ_CST);
}

WEAK void vcpu_pause_sync(struct vcpu *v)
{
    vcpu_pause_nosync(v);
}

WEAK void vcpu_unpause(struct vcpu *v)
{
    __atomic_fetch_sub(&v->pause_count, 1, __ATOMIC_SEQ_CST);
}

WEAK void domain_pause(struct domain *d)
{
    d->pause_count++;
}

WEAK void domain_pause_nosync(struct domain *d)
{
    d->pause_count++;
}

WEAK void domain_unpause(struct domain *d)
{
    d->pause_count--;
}

WEAK void sched_poll_event(struct domain *d, uint32_t port)
{
    (void)d, (void)port;
}

WEAK void evtchn_send_virq(struct vcpu *v, unsigned int virq)
{
    (void)v, (void)virq;
}

WEAK void evtchn_send_global_virq(struct domain *d, unsigned int virq)
{
    (void)d, (void)virq;
}

WEAK int gnttab_get_shared_frame(struct domain *d, unsigned long idx, mfn_t *out)
{
    (void)d, (void)idx, (void)out;
    return -EINVAL;
}

WEAK void softirq_raise(enum softirq nr)
{
    pcpu_self()->softirq_pending |= 1u << nr;
}

WEAK void softirq_raise_on(unsigned int cpu, enum softirq nr)
{
    __atomic_fetch_or(&pcpus[cpu].softirq_pending, 1u << nr, __ATOMIC_SEQ_CST);
    if (cpu != this_cpu)
        smp_kick(cpu);
}

WEAK void tasklet_init(struct tasklet *t, void (*fn)(void *), void *data)
{
    memset(t, 0, sizeof(*t));
    t->fn = fn;
    t->data = data;
}

WEAK void tasklet_schedule(struct tasklet *t)
{
    t->scheduled = 1;
}
