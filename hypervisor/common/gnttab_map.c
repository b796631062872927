/* SPDX-License-Identifier: MIT */
/* Mapping other domains' frames by grant: map, unmap, unmap_and_replace, and the maptrack, the
 * table of what a domain has mapped, whose indices ("handles") it gets to name a mapping by.
 *
 * A handle is taken from the free list under maptrack_lock, belongs to the mapping CPU until its
 * flags are published, and is undone by the one CPU that got MAPTRACK_BUSY set (XSA-218, XSA-228):
 * so no lock is held while page tables change. Undoing costs the same however often a frame is
 * mapped (XSA-380). The rules N1..N7 are in <hv/gnttab_table.h>. */
#include <hv/gnttab_table.h>
#include <hv/heap.h>
#include <hv/mmu.h>

#define USES (GNTMAP_host_map | GNTMAP_device_map)
#define KEPT (USES | GNTMAP_readonly | GNTMAP_contains_pte) /* flags that unmapping needs */

/* ---- handles ---- */

int gnttab_maptrack_init(struct grant_table *gt, unsigned int max_frames)
{
    unsigned int frames = min(max_frames, 1U << 17); /* heap objects have at most 1 MiB */

    spin_lock_init(&gt->maptrack_lock, LOCK_MAPTRACK);
    gt->free_handle = MAPTRACK_NONE;
    gt->max_maptrack = frames * MAPTRACK_PER_FRAME;
    gt->maptrack = heap_zalloc_array(frames + 1UL, sizeof(gt->maptrack[0]));
    return gt->maptrack ? 0 : -ENOMEM;
}

void gnttab_maptrack_free(struct grant_table *gt)
{
    for (uint32_t i = 0; i < gt->nr_maptrack / MAPTRACK_PER_FRAME; i++)
        heap_free(gt->maptrack[i]);
    heap_free(gt->maptrack);
    gt->maptrack = NULL;
}

/* Maptrack locked. */
static bool add_handles(struct grant_table *gt)
{
    uint32_t first = gt->nr_maptrack;
    struct maptrack *mt;

    if (first >= gt->max_maptrack)
        return false;
    mt = heap_zalloc_array(MAPTRACK_PER_FRAME, sizeof(*mt));
    if (!mt)
        return false;
    for (uint32_t i = 0; i < MAPTRACK_PER_FRAME; i++)
        mt[i].ref = first + i + 1;
    mt[MAPTRACK_PER_FRAME - 1].ref = gt->free_handle;
    gt->maptrack[first / MAPTRACK_PER_FRAME] = mt;
    gt->free_handle = first;
    __atomic_store_n(&gt->nr_maptrack, first + MAPTRACK_PER_FRAME, __ATOMIC_RELEASE);
    return true;
}

/* A free handle, flags 0: MAPTRACK_NONE if there is none. */
static uint32_t take_handle(struct grant_table *gt)
{
    uint32_t h;

    spin_guard(&gt->maptrack_lock);
    if (unlikely(gt->free_handle == MAPTRACK_NONE) && !add_handles(gt))
        return MAPTRACK_NONE;
    h = gt->free_handle;
    gt->free_handle = maptrack_entry(gt, h)->ref;
    return h;
}

static void free_handle(struct grant_table *gt, uint32_t h)
{
    struct maptrack *mt = maptrack_entry(gt, h);

    spin_guard(&gt->maptrack_lock);
    mt->flags = 0;
    mt->ref = gt->free_handle;
    gt->free_handle = h;
}

/* Become the one who changes mapping @h: its entry; NULL if there is none or it is taken. */
static struct maptrack *claim_mapping(struct grant_table *gt, uint32_t h)
{
    struct maptrack *mt;

    spin_guard(&gt->maptrack_lock);
    if (h >= gt->nr_maptrack)
        return NULL;
    mt = maptrack_entry(gt, h);
    if (mt->flags == 0 || (mt->flags & MAPTRACK_BUSY))
        return NULL;
    mt->flags |= MAPTRACK_BUSY;
    return mt;
}

/* The mapping is used for nothing any more. Its granter is the frame's owner (N5). */
static void end_mapping(struct grant_table *gt, uint32_t h, struct maptrack *mt)
{
    mfn_t m = mfn(mt->frame);
    uint32_t ref = mt->ref;
    bool write = !(mt->flags & GNTMAP_readonly);
    struct domain *rd = page_owner(mfn_page(m));

    free_handle(gt, h);
    gnttab_unpin(rd, ref, write, m);
}

/* ---- map ---- */

static inline int write_entry(const struct gnttab_map_grant_ref *op, mfn_t m)
{
    if (unlikely(!(op->flags & GNTMAP_host_map)))
        return 0;
    return mmu_grant_map(op->host_addr, mfn_page(m), !(op->flags & GNTMAP_readonly),
                         op->flags & GNTMAP_contains_pte, op->flags & GNTMAP_application_map,
                         op->flags >> _GNTMAP_guest_avail0 & 7);
}

static int16_t map_from(struct domain *self, struct domain *rd, struct gnttab_map_grant_ref *op)
{
    struct grant_table *gt = self->gnttab;
    bool write = !(op->flags & GNTMAP_readonly);
    uint32_t h = take_handle(gt);
    struct maptrack *mt;
    int64_t frame;

    if (unlikely(h == MAPTRACK_NONE))
        return GNTST_no_space;
    frame = gnttab_pin(rd, op->ref, self->id, write);
    if (unlikely(frame < 0)) {
        free_handle(gt, h);
        return (int16_t)frame;
    }
    if (unlikely(write_entry(op, mfn((uint64_t)frame)))) {
        free_handle(gt, h);
        gnttab_unpin(rd, op->ref, write, mfn((uint64_t)frame));
        return GNTST_general_error;
    }
    mt = maptrack_entry(gt, h);
    mt->ref = op->ref;
    mt->frame = (uint32_t)frame;
    __atomic_store_n(&mt->flags, op->flags & KEPT, __ATOMIC_RELEASE);
    op->handle = h;
    op->dev_bus_addr = (uint64_t)frame << PAGE_SHIFT;
    return GNTST_okay;
}

static inline long map_one(struct domain *self, void *element)
{
    struct gnttab_map_grant_ref *op = element;
    struct domain *rd;
    long status;

    if (unlikely(!(op->flags & USES)))
        return GNTST_bad_gntref;
    /* There is no IOMMU: a frame for devices is a pin, of use to the owner of devices only. */
    if (unlikely(op->flags & GNTMAP_device_map) && !self->is_privileged)
        return GNTST_permission_denied;
    rd = gnttab_peer(self, op->dom);
    if (unlikely(!rd))
        return GNTST_bad_domain;
    status = map_from(self, rd, op);
    gnttab_peer_put(self, rd);
    return status;
}

long gnttab_op_map_grant_ref(guest_ptr_t uop, unsigned int count)
{
    return gnttab_batch(GNTTABOP_map_grant_ref, uop, count, sizeof(struct gnttab_map_grant_ref),
                        offsetof(struct gnttab_map_grant_ref, dom),
                        offsetof(struct gnttab_map_grant_ref, status), map_one);
}

/* ---- unmap ---- */

/* Take uses away from a claimed mapping. *@left are the flags that remain, also on failure. */
static inline int16_t unmap_claimed(const struct maptrack *mt,
                                    const struct gnttab_unmap_grant_ref *op, uint64_t new_addr,
                                    uint16_t *left)
{
    uint16_t flags = mt->flags;
    struct page *pg = mfn_page(mfn(mt->frame));

    *left = flags;
    if (op->dev_bus_addr && (flags & GNTMAP_device_map) &&
        op->dev_bus_addr != (uint64_t)mt->frame << PAGE_SHIFT)
        return GNTST_bad_dev_addr;
    if (op->host_addr && (flags & GNTMAP_host_map)) {
        if (mmu_grant_unmap(op->host_addr, pg, !(flags & GNTMAP_readonly),
                            flags & GNTMAP_contains_pte, new_addr))
            return GNTST_general_error;
        *left &= ~GNTMAP_host_map;
    }
    if (op->dev_bus_addr)
        *left &= ~GNTMAP_device_map;
    return GNTST_okay;
}

static inline long unmap_and(struct grant_table *gt, const struct gnttab_unmap_grant_ref *op,
                             uint64_t new_addr)
{
    struct maptrack *mt = claim_mapping(gt, op->handle);
    uint16_t left;
    long status;

    if (!mt)
        return GNTST_bad_handle;
    status = unmap_claimed(mt, op, new_addr, &left);
    if (left & USES)
        __atomic_store_n(&mt->flags, left & ~MAPTRACK_BUSY, __ATOMIC_RELEASE);
    else
        end_mapping(gt, op->handle, mt);
    return status;
}

static inline long unmap_one(struct domain *self, void *element)
{
    return unmap_and(self->gnttab, element, 0);
}

long gnttab_op_unmap_grant_ref(guest_ptr_t uop, unsigned int count)
{
    return gnttab_batch(GNTTABOP_unmap_grant_ref, uop, count, sizeof(struct gnttab_unmap_grant_ref),
                        offsetof(struct gnttab_unmap_grant_ref, status),
                        offsetof(struct gnttab_unmap_grant_ref, status), unmap_one);
}

long gnttab_unmap_and_replace(struct domain *self, void *element)
{
    struct gnttab_unmap_and_replace *op = element;
    struct gnttab_unmap_grant_ref unmap = {.host_addr = op->host_addr, .handle = op->handle};

    return unmap_and(self->gnttab, &unmap, op->new_addr);
}

/* ---- the end of a domain ---- */

int gnttab_release_mappings(struct domain *d)
{
    struct grant_table *gt = d->gnttab;

    if (!gt)
        return 0;
    for (uint32_t h = gt->release_pos; h < gt->nr_maptrack; h++) {
        struct maptrack *mt;

        if (h % 16 == 0 && h != gt->release_pos && hypercall_preempt_needed()) {
            gt->release_pos = h;
            return -ERESTART;
        }
        mt = claim_mapping(gt, h);
        if (mt)
            end_mapping(gt, h, mt);
    }
    gt->release_pos = gt->nr_maptrack;
    return 0;
}
