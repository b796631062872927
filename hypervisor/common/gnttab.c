/* SPDX-License-Identifier: MIT */
/* Grant tables: the table of a domain, who may use an entry of it, and the operations that neither
 * map nor copy. Layout version 1 only; so there are no status frames, no sub-pages and no
 * transitive grants (XSA-26, -226, -255, -382, -501). The rules N1..N7 are in <hv/gnttab_table.h>.
 *
 * Table frames are the hypervisor's, shared with the domain, and given back only when the domain is
 * gone: the table grows and never shrinks. ABI: xen/grant_table.h. */
#include <hv/console.h>
#include <hv/gnttab_table.h>
#include <hv/heap.h>
#include <hv/mmu.h>

#define SHARED_TRIES 4 /* at a word that the guest may change at the same time (XSA-295) */

/* ---- frames ---- */

int gnttab_frame_refused(struct domain *d, uint64_t frame)
{
    struct page *pg = page_from_gfn(d, gfn(frame));

    if (!pg)
        return GNTST_bad_page;
    page_put(pg);
    return GNTST_general_error; /* only its type was in the way */
}

void gnttab_drop_frame(bool write, mfn_t m)
{
    struct page *pg = mfn_page(m);

    if (write)
        page_put_writable(pg);
    else
        page_put(pg);
}

/* ---- pins ---- */

/* The first half of an entry, which must change as one. */
#define HEAD(flags, domid) ((uint32_t)(flags) | (uint32_t)(domid) << 16)

/* Flags and domid of an entry in one word: the ABI aligns entries to 8. */
static inline uint32_t *head_of(struct grant_entry_v1 *e)
{
    return (uint32_t *)(void *)e;
}

/* Set @bits in the first half of a shared entry, provided that those of @mask are as in @want. */
static inline bool claim_shared(struct grant_entry_v1 *e, uint32_t mask, uint32_t want,
                                uint32_t bits)
{
    uint32_t old = READ_ONCE(*head_of(e));

    for (unsigned int i = 0; i < SHARED_TRIES && likely((old & mask) == want); i++)
        if (likely(__atomic_compare_exchange_n(head_of(e), &old, old | bits, false,
                                               __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)))
            return true;
    return false;
}

/* For use by @who: set the status bits. */
static inline bool claim_access(struct grant_entry_v1 *e, domid_t who, bool write)
{
    return claim_shared(
        e, HEAD(GTF_type_mask | GTF_sub_page, 0xffff) | (uint32_t)write << _GTF_readonly,
        HEAD(GTF_permit_access, who), GTF_reading | (uint32_t)write << _GTF_writing);
}

/* N3, after pins have gone or could not be made. Table locked. */
static void refresh_status(struct grant_entry_v1 *e, const struct gnttab_active *act)
{
    uint16_t gone = act->writers ? 0 : GTF_writing;

    if (!act->writers && !act->readers)
        gone |= GTF_reading;
    if (gone)
        __atomic_fetch_and(&e->flags, (uint16_t)~gone, __ATOMIC_SEQ_CST);
}

int64_t gnttab_pin(struct domain *rd, uint32_t ref, domid_t who, bool write)
{
    struct grant_table *gt = rd->gnttab;
    struct grant_entry_v1 *e;
    struct gnttab_active *act;
    bool pinned;
    int64_t frame;

    spin_guard(&gt->lock);
    if (unlikely(ref >= gnttab_nr_entries(gt)))
        return GNTST_bad_gntref;
    e = shared_entry(gt, ref);
    act = active_entry(gt, ref);
    pinned = gnttab_is_pinned(act);
    if (pinned && (act->domid != who || (act->readers | act->writers) >> 31))
        return GNTST_general_error;
    if ((!pinned || (write && !act->writers)) && unlikely(!claim_access(e, who, write)))
        return GNTST_general_error;
    frame = gnttab_hold_frame(rd, pinned ? act->frame : READ_ONCE(e->frame), write);
    if (unlikely(frame < 0)) {
        refresh_status(e, act);
        return frame;
    }
    act->domid = who;
    act->frame = (uint32_t)frame;
    if (write)
        act->writers++;
    else
        act->readers++;
    return frame;
}

void gnttab_unpin(struct domain *rd, uint32_t ref, bool write, mfn_t m)
{
    struct grant_table *gt = rd->gnttab;
    struct gnttab_active *act;

    spin_lock(&gt->lock);
    act = active_entry(gt, ref);
    if (write)
        act->writers--;
    else
        act->readers--;
    refresh_status(shared_entry(gt, ref), act);
    spin_unlock(&gt->lock);
    gnttab_drop_frame(write, m);
}

/* ---- the table ---- */

static int add_frame(struct domain *d)
{
    struct grant_table *gt = d->gnttab;
    uint32_t n = gt->nr_frames;
    struct page *pg = page_alloc(0, PA_ZERO);

    if (!pg)
        return -ENOMEM;
    gt->active[n] = heap_zalloc_array(ENTRIES_PER_FRAME, sizeof(struct gnttab_active));
    if (!gt->active[n]) {
        page_free(pg, 0);
        return -ENOMEM;
    }
    page_assign_shared(pg, d);
    gt->shared[n] = page_virt(pg);
    gt->nr_frames = n + 1;
    return 0;
}

/* Table locked. -EINVAL: over the limit, or dying. */
static int grow(struct domain *d, uint32_t frames)
{
    struct grant_table *gt = d->gnttab;
    int rc = 0;

    if (frames > gt->max_frames || (frames > gt->nr_frames && READ_ONCE(d->is_dying)))
        return -EINVAL;
    while (gt->nr_frames < frames && rc == 0)
        rc = add_frame(d);
    return rc;
}

uint32_t gnttab_max_frames(const struct domain *d)
{
    return d->gnttab->max_frames;
}

int gnttab_get_shared_frame(struct domain *d, unsigned long idx, mfn_t *out)
{
    struct grant_table *gt = d->gnttab;

    if (idx >= gt->max_frames)
        return -EINVAL;
    spin_guard(&gt->lock);
    TRY(grow(d, max(gt->nr_frames, (uint32_t)idx + 1)));
    *out = virt_to_mfn(gt->shared[idx]);
    return 0;
}

#define HEAP_MAX (1UL << 20)

int gnttab_domain_init(struct domain *d, unsigned int max_grant_frames,
                       unsigned int max_maptrack_frames)
{
    struct grant_table *gt = heap_new(struct grant_table);

    if (!gt)
        return -ENOMEM;
    spin_lock_init(&gt->lock, LOCK_GNTTAB);
    gt->max_frames = min(max_grant_frames, (unsigned int)(HEAP_MAX / sizeof(void *)));
    gt->shared = heap_zalloc_array(gt->max_frames + 1UL, sizeof(gt->shared[0]));
    gt->active = heap_zalloc_array(gt->max_frames + 1UL, sizeof(gt->active[0]));
    d->gnttab = gt;
    if (!gt->shared || !gt->active || gnttab_maptrack_init(gt, max_maptrack_frames)) {
        gnttab_domain_free(d);
        return -ENOMEM;
    }
    return 0;
}

bool gnttab_is_mapped(const struct domain *d)
{
    const struct grant_table *gt = d->gnttab;

    for (uint32_t i = 0; gt && i < gt->nr_frames; i++)
        if ((READ_ONCE(mfn_page(virt_to_mfn(gt->shared[i]))->count) & PGC_COUNT_MASK) > 1)
            return true;
    return false;
}

void gnttab_domain_free(struct domain *d)
{
    struct grant_table *gt = d->gnttab;

    if (!gt)
        return;
    for (uint32_t i = 0; i < gt->nr_frames; i++) {
        struct page *pg = mfn_page(virt_to_mfn(gt->shared[i]));

        heap_free(gt->active[i]);
        if (page_unshare(pg) == 0)
            page_free(pg, 0);
        else
            pr_err("d%u: frame %u of its grant table is still mapped, and lost", d->id, i);
    }
    gnttab_maptrack_free(gt);
    heap_free(gt->active);
    heap_free(gt->shared);
    d->gnttab = NULL;
    heap_free(gt);
}

/* ---- operations on tables ---- */

/* domain_target(), in the numbers of this hypercall. */
static struct domain *get_target(domid_t id, int16_t *status)
{
    struct domain *d;
    int rc = domain_target(id, &d);

    *status = !rc ? GNTST_okay : rc == -ESRCH ? GNTST_bad_domain : GNTST_permission_denied;
    return d;
}

/* Frames once in the table stay, so the list is written without the lock. */
static int16_t list_frames(const struct gnttab_setup_table *op, struct domain *d)
{
    for (uint32_t i = 0; i < op->nr_frames; i++) {
        xen_pfn_t n = virt_to_mfn(d->gnttab->shared[i]).n;

        if (put_element(op->frame_list, i, &n))
            return GNTST_bad_virt_addr;
    }
    return GNTST_okay;
}

static long setup_table(struct gnttab_setup_table *op, guest_ptr_t uop)
{
    struct domain *d __put_peer = NULL;
    int rc;

    if (op->nr_frames && !guest_range_ok(guest_ptr_of(op->frame_list), 1))
        return -EFAULT;
    d = get_target(op->dom, &op->status);
    if (d) {
        spin_lock(&d->gnttab->lock);
        rc = grow(d, op->nr_frames);
        spin_unlock(&d->gnttab->lock);
        op->status = rc ? GNTST_general_error : list_frames(op, d);
    }
    return copy_to_guest(uop, op, offsetof(struct gnttab_setup_table, frame_list));
}

static long query_size(struct gnttab_query_size *op)
{
    struct domain *d __put_peer = get_target(op->dom, &op->status);

    if (d) {
        op->nr_frames = READ_ONCE(d->gnttab->nr_frames);
        op->max_nr_frames = d->gnttab->max_frames;
    }
    return 0;
}

/* There are none in version 1; to ask for none is fine. */
static long get_status_frames(struct gnttab_get_status_frames *op, guest_ptr_t uop)
{
    struct domain *d __put_peer = get_target(op->dom, &op->status);

    if (d && op->nr_frames)
        op->status = GNTST_general_error;
    return copy_to_guest(uop, op, offsetof(struct gnttab_get_status_frames, frame_list));
}

/* Version 2 is refused as by a Xen that was told max-ver:1. */
static long set_version(struct gnttab_set_version *op, guest_ptr_t uop)
{
    uint32_t want = op->version;

    op->version = 1;
    if (copy_to_guest(uop, op, sizeof(*op)))
        return -EFAULT;
    return want == 1 ? 0 : want == 2 ? -ENOSYS : -EINVAL;
}

static long get_version(struct gnttab_get_version *op)
{
    struct domain *d __put_peer;

    op->version = 1;
    return domain_target(op->dom, &d);
}

static long swap_refs(struct domain *self, void *element)
{
    const struct gnttab_swap_grant_ref *op = element;
    struct grant_table *gt = self->gnttab;
    uint32_t a = op->ref_a, b = op->ref_b;
    struct grant_entry_v1 tmp;

    spin_guard(&gt->lock);
    if (a >= gnttab_nr_entries(gt) || b >= gnttab_nr_entries(gt))
        return GNTST_bad_gntref;
    if (a == b)
        return GNTST_okay;
    if (gnttab_is_pinned(active_entry(gt, a)) || gnttab_is_pinned(active_entry(gt, b)))
        return GNTST_eagain;
    tmp = *shared_entry(gt, a);
    *shared_entry(gt, a) = *shared_entry(gt, b);
    *shared_entry(gt, b) = tmp;
    return GNTST_okay;
}

/* ---- cache flush ---- */

/* Does @d have a pin on frame @m of @owner? Looks at all entries: some ten thousand at most. */
static bool is_granted_to(struct domain *owner, struct domain *d, mfn_t m)
{
    struct grant_table *gt = owner->gnttab;

    spin_guard(&gt->lock);
    for (uint32_t ref = 0; ref < gnttab_nr_entries(gt); ref++) {
        struct gnttab_active *act = active_entry(gt, ref);

        if (act->domid == d->id && act->frame == m.n && gnttab_is_pinned(act))
            return true;
    }
    return false;
}

static int flush_page(struct domain *d, const struct gnttab_cache_flush *op, mfn_t m)
{
    struct domain *owner = page_owner(mfn_page(m));
    struct page *pg __put_page = NULL;

    /* Device frames belong to no domain, those of the hypervisor are not to be flushed (XSA-232). */
    if (!owner || !page_get(mfn_page(m), owner))
        return -EPERM;
    pg = mfn_page(m);
    if (READ_ONCE(pg->count) & PGC_HV)
        return -EPERM;
    if (owner != d && !is_granted_to(owner, d, m))
        return -EINVAL;
    cache_flush_range((const uint8_t *)page_virt(pg) + op->offset, op->length);
    return 0;
}

static long cache_flush(struct domain *self, void *element)
{
    const struct gnttab_cache_flush *op = element;
    mfn_t m = mfn(op->a.dev_bus_addr >> PAGE_SHIFT);

    if (op->offset >= PAGE_SIZE || op->length > PAGE_SIZE - op->offset ||
        (op->op & ~(GNTTAB_CACHE_CLEAN | GNTTAB_CACHE_INVAL)))
        return -EINVAL;
    if (op->length == 0 || op->op == 0)
        return 0;
    if (op->op == GNTTAB_CACHE_INVAL) /* would throw away what others wrote */
        return -EOPNOTSUPP;
    return mfn_valid(m) ? flush_page(self, op, m) : -EINVAL;
}

/* ---- transfer ---- */

/* Take the entry by which @rd accepts a page of @from: from now on it is ours to complete. Locked. */
static bool commit_transfer(struct domain *rd, domid_t from, uint32_t ref)
{
    return ref < gnttab_nr_entries(rd->gnttab) &&
           claim_shared(shared_entry(rd->gnttab, ref), ~0u, HEAD(GTF_accept_transfer, from),
                        GTF_transfer_committed);
}

/* Nobody's page @pg, that was @d's, goes to @rd, or back if @rd does not take it. Its contents go
 * along; page_give() flushes what CPUs remember of the old owner's mappings (XSA-217). */
static int16_t give_page(struct domain *d, struct domain *rd, uint32_t ref, struct page *pg)
{
    struct grant_table *gt = rd->gnttab;
    bool committed;

    spin_lock(&gt->lock);
    committed = page_mfn(pg).n >> 32 == 0 && commit_transfer(rd, d->id, ref);
    spin_unlock(&gt->lock);
    if (committed && page_give(pg, rd) == 0) {
        spin_guard(&gt->lock);
        WRITE_ONCE(shared_entry(gt, ref)->frame, (uint32_t)page_mfn(pg).n);
        __atomic_fetch_or(&shared_entry(gt, ref)->flags, GTF_transfer_completed, __ATOMIC_SEQ_CST);
        return GNTST_okay;
    }
    if (page_give(pg, d))
        page_free_raw(pg, 0);
    return GNTST_general_error;
}

static long transfer_page(struct domain *d, void *element)
{
    const struct gnttab_transfer *op = element;
    struct page *pg = page_from_gfn(d, gfn(op->mfn));
    struct domain *rd __put_domain = NULL;

    if (!pg)
        return GNTST_bad_page;
    rd = domain_by_id(op->domid);
    if (rd && page_steal(pg, d, false) == 0)
        return give_page(d, rd, op->ref, pg); /* our reference went with the theft */
    page_put(pg);
    return rd ? GNTST_bad_page : GNTST_bad_domain;
}

/* ---- the hypercall ---- */

#define CMD_BITS 12 /* the ABI keeps those above for the hypervisor's own notes */

/* One argument, whatever the count says; the count is 1 where it says @single. */
#define OP(name, single, has_result, work)                                                         \
    case GNTTABOP_##name:                                                                          \
        return single && count != 1 ? -EINVAL : RUN_OP(uop, struct gnttab_##name, has_result, work)
/* A list, of which each element is checked when it is copied; the range is for one early answer. */
#define BATCH(name, work)                                                                          \
    case GNTTABOP_##name:                                                                          \
        return guest_range_ok(uop, (size_t)count * sizeof(struct gnttab_##name)) ? (work) : -EFAULT
#define EACH(name, status, one)                                                                    \
    BATCH(name, gnttab_batch(cmd, uop, count, sizeof(struct gnttab_##name), 0, status, one))
#define STATUS(name) offsetof(struct gnttab_##name, status)

static __attribute__((noinline)) long any_op(unsigned int cmd, guest_ptr_t uop, unsigned int count)
{
    if ((int)count < 0 || cmd >> CMD_BITS)
        return -EINVAL;
    switch (cmd) {
        BATCH(map_grant_ref, gnttab_op_map_grant_ref(uop, count));
        BATCH(unmap_grant_ref, gnttab_op_unmap_grant_ref(uop, count));
        EACH(unmap_and_replace, STATUS(unmap_and_replace), gnttab_unmap_and_replace);
        BATCH(copy, gnttab_op_copy(uop, count));
        EACH(transfer, STATUS(transfer), transfer_page);
        EACH(swap_grant_ref, STATUS(swap_grant_ref), swap_refs);
        EACH(cache_flush, 0, cache_flush);
        OP(setup_table, true, false, setup_table(&op, uop));
        OP(query_size, true, true, query_size(&op));
        OP(get_status_frames, true, false, get_status_frames(&op, uop));
        OP(set_version, false, false, set_version(&op, uop));
        OP(get_version, false, true, get_version(&op));
    default:
        return -ENOSYS;
    }
}

long do_grant_table_op(unsigned int cmd, guest_ptr_t uop, unsigned int count)
{
    if (likely(count == 1)) {
        if (cmd == GNTTABOP_copy)
            return gnttab_op_copy(uop, 1);
        if (cmd == GNTTABOP_map_grant_ref)
            return gnttab_op_map_grant_ref(uop, 1);
        if (cmd == GNTTABOP_unmap_grant_ref)
            return gnttab_op_unmap_grant_ref(uop, 1);
    }
    return any_op(cmd, uop, count);
}

long gnttab_continue(unsigned int cmd, guest_ptr_t next, unsigned int left)
{
    return hypercall_continue(__HYPERVISOR_grant_table_op, 3, (unsigned long)cmd, next.va,
                              (unsigned long)left);
}

/* ---- debugging ---- */

void gnttab_dump(struct domain *d)
{
    const struct grant_table *gt = d->gnttab;

    pr_info("d%u: grant table of %u frames (at most %u), room for %u mappings (at most %u)", d->id,
            gt->nr_frames, gt->max_frames, gt->nr_maptrack, gt->max_maptrack);
    for (uint32_t ref = 0; ref < gnttab_nr_entries(gt); ref++) {
        const struct gnttab_active *act = active_entry(gt, ref);

        if (gnttab_is_pinned(act))
            pr_info("  %4u flags %#x: frame %#x, d%u, %u readers, %u writers", ref,
                    READ_ONCE(shared_entry(gt, ref)->flags), act->frame, act->domid, act->readers,
                    act->writers);
    }
}
