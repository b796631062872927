/* SPDX-License-Identifier: MIT */
/* GNTTABOP_copy: data moves between frames, nothing is mapped and no TLB is flushed.
 *
 * Each side of a copy is a grant of any domain or a frame of the caller. A side that was acquired
 * stays so while the following elements name the same one, so that many small copies to one page
 * pay for it once. Both sides are released before the hypercall ends, is preempted or fails
 * (XSA-236, XSA-411). */
#include <hv/gnttab_table.h>

struct side {
    struct domain *d; /* gnttab_peer(); NULL: nothing is held */
    uint64_t name;    /* reference or frame number, as gref says */
    mfn_t m;
    uint32_t whose; /* domain id as the guest named it, and whether by reference */
};

#define BY_REF      (1u << 16)
#define STATUS_AT   offsetof(struct gnttab_copy, status)
#define WHOSE_FRAME ((uint32_t)DOMID_SELF)

static inline void release(struct domain *self, struct side *s, bool write)
{
    struct domain *d = s->d;

    s->d = NULL;
    if (s->whose & BY_REF)
        gnttab_unpin(d, (uint32_t)s->name, write, s->m);
    else
        gnttab_drop_frame(write, s->m);
    gnttab_peer_put(self, d);
}

static int acquire_frame(struct domain *self, struct side *s, const struct gnttab_copy_ptr *ptr,
                         bool write)
{
    int64_t frame;

    if (unlikely(ptr->domid != DOMID_SELF))
        return GNTST_permission_denied;
    frame = gnttab_hold_frame(self, ptr->u.gmfn, write);
    if (unlikely(frame < 0))
        return (int)frame;
    s->d = self;
    s->name = (uint64_t)frame;
    s->m = mfn((uint64_t)frame);
    s->whose = WHOSE_FRAME;
    return GNTST_okay;
}

static int acquire_gref(struct domain *self, struct side *s, const struct gnttab_copy_ptr *ptr,
                        bool write)
{
    struct domain *d = ptr->domid == DOMID_SELF ? self : gnttab_peer(self, ptr->domid);
    int64_t frame;

    if (unlikely(!d))
        return GNTST_bad_domain;
    frame = gnttab_pin(d, ptr->u.ref, self->id, write);
    if (unlikely(frame < 0)) {
        gnttab_peer_put(self, d);
        return (int)frame;
    }
    s->d = d;
    s->name = ptr->u.ref;
    s->m = mfn((uint64_t)frame);
    s->whose = ptr->domid | BY_REF;
    return GNTST_okay;
}

/* Hold what @ptr names. Afterwards either everything is held or nothing. */
static inline int acquire(struct domain *self, struct side *s, const struct gnttab_copy_ptr *ptr,
                          bool gref, bool write)
{
    if (s->d) {
        if (gref ? s->name == ptr->u.ref && s->whose == (ptr->domid | BY_REF)
                 : s->name == ptr->u.gmfn && s->whose == ptr->domid)
            return GNTST_okay;
        release(self, s, write);
    }
    return gref ? acquire_gref(self, s, ptr, write) : acquire_frame(self, s, ptr, write);
}

static inline int copy_one(struct domain *self, const struct gnttab_copy *op, struct side *src,
                           struct side *dst)
{
    uint8_t *from, *to;
    int rc = acquire(self, src, &op->source, op->flags & GNTCOPY_source_gref, false);

    if (likely(rc == GNTST_okay))
        rc = acquire(self, dst, &op->dest, op->flags & GNTCOPY_dest_gref, true);
    if (unlikely(rc))
        return rc;
    if (unlikely((uint32_t)op->source.offset + op->len > PAGE_SIZE) ||
        unlikely((uint32_t)op->dest.offset + op->len > PAGE_SIZE))
        return GNTST_bad_copy_arg;
    from = (uint8_t *)mfn_to_virt(src->m) + op->source.offset;
    to = (uint8_t *)mfn_to_virt(dst->m) + op->dest.offset;
    if (likely(src->m.n != dst->m.n))
        memcpy(to, from, op->len);
    else
        memmove(to, from, op->len);
    return GNTST_okay;
}

long gnttab_op_copy(guest_ptr_t uop, unsigned int count)
{
    struct domain *self = current_domain();
    struct side src, dst;
    long rc = 0;

    src.d = dst.d = NULL;
    for (unsigned int i = 0; i < count; i++) {
        struct gnttab_copy op;
        guest_ptr_t p = guest_ptr_index(uop, i, sizeof(op));

        if (i && hypercall_preempt_needed()) {
            rc = gnttab_continue(GNTTABOP_copy, p, count - i);
            break;
        }
        rc = copy_from_guest(&op, p, sizeof(op));
        if (unlikely(rc))
            break;
        op.status = copy_one(self, &op, &src, &dst);
        rc = copy_to_guest(guest_ptr(p.va + STATUS_AT), (uint8_t *)&op + STATUS_AT,
                           sizeof(op) - STATUS_AT);
        if (unlikely(rc))
            break;
    }
    if (src.d)
        release(self, &src, false);
    if (dst.d)
        release(self, &dst, true);
    return rc;
}
