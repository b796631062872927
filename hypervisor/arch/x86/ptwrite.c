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
    uint64_t gpr[16];
    uint64_t flags;
    unsigned int shift; /* of the operand in its entry, bits */
};

static uint64_t size_mask(unsigned int size)
{
    return size == 8 ? ~0UL : (1UL << size * 8) - 1;
}

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

/* Only the registers that matter: the decoder's own numbering leads to them. */
static void read_registers(struct cpu_regs *regs, struct access *a)
{
    const struct insn *i = &a->i;

    if (unlikely(i->op == INSN_CMPXCHG8B)) {
        regs_to_gpr(regs, a->gpr);
        return;
    }
    if (i->mem.base != INSN_NO_REG)
        a->gpr[i->mem.base] = *regs_gpr(regs, i->mem.base);
    if (i->mem.index != INSN_NO_REG)
        a->gpr[i->mem.index] = *regs_gpr(regs, i->mem.index);
    if (i->src == INSN_SRC_REG)
        a->gpr[i->reg] = *regs_gpr(regs, i->reg);
    if (i->op == INSN_CMPXCHG)
        a->gpr[0] = regs->rax;
}

static bool decode(struct cpu_regs *regs, uint64_t va, struct access *a)
{
    uint8_t bytes[INSN_MAX_LENGTH];
    struct insn *i = &a->i;

    if (insn_decode(bytes, guest_fetch(regs, bytes), i))
        return false;
    if (i->op < INSN_MOV || i->op > INSN_CMPXCHG8B || !i->has_mem || i->seg != INSN_SEG_NONE)
        return false;
    read_registers(regs, a);
    if (insn_address(i, a->gpr, regs->rip + i->length, 0) != va || va & (i->size - 1))
        return false;
    a->shift = (va & 7) * 8;
    return true;
}

static uint64_t accumulator(const struct access *a)
{
    if (a->i.op == INSN_CMPXCHG8B)
        return (uint32_t)a->gpr[0] | a->gpr[2] << 32;
    return a->gpr[0] & size_mask(a->i.size);
}

static uint64_t source(const struct access *a)
{
    if (a->i.op == INSN_CMPXCHG8B)
        return (uint32_t)a->gpr[3] | a->gpr[1] << 32;
    return insn_source(&a->i, a->gpr);
}

/* What the instruction makes of the entry @old. */
static pte_t result(struct access *a, const struct cpu_regs *regs, pte_t old)
{
    uint64_t mask = size_mask(a->i.size), val;

    a->flags = regs->rflags;
    val =
        insn_alu(a->i.op, old >> a->shift & mask, source(a), accumulator(a), a->i.size, &a->flags);
    return (old & ~(mask << a->shift)) | val << a->shift;
}

static bool is_cmpxchg(const struct access *a)
{
    return a->i.op == INSN_CMPXCHG || a->i.op == INSN_CMPXCHG8B;
}

static void set_register(struct access *a, struct cpu_regs *regs, unsigned int n, uint64_t val)
{
    insn_reg_set(a->gpr, n, n == a->i.reg && a->i.reg_high, a->i.size, val);
    *regs_gpr(regs, n) = a->gpr[n];
}

/* Registers other than flags and rip that the instruction changes. */
static void write_back(struct access *a, struct cpu_regs *regs, pte_t old)
{
    uint64_t was = old >> a->shift & size_mask(a->i.size);

    switch (a->i.op) {
    case INSN_XCHG:
    case INSN_XADD:
        set_register(a, regs, a->i.reg, was);
        break;
    case INSN_CMPXCHG:
        if (!(a->flags & X86_EFLAGS_ZF)) {
            a->i.reg_high = false;
            set_register(a, regs, 0, was);
        }
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
        return pt_update(&o, 1, slot, source(a), 0);
    }
    old = READ_ONCE(*slot);
    new = result(a, regs, old);
    if (!is_cmpxchg(a) || (a->flags & X86_EFLAGS_ZF))
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
