/* SPDX-License-Identifier: MIT */
/* memory_op exchange: frames of one shape go, as many of another come, typically single ones for a
 * contiguous extent that a device can reach.
 *
 * It is done in chunks, the smallest number of extents on either side that are equal in size. A
 * chunk is first prepared (inputs stolen from the domain, outputs allocated and cleared), which may
 * fail and is then undone; then committed, which cannot fail but for the copies of frame numbers.
 * d->tot_pages counts the chunk all the time, so that nobody can use up the limit in between
 * (XSA-159).
 *
 * The guest supplies where to start, nr_exchanged; ranges are checked from there (XSA-212), and
 * again by every single copy. */
#include <hv/hypercall.h>
#include <hv/memory.h>
#include <hv/mmu.h>
#include <xen/memory.h>

struct exchange {
    struct domain *d;
    struct xen_memory_exchange x;     /* our copy; nr_exchanged moves on */
    unsigned int in_shift, out_shift; /* extents of either list in a chunk: 1 << shift */
    unsigned int bits;
    /* The raw frames in hand: frame numbers, linked by page.next; outputs are first frames of
     * extents. */
    uint32_t inputs, outputs;
};

static void push(uint32_t *list, struct page *pg)
{
    pg->next = *list;
    *list = (uint32_t)page_mfn(pg).n;
}

static struct page *pop(uint32_t *list)
{
    struct page *pg = &frame_table[*list];

    if (!*list)
        return NULL;
    *list = pg->next;
    return pg;
}

/* ---- first what can fail ---- */

static int take_page(struct exchange *ex, uint64_t n)
{
    struct page *pg = page_from_gfn(ex->d, gfn(n));

    if (!pg)
        return -EINVAL;
    if (page_steal(pg, ex->d, true)) {
        page_put(pg);
        return -EINVAL; /* mapped, typed, or given up already */
    }
    push(&ex->inputs, pg);
    return 0;
}

static int take_inputs(struct exchange *ex, uint64_t chunk)
{
    for (unsigned long j = 0; j < 1UL << ex->in_shift; j++) {
        uint64_t n;

        if (get_element(ex->x.in.extent_start, (chunk << ex->in_shift) + j, &n))
            return -EFAULT;
        for (unsigned long k = 0; k < 1UL << ex->x.in.extent_order; k++)
            TRY(take_page(ex, n + k));
    }
    return 0;
}

static int take_outputs(struct exchange *ex)
{
    unsigned int order = ex->x.out.extent_order;

    for (unsigned long j = 0; j < 1UL << ex->out_shift; j++) {
        struct page *pg = page_alloc_raw(order, ex->bits, 0);

        if (!pg)
            return -ENOMEM;
        page_prepare(pg, order, ex->d->uid); /* not 0: the domain has had frames */
        push(&ex->outputs, pg);
    }
    return 0;
}

static void undo(struct exchange *ex)
{
    struct page *pg;

    while ((pg = pop(&ex->outputs)))
        page_free_raw(pg, ex->x.out.extent_order);
    while ((pg = pop(&ex->inputs))) {
        page_prepare(pg, 0, ex->d->uid);
        if (page_give_kept(pg, 0, ex->d)) { /* it is being destroyed: there is nobody to have it */
            page_free_raw(pg, 0);
            page_uncount(ex->d, 1);
        }
    }
}

/* ---- then what cannot ---- */

/* The last one pushed is the first here; the order in which extents are handed out means nothing.
 */
static int give_output(struct exchange *ex, struct page *pg, uint64_t i)
{
    unsigned int order = ex->x.out.extent_order;
    uint64_t p, n = page_mfn(pg).n;

    if (page_give_kept(pg, order, ex->d)) {
        page_free_raw(pg, order);
        page_uncount(ex->d, 1UL << order);
        return -ESRCH;
    }
    if (get_element(ex->x.out.extent_start, i, &p))
        return -EFAULT;
    for (unsigned long k = 0; k < 1UL << order; k++)
        m2p_set(mfn(n + k), p + k);
    return put_element(ex->x.out.extent_start, i, &n);
}

static int commit(struct exchange *ex, uint64_t chunk)
{
    uint64_t i = chunk << ex->out_shift;
    struct page *pg;
    int rc = 0;

    while ((pg = pop(&ex->inputs))) {
        m2p_set(page_mfn(pg), INVALID_M2P);
        page_free_raw(pg, 0);
    }
    while ((pg = pop(&ex->outputs))) {
        int err = give_output(ex, pg, i++);

        rc = rc ?: err;
    }
    return rc;
}

/* ---- the operation ---- */

static int check(struct exchange *ex)
{
    struct xen_memory_exchange *x = &ex->x;
    unsigned int max_order = memory_max_order();

    if (x->in.extent_order > max_order || x->out.extent_order > max_order)
        return -EPERM;
    if (x->nr_exchanged > x->in.nr_extents || x->in.domid != x->out.domid ||
        x->in.nr_extents > ~0UL >> x->in.extent_order ||
        x->out.nr_extents > ~0UL >> x->out.extent_order ||
        x->in.nr_extents << x->in.extent_order != x->out.nr_extents << x->out.extent_order)
        return -EINVAL;
    if (x->in.extent_order <= x->out.extent_order)
        ex->in_shift = x->out.extent_order - x->in.extent_order;
    else
        ex->out_shift = x->in.extent_order - x->out.extent_order;
    if (!memory_range_ok(guest_ptr_of(x->in.extent_start), x->nr_exchanged, x->in.nr_extents - 1) ||
        !memory_range_ok(guest_ptr_of(x->out.extent_start),
                         x->nr_exchanged >> ex->in_shift << ex->out_shift, x->out.nr_extents - 1))
        return -EFAULT;
    ex->bits = XENMEMF_get_address_bits(x->out.mem_flags);
    return domain_target(x->in.domid, &ex->d);
}

static int exchange_chunk(struct exchange *ex, uint64_t chunk)
{
    int rc = take_inputs(ex, chunk) ?: take_outputs(ex);

    if (!rc)
        return commit(ex, chunk);
    undo(ex);
    return rc;
}

static int tell_progress(guest_ptr_t arg, uint64_t nr)
{
    return copy_to_guest(guest_ptr(arg.va + offsetof(struct xen_memory_exchange, nr_exchanged)),
                         &nr, sizeof(nr));
}

long memory_exchange(guest_ptr_t arg)
{
    struct exchange ex = {0};
    bool preempted = false;
    uint64_t i, end;
    int rc;

    if (copy_from_guest(&ex.x, arg, sizeof(ex.x)))
        return -EFAULT;
    rc = check(&ex);
    if (rc)
        return tell_progress(arg, ex.x.nr_exchanged) ? -EFAULT : rc;

    end = ex.x.in.nr_extents >> ex.in_shift;
    for (i = ex.x.nr_exchanged >> ex.in_shift; i < end; i++) {
        preempted = i != ex.x.nr_exchanged >> ex.in_shift && hypercall_preempt_needed();
        if (preempted)
            break;
        rc = exchange_chunk(&ex, i);
        if (rc)
            break;
    }
    domain_peer_put(ex.d);
    if (tell_progress(arg, i < end ? i << ex.in_shift : ex.x.in.nr_extents))
        return -EFAULT;
    if (preempted)
        return hypercall_continue(__HYPERVISOR_memory_op, 2, (unsigned long)XENMEM_exchange,
                                  arg.va);
    return rc;
}
