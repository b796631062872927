/* SPDX-License-Identifier: MIT */
/* Updates of page-table entries: mmu_update, update_va_mapping. ABI: xen/xen.h.
 *
 * The owner's mmu_lock is taken by the first request that changes a table and held over those that
 * follow, until other work of this pcpu is waiting. Writes to ordinary pages, which is how guests
 * fill tables that they have not pinned yet, need no lock. */
#include <asm/mmu.h>
#include <asm/pt_check.h>
#include <asm/tlb.h>
#include <asm/traps.h>
#include <hv/hypercall.h>

/* Bits that neither change what is mapped nor how: the only ones that a shortcut may change
 * (XSA-148, XSA-182). */
#define PTE_HARMLESS (PTE_A | PTE_D | PTE_AVL | (PTE_AVL2 & ~PTE_GK))

/* ---- one entry ---- */

static void put_old_entry(struct domain *d, int level, pte_t old)
{
    if (pt_put_entry(d, level, old))
        mmu_old_table(current, mfn_page(pte_mfn(old)));
}

/* The CPU may set A and D in the entry at any time; nobody else writes to a table under our lock.
 * So without @exact this ends at the third try. *@old becomes what was replaced, or is there
 * instead. */
static inline bool swap_entry(pte_t *slot, pte_t *old, pte_t new, uint64_t keep, bool exact)
{
    while (!__atomic_compare_exchange_n(slot, old, new | (*old & keep), false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST))
        if (exact)
            return false;
    return true;
}

/* @new is adjusted, and differs from @old in more than harmless bits. */
static int change_entry(const struct pt_owner *o, int level, pte_t *slot, pte_t old, pte_t new,
                        uint64_t keep, bool exact)
{
    struct page *left = NULL;
    int rc;

    if (new &PTE_P) {
        rc = pt_get_entry(o, level, &new, &left);
        if (unlikely(rc)) {
            if (left && rc == -ERESTART)
                page_put(left);
            else if (left)
                mmu_old_table(current, left);
            return rc;
        }
    }
    if (unlikely(!swap_entry(slot, &old, new, keep, exact))) {
        if (new &PTE_P)
            put_old_entry(o->d, level, new);
        return -EAGAIN;
    }
    if (level > 1 && (new &PTE_P))
        pt_note_parent(slot, new);
    if (old & PTE_P)
        put_old_entry(o->d, level, old);
    return 0;
}

/* Only rights of a frame of @o->from's RAM change: the entry keeps its general reference. */
static inline bool only_rights(const struct pt_owner *o, pte_t old, pte_t new)
{
    return !((old ^ new) & (PTE_ADDR_MASK | PTE_P | PTE_CACHE)) && mfn_valid(pte_mfn(new)) &&
           o->from && page_owner(mfn_page(pte_mfn(new))) == o->from;
}

static __attribute__((noinline)) int change_rights(const struct pt_owner *o, pte_t *slot, pte_t old,
                                                   pte_t new, uint64_t keep, bool exact)
{
    struct page *pg = mfn_page(pte_mfn(new));
    bool gains = new & ~old &PTE_W, loses = old & ~new &PTE_W;

    if (gains && !page_type_get_writable(pg, o->from == o->d ? 0 : PGT_FOREIGN))
        return -EBUSY;
    if (unlikely(!swap_entry(slot, &old, new, keep, exact))) {
        if (gains)
            page_type_put_writable(pg);
        return -EAGAIN;
    }
    if (loses)
        page_type_put_writable(pg);
    return 0;
}

/* @old is what the entry is now, or, @exact, what it must be. */
static inline __attribute__((always_inline)) int update(const struct pt_owner *o, int level,
                                                        pte_t *slot, pte_t old, pte_t new,
                                                        uint64_t keep, bool exact)
{
    if (unlikely(!pt_guest_slot(level, ((uintptr_t)slot & ~PAGE_MASK) / sizeof(pte_t))))
        return -EINVAL;
    if (new &PTE_P) {
        if (unlikely(pt_adjust(o->d, level, &new)))
            return -EINVAL;
        if (!((old ^ new) & ~PTE_HARMLESS))
            return swap_entry(slot, &old, new, keep, exact) ? 0 : -EAGAIN;
        if (level == 1 && only_rights(o, old, new))
            return change_rights(o, slot, old, new, keep, exact);
    }
    return change_entry(o, level, slot, old, new, keep, exact);
}

int pt_update(const struct pt_owner *o, int level, pte_t *slot, pte_t new, uint64_t keep)
{
    return update(o, level, slot, READ_ONCE(*slot), new, keep, false);
}

int pt_replace_l1(const struct pt_owner *o, pte_t *slot, pte_t old, pte_t new)
{
    return update(o, 1, slot, old, new, 0, true);
}

/* ---- whose frames ---- */

int mmu_frames_of(domid_t id, struct domain **out)
{
    struct domain *d = current_domain();

    *out = NULL;
    if (likely(id == DOMID_SELF)) {
        *out = d;
        return 0;
    }
    if (id == DOMID_IO)
        return 0;
    if (id == DOMID_XEN) {
        *out = idle_domain;
        return d->is_privileged ? 0 : -EPERM;
    }
    if (id == d->id || id >= DOMID_FIRST_RESERVED)
        return -ESRCH;
    if (!d->is_privileged)
        return -EPERM;
    *out = domain_by_id(id);
    return *out ? 0 : -ESRCH;
}

void mmu_frames_put(struct domain *d)
{
    if (unlikely(d && d != current_domain() && d != idle_domain))
        domain_put(d);
}

/* The domain whose tables are meant: 0 in the upper half of foreigndom is the caller, else its id
 * + 1. */
static int tables_of(unsigned int which, struct domain **out)
{
    struct domain *d = current_domain();

    if (likely(which == 0) || which - 1 == d->id) {
        *out = d;
        return 0;
    }
    if (!d->is_privileged)
        return -EPERM;
    *out = domain_by_id((domid_t)(which - 1));
    return *out ? 0 : -ESRCH;
}

/* ---- mmu_update ---- */

#define REQUESTS_AT_ONCE 8

struct batch {
    struct pt_owner o;
    struct page *pg;         /* frame of the last request, with a reference */
    uint64_t frame;          /* its number */
    bool locked;             /* the mmu_lock of o.d is held */
    uint32_t done;           /* requests in earlier rounds */
    unsigned int start, end; /* of the requests in req[] */
    struct mmu_update req[REQUESTS_AT_ONCE];
};

static struct mmu_update *request(struct batch *b, guest_ptr_t list, unsigned int i,
                                  unsigned int count)
{
    if (i >= b->end) {
        unsigned int n = min(count - i, (unsigned int)REQUESTS_AT_ONCE);

        if (copy_from_guest(b->req, guest_ptr_index(list, i, sizeof(b->req[0])),
                            n * sizeof(b->req[0]))) {
            n = 1; /* those before the fault still count */
            if (copy_from_guest(b->req, guest_ptr_index(list, i, sizeof(b->req[0])),
                                sizeof(b->req[0])))
                return NULL;
        }
        b->start = i;
        b->end = i + n;
    }
    return &b->req[i - b->start];
}

static int find_frame(struct batch *b, uint64_t n)
{
    struct page *pg = page_from_gfn(b->o.d, gfn(n));

    if (!pg)
        return -EINVAL;
    if (b->pg)
        page_put(b->pg);
    b->pg = pg;
    b->frame = n;
    return 0;
}

/* Only if the frame is not in use as a table or the like. */
static bool update_plain(struct page *pg, uint64_t *slot, uint64_t val)
{
    if (!page_type_get_writable(pg, 0))
        return false;
    WRITE_ONCE(*slot, val);
    page_type_put_writable(pg);
    return true;
}

static inline void lock_batch(struct batch *b)
{
    mmu_lock(b->o.d);
    b->locked = true;
}

static inline int update_entry(struct batch *b, uint64_t ptr, uint64_t val, uint64_t keep)
{
    uint64_t t;
    uint64_t *slot;
    int level;

    if ((!b->pg || ptr >> PAGE_SHIFT != b->frame) && find_frame(b, ptr >> PAGE_SHIFT))
        return -EINVAL;
    slot = (uint64_t *)((char *)page_virt(b->pg) + (ptr & (PAGE_SIZE - 8)));
    t = READ_ONCE(b->pg->type);
    if ((pgt_type(t) == PGT_WRITABLE || !pgt_count(t)) && update_plain(b->pg, slot, val))
        return 0;
    if (!b->locked) {
        lock_batch(b);
        t = READ_ONCE(b->pg->type);
    }
    if (pgt_type(t) < PGT_L1 || pgt_type(t) > PGT_L4 || !(t & PGT_VALIDATED))
        return update_plain(b->pg, slot, val) ? 0 : -EINVAL;
    level = (int)(pgt_type(t) - PGT_L1) + 1;
    if (unlikely(level > 1 && b->o.from != b->o.d))
        return -EINVAL;
    return level == 1 ? update(&b->o, 1, slot, READ_ONCE(*slot), val, keep, false)
                      : pt_update(&b->o, level, slot, val, keep);
}

static int update_m2p(struct batch *b, const struct mmu_update *req)
{
    struct page *pg;

    if (b->o.d != current_domain())
        return -EPERM;
    pg = b->o.from ? page_from_gfn(b->o.from, gfn(req->ptr >> PAGE_SHIFT)) : NULL;
    if (!pg)
        return -EINVAL;
    m2p_set(page_mfn(pg), req->val);
    page_put(pg);
    return 0;
}

static inline int update_one(struct batch *b, const struct mmu_update *req)
{
    switch (req->ptr & 7) {
    case MMU_NORMAL_PT_UPDATE:
    case MMU_PT_UPDATE_NO_TRANSLATE:
        return update_entry(b, req->ptr, req->val, 0);
    case MMU_PT_UPDATE_PRESERVE_AD:
        return update_entry(b, req->ptr, req->val, PTE_A | PTE_D);
    case MMU_MACHPHYS_UPDATE:
        return update_m2p(b, req);
    default:
        return -ENOSYS;
    }
}

/* Run requests [0, count); *@i is the number done. */
static int run_batch(struct batch *b, struct vcpu *v, guest_ptr_t list, unsigned int count,
                     unsigned int *i)
{
    int rc = 0;

    if (unlikely(b->o.d != v->domain)) {
        lock_batch(b);
        if (b->o.d->is_dying)
            rc = -ESRCH;
    }
    while (!rc && *i < count) {
        const struct mmu_update *req;

        if (unlikely(v->arch.old_table.n) || (*i && hypercall_preempt_needed())) {
            rc = -ERESTART;
            break;
        }
        req = request(b, list, *i, count);
        rc = likely(req) ? update_one(b, req) : -EFAULT;
        if (!rc)
            ++*i;
    }
    if (b->locked)
        mmu_unlock(b->o.d);
    if (b->pg)
        page_put(b->pg);
    return rc;
}

static int open_batch(struct batch *b, unsigned int foreigndom)
{
    int rc;

    TRY(tables_of(foreigndom >> 16, &b->o.d));
    rc = mmu_frames_of((domid_t)foreigndom, &b->o.from);
    if (unlikely(rc))
        mmu_frames_put(b->o.d);
    return rc;
}

struct mmu_list mmu_list_begin(unsigned int nr, guest_ptr_t list, unsigned int count,
                               guest_ptr_t pdone, unsigned int foreigndom)
{
    struct mmu_list l = {.count = count & ~MMU_UPDATE_PREEMPTED};

    if (mmu_finish_old(current)) {
        l.ends = true;
        l.rc = hypercall_continue(nr, 4, list.va, (unsigned long)count, pdone.va,
                                  (unsigned long)foreigndom);
    } else if (count == MMU_UPDATE_PREEMPTED && !list.va) {
        l.ends = true;
        l.rc = (int)foreigndom; /* of a call whose requests had all been done */
    } else if (count & MMU_UPDATE_PREEMPTED && pdone.va &&
               copy_from_guest(&l.done, pdone, sizeof(l.done))) {
        l.done = 0;
    }
    return l;
}

long mmu_list_stop(unsigned int nr, guest_ptr_t next, unsigned int left, guest_ptr_t pdone,
                   unsigned int foreigndom, long rc)
{
    if (rc == -ERESTART)
        return hypercall_continue(nr, 4, next.va, (unsigned long)(left | MMU_UPDATE_PREEMPTED),
                                  pdone.va, (unsigned long)foreigndom);
    return hypercall_continue(nr, 4, 0UL, (unsigned long)MMU_UPDATE_PREEMPTED, 0UL,
                              (unsigned long)(unsigned int)rc);
}

long do_mmu_update(guest_ptr_t ureqs, unsigned int count, guest_ptr_t pdone,
                   unsigned int foreigndom)
{
    struct vcpu *v = current;
    struct batch b;
    unsigned int i = 0;
    long rc;

    b.done = 0;
    if (unlikely(v->arch.old_table.n) || unlikely(count & MMU_UPDATE_PREEMPTED)) {
        struct mmu_list l =
            mmu_list_begin(__HYPERVISOR_mmu_update, ureqs, count, pdone, foreigndom);

        if (l.ends)
            return l.rc;
        count = l.count;
        b.done = l.done;
    }
    b.pg = NULL;
    b.end = 0;
    b.locked = false;
    b.o.d = b.o.from = v->domain;
    if (unlikely(foreigndom != DOMID_SELF)) {
        TRY(open_batch(&b, foreigndom));
    }
    rc = run_batch(&b, v, ureqs, count, &i);
    if (unlikely(foreigndom != DOMID_SELF)) {
        mmu_frames_put(b.o.from);
        mmu_frames_put(b.o.d);
    }
    mmu_list_report(pdone, b.done + i);
    if (unlikely(rc == -ERESTART) || unlikely(v->arch.old_table.n))
        return mmu_list_stop(__HYPERVISOR_mmu_update,
                             guest_ptr_index(ureqs, i, sizeof(struct mmu_update)), count - i, pdone,
                             foreigndom, rc);
    return rc;
}

/* ---- update_va_mapping ---- */

int mmu_vcpu_mask(struct domain *d, guest_ptr_t bitmap, cpumask_t *out)
{
    *out = CPUMASK_NONE;
    for (unsigned int base = 0; base < d->max_vcpus; base += 64) {
        uint64_t bits;

        if (copy_from_guest(&bits, guest_ptr_index(bitmap, base / 64, 8), sizeof(bits)))
            return -EFAULT;
        for (; bits; bits &= bits - 1) {
            struct vcpu *v = domain_vcpu(d, base + ffs64(bits));

            /* One that does not run has no translations: they go when it is switched out. */
            if (v && READ_ONCE(v->sched.on_cpu))
                out->bits |= cpumask_of(READ_ONCE(v->sched.cpu)).bits;
        }
    }
    return 0;
}

void mmu_invlpg(cpumask_t mask, uint64_t va)
{
    if (!guest_code_ok(va))
        return;
    if (mask.bits == cpumask_of(smp_processor_id()).bits)
        tlb_invlpg(va);
    else
        tlb_flush_mask(mask);
}

/* The flush that a caller of update_va_mapping asks for. */
static int flush_after(struct domain *d, uint64_t va, unsigned long flags)
{
    unsigned long where = flags & ~UVMF_FLUSHTYPE_MASK;
    cpumask_t mask = cpumask_of(smp_processor_id());

    if (where == UVMF_ALL) {
        mask = d->arch.tlb_cpus;
    } else if (where != UVMF_LOCAL) {
        TRY(mmu_vcpu_mask(d, guest_ptr(where), &mask));
    }
    if ((flags & UVMF_FLUSHTYPE_MASK) == UVMF_INVLPG)
        mmu_invlpg(mask, va);
    else if (where == UVMF_LOCAL)
        tlb_flush_this();
    else
        tlb_flush_mask(mask);
    return 0;
}

static int update_va(unsigned long va, uint64_t val, unsigned long flags, struct domain *from)
{
    struct vcpu *v = current;
    struct domain *d = v->domain;
    struct pt_owner o = {d, from};
    pte_t old, *slot;
    int rc = -EINVAL;

    mmu_lock(d);
    slot = mmu_walk_l1(v, va, &old);
    if (likely(slot))
        rc = update(&o, 1, slot, READ_ONCE(*slot), val, 0, false);
    mmu_unlock(d);
    if (unlikely(rc))
        return rc;
    switch (flags & UVMF_FLUSHTYPE_MASK) {
    case UVMF_TLB_FLUSH:
    case UVMF_INVLPG:
        return flush_after(d, va, flags);
    default:
        return 0;
    }
}

long do_update_va_mapping(unsigned long va, uint64_t val, unsigned long flags)
{
    return update_va(va, val, flags, current_domain());
}

long do_update_va_mapping_otherdomain(unsigned long va, uint64_t val, unsigned long flags,
                                      domid_t domid)
{
    struct domain *from;
    int rc;

    TRY(mmu_frames_of(domid, &from));
    rc = update_va(va, val, flags, from);
    mmu_frames_put(from);
    return rc;
}
