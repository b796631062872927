/* SPDX-License-Identifier: MIT */
/* memory_op: dispatch, permissions, and the questions about sizes, maps and the m2p table. Changing
 * a domain's memory is in reservation.c and exchange.c. ABI: xen/memory.h. */
#include <hv/gnttab.h>
#include <hv/domain.h>
#include <hv/errno.h>
#include <hv/guest_access.h>
#include <hv/heap.h>
#include <hv/hypercall.h>
#include <hv/lib.h>
#include <hv/memory.h>
#include <hv/mmu.h>
#include <hv/page.h>
#include <xen/memory.h>

#define DOMU_MAX_ORDER       9  /* 2 MiB */
#define PRIVILEGED_MAX_ORDER 18 /* 1 GiB */
#define GUEST_E820_MAX       1024

/* ---- shared by the parts ---- */

int memory_target(domid_t id, struct domain **out)
{
    struct domain *self = current_domain(), *d;

    if (id == DOMID_SELF || id == self->id) {
        *out = self;
        return 0;
    }
    d = domain_by_id(id);
    if (!d)
        return -ESRCH;
    if (!self->is_privileged) {
        domain_put(d);
        return -EPERM;
    }
    *out = d;
    return 0;
}

void memory_target_put(struct domain *d)
{
    if (d != current_domain())
        domain_put(d);
}

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

static long domain_question(guest_ptr_t arg, long (*ask)(const struct domain *d))
{
    struct xen_memory_domain md;
    struct domain *d;
    long rc;

    if (copy_from_guest(&md, arg, sizeof(md)))
        return -EFAULT;
    rc = memory_target(md.domid, &d);
    if (rc)
        return rc;
    rc = ask(d);
    memory_target_put(d);
    return rc;
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

static long maximum_ram_page(guest_ptr_t arg)
{
    (void)arg;
    return (long)max_page - 1;
}

static long current_reservation(guest_ptr_t arg)
{
    return domain_question(arg, pages_owned);
}

static long maximum_reservation(guest_ptr_t arg)
{
    return domain_question(arg, pages_allowed);
}

static long maximum_gpfn(guest_ptr_t arg)
{
    return domain_question(arg, highest_gpfn);
}

/* No pages are shared behind the guests' backs. */
static long sharing_pages(guest_ptr_t arg)
{
    (void)arg;
    return 0;
}

/* @n pages in all will be wanted by @d: those that it does not have are set aside. 0: no more. */
static long claim(struct domain *d, uint64_t n)
{
    if (!n)
        page_unclaim(d, d->claimed_pages);
    if (!n)
        return 0;
    if (d->claimed_pages || d->is_dying || n > d->max_pages || n <= d->tot_pages)
        return -EINVAL;
    if (!page_claim((int64_t)(n - d->tot_pages)))
        return -ENOMEM;
    d->claimed_pages = n - d->tot_pages;
    return 0;
}

static long claim_pages(guest_ptr_t arg)
{
    struct xen_memory_reservation r;
    struct domain *d;
    long rc;

    if (copy_from_guest(&r, arg, sizeof(r)))
        return -EFAULT;
    if (r.extent_start.p || r.extent_order || r.mem_flags)
        return -EINVAL;
    d = domain_by_id(r.domid);
    if (!d)
        return -EINVAL;
    spin_lock(&d->page_lock);
    rc = current_domain()->is_privileged ? claim(d, r.nr_extents) : -EPERM;
    spin_unlock(&d->page_lock);
    domain_put(d);
    return rc;
}

/* ---- the m2p table ---- */

static long machphys_mfn_list(guest_ptr_t arg)
{
    struct xen_machphys_mfn_list l;
    uint64_t n = 0, last = 0;

    if (copy_from_guest(&l, arg, sizeof(l)))
        return -EFAULT;
    /* 2 MiB of it describe 1 GiB of memory; a hole repeats the frame before it. */
    for (; n < l.max_extents && n << (21 - 3) < max_page; n++) {
        uint64_t m = m2p_chunk((unsigned int)n);

        last = m == INVALID_MFN_N ? last : m;
        if (copy_to_guest(guest_ptr_index(guest_ptr_of(l.extent_start), n, sizeof(last)), &last,
                          sizeof(last)))
            return -EFAULT;
    }
    l.nr_extents = (unsigned int)n;
    return copy_to_guest(arg, &l, sizeof(l));
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

static long machphys_compat_mfn_list(guest_ptr_t arg)
{
    (void)arg;
    return -EOPNOTSUPP; /* no 32-bit guests */
}

/* ---- memory maps ---- */

static long memory_map(guest_ptr_t arg)
{
    struct domain *d = current_domain();
    struct xen_memory_map map;
    unsigned int n;
    int rc;

    if (copy_from_guest(&map, arg, sizeof(map)))
        return -EFAULT;
    spin_lock(&d->page_lock);
    n = min(map.nr_entries, d->nr_e820);
    rc = d->nr_e820 == 0 ? -ENOSYS
                         : copy_to_guest(guest_ptr_of(map.buffer), d->e820, n * sizeof(*d->e820));
    spin_unlock(&d->page_lock);
    if (rc)
        return rc;
    map.nr_entries = n;
    return copy_to_guest(arg, &map, sizeof(map));
}

static long set_memory_map(guest_ptr_t arg)
{
    struct xen_foreign_memory_map f;
    struct e820_entry *map = NULL, *old;
    struct domain *d;
    long rc;

    if (copy_from_guest(&f, arg, sizeof(f)))
        return -EFAULT;
    if (f.map.nr_entries > GUEST_E820_MAX)
        return -EINVAL;
    rc = memory_target(f.domid, &d);
    if (rc)
        return rc;
    if (f.map.nr_entries) {
        map = heap_zalloc_array(f.map.nr_entries, sizeof(*map));
        if (!map)
            rc = -ENOMEM;
        else
            rc = copy_from_guest(map, guest_ptr_of(f.map.buffer), f.map.nr_entries * sizeof(*map));
    }
    if (!rc) {
        spin_lock(&d->page_lock);
        old = d->e820;
        d->e820 = map;
        d->nr_e820 = f.map.nr_entries;
        spin_unlock(&d->page_lock);
        map = old;
    }
    heap_free(map);
    memory_target_put(d);
    return rc;
}

void memory_domain_free(struct domain *d)
{
    heap_free(d->e820);
    d->e820 = NULL;
    d->nr_e820 = 0;
}

static long machine_memory_map(guest_ptr_t arg)
{
    struct xen_memory_map map;

    if (!current_domain()->is_privileged)
        return -EPERM;
    if (copy_from_guest(&map, arg, sizeof(map)))
        return -EFAULT;
    if (map.nr_entries < e820_nr + 1) /* the ABI wants room for one more */
        return -EINVAL;
    if (copy_to_guest(guest_ptr_of(map.buffer), e820_map, e820_nr * sizeof(*e820_map)))
        return -EFAULT;
    map.nr_entries = e820_nr;
    return copy_to_guest(arg, &map, sizeof(map));
}

/* ---- what only translated guests have ---- */

/* The ABI gives pseudo-physical maps to guests whose memory the hypervisor translates. PV guests
 * have their own, so for every existing domain the answer is -EACCES. */
static long not_translated(domid_t id)
{
    struct domain *d;
    long rc = memory_target(id, &d);

    if (!rc)
        memory_target_put(d);
    return rc ? rc : -EACCES;
}

static long add_to_physmap(guest_ptr_t arg)
{
    struct xen_add_to_physmap a;

    if (copy_from_guest(&a, arg, sizeof(a)))
        return -EFAULT;
    if (a.space == XENMAPSPACE_gmfn_foreign)
        return -ENOSYS; /* only in batches */
    return not_translated(a.domid);
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

static long remove_from_physmap(guest_ptr_t arg)
{
    struct xen_remove_from_physmap r;

    if (copy_from_guest(&r, arg, sizeof(r)))
        return -EFAULT;
    return not_translated(r.domid);
}

static long vnuma_info(guest_ptr_t arg)
{
    struct xen_vnuma_topology_info t;
    struct domain *d;
    long rc;

    if (copy_from_guest(&t, arg, sizeof(t)))
        return -EFAULT;
    if (t.pad)
        return -EINVAL;
    rc = memory_target(t.domid, &d);
    if (rc)
        return rc;
    memory_target_put(d);
    return -EOPNOTSUPP; /* no domain has virtual NUMA */
}

/* Memory on demand is for translated guests. */
static long pod_target(guest_ptr_t arg)
{
    struct xen_pod_target t;
    struct domain *d;
    long rc;

    if (copy_from_guest(&t, arg, sizeof(t)))
        return -EFAULT;
    rc = memory_target(t.domid, &d);
    if (rc)
        return rc;
    memory_target_put(d);
    return current_domain()->is_privileged ? -EINVAL : -EPERM;
}

/* Without an IOMMU no device needs memory of its own. */
static long reserved_device_memory(guest_ptr_t arg)
{
    struct xen_reserved_device_memory_map m;

    if (copy_from_guest(&m, arg, sizeof(m)))
        return -EFAULT;
    if (m.flags & ~(uint32_t)XENMEM_RDM_ALL)
        return -EINVAL;
    m.nr_entries = 0;
    return copy_to_guest(arg, &m, sizeof(m));
}

/* The frames are the hypervisor's, shared with @d; the tools map them as frames of @d. */
static long list_grant_frames(struct domain *d, struct xen_mem_acquire_resource *r, guest_ptr_t arg)
{
    guest_ptr_t list = guest_ptr_of(r->frame_list);
    uint32_t max = gnttab_max_frames(d);
    long rc = 0;

    if (r->id != XENMEM_resource_grant_table_id_shared || r->frame + r->nr_frames > max)
        return -EINVAL;
    if (!list.va) {
        if (r->nr_frames)
            return -EINVAL;
        r->nr_frames = max;
        return copy_to_guest(arg, r, sizeof(*r));
    }
    for (uint32_t i = 0; i < r->nr_frames && !rc; i++) {
        mfn_t m;

        rc = gnttab_get_shared_frame(d, r->frame + i, &m);
        if (!rc)
            rc = copy_to_guest(guest_ptr_index(list, i, sizeof(m.n)), &m.n, sizeof(m.n));
    }
    return rc;
}

static long acquire_resource(guest_ptr_t arg)
{
    struct xen_mem_acquire_resource r;
    struct domain *d;
    long rc;

    if (copy_from_guest(&r, arg, sizeof(r)))
        return -EFAULT;
    if (r.pad || r.frame >> 32 || (r.frame + r.nr_frames) >> 32)
        return -EINVAL;
    if (r.domid == current_domain()->id)
        return -EPERM;
    d = domain_by_id(r.domid);
    if (!d)
        return -ESRCH;
    rc = !current_domain()->is_privileged        ? -EPERM
         : r.type != XENMEM_resource_grant_table ? -EOPNOTSUPP
                                                 : list_grant_frames(d, &r, arg);
    domain_put(d);
    return rc;
}

/* ---- dispatch ---- */

/* Operations that are never continued; `progress` is what they say to progress in cmd. The ABI
 * keeps apart those of the architecture, which are unknown then. */
static const struct {
    long (*run)(guest_ptr_t arg);
    int progress;
} ops[] = {
    [XENMEM_exchange] = {memory_exchange, -EINVAL},
    [XENMEM_maximum_ram_page] = {maximum_ram_page, -EINVAL},
    [XENMEM_current_reservation] = {current_reservation, -EINVAL},
    [XENMEM_maximum_reservation] = {maximum_reservation, -EINVAL},
    [XENMEM_maximum_gpfn] = {maximum_gpfn, -EINVAL},
    [XENMEM_claim_pages] = {claim_pages, -EINVAL},
    [XENMEM_remove_from_physmap] = {remove_from_physmap, -EINVAL},
    [XENMEM_get_vnumainfo] = {vnuma_info, -EINVAL},
    [XENMEM_reserved_device_memory_map] = {reserved_device_memory, -EINVAL},
    [XENMEM_acquire_resource] = {acquire_resource, -EINVAL},
    [XENMEM_machphys_mfn_list] = {machphys_mfn_list, -ENOSYS},
    [XENMEM_machphys_mapping] = {machphys_mapping, -ENOSYS},
    [XENMEM_machphys_compat_mfn_list] = {machphys_compat_mfn_list, -ENOSYS},
    [XENMEM_memory_map] = {memory_map, -ENOSYS},
    [XENMEM_set_memory_map] = {set_memory_map, -ENOSYS},
    [XENMEM_machine_memory_map] = {machine_memory_map, -ENOSYS},
    [XENMEM_set_pod_target] = {pod_target, -ENOSYS},
    [XENMEM_get_pod_target] = {pod_target, -ENOSYS},
    [XENMEM_get_sharing_freed_pages] = {sharing_pages, -ENOSYS},
    [XENMEM_get_sharing_shared_pages] = {sharing_pages, -ENOSYS},
};

static long other_op(unsigned int op, unsigned long start, guest_ptr_t arg)
{
    if (op == XENMEM_add_to_physmap)
        return add_to_physmap(arg);
    if (op == XENMEM_add_to_physmap_batch)
        return add_to_physmap_batch(start, arg);
    if (op >= ARRAY_SIZE(ops) || !ops[op].run)
        return -ENOSYS;
    return start ? ops[op].progress : ops[op].run(arg);
}

long do_memory_op(unsigned long cmd, guest_ptr_t arg)
{
    unsigned int op = cmd & MEMOP_MASK;
    unsigned long start = cmd >> MEMOP_EXTENT_SHIFT;

    if (likely(op == XENMEM_populate_physmap || op == XENMEM_decrease_reservation ||
               op == XENMEM_increase_reservation))
        return memory_reservation(op, start, arg);
    return other_op(op, start, arg);
}
