/* SPDX-License-Identifier: MIT */
/* Guest page tables and descriptor-table frames: what the rest of arch/x86 asks of them.
 *
 * Who holds which references (all recounted by debug/audit.c):
 *   L1 entry, present, RAM     a general one of the frame; with PTE_W also a WRITABLE one
 *   L2..L4 entry, present      a general one and one of the type below, of a frame of the same domain
 *   pin, root of a vcpu        a general one and one of the table's type
 *   GDT frame, LDT page        a general one and one of type SEGDESC
 *   half-done table (P4)       a general one of itself and its single type reference; see page_type.h
 *   v->arch.old_table          a general one */
#pragma once

#include <hv/domain.h>
#include <hv/guest_access.h>
#include <hv/mmu.h>
#include <asm/pte.h>

struct cpu_regs;

/** mmu_lock, mmu_unlock - the one way to take a domain's mmu_lock: afterwards all its tables are attached
 * (detach.c, D3). */
static inline void mmu_lock(struct domain *d)
{
    spin_lock(&d->arch.mmu_lock);
    if (unlikely(d->arch.nr_detached))
        attach_domain(d, NULL);
}

static inline void mmu_unlock(struct domain *d)
{
    spin_unlock(&d->arch.mmu_lock);
}

/** mmu_guard - hold it from here to the end of the block. */
#define mmu_guard(d)                                                                               \
    mmu_lock(d);                                                                                   \
    spinlock_t *guarded __at_end(spin_unguard) = &(d)->arch.mmu_lock

/** iomem_permitted - may @d map the frame @m, which is not RAM? Nobody may map the interrupt controllers
 * that the hypervisor uses itself; its timer, only the control domain. */
bool iomem_permitted(struct domain *d, mfn_t m);
/** iomem_may_give - may @d permit all of these frames to others? */
bool iomem_may_give(struct domain *d, uint64_t first, uint64_t last);
/** has_iomem - it may map some. Only then it has a use for cache attributes, or for writing caches back. */
static inline bool has_iomem(const struct domain *d)
{
    return READ_ONCE(d->arch.iomem.nr);
}
/** iomem_read_only - it is one of those: if it may be mapped at all, then not writable, and such an
 * entry is silently made so. */
bool iomem_read_only(mfn_t m);

/* ---- roots (mmu_root.c) ---- */

/** mmu_set_roots - first page tables of a vcpu that does not run; frame numbers are still the guest's
 * word. @user n 0: none.
 * Returns 0; -EINVAL; -ERESTART, call again with the same arguments. Takes the domain's mmu_lock. */
int mmu_set_roots(struct vcpu *v, mfn_t kernel, mfn_t user);
/** mmu_drop_roots - take them away again, with everything else of page tables that @v holds: GDT and
 * LDT frames, an unfinished table. @v runs nowhere. 0 or -ERESTART. */
int mmu_drop_roots(struct vcpu *v);
/** mmu_new_kernel_root - the current vcpu changes its kernel tables (MMUEXT_NEW_BASEPTR, mov to cr3).
 * 0; -EINVAL; -ERESTART: the same again after other work of this pcpu. */
int mmu_new_kernel_root(gfn_t g);

/** mmu_new_user_root - the same for user mode; @g n 0: none. The tables in use do not change. */
int mmu_new_user_root(gfn_t g);

/** mmu_old_table - hand @pg, left half done, with a general reference over to @v, which has none yet. */
void mmu_old_table(struct vcpu *v, struct page *pg);
/** mmu_not_typed - page_get_type() said @rc: give the general reference back, or hand it over like that. */
void mmu_not_typed(struct vcpu *v, struct page *pg, enum page_type type, int rc);
/** mmu_finish_old - undo it, if there is one. No locks held. 0 or -ERESTART. */
int mmu_finish_old(struct vcpu *v);

/* ---- lists of requests that can stop and go on: mmu_update, mmuext_op (mmu.c) ---- */

#define MMU_UPDATE_PREEMPTED                                                                       \
    0x80000000u /* in count: a continuation; *pdone holds what was done before */

struct mmu_list {
    unsigned int count; /* left to do */
    uint32_t done;      /* before */
    bool ends;          /* with the result rc */
    long rc;
};

/** mmu_list_begin - hypercall @nr finds an old table, or that it is a continuation: how does it go on? */
struct mmu_list mmu_list_begin(unsigned int nr, guest_ptr_t list, unsigned int count,
                               guest_ptr_t pdone, unsigned int foreigndom);
/** mmu_list_report - so many requests have been done. The ABI has no error for this. */
static inline void mmu_list_report(guest_ptr_t pdone, uint32_t done)
{
    if (pdone.va && copy_to_guest(pdone, &done, sizeof(done)))
        return;
}
/** mmu_list_stop - it stops before the @left requests at @next, if @rc is -ERESTART, or at its end,
 * because there is an old table now: return this value. */
long mmu_list_stop(unsigned int nr, guest_ptr_t next, unsigned int left, guest_ptr_t pdone,
                   unsigned int foreigndom, long rc);

/** mmu_frames_of - the domain whose frames a guest's `foreigndom` means: NULL and 0 for what is not RAM; the
 * idle domain, which has the m2p table's frames and no tables, for DOMID_XEN;
 * -ESRCH, -EPERM. mmu_frames_put() afterwards. */
int mmu_frames_of(domid_t id, struct domain **out);
void mmu_frames_put(struct domain *d);

/** mmu_vcpu_mask - pcpus that may hold translations of the vcpus in a guest's bitmap; -EFAULT. */
int mmu_vcpu_mask(struct domain *d, guest_ptr_t bitmap, cpumask_t *out);
/** mmu_invlpg - drop translations of @va on these pcpus. Any @va: nothing is done if it is not the
 * guest's (XSA-279). */
void mmu_invlpg(cpumask_t mask, uint64_t va);

/** mmu_pin_table - hold @frame of @d as a validated table of @type, used or not, until it is unpinned
 * (MMUEXT_PIN_*). 0; -EINVAL: not its frame, not such a table, pinned already; -ERESTART. */
int mmu_pin_table(struct domain *d, uint64_t frame, enum page_type type);

/** mmu_walk_l1 - the L1 entry that maps @va in @v's kernel tables, in the direct map; NULL if there is no
 * such table or @va is not the guest's. The entry itself may be absent. Owner's mmu_lock held. */
pte_t *mmu_walk_l1(const struct vcpu *v, uint64_t va, pte_t *out);

/* ---- descriptor tables (desc_frames.c, desc_check.c) ---- */

/** mmu_set_gdt_frames - @entries descriptors in the @frames named by the guest replace the GDT of @v,
 * which is current or runs nowhere. -EINVAL: not its frames, or a descriptor that it may not have. */
int mmu_set_gdt_frames(struct vcpu *v, const uint64_t *frames, unsigned int entries);
#define LDT_MAX_ENTRIES 8192
/** mmu_set_ldt - the current vcpu's LDT; pages are looked up on first use. -EINVAL. */
int mmu_set_ldt(struct vcpu *v, uint64_t base, unsigned int entries);
/** mmu_ldt_fault - the CPU touched byte @offset of the current vcpu's LDT window: map the page there.
 * false: the guest has nothing valid there. Interrupts are on. */
bool mmu_ldt_fault(struct vcpu *v, unsigned int offset);
/** mmu_ldt_drop - forget the LDT pages that @v (or each vcpu of @d) has mapped; they come back by
 * faults. Owner's mmu_lock held. */
void mmu_ldt_drop(struct vcpu *v);
void mmu_ldt_drop_all(struct domain *d);

/** descriptor_check - may a guest have this descriptor? Sets its DPL to 3 where that is all it takes. */
bool descriptor_check(uint64_t *desc);
/** descriptor_page_check - the same for all 512 of a page. */
bool descriptor_page_check(uint64_t *table);

/** ptwrite_fault - a guest kernel's write to an L1 table of its own: done for it. */
bool ptwrite_fault(struct cpu_regs *regs, uint64_t cr2);
