/* SPDX-License-Identifier: MIT */
/* GNTTABOP_copy: data moves between frames, nothing is mapped and no TLB is flushed.
 *
 * Each side of a copy is a grant of any domain or a frame of the caller. A side that was acquired stays so
 * while the following elements name the same one, so that many small copies to one page pay for it
 * once. Both sides are released before the hypercall ends, is preempted or fails (XSA-236, XSA-411). */
#include <hv/gnttab_table.h>
#include <hv/lib.h>

struct side {
    struct domain *d; /* gnttab_peer(); NULL: nothing is held */
    uint64_t name;    /* reference or frame number, as gref says */
    mfn_t m;
    domid_t domid;    /* as the guest named it */
    bool gref;
};

static inline void release(struct domain *self, struct side *s, bool write)
{
    struct domain *d = s->d;

    if (!d)
        return;
    s->d = NULL;
    if (s->gref)
        gnttab_unpin(d, (uint32_t)s->name, write, s->m);
    else
        gnttab_drop_frame(write, s->m);
    gnttab_peer_put(self, d);
}

static inline bool is_held(const struct side *s, const struct gnttab_copy_ptr *ptr, bool gref)
{
    return s->d && s->name == (gref ? ptr->u.ref : ptr->u.gmfn) && s->domid == ptr->domid &&
           s->gref == gref;
}

/* Either everything is held afterwards or nothing. */
static int acquire(struct domain *self, struct side *s, const struct gnttab_copy_ptr *ptr, bool gref,
                   bool write)
{
    struct domain *d = self;
    int64_t frame;

    release(self, s, write);
    s->domid = ptr->domid;
    s->gref = gref;
    if (!gref) {
        if (unlikely(ptr->domid != DOMID_SELF))
            return GNTST_permission_denied;
        s->name = ptr->u.gmfn;
        frame = gnttab_hold_frame(d, ptr->u.gmfn, write);
    } else {
        if (ptr->domid != DOMID_SELF)
            d = gnttab_peer(self, ptr->domid);
        if (unlikely(!d))
            return GNTST_bad_domain;
        s->name = ptr->u.ref;
        frame = gnttab_pin(d, ptr->u.ref, self->id, write);
    }
    s->m.n = (uint64_t)frame;
    if (likely(frame >= 0)) {
        s->d = d;
        return GNTST_okay;
    }
    gnttab_peer_put(self, d);
    return (int)frame;
}

static inline int copy_one(struct domain *self, const struct gnttab_copy *op, struct side *src,
                           struct side *dst)
{
    bool src_gref = op->flags & GNTCOPY_source_gref, dst_gref = op->flags & GNTCOPY_dest_gref;
    uint8_t *from, *to;
    int rc = GNTST_okay;

    if (!is_held(src, &op->source, src_gref))
        rc = acquire(self, src, &op->source, src_gref, false);
    if (likely(rc == GNTST_okay) && !is_held(dst, &op->dest, dst_gref))
        rc = acquire(self, dst, &op->dest, dst_gref, true);
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

        if (gnttab_stop_here(i)) {
            rc = gnttab_continue(GNTTABOP_copy, p, count - i);
            break;
        }
        rc = copy_from_guest(&op, p, sizeof(op));
        if (unlikely(rc))
            break;
        op.status = copy_one(self, &op, &src, &dst);
        rc = gnttab_put_from(p, &op, struct gnttab_copy, status);
        if (unlikely(rc))
            break;
    }
    release(self, &src, false);
    release(self, &dst, true);
    return rc;
}
