/* SPDX-License-Identifier: MIT */
/* Grant tables from inside: what gnttab.c, gnttab_map.c and gnttab_copy.c share.
 *
 * N1  The guest's shared entry is believed only at the moment of the first pin: then domain,
 *     right and frame are read once and noted in the active entry. While pins remain, our note
 *     decides (XSA-500); the shared entry is looked at again only to gain the right to write.
 * N2  Each pin comes with a general reference to the frame, and with a WRITABLE type reference if
 *     it is a pin to write: taken before the pin is counted, dropped after (XSA-236).
 * N3  GTF_reading is set in the shared entry while there is any pin, GTF_writing while there is
 *     one to write (XSA-230). The guest may scribble over them; that tells itself lies and
 *     nobody else.
 * N4  One maptrack entry is one pin, whatever it is used for (XSA-224). Its flags are not zero
 *     from when the mapping is complete until it is given back; MAPTRACK_BUSY is set by the one
 *     CPU that is undoing it. A page-table entry made for it holds references of its own.
 * N5  The owner of a pinned frame cannot change, and a domain lives as long as frames name it as
 *     owner (D1 of hv/domain.h): so the granter of a mapping is the frame's owner.
 * N6  The hypervisor's own frames cannot be granted, though a domain be their owner (XSA-248).
 * N7  What a guest can make us do in one go is one element of a batch; results are GNTST_* <= 0. */
#pragma once

#include <hv/domain.h>
#include <hv/errno.h>
#include <hv/gnttab.h>
#include <hv/guest_access.h>
#include <hv/hypercall.h>
#include <hv/lock.h>
#include <hv/page.h>
#include <xen/grant_table.h>

struct gnttab_active {
    uint32_t frame; /* machine frame number; valid while there are pins */
    domid_t domid;  /* whose pins they are */
    uint16_t pad;
    uint32_t readers, writers; /* pins to read only, pins to write */
};

/* maptrack flags: GNTMAP_host_map, _device_map, _readonly, _contains_pte, and */
#define MAPTRACK_BUSY 0x8000u

struct maptrack {
    uint32_t ref;   /* free: the next free handle */
    uint32_t frame; /* machine frame number */
    uint16_t flags; /* 0: free or not yet complete */
};

#define ENTRIES_PER_FRAME  (PAGE_SIZE / sizeof(struct grant_entry_v1))
#define MAPTRACK_PER_FRAME 256u
#define MAPTRACK_NONE      (~0u)

struct grant_table {
    spinlock_t lock; /* LOCK_GNTTAB: the next four */
    uint32_t nr_frames, max_frames;
    struct grant_entry_v1 **shared; /* [max_frames]: frames in the direct map */
    struct gnttab_active **active;  /* [max_frames] */

    spinlock_t maptrack_lock;           /* LOCK_MAPTRACK: the rest */
    uint32_t nr_maptrack, max_maptrack; /* handles */
    uint32_t free_handle;               /* MAPTRACK_NONE: none */
    uint32_t release_pos;               /* gnttab_release_mappings: how far */
    struct maptrack **maptrack;
};

/** gnttab_pin - @who wants to use entry @ref of @rd: check, and hold the frame (N1..N3).
 * Returns the frame's number, or GNTST_bad_gntref (no such entry), GNTST_bad_page (the frame is not
 * @rd's), GNTST_general_error (not granted, or not so; unstable; of another type). Takes @rd's
 * lock. */
int64_t gnttab_pin(struct domain *rd, uint32_t ref, domid_t who, bool write);
/** gnttab_unpin - undo one pin. May free the frame and @rd: no locks held. */
void gnttab_unpin(struct domain *rd, uint32_t ref, bool write, mfn_t m);

void gnttab_drop_frame(bool write, mfn_t m);
/** gnttab_frame_refused - why a frame could not be held: GNTST_bad_page or GNTST_general_error. */
int gnttab_frame_refused(struct domain *d, uint64_t frame);

/** gnttab_hold_frame - references as for a pin on a frame that @d itself named. Its number, or
 * GNTST_bad_page, GNTST_general_error. */
static inline int64_t gnttab_hold_frame(struct domain *d, uint64_t frame, bool write)
{
    struct page *pg = mfn_page(mfn(frame));

    if (unlikely(frame >= max_page))
        return GNTST_bad_page;
    if (unlikely(!(write ? page_get_writable(pg, d) : page_get(pg, d))))
        return gnttab_frame_refused(d, frame);
    if (likely(!(READ_ONCE(pg->count) & PGC_HV))) /* N6 */
        return (int64_t)frame;
    gnttab_drop_frame(write, mfn(frame));
    return GNTST_bad_page;
}

/** gnttab_peer - the domain @id, whoever asks; NULL if there is none. It needs no reference if it
 * is @self, the current domain. gnttab_peer_put() afterwards. */
static inline struct domain *gnttab_peer(struct domain *self, domid_t id)
{
    return id == self->id ? self : domain_by_id(id);
}

static inline void gnttab_peer_put(struct domain *self, struct domain *d)
{
    if (d != self)
        domain_put(d);
}

#define GNTTAB_ELEMENT_MAX 64

/* The operations on @count elements at @uop: the hypercall's result. */
long gnttab_op_map_grant_ref(guest_ptr_t uop, unsigned int count);
long gnttab_op_unmap_grant_ref(guest_ptr_t uop, unsigned int count);
/* One element: its status. */
long gnttab_unmap_and_replace(struct domain *self, void *element);
long gnttab_op_copy(guest_ptr_t uop, unsigned int count);

/** gnttab_continue - the batch makes way between two elements, never before the first (XSA-318): it goes on
 * later with the @left elements at @next. Return its value. */
long gnttab_continue(unsigned int cmd, guest_ptr_t next, unsigned int left);

/** gnttab_batch - operation @cmd on @count elements of @size bytes at @uop: each is copied in and done by
 * @one. What that returns is the element's status, at offset @status, and written back from offset
 * @from on; or without one, @status 0, it ends the batch unless it is 0. In line, so that the short sizes
 * are copied in line too. */
static inline __attribute__((always_inline)) long
gnttab_batch(unsigned int cmd, guest_ptr_t uop, unsigned int count, size_t size, size_t from,
             size_t status, long (*one)(struct domain *self, void *element))
{
    struct domain *self = current_domain();

    for (unsigned int i = 0; i < count; i++) {
        guest_ptr_t p = guest_ptr_index(uop, i, size);
        uint64_t op[GNTTAB_ELEMENT_MAX / sizeof(uint64_t)];
        long rc;

        if (i && hypercall_preempt_needed())
            return gnttab_continue(cmd, p, count - i);
        if (copy_from_guest(op, p, size))
            return -EFAULT;
        rc = one(self, op);
        if (status)
            *(int16_t *)((uint8_t *)op + status) = (int16_t)rc;
        else if (rc)
            return rc;
        if (status && copy_to_guest(guest_ptr(p.va + from), (uint8_t *)op + from, size - from))
            return -EFAULT;
    }
    return 0;
}

int gnttab_maptrack_init(struct grant_table *gt, unsigned int max_frames);
void gnttab_maptrack_free(struct grant_table *gt);

static inline struct maptrack *maptrack_entry(const struct grant_table *gt, uint32_t handle)
{
    return &gt->maptrack[handle / MAPTRACK_PER_FRAME][handle % MAPTRACK_PER_FRAME];
}

static inline struct grant_entry_v1 *shared_entry(const struct grant_table *gt, uint32_t ref)
{
    return &gt->shared[ref / ENTRIES_PER_FRAME][ref % ENTRIES_PER_FRAME];
}

static inline struct gnttab_active *active_entry(const struct grant_table *gt, uint32_t ref)
{
    return &gt->active[ref / ENTRIES_PER_FRAME][ref % ENTRIES_PER_FRAME];
}

static inline uint32_t gnttab_nr_entries(const struct grant_table *gt)
{
    return gt->nr_frames * ENTRIES_PER_FRAME;
}

static inline bool gnttab_is_pinned(const struct gnttab_active *act)
{
    return act->readers || act->writers;
}
