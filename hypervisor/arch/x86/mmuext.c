/* SPDX-License-Identifier: MIT */
/* mmuext_op: pins, roots, flushes, LDT, pages cleared and copied. ABI: xen/xen.h. */
#include <asm/mmu.h>
#include <asm/page_type.h>
#include <asm/tlb.h>
#include <hv/hypercall.h>

/* ---- pins ---- */

/* The pin's references are those that are taken here. @d's mmu_lock is held. */
static int pin_locked(struct domain *d, struct page *pg, enum page_type type)
{
    if (unlikely(d->is_dying)) /* nobody would drop it again */
        return -EINVAL;
    TRY(page_get_type(pg, type));
    if (READ_ONCE(pg->type) & PGT_PINNED)
        return page_put_type_preempt(pg) ?: -EINVAL; /* not the last one */
    __atomic_fetch_or(&pg->type, PGT_PINNED, __ATOMIC_SEQ_CST);
    return 0;
}

int mmu_pin_table(struct domain *d, uint64_t frame, enum page_type type)
{
    struct page *pg = page_from_gfn(d, gfn(frame));
    int rc;

    if (!pg)
        return -EINVAL;
    mmu_guard(d);
    rc = pin_locked(d, pg, type);
    if (rc)
        mmu_not_typed(current, pg, type, rc);
    return rc;
}

static int unpin(struct domain *d, uint64_t frame)
{
    struct page *pg __put_page = page_from_gfn(d, gfn(frame));
    int rc;

    if (!pg)
        return -EINVAL;
    mmu_guard(d);
    if (!(READ_ONCE(pg->type) & PGT_PINNED))
        return -EINVAL;
    __atomic_fetch_and(&pg->type, ~PGT_PINNED, __ATOMIC_SEQ_CST);
    rc = page_put_type_preempt(pg);
    page_put(pg); /* the pin's; ours is still there */
    if (rc) {
        mmu_old_table(current, pg);
        pg = NULL;
    }
    return 0;
}

/* ---- pages ---- */

static int clear_page(struct domain *d, uint64_t frame)
{
    struct page *pg = page_from_gfn_writable(d, gfn(frame));

    if (!pg)
        return -EINVAL;
    memset(page_virt(pg), 0, PAGE_SIZE);
    page_put_writable(pg);
    return 0;
}

static int copy_page(struct domain *d, uint64_t to, uint64_t from)
{
    struct page *src __put_page = page_from_gfn(d, gfn(from)), *dst;

    dst = src ? page_from_gfn_writable(d, gfn(to)) : NULL;
    if (!dst)
        return -EINVAL;
    memmove(page_virt(dst), page_virt(src), PAGE_SIZE);
    page_put_writable(dst);
    return 0;
}

/* ---- flushes ---- */

static int flush_multi(struct domain *d, const struct mmuext_op *op)
{
    cpumask_t mask;

    if (mmu_vcpu_mask(d, guest_ptr_of(op->arg2.vcpumask), &mask))
        return -EINVAL;
    if (op->cmd == MMUEXT_TLB_FLUSH_MULTI)
        tlb_flush_mask(mask);
    else
        mmu_invlpg(mask, op->arg1.linear_addr);
    return 0;
}

/* ---- dispatch ---- */

/* What a vcpu does to itself. */
static int do_own(struct vcpu *v, const struct mmuext_op *op)
{
    struct domain *d = v->domain;

    switch (op->cmd) {
    case MMUEXT_NEW_BASEPTR:
        return mmu_new_kernel_root(gfn(op->arg1.mfn));
    case MMUEXT_NEW_USER_BASEPTR:
        return mmu_new_user_root(gfn(op->arg1.mfn));
    case MMUEXT_TLB_FLUSH_LOCAL:
        tlb_flush_this();
        return 0;
    case MMUEXT_INVLPG_LOCAL:
        mmu_invlpg(cpumask_of(smp_processor_id()), op->arg1.linear_addr);
        return 0;
    case MMUEXT_TLB_FLUSH_MULTI:
    case MMUEXT_INVLPG_MULTI:
        return flush_multi(d, op);
    case MMUEXT_TLB_FLUSH_ALL:
        tlb_flush_domain(d);
        return 0;
    case MMUEXT_INVLPG_ALL:
        mmu_invlpg(d->arch.tlb_cpus, op->arg1.linear_addr);
        return 0;
    case MMUEXT_FLUSH_CACHE:
    case MMUEXT_FLUSH_CACHE_GLOBAL:
        if (!has_iomem(d)) /* only who has devices can see a difference */
            return -EACCES;
        if (op->cmd == MMUEXT_FLUSH_CACHE)
            caches_write_back();
        else
            caches_write_back_all();
        return 0;
    case MMUEXT_SET_LDT:
        return mmu_set_ldt(v, op->arg1.linear_addr, op->arg2.nr_ents);
    default:
        return -ENOSYS;
    }
}

/* What is done to pages of @d. */
static int do_page(struct domain *d, const struct mmuext_op *op)
{
    switch (op->cmd) {
    case MMUEXT_UNPIN_TABLE:
        return unpin(d, op->arg1.mfn);
    case MMUEXT_CLEAR_PAGE:
        return clear_page(d, op->arg1.mfn);
    case MMUEXT_COPY_PAGE:
        return copy_page(d, op->arg1.mfn, op->arg2.src_mfn);
    default:
        return mmu_pin_table(d, op->arg1.mfn, PGT_L1 + (op->cmd - MMUEXT_PIN_L1_TABLE));
    }
}

static int do_one(struct vcpu *v, struct domain *d, const struct mmuext_op *op)
{
    switch (op->cmd) {
    case MMUEXT_NEW_BASEPTR ... MMUEXT_SET_LDT:
    case MMUEXT_NEW_USER_BASEPTR:
    case MMUEXT_FLUSH_CACHE_GLOBAL:
        return d == v->domain ? do_own(v, op) : -EPERM;
    case MMUEXT_PIN_L1_TABLE ... MMUEXT_UNPIN_TABLE:
    case MMUEXT_CLEAR_PAGE:
    case MMUEXT_COPY_PAGE:
        return d ? do_page(d, op) : -EINVAL; /* there are none (XSA-232) */
    case MMUEXT_MARK_SUPER:
    case MMUEXT_UNMARK_SUPER:
        return -EOPNOTSUPP;
    default:
        return -ENOSYS;
    }
}

static int run_ops(struct domain *d, guest_ptr_t list, unsigned int count, unsigned int *i)
{
    struct vcpu *v = current;
    int rc = 0;

    while (!rc && *i < count) {
        struct mmuext_op op;

        if (unlikely(v->arch.old_table.n) || (*i && hypercall_preempt_needed()))
            return -ERESTART;
        if (copy_from_guest(&op, guest_ptr_index(list, *i, sizeof(op)), sizeof(op)))
            return -EFAULT;
        rc = do_one(v, d, &op);
        if (!rc)
            ++*i;
    }
    return rc;
}

long do_mmuext_op(guest_ptr_t uops, unsigned int count, guest_ptr_t pdone, unsigned int foreigndom)
{
    struct vcpu *v = current;
    struct domain *d;
    uint32_t done = 0;
    unsigned int i = 0;
    long rc;

    if (unlikely(v->arch.old_table.n) || unlikely(count & MMU_UPDATE_PREEMPTED)) {
        struct mmu_list l = mmu_list_begin(__HYPERVISOR_mmuext_op, uops, count, pdone, foreigndom);

        if (l.ends)
            return l.rc;
        count = l.count;
        done = l.done;
    }
    if (unlikely(!guest_range_ok(uops, (size_t)count * sizeof(struct mmuext_op))))
        return -EFAULT;
    TRY(mmu_frames_of((domid_t)foreigndom, &d));
    if (unlikely(!d) && !v->domain->is_privileged)
        return -EPERM;
    if (unlikely(d == idle_domain))
        d = NULL;
    rc = run_ops(d, uops, count, &i);
    mmu_frames_put(d);
    mmu_list_report(pdone, done + i);
    if (unlikely(rc == -ERESTART) || unlikely(v->arch.old_table.n))
        return mmu_list_stop(__HYPERVISOR_mmuext_op,
                             guest_ptr_index(uops, i, sizeof(struct mmuext_op)), count - i, pdone,
                             foreigndom, rc);
    return rc;
}
