/* SPDX-License-Identifier: MIT */
/* memory_op: a domain grows, shrinks, and fills its pseudo-physical space.
 *
 * All three operations walk a list of extents and report how many they have done; whatever is wrong
 * stops the walk there and is told by the number alone (ABI: xen/memory.h). A preempted walk goes
 * on with the number done in the upper bits of cmd. */
#include <hv/hypercall.h>
#include <hv/memory.h>
#include <hv/mmu.h>
#include <xen/memory.h>

struct memop {
    struct domain *d;
    guest_ptr_t list; /* of frame numbers, 8 bytes each; va 0: none */
    unsigned int order;
    unsigned int bits;
};

/* Decode XENMEMF_*: the address width to allocate below, 0 for any; -EINVAL. */
static int flags_bits(unsigned int flags)
{
    unsigned int bits = XENMEMF_get_address_bits(flags);
    unsigned int node = XENMEMF_get_node(flags);

    if (bits && bits <= PAGE_SHIFT)
        return -EINVAL;
    /* One node, number 0; 0xff says any. Another one is a wish, unless it must be exactly that.
     * Virtual nodes no domain has, so they mean nothing. */
    if (!(flags & XENMEMF_vnode) && node != 0xff &&
        (node >= 64 || (node && (flags & XENMEMF_exact_node_request))))
        return -EINVAL;
    return (int)bits;
}

static void give_up_extent(struct page *pg, unsigned int order, struct domain *d)
{
    for (unsigned long i = 0; i < 1UL << order; i++)
        if (page_get(&pg[i], d)) {
            (void)page_release(&pg[i]);
            page_put(&pg[i]);
        }
}

static int tell_mfn(const struct memop *a, unsigned long i, struct page *pg)
{
    uint64_t n = page_mfn(pg).n;

    return copy_to_guest(guest_ptr_index(a->list, i, sizeof(n)), &n, sizeof(n));
}

/* A new extent, which is told; populate_physmap reads first which pseudo-physical frames it is to be. */
static int give_extent(const struct memop *a, unsigned long i, bool populate)
{
    struct page *pg;
    uint64_t p;

    if (populate && copy_from_guest(&p, guest_ptr_index(a->list, i, sizeof(p)), sizeof(p)))
        return -EFAULT;
    pg = page_alloc_domain(a->d, a->order, a->bits, false);
    if (!pg)
        return -ENOMEM;
    for (unsigned long k = 0; populate && k < 1UL << a->order; k++)
        m2p_set(page_mfn(&pg[k]), p + k);
    if ((!populate && !a->list.va) || !tell_mfn(a, i, pg))
        return 0;
    give_up_extent(pg, a->order, a->d);
    return -EFAULT;
}

/* Pins and mappings stay, and with them the frame, until the domain drops them too (XSA-252). */
static int decrease_page(struct domain *d, uint64_t n)
{
    struct page *pg;
    int rc = 0;

    if (likely(n < max_page && page_discard(&frame_table[n], d)))
        return 0;
    pg = page_from_gfn(d, gfn(n));
    if (!pg)
        return -ENXIO;
    if (unlikely(!page_release(pg)) && (pg->count & PGC_HV))
        rc = -ENXIO; /* the hypervisor's, only shared with d. Given up twice is no error. */
    page_put(pg);
    return rc;
}

static int decrease_extent(const struct memop *a, unsigned long i)
{
    uint64_t n;
    int rc = 0;

    if (copy_from_guest(&n, guest_ptr_index(a->list, i, sizeof(n)), sizeof(n)))
        return -EFAULT;
    for (unsigned long k = 0; k < 1UL << a->order && !rc; k++)
        rc = decrease_page(a->d, n + k);
    return rc;
}

long memory_reservation(unsigned int op, unsigned long start, guest_ptr_t arg)
{
    struct xen_memory_reservation r;
    struct memop a;
    unsigned long i;
    bool preempted = false;
    int bits;

    if (copy_from_guest(&r, arg, sizeof(r)))
        return (long)start;
    bits = r.mem_flags ? flags_bits(r.mem_flags) : 0;
    if (bits < 0 || r.nr_extents > UINT32_MAX >> MEMOP_EXTENT_SHIFT || start >= r.nr_extents ||
        (r.extent_order && r.extent_order > memory_max_order()))
        return (long)start;
    a = (struct memop){NULL, guest_ptr_of(r.extent_start), r.extent_order, (unsigned int)bits};
    if (op == XENMEM_populate_physmap && (r.mem_flags & XENMEMF_populate_on_demand))
        return (long)start; /* not for PV */
    if ((a.list.va || op != XENMEM_increase_reservation) &&
        !memory_range_ok(a.list, start, r.nr_extents - 1))
        return (long)start;
    if (domain_target(r.domid, &a.d))
        return (long)start;

    for (i = start; i < r.nr_extents; i++) {
        preempted = i != start && hypercall_preempt_needed();
        if (preempted ||
            (op == XENMEM_decrease_reservation ? decrease_extent(&a, i)
                                               : give_extent(&a, i, op == XENMEM_populate_physmap)))
            break;
    }
    domain_peer_put(a.d);
    if (preempted)
        return hypercall_continue(__HYPERVISOR_memory_op, 2, op | i << MEMOP_EXTENT_SHIFT, arg.va);
    return (long)i;
}
