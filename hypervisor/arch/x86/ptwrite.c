/* SPDX-License-Identifier: MIT */
/* Writes of a guest kernel to its L1 tables, which it sees read-only: the instruction is decoded
 * and done as an update of the entry, with all checks of one (pt_update). The other levels are for
 * mmu_update only.
 *
 * The bytes fetched need not be those that trapped, nor the registers lead to the address that did:
 * what is done is what was decoded, if it is an aligned access at the address of the fault. */
#include <asm/decode.h>
#include <asm/mmu.h>
#include <asm/pt_check.h>
#include <asm/traps.h>

struct access {
    struct insn i;
    uint64_t flags;
    unsigned int shift; /* of the operand in its entry, bits */
};

/* The live L1 table of @v's domain that @va is mapped to, read-only, by the entry *@window. */
static struct page *table_at(struct vcpu *v, uint64_t va, pte_t **window)
{
    struct page *pg;
    pte_t map;
    uint64_t t;

    *window = mmu_walk_l1(v, va, &map);
    if (!*window || !(map & PTE_P) || !mfn_valid(pte_mfn(map)))
        return NULL;
    pg = mfn_page(pte_mfn(map));
    t = READ_ONCE(pg->type);
    if (pgt_type(t) != PGT_L1 || !(t & PGT_VALIDATED) || page_owner(pg) != v->domain)
        return NULL;
    if (unlikely(v->domain->arch.nr_detached))
        attach_domain(v->domain, pg); /* another mapping of it, or a stale translation */
    return READ_ONCE(**window) & PTE_W ? NULL : pg;
}

static bool decode(struct cpu_regs *regs, uint64_t va, struct access *a)
{
    uint8_t bytes[INSN_MAX_LENGTH];
    struct insn *i = &a->i;

    if (insn_decode(bytes, guest_fetch(regs, bytes), i))
        return false;
    if (i->op < INSN_MOV || i->op > INSN_CMPXCHG8B || !i->has_mem)
        return false;
    if (insn_address(i, regs) != va || va & (i->size - 1))
        return false;
    a->shift = (va & 7) * 8;
    return true;
}

static uint64_t accumulator(const struct access *a, const struct cpu_regs *regs)
{
    if (a->i.op == INSN_CMPXCHG8B)
        return (uint32_t)regs->rax | regs->rdx << 32;
    return regs->rax & insn_size_mask(a->i.size);
}

static uint64_t source(const struct access *a, struct cpu_regs *regs)
{
    if (a->i.op == INSN_CMPXCHG8B)
        return (uint32_t)regs->rbx | regs->rcx << 32;
    return insn_source(&a->i, regs);
}

/* What the instruction makes of the entry @old. */
static pte_t result(struct access *a, struct cpu_regs *regs, pte_t old)
{
    uint64_t mask = insn_size_mask(a->i.size), val;

    a->flags = regs->rflags;
    val = insn_alu(a->i.op, old >> a->shift & mask, source(a, regs), accumulator(a, regs),
                   a->i.size, &a->flags);
    return (old & ~(mask << a->shift)) | val << a->shift;
}

/* Registers other than flags and rip that the instruction changes. */
static void write_back(const struct access *a, struct cpu_regs *regs, pte_t old)
{
    uint64_t was = old >> a->shift & insn_size_mask(a->i.size);

    switch (a->i.op) {
    case INSN_XCHG:
    case INSN_XADD:
        insn_reg_set(regs, a->i.reg, a->i.reg_high, a->i.size, was);
        break;
    case INSN_CMPXCHG:
        if (!(a->flags & X86_EFLAGS_ZF))
            insn_reg_set(regs, 0, false, a->i.size, was);
        break;
    case INSN_CMPXCHG8B:
        if (!(a->flags & X86_EFLAGS_ZF)) {
            regs->rax = (uint32_t)was;
            regs->rdx = was >> 32;
        }
        break;
    default:
        break;
    }
}

/* The CPU may set A or D between our look at the entry and the swap: then once more, from the
 * start. */
static int perform(struct vcpu *v, struct access *a, struct cpu_regs *regs, pte_t *slot)
{
    struct pt_owner o = {v->domain, v->domain};
    pte_t old, new;
    int rc = 0;

    if (likely(a->i.op == INSN_MOV && a->i.size == 8)) {
        a->flags = regs->rflags;
        return pt_update(&o, 1, slot, source(a, regs), 0);
    }
    old = READ_ONCE(*slot);
    new = result(a, regs, old);
    if ((a->i.op != INSN_CMPXCHG && a->i.op != INSN_CMPXCHG8B) || (a->flags & X86_EFLAGS_ZF))
        rc = pt_replace_l1(&o, slot, old, new);
    if (!rc)
        write_back(a, regs, old);
    return rc;
}

/* Code and stack of the vcpu, and @va, are in the upper half of the address space, which is never
 * hidden. */
static bool is_upper(const struct cpu_regs *regs, uint64_t va)
{
    return (int64_t)regs->rip < 0 && (int64_t)regs->rsp < 0 && (int64_t)va < 0;
}

/* By the mmu_lock alone: what others have detached stays so. */
static bool lock_for(struct vcpu *v, const struct cpu_regs *regs, uint64_t va)
{
    bool upper = is_upper(regs, va);

    spin_lock(&v->domain->arch.mmu_lock);
    if (unlikely(!upper && v->domain->arch.nr_detached))
        attach_domain(v->domain, NULL);
    return upper;
}

bool ptwrite_fault(struct cpu_regs *regs, uint64_t cr2)
{
    struct vcpu *v = regs_vcpu(regs);
    bool may_detach = lock_for(v, regs, cr2);
    struct page *table;
    struct access a;
    pte_t *window;
    int rc = -EINVAL;

    table = table_at(v, cr2, &window);
    if (table && decode(regs, cr2, &a)) {
        if (a.i.op != INSN_MOV && may_detach && detach_wanted(v, table) &&
            detach_table(v, table, window, cr2))
            rc = -EAGAIN;
        else
            rc = perform(v, &a, regs,
                         (pte_t *)page_virt(table) + (cr2 & ~PAGE_MASK) / sizeof(pte_t));
    }
    mmu_unlock(v->domain);
    if (rc == -EAGAIN)
        return true; /* the instruction runs again, and faults again unless the table is detached
                        now */
    if (rc)
        return false;
    regs->rflags = a.flags;
    emulate_retire(regs, a.i.length);
    return true;
}
