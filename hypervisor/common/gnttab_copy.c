/* SPDX-License-Identifier: MIT */
/* GNTTABOP_copy: data moves between frames, nothing is mapped and no TLB is flushed.
 *
 * Each side of a copy is a grant of any domain or a frame of the caller. A side that was acquired stays so
 * while the following elements name the same one, so that many small copies to one page pay for it
 * once. Both sides are released before the hypercall ends, is preempted or fails (XSA-236, XSA-411). */
#include <hv/gnttab_table.h>
#include <hv/lib.h>

struct side {
    struct domain *d; /* with a reference; NULL: nothing is held */
    domid_t domid;    /* as the guest named it */
    bool gref, write;
    uint64_t name;    /* reference or frame number, as gref says */
    mfn_t m;
};

static void release(struct side *s)
{
    if (!s->d)
        return;
    if (s->gref)
        gnttab_unpin(s->d, (uint32_t)s->name, s->write, s->m);
    else
        gnttab_drop_frame(s->write, s->m);
    domain_put(s->d);
    s->d = NULL;
}

/* Either everything is held afterwards or nothing. */
static int acquire(struct side *s, const struct gnttab_copy_ptr *ptr, bool gref)
{
    uint64_t name = gref ? ptr->u.ref : ptr->u.gmfn;
    struct domain *d;
    int rc;

    if (s->d && s->domid == ptr->domid && s->gref == gref && s->name == name)
        return GNTST_okay;
    release(s);
    if (ptr->domid != DOMID_SELF && !gref)
        return GNTST_permission_denied;
    d = domain_by_id_or_self(ptr->domid);
    if (!d)
        return GNTST_bad_domain;
    if (!d->gnttab)
        rc = GNTST_bad_domain;
    else if (gref)
        rc = gnttab_pin(d, ptr->u.ref, current_domain()->id, s->write, &s->m);
    else
        rc = gnttab_hold_frame(d, gfn(name), s->write, &s->m);
    if (rc) {
        domain_put(d);
        return rc;
    }
    s->d = d;
    s->domid = ptr->domid;
    s->gref = gref;
    s->name = name;
    return GNTST_okay;
}

static int copy_one(const struct gnttab_copy *op, struct side *src, struct side *dst)
{
    uint8_t *from, *to;
    int rc = acquire(src, &op->source, op->flags & GNTCOPY_source_gref);

    if (rc == GNTST_okay)
        rc = acquire(dst, &op->dest, op->flags & GNTCOPY_dest_gref);
    if (rc)
        return rc;
    if ((uint32_t)op->source.offset + op->len > PAGE_SIZE ||
        (uint32_t)op->dest.offset + op->len > PAGE_SIZE)
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
    struct side src = {.write = false}, dst = {.write = true};
    long rc = 0;

    for (unsigned int i = 0; i < count; i++) {
        struct gnttab_copy op;
        guest_ptr_t p = guest_ptr_index(uop, i, sizeof(op));

        if (gnttab_stop_here(i)) {
            rc = i;
            break;
        }
        rc = copy_from_guest(&op, p, sizeof(op));
        if (rc)
            break;
        op.status = copy_one(&op, &src, &dst);
        rc = copy_to_guest(guest_ptr(p.va + offsetof(struct gnttab_copy, status)), &op.status,
                           sizeof(op.status));
        if (rc)
            break;
    }
    release(&src);
    release(&dst);
    return rc;
}
