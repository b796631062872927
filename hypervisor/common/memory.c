/* SPDX-License-Identifier: MIT */
/* memory_op: dispatch, permissions, and the questions about sizes, maps and the m2p table. Changing
 * a domain's memory is in reservation.c and exchange.c. ABI: xen/memory.h. */
#include <hv/gnttab.h>
#include <hv/heap.h>
#include <hv/hypercall.h>
#include <hv/memory.h>
#include <hv/mmu.h>
#include <xen/memory.h>

#define DOMU_MAX_ORDER       9  /* 2 MiB */
#define PRIVILEGED_MAX_ORDER 18 /* 1 GiB */
#define GUEST_E820_MAX       1024

/* ---- shared by the parts ---- */

unsigned int memory_max_order(void)
{
    return current_domain()->is_privileged ? PRIVILEGED_MAX_ORDER : DOMU_MAX_ORDER;
}

bool memory_range_ok(guest_ptr_t list, uint64_t first, uint64_t last)
{
    uint64_t n = last - first + 1;

    /* No list reaches further than the address space: then the products below do not wrap. */
    if (first > 1UL << 60 || n > 1UL << 60 || list.va + first * sizeof(xen_pfn_t) < list.va)
        return false;
    return guest_range_ok(guest_ptr_index(list, first, sizeof(xen_pfn_t)), n * sizeof(xen_pfn_t));
}

/* ---- sizes ---- */

static long domain_question(domid_t id, long (*ask)(const struct domain *d))
{
    struct domain *d __put_peer;
    long rc = domain_target(id, &d);

    return rc ? rc : ask(d);
}

static long pages_owned(const struct domain *d)
{
    return (long)READ_ONCE(d->tot_pages);
}

static long pages_allowed(const struct domain *d)
{
    return (long)min(READ_ONCE(d->max_pages), (uint64_t)UINT32_MAX); /* no limit is no error */
}

static long highest_gpfn(const struct domain *d)
{
    uint64_t nr = d->shared_info ? READ_ONCE(d->shared_info->arch.max_pfn) : 0;

    return nr ? (long)(nr - 1) : 0; /* a PV guest stores the number, not the highest */
}

/* @n pages in all will be wanted by @d: those that it does not have are set aside. 0: no more. */
static long claim(struct domain *d, uint64_t n)
{
    if (!n) {
        page_unclaim(d, d->claimed_pages);
        return 0;
    }
    if (d->claimed_pages || d->is_dying || n > d->max_pages || n <= d->tot_pages)
        return -EINVAL;
    if (!page_claim((int64_t)(n - d->tot_pages)))
        return -ENOMEM;
    d->claimed_pages = n - d->tot_pages;
    return 0;
}

static long claim_pages(const struct xen_memory_reservation *r)
{
    struct domain *d __put_domain = NULL;

    if (r->extent_start.p || r->extent_order || r->mem_flags)
        return -EINVAL;
    d = domain_by_id(r->domid);
    if (!d)
        return -EINVAL;
    spin_guard(&d->page_lock);
    return current_domain()->is_privileged ? claim(d, r->nr_extents) : -EPERM;
}

/* ---- the m2p table ---- */

static long machphys_mfn_list(struct xen_machphys_mfn_list *l)
{
    uint64_t n = 0, last = 0;

    /* 2 MiB of it describe 1 GiB of memory; a hole repeats the frame before it. */
    for (; n < l->max_extents && n << (21 - 3) < max_page; n++) {
        uint64_t m = m2p_chunk((unsigned int)n);

        last = m == INVALID_MFN_N ? last : m;
        if (put_element(l->extent_start, n, &last))
            return -EFAULT;
    }
    l->nr_extents = (unsigned int)n;
    return 0;
}

static long machphys_mapping(guest_ptr_t arg)
{
    struct xen_machphys_mapping m = {
        .v_start = MACH2PHYS_VIRT_START,
        .v_end = MACH2PHYS_VIRT_END,
        .max_mfn = MACH2PHYS_NR_ENTRIES - 1,
    };

    if (current_domain()->is_privileged)
        m.max_mfn = max_page - 1;
    return copy_to_guest(arg, &m, sizeof(m));
}

/* ---- memory maps ---- */

static long memory_map(struct xen_memory_map *map)
{
    struct domain *d = current_domain();

    spin_guard(&d->page_lock);
    if (d->nr_e820 == 0)
        return -ENOSYS;
    map->nr_entries = min(map->nr_entries, d->nr_e820);
    return copy_to_guest(guest_ptr_of(map->buffer), d->e820, map->nr_entries * sizeof(*d->e820));
}

static long set_memory_map(const struct xen_foreign_memory_map *f)
{
    struct e820_entry *map __free_heap = NULL, *old;
    struct domain *d __put_peer = NULL;
    unsigned int n = f->map.nr_entries;

    if (n > GUEST_E820_MAX)
        return -EINVAL;
    TRY(domain_target(f->domid, &d));
    if (n && !(map = heap_zalloc_array(n, sizeof(*map))))
        return -ENOMEM;
    if (n && copy_from_guest(map, guest_ptr_of(f->map.buffer), n * sizeof(*map)))
        return -EFAULT;
    spin_guard(&d->page_lock);
    old = d->e820;
    d->e820 = map;
    d->nr_e820 = n;
    map = old;
    return 0;
}

static long machine_memory_map(struct xen_memory_map *map)
{
    if (map->nr_entries < e820_nr + 1) /* the ABI wants room for one more */
        return -EINVAL;
    map->nr_entries = e820_nr;
    return copy_to_guest(guest_ptr_of(map->buffer), e820_map, e820_nr * sizeof(*e820_map));
}

/* ---- what only translated guests have ---- */

/* The ABI gives pseudo-physical maps to guests whose memory the hypervisor translates. PV guests
 * have their own, so for every existing domain the answer is -EACCES. */
static long not_translated(domid_t id)
{
    struct domain *d __put_peer;

    TRY(domain_target(id, &d));
    return -EACCES;
}

static long add_to_physmap_batch(unsigned long start, guest_ptr_t arg)
{
    struct xen_add_to_physmap_batch b;

    if (start > UINT16_MAX)
        return -EDOM;
    if (copy_from_guest(&b, arg, sizeof(b)) ||
        !guest_range_ok(guest_ptr_of(b.idxs), b.size * sizeof(xen_ulong_t)) ||
        !guest_range_ok(guest_ptr_of(b.gpfns), b.size * sizeof(xen_pfn_t)) ||
        !guest_range_ok(guest_ptr_of(b.errs), b.size * sizeof(int)))
        return -EFAULT;
    if (b.space == XENMAPSPACE_gmfn_range)
        return -EOPNOTSUPP;
    return not_translated(b.domid);
}

/* No domain has virtual NUMA. */
static long no_vnuma(const struct domain *d __ignored)
{
    return -EOPNOTSUPP;
}

/* Memory on demand is for translated guests. */
static long no_pod(const struct domain *d __ignored)
{
    return current_domain()->is_privileged ? -EINVAL : -EPERM;
}

/* The frames are the hypervisor's, shared with @d; the tools map them as frames of @d. */
static long list_grant_frames(struct domain *d, struct xen_mem_acquire_resource *r, guest_ptr_t arg)
{
    uint32_t max = gnttab_max_frames(d);

    if (r->id != XENMEM_resource_grant_table_id_shared || r->frame + r->nr_frames > max)
        return -EINVAL;
    if (!guest_ptr_of(r->frame_list).va) {
        if (r->nr_frames)
            return -EINVAL;
        r->nr_frames = max;
        return copy_to_guest(arg, r, sizeof(*r));
    }
    for (uint32_t i = 0; i < r->nr_frames; i++) {
        mfn_t m;

        TRY(gnttab_get_shared_frame(d, r->frame + i, &m));
        TRY(put_element(r->frame_list, i, &m.n));
    }
    return 0;
}

static long acquire_resource(struct xen_mem_acquire_resource *r, guest_ptr_t arg)
{
    struct domain *d __put_domain = NULL;

    if (r->pad || r->frame >> 32 || (r->frame + r->nr_frames) >> 32)
        return -EINVAL;
    if (r->domid == current_domain()->id)
        return -EPERM;
    d = domain_by_id(r->domid);
    if (!d)
        return -ESRCH;
    if (!current_domain()->is_privileged)
        return -EPERM;
    return r->type == XENMEM_resource_grant_table ? list_grant_frames(d, r, arg) : -EOPNOTSUPP;
}

/* ---- dispatch ---- */

/* Progress in cmd of an operation that is never continued is an error. The ABI keeps apart those of
 * the architecture, which are unknown then. */
#define NEVER_CONTINUED                                                                            \
    (1UL << XENMEM_exchange | 1UL << XENMEM_maximum_ram_page | 1UL << XENMEM_current_reservation | \
     1UL << XENMEM_maximum_reservation | 1UL << XENMEM_maximum_gpfn | 1UL << XENMEM_claim_pages |  \
     1UL << XENMEM_remove_from_physmap | 1UL << XENMEM_get_vnumainfo |                             \
     1UL << XENMEM_reserved_device_memory_map | 1UL << XENMEM_acquire_resource)

#define OP(name, type, has_result, work)                                                           \
    case XENMEM_##name:                                                                            \
        return RUN_OP(arg, struct xen_##type, has_result, work)

static long other_op(unsigned int cmd, guest_ptr_t arg)
{
    switch (cmd) {
    case XENMEM_exchange:
        return memory_exchange(arg);
    case XENMEM_maximum_ram_page:
        return (long)max_page - 1;
        OP(current_reservation, memory_domain, false, domain_question(op.domid, pages_owned));
        OP(maximum_reservation, memory_domain, false, domain_question(op.domid, pages_allowed));
        OP(maximum_gpfn, memory_domain, false, domain_question(op.domid, highest_gpfn));
        OP(claim_pages, memory_reservation, false, claim_pages(&op));
        OP(remove_from_physmap, remove_from_physmap, false, not_translated(op.domid));
        OP(get_vnumainfo, vnuma_topology_info, false,
           op.pad ? -EINVAL : domain_question(op.domid, no_vnuma));
        /* without an IOMMU no device needs memory of its own */
        OP(reserved_device_memory_map, reserved_device_memory_map, true,
           op.flags & ~(uint32_t)XENMEM_RDM_ALL ? -EINVAL : (op.nr_entries = 0, 0));
        OP(acquire_resource, mem_acquire_resource, false, acquire_resource(&op, arg));
        OP(machphys_mfn_list, machphys_mfn_list, true, machphys_mfn_list(&op));
    case XENMEM_machphys_mapping:
        return machphys_mapping(arg);
    case XENMEM_machphys_compat_mfn_list: /* no 32-bit guests */
        return -EOPNOTSUPP;
        OP(memory_map, memory_map, true, memory_map(&op));
        OP(set_memory_map, foreign_memory_map, false, set_memory_map(&op));
    case XENMEM_machine_memory_map:
        return current_domain()->is_privileged
                   ? RUN_OP(arg, struct xen_memory_map, true, machine_memory_map(&op))
                   : -EPERM;
        OP(set_pod_target, pod_target, false, domain_question(op.domid, no_pod));
        OP(get_pod_target, pod_target, false, domain_question(op.domid, no_pod));
    case XENMEM_get_sharing_freed_pages: /* none are shared behind the guests' backs */
    case XENMEM_get_sharing_shared_pages:
        return 0;
    default:
        return -ENOSYS;
    }
}

long do_memory_op(unsigned long cmd, guest_ptr_t arg)
{
    unsigned int op = cmd & MEMOP_MASK;
    unsigned long start = cmd >> MEMOP_EXTENT_SHIFT;

    if (likely(op == XENMEM_populate_physmap || op == XENMEM_decrease_reservation ||
               op == XENMEM_increase_reservation))
        return memory_reservation(op, start, arg);
    if (op == XENMEM_add_to_physmap)
        return RUN_OP(arg, struct xen_add_to_physmap, false,
                      op.space == XENMAPSPACE_gmfn_foreign ? -ENOSYS /* only in batches */
                                                           : not_translated(op.domid));
    if (op == XENMEM_add_to_physmap_batch)
        return add_to_physmap_batch(start, arg);
    return !start ? other_op(op, arg) : NEVER_CONTINUED >> op & 1 ? -EINVAL : -ENOSYS;
}
