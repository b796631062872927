/* SPDX-License-Identifier: MIT */
/* Can any sequence of hypercalls harm the hypervisor? Two vcpus make random and half-sensible calls
 * at once, and look now and then whether what must hold still holds.
 *
 * The guest has to survive its own calls, so it plays in a sandbox:
 *  Z1  Frames: calls that change frames name those of `pool`, or frames that are not ours. Nothing
 *      else of the guest lives in the pool. A frame that got lost is replaced.
 *  Z2  Addresses: the slots (one page per pool frame) and the range below root entry BOX_SLOT.
 *  Z3  Arguments lie in the arena of the calling vcpu, before an unmapped page. An array's count
 *      exceeds its length only at the arena's end, so that no stale words are taken for arguments.
 *  Z4  Ports of the guest's own timers and kicks are never closed or moved.
 *  Z5  At most one vcpu sleeps at a time and at most one is stopped by the other; the one that is
 *      awake kicks a sleeper whose timer got lost.
 *  Z6  Entry points that a call may have replaced are registered again before anything can trap.
 * "Wards" are pinned page tables outside the pool which calls try to write by every means, and
 * "canaries" are pages that no call names: both must keep their contents.
 *
 * Command line: seed=N, calls=N (of both vcpus together, in all tests), forever, single (one vcpu
 * only), trace (print each call), steady (no choice depends on time; under QEMU with -icount the
 * same seed then makes the same calls).
 *
 * The machine has two functions that nobody drives, one with MSI and one with MSI-X. */
// smp: 1,2
// timeout: 900
// cmdline: preempt=3
// qemu: -device edu,addr=5 -device virtio-rng-pci,addr=6
#include "chance.h"
#include <pv/test.h>
#include <xen/arch-x86/xen-mca.h>
#include <xen/domctl.h>
#include <xen/physdev.h>
#include <xen/platform.h>
#include <xen/sysctl.h>

#define HV_START ((uint64_t)HYPERVISOR_VIRT_START)
#define HV_END   ((uint64_t)HYPERVISOR_VIRT_END)
#define BOX_SLOT 416
#define BOX_BASE (0xffff000000000000ul | (uint64_t)BOX_SLOT << 39)

#define POOL        192
#define CANARIES    8
#define ARENA_PAGES 8
#define MAX_BATCH   8
#define REFS        72
#define NR_RECENT   32
#define BATCHED     INT64_MIN /* "result" of a call that went into a multicall */

struct actor {
    uint64_t random;
    uint64_t calls, limit;
    uint64_t end;           /* system time */
    uint64_t arena, cursor; /* Z3 */
    struct multicall_entry *batch;
    unsigned batched;
    bool heal;   /* Z6 */
    bool at_end; /* the last place() was at the arena's end */
    struct vcpu_local *vcpu;
    evtchn_port_t kick;
    volatile uint64_t asleep; /* since when, system time */
    volatile bool over;
    struct {
        uint64_t nr, arg[6];
    } last[8];
};

static struct actor actors[2];
static unsigned nr_actors;
static uint64_t slots; /* address of the first slot */
static volatile uint64_t pool[POOL];
static volatile bool lost[POOL];              /* a call took the frame away */
static uint64_t *wards[5], ward_copy[5][512]; /* by level, 1 to 4 */
static uint64_t *canaries[CANARIES];
static char *read_only_page, *areas;
static volatile uint32_t ports[NR_RECENT], handles[NR_RECENT], pirqs[NR_RECENT];
static struct spinlock sleep_lock = SPINLOCK_INIT, stop_lock = SPINLOCK_INIT; /* Z5 */
static domid_t self;
static uint64_t top_mfn, grant_mfn, seed, cost_limit;
static long reservation; /* pages we may have: else the hypervisor soon has none left */
static bool trace, forever, steady, fifo_grown, all_set;

/* ---- chance ---- */

/* A number near a border of its type, or small, or any. */
static uint64_t odd_number(struct actor *a)
{
    switch (below(a, 6)) {
    case 0:
        return below(a, 16);
    case 1:
        return -below(a, 16);
    case 2:
        return (1ul << below(a, 64)) - below(a, 3) + 1;
    case 3:
        return ~0ul << below(a, 64);
    case 4:
        return (uint32_t)rnd(a);
    default:
        return rnd(a);
    }
}

/* ---- frames and addresses ---- */

/* Pool frames are mostly used for one purpose, so that deep trees come about: an eighth each as
 * level 4 and 3, a quarter each as level 2, level 1 and data (level 0). */
static unsigned slot_for(struct actor *a, unsigned level)
{
    static const struct {
        unsigned first, nr;
    } part[] = {{POOL * 3 / 4, POOL / 4},
                {POOL / 2, POOL / 4},
                {POOL / 4, POOL / 4},
                {POOL / 8, POOL / 8},
                {0, POOL / 8}};

    if (one_in(a, 8))
        return below(a, POOL);
    return part[level].first + below(a, part[level].nr);
}

static uint64_t slot_va(unsigned slot)
{
    return slots + slot * PAGE_SIZE;
}

static bool in_pool(uint64_t mfn)
{
    unsigned slot = 0;

    while (slot < POOL && pool[slot] != mfn)
        slot++;
    return slot < POOL;
}

/* Z1: is the frame that an entry of this value maps one that the guest lives in? */
static bool lived_in(uint64_t pte)
{
    uint64_t mfn = pte_mfn(pte);

    return mfn_to_pfn(mfn) != INVALID_PFN && !in_pool(mfn);
}

/* A frame number that we have no business with. */
static uint64_t stray_mfn(struct actor *a)
{
    uint64_t mfn = odd_number(a);

    switch (below(a, 6)) {
    case 0:
        mfn = below(a, 2);
        break;
    case 1:
        mfn = 0x100 + below(a, 1024); /* the hypervisor's image, most likely */
        break;
    case 2:
        mfn = top_mfn + below(a, 3);
        break;
    case 3:
        mfn = one_in(a, 2) ? 0xfee00 : 0xfec00;
        break;
    case 4:
        mfn = (PTE_MFN_MASK >> PAGE_SHIFT) - below(a, 2);
    }
    return lived_in(mfn << PAGE_SHIFT) ? PTE_MFN_MASK >> PAGE_SHIFT : mfn;
}

static uint64_t shared_info_mfn(void)
{
    return start_info->shared_info >> PAGE_SHIFT;
}

static uint64_t foreign_mfn(struct actor *a)
{
    switch (below(a, 8)) {
    case 0:
        return shared_info_mfn();
    case 1:
    case 2:
        return virt_to_mfn(wards[1 + below(a, 4)]);
    case 3:
        return pfn_to_mfn(pt_kernel_root());
    case 4:
        return grant_mfn;
    default:
        return stray_mfn(a);
    }
}

static uint64_t some_mfn(struct actor *a, unsigned level)
{
    return one_in(a, 10) ? foreign_mfn(a) : pool[slot_for(a, level)];
}

/* An entry for a table of @level. Frames of ours outside the pool are only offered read-only: a
 * writable mapping of the shared page would be allowed, and then be scribbled on. */
static uint64_t some_pte(struct actor *a, unsigned level)
{
    uint64_t mfn = some_mfn(a, level - 1), flags = PTE_P | PTE_US | PTE_A | PTE_D;

    if (one_in(a, 10))
        return 0;
    if (mfn != shared_info_mfn() && !one_in(a, 4))
        flags |= PTE_RW;
    if (one_in(a, 4))
        flags ^= 1ul << below(a, 12) & ~PTE_RW;
    if (one_in(a, 8))
        flags ^= 1ul << (52 + below(a, 12));
    return pte_make(mfn & (PTE_MFN_MASK >> PAGE_SHIFT), flags);
}

/* Does the guest need what is mapped here? */
static bool precious(uint64_t va)
{
    if (va >= VIRT_BASE - (1ul << 21) && va < VIRT_BASE + (1ul << 30))
        return true;
    if (va >= PHYSMAP_BASE && va < PHYSMAP_BASE + MM_MAX_PAGES * PAGE_SIZE)
        return true;
    return va >= VM_BASE && va < BOX_BASE && (va < slots || va >= slot_va(POOL));
}

/* Would the guest suffer if a call took what is here, or what follows, for its arguments? */
static bool points_somewhere(uint64_t va)
{
    bool m2p = va >= HV_START && va < HV_START + 0x4000000000; /* readable */

    return precious(va) || m2p;
}

static uint64_t bad_address(struct actor *a)
{
    static const uint64_t list[] = {0,
                                    0xff8,
                                    0x1000,
                                    0x7ffffffff000,
                                    0x7ffffffffff8,
                                    0x800000000000,
                                    0xffff7ffffffff000,
                                    HV_START - 4,
                                    HV_START + 0x4000000000,
                                    HV_START + 0x28000000000,
                                    HV_START + 0x2d040200000,
                                    HV_START + 0x30000100000,
                                    HV_END - 0x1000,
                                    HV_END - 4,
                                    0xffffffffffffff00,
                                    0x100000000,
                                    1ul << 63};
    uint64_t va = one_in(a, 4) ? odd_number(a) : list[below(a, ARRAY_SIZE(list))];

    return points_somewhere(va) ? HV_START + 0x28000000000 : va;
}

static uint64_t box_address(struct actor *a)
{
    uint64_t va = BOX_BASE;

    for (unsigned level = 3; level; level--)
        va |= below(a, one_in(a, 8) ? 512 : 4) << (PAGE_SHIFT + 9 * (level - 1));
    return va + (one_in(a, 4) ? below(a, 512) * 8 : 0);
}

/* An address whose mapping may be changed (Z2), or cannot be. */
static uint64_t some_address(struct actor *a)
{
    if (one_in(a, 10))
        return bad_address(a);
    if (one_in(a, 3))
        return box_address(a);
    return slot_va(below(a, POOL)) + (one_in(a, 8) ? below(a, 4096) : 0);
}

static unsigned some_domain(struct actor *a)
{
    static const uint16_t list[] = {DOMID_IO, DOMID_XEN, DOMID_COW, DOMID_INVALID, DOMID_IDLE,
                                    0x7fef,   0xffff,    2,         0x7ff8,        1};

    if (!one_in(a, 4))
        return one_in(a, 2) ? self : DOMID_SELF;
    return list[below(a, ARRAY_SIZE(list))];
}

/* ---- arguments ---- */

static uint64_t arena_end(const struct actor *a)
{
    return a->arena + ARENA_PAGES * PAGE_SIZE;
}

/* Put @len bytes where a call can be pointed to; returns that address. Sometimes it is one where
 * the call must not reach them. */
static uint64_t place(struct actor *a, const void *data, size_t len)
{
    uint64_t at = a->cursor;

    a->at_end = false;
    if (one_in(a, 16))
        return bad_address(a);
    if (one_in(a, 24))
        return (uint64_t)read_only_page;
    if (!a->batch && one_in(a, 10)) {
        a->at_end = true;
        at = arena_end(a) - len + (one_in(a, 4) ? below(a, len + 1) : 0);
    } else {
        if (at + len > arena_end(a) - PAGE_SIZE)
            at = a->arena;
        a->cursor = ROUND_UP(at + len, 8);
    }
    memcpy((void *)at, data, arena_end(a) - at < len ? arena_end(a) - at : len);
    return at;
}

/* The same for @n elements of @size bytes; *@count: what to tell the call (Z3). */
static uint64_t place_array(struct actor *a, const void *data, size_t size, unsigned n,
                            uint64_t *count)
{
    uint64_t at = place(a, data, size * n);

    *count = n;
    if (a->at_end && one_in(a, 2))
        *count = one_in(a, 2) ? odd_number(a) : n + below(a, 4);
    else if (at < a->arena || at >= arena_end(a))
        *count = one_in(a, 2) ? (uint32_t)odd_number(a) % 0x10000 : n;
    return at;
}

/* For calls that must not be given the read-only page with its zeros. */
static uint64_t not_zeros(struct actor *a, uint64_t at)
{
    return at == (uint64_t)read_only_page ? bad_address(a) : at;
}

/* What the call wrote back, if it could; else NULL. */
static const void *result_at(struct actor *a, uint64_t at, size_t len)
{
    bool inside = at >= a->arena && at < arena_end(a) && len <= arena_end(a) - at;

    return inside && !a->batch ? (const void *)at : NULL;
}

/* ---- making a call ---- */

static long syscall6(unsigned long nr, const unsigned long arg[6])
{
    unsigned long a1 = arg[0], a2 = arg[1], a3 = arg[2];
    register unsigned long r10 __asm__("r10") = arg[3];
    register unsigned long r8 __asm__("r8") = arg[4];
    register unsigned long r9 __asm__("r9") = arg[5];
    long rc;

    __asm__ volatile("syscall"
                     : "=a"(rc), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(r10), "+r"(r8), "+r"(r9)
                     : "0"(nr)
                     : "rcx", "r11", "memory");
    return rc;
}

static void print_call(struct actor *a, unsigned long nr, const unsigned long arg[6])
{
    note("%u: %s%lu(%#lx, %#lx, %#lx, %#lx, %#lx, %#lx)", a->vcpu->id, a->batch ? "+ " : "", nr,
         arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
}

static long issue(struct actor *a, unsigned long nr, const unsigned long arg[6])
{
    unsigned at = a->calls++ % ARRAY_SIZE(a->last);

    if (unlikely(trace))
        print_call(a, nr, arg);
    if (a->batch) {
        struct multicall_entry *e = &a->batch[a->batched++];

        *e = (struct multicall_entry){.op = nr};
        memcpy(e->args, arg, sizeof(e->args));
        return BATCHED;
    }
    a->last[at].nr = nr;
    memcpy(a->last[at].arg, arg, sizeof(a->last[at].arg));
    return syscall6(nr, arg);
}

#define CALL(a, name, ...) issue((a), __HYPERVISOR_##name, (const unsigned long[6]){__VA_ARGS__})

/* ---- page tables ---- */

/* The machine address of an entry of some table of the pool, or the sandbox's root entry. */
static uint64_t some_entry(struct actor *a, unsigned level)
{
    uint64_t index = below(a, one_in(a, 6) ? 512 : 4), odd = odd_number(a) & ~7ul;

    if (one_in(a, 16))
        return odd | (lived_in(odd) || one_in(a, 2) ? 0x10000000000000 : 0);
    if (level == 4 && one_in(a, 2))
        return (pfn_to_mfn(pt_kernel_root()) << PAGE_SHIFT) + BOX_SLOT * 8;
    if (level == 4 && one_in(a, 4))
        index = 256 + below(a, 16); /* the hypervisor's own */
    return (pool[slot_for(a, level)] << PAGE_SHIFT) + index * 8;
}

static void step_mmu_update(struct actor *a)
{
    struct mmu_update u[32];
    unsigned n = 1 + below(a, one_in(a, 8) ? 32 : 4), level = 1 + below(a, 4);
    uint32_t done = 0;
    uint64_t at, count;

    for (unsigned i = 0; i < n; i++) {
        u[i].ptr = some_entry(a, level) | (one_in(a, 8) ? below(a, 8) : 2 * below(a, 2));
        u[i].val = some_pte(a, level);
        if ((u[i].ptr & 3) == MMU_MACHPHYS_UPDATE) {
            u[i].ptr = some_mfn(a, 0) << PAGE_SHIFT | MMU_MACHPHYS_UPDATE;
            u[i].val = odd_number(a);
        }
    }
    at = place_array(a, u, sizeof(u[0]), n, &count);
    CALL(a, mmu_update, at, count, one_in(a, 2) ? 0 : place(a, &done, sizeof(done)),
         one_in(a, 8) ? some_domain(a) | below(a, 3) << 16 : DOMID_SELF);
}

static void step_va_mapping(struct actor *a)
{
    uint64_t mask = rnd(a), va = some_address(a), flags = below(a, 8);

    if (one_in(a, 4))
        flags = place(a, &mask, sizeof(mask)) & ~7ul;
    flags |= below(a, 4);
    if (one_in(a, 6))
        CALL(a, update_va_mapping_otherdomain, va, some_pte(a, 1), flags, some_domain(a));
    else
        CALL(a, update_va_mapping, va, some_pte(a, 1), flags);
}

/* Give a slot the right mapping for its frame: writable data or a read-only table. */
static void step_slot_mapping(struct actor *a)
{
    unsigned slot = slot_for(a, below(a, 5));

    CALL(a, update_va_mapping, slot_va(slot),
         pte_make(pool[slot], one_in(a, 2) ? PROT_RW : PROT_RO),
         UVMF_INVLPG | (one_in(a, 2) ? UVMF_ALL : 0));
}

static void fill_mmuext(struct actor *a, struct mmuext_op *op)
{
    uint64_t mask = rnd(a);

    op->cmd = below(a, 22);
    op->arg1.mfn = some_mfn(a, op->cmd < 4 ? op->cmd + 1 : below(a, 5));
    op->arg2.src_mfn = some_mfn(a, below(a, 5));
    switch (op->cmd) {
    case MMUEXT_UNPIN_TABLE:
        op->arg1.mfn = pool[below(a, POOL)];
        break;
    case MMUEXT_CLEAR_PAGE:
    case MMUEXT_COPY_PAGE:
        if (op->arg1.mfn == shared_info_mfn())
            op->arg1.mfn = virt_to_mfn(wards[1]);
        break;
    case MMUEXT_NEW_BASEPTR: /* never a table that lacks the kernel */
        op->arg1.mfn = one_in(a, 2) ? pfn_to_mfn(pt_kernel_root()) : virt_to_mfn(wards[1]);
        break;
    case MMUEXT_NEW_USER_BASEPTR:
        if (one_in(a, 4) || op->arg1.mfn == pfn_to_mfn(pt_kernel_root()))
            op->arg1.mfn = 0; /* m2p_strict would take the machine-to-phys table from the kernel */
        break;
    case MMUEXT_INVLPG_LOCAL:
    case MMUEXT_INVLPG_ALL:
        op->arg1.linear_addr = some_address(a);
        break;
    case MMUEXT_INVLPG_MULTI:
    case MMUEXT_TLB_FLUSH_MULTI:
        op->arg1.linear_addr = some_address(a);
        op->arg2.vcpumask.p = (void *)place(a, &mask, sizeof(mask));
        break;
    case MMUEXT_SET_LDT:
        op->arg1.linear_addr = some_address(a) & ~(one_in(a, 8) ? 0 : 0xffful);
        op->arg2.nr_ents = one_in(a, 2) ? below(a, 1024) : odd_number(a);
        break;
    default:
        if (op->cmd > MMUEXT_UNMARK_SUPER)
            op->cmd = odd_number(a) | 32;
    }
}

static void step_mmuext(struct actor *a)
{
    struct mmuext_op op[8];
    unsigned n = 1 + (one_in(a, 4) ? below(a, 8) : 0);
    uint32_t done = 0;
    uint64_t at, count;

    for (unsigned i = 0; i < n; i++)
        fill_mmuext(a, &op[i]);
    at = place_array(a, op, sizeof(op[0]), n, &count);
    CALL(a, mmuext_op, at, count, one_in(a, 2) ? 0 : place(a, &done, sizeof(done)),
         one_in(a, 12) ? some_domain(a) : DOMID_SELF);
}

/* Write a plausible table, make its page read-only, and pin it. */
static void step_make_table(struct actor *a)
{
    unsigned level = 1 + below(a, 4), slot = slot_for(a, level), n = below(a, 8);
    volatile uint64_t *table = (uint64_t *)slot_va(slot);
    struct mmuext_op op = {.cmd = MMUEXT_PIN_L1_TABLE + level - 1, .arg1.mfn = pool[slot]};

    CALL(a, update_va_mapping, (uint64_t)table, pte_make(pool[slot], PROT_RW), UVMF_INVLPG);
    (void)FAULT_OF(memset((void *)table, 0, PAGE_SIZE);
                   for (unsigned i = 0; i < n; i++) table[below(a, one_in(a, 6) ? 512 : 4)] =
                       some_pte(a, level));
    CALL(a, update_va_mapping, (uint64_t)table, pte_make(pool[slot], PROT_RO),
         UVMF_INVLPG | UVMF_ALL);
    if (one_in(a, 2))
        CALL(a, mmuext_op, place(a, &op, sizeof(op)), 1, 0, DOMID_SELF);
}

/* Z1: @p may be an entry, now or later. Where only a part of it changes, that is not the frame
 * number of one that the guest lives in. */
static void access_word(struct actor *a, volatile uint64_t *p, uint64_t value)
{
    uint64_t old = 0, flags = value & ~PTE_MFN_MASK;

    switch (below(a, 9)) {
    case 0:
        *p = value;
        break;
    case 1:
        *(volatile uint32_t *)p = value;
        break;
    case 2:
        *(volatile uint8_t *)p = value;
        break;
    case 3:
        __asm__ volatile("xchg %0, %1" : "+r"(value), "+m"(*p));
        break;
    case 4:
        __atomic_compare_exchange_n(p, &old, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
        break;
    case 5:
        __asm__ volatile("lock orq %1, %0" : "+m"(*p) : "r"(flags) : "cc");
        break;
    case 6:
        __asm__ volatile("lock btsq %1, %0" : "+m"(*p) : "r"((below(a, 32) - 20) & 63) : "cc");
        break;
    case 7:
        __asm__ volatile("lock cmpxchg16b %0"
                         : "+m"(*(volatile unsigned __int128 *)p)
                         : "a"(0ul), "d"(0ul), "b"(value), "c"(value)
                         : "cc");
        break;
    default:
        (void)*p;
    }
}

/* Plain accesses to the sandbox: faults, dirty bits, emulated writes to page tables. */
static void step_touch(struct actor *a)
{
    uint64_t va = one_in(a, 3) ? box_address(a) : slot_va(below(a, POOL)) + below(a, 4) * 8;
    uint64_t value = odd_number(a);

    if (!one_in(a, 4))
        value = some_pte(a, 1 + below(a, 2));
    else if (lived_in(value) || lived_in((uint32_t)value)) /* half of it may be written */
        value |= PTE_MFN_MASK;
    if (one_in(a, 32))
        va = bad_address(a);
    if (one_in(a, 32)) { /* of two entries */
        va += 4;
        value = (uint32_t)value;
    }
    (void)FAULT_OF(access_word(a, (uint64_t *)va, value));
}

/* ---- memory ---- */

static void fill_reservation(struct actor *a, struct xen_memory_reservation *r, bool give)
{
    uint64_t list[16];
    unsigned n = 1 + below(a, one_in(a, 8) ? 16 : 2);

    for (unsigned i = 0; i < 16; i++)
        list[i] = give ? some_mfn(a, 0) : mm_nr_pages() + below(a, 1 << 16);
    /* Z1: an extent to give must not reach beyond its first frame, unless it is absurd. */
    *r = (struct xen_memory_reservation){
        .nr_extents = n,
        .extent_order = one_in(a, 8)            ? odd_number(a) | (give ? 32 : 0)
                        : !give && one_in(a, 8) ? below(a, 5)
                                                : 0,
        .mem_flags = one_in(a, 8) ? odd_number(a) : 0,
        .domid = one_in(a, 12) ? some_domain(a) : DOMID_SELF,
    };
    if (a->batch)
        r->extent_start.p = (void *)place(a, list, sizeof(list));
    else if (!one_in(a, 24))
        r->extent_start.p = (void *)place_array(a, list, 8, n, &r->nr_extents);
}

/* The first @n frames of the list are no longer ours. Their numbers stay in the pool for a while.
 */
static void note_lost(struct actor *a, const struct xen_memory_reservation *r, long n)
{
    const uint64_t *list = result_at(a, (uint64_t)r->extent_start.p, n > 0 ? 8 * n : 0);

    for (long i = 0; list && i < n; i++)
        for (unsigned slot = 0; slot < POOL; slot++)
            if (pool[slot] == list[i])
                lost[slot] = true;
}

/* The first @n frames of the list have become ours: they replace lost ones. */
static void adopt(struct actor *a, const struct xen_memory_reservation *r, long n)
{
    const uint64_t *list = result_at(a, (uint64_t)r->extent_start.p, n > 0 ? 8 * n : 0);
    unsigned slot = 0;

    for (long i = 0; list && i < n && r->extent_order == 0; i++) {
        while (slot < POOL && !lost[slot])
            slot++;
        if (slot == POOL)
            return;
        pool[slot] = list[i];
        lost[slot] = false;
    }
}

static long current_reservation(void)
{
    struct xen_memory_domain d = {DOMID_SELF};

    return hypercall_memory_op(XENMEM_current_reservation, &d);
}

static void step_reservation(struct actor *a)
{
    static const uint8_t ops[] = {XENMEM_increase_reservation, XENMEM_decrease_reservation,
                                  XENMEM_populate_physmap, XENMEM_claim_pages};
    unsigned op = ops[below(a, one_in(a, 16) ? 4 : 3)];
    struct xen_memory_reservation r;
    uint64_t start = one_in(a, 16) ? odd_number(a) << 6 : 0;
    long rc;

    if (current_reservation() > reservation)
        op = XENMEM_decrease_reservation;
    fill_reservation(a, &r, op == XENMEM_decrease_reservation);
    rc = CALL(a, memory_op, op | start, place(a, &r, sizeof(r)));
    if (start || rc > 16)
        return; /* counted from an absurd number on */
    if (op == XENMEM_decrease_reservation)
        note_lost(a, &r, rc);
    else if (op != XENMEM_claim_pages)
        adopt(a, &r, rc);
}

static void step_exchange(struct actor *a)
{
    struct xen_memory_exchange e;
    long rc;

    fill_reservation(a, &e.in, true);
    fill_reservation(a, &e.out, false);
    if (!one_in(a, 4))
        e.out.nr_extents = e.in.nr_extents << (e.in.extent_order & 7) >> (e.out.extent_order & 7);
    if (a->batch && e.out.nr_extents > 16) /* the answers would run over other arguments */
        e.out.nr_extents = 16;
    e.nr_exchanged = one_in(a, 8) ? odd_number(a) : 0;
    rc = CALL(a, memory_op, XENMEM_exchange, place(a, &e, sizeof(e)));
    if (rc == 0 && e.in.nr_extents <= 16 && e.out.nr_extents <= 16) {
        note_lost(a, &e.in, e.in.nr_extents);
        adopt(a, &e.out, e.out.nr_extents);
    }
}

/* The sub-operations that ask, and those that a PV guest has no use for. The structures are given
 * odd numbers, with a list in the sandbox wherever one may be. */
static void step_memory_other(struct actor *a)
{
    static const uint8_t ops[] = {2,  3,  4,  5,  7,  8,  9,  10, 12, 13, 14, 15,
                                  16, 17, 18, 19, 20, 21, 22, 23, 25, 26, 27, 28};
    uint64_t op = ops[below(a, ARRAY_SIZE(ops))], w[8];

    for (unsigned i = 0; i < ARRAY_SIZE(w); i++)
        w[i] = one_in(a, 3) ? some_mfn(a, 0) : one_in(a, 2) ? some_domain(a) : odd_number(a);
    if (op == XENMEM_add_to_physmap || op == XENMEM_remove_from_physmap) {
        w[0] = some_domain(a) | below(a, 3) << 16 | below(a, 7) << 32;
        w[2] = pool[below(a, POOL)];
    }
    for (unsigned i = 0; i < 4; i++)
        if (one_in(a, 2))
            w[below(a, 8)] = slot_va(below(a, POOL));
    CALL(a, memory_op, one_in(a, 24) ? odd_number(a) | 32 : op, place(a, w, sizeof(w)));
}

/* See that a slot's frame is still ours; take a new one if not (Z1). */
static void step_check_slot(struct actor *a)
{
    unsigned slot = below(a, POOL);
    uint64_t pte = pte_make(pool[slot], PROT_RO);
    void *page;

    if (hypercall_update_va_mapping(slot_va(slot), pte, UVMF_INVLPG) == 0)
        return;
    if (mm_unused_pages() < 1024 || !(page = alloc_page()))
        return;
    lost[slot] = false;
    pool[slot] = virt_to_mfn(page);
    check_eq(hypercall_update_va_mapping((uint64_t)page, 0, UVMF_INVLPG | UVMF_ALL), 0);
    hypercall_update_va_mapping(slot_va(slot), pte_make(pool[slot], PROT_RW), UVMF_INVLPG);
}

/* ---- grants ---- */

static grant_ref_t some_ref(struct actor *a)
{
    return one_in(a, 12) ? odd_number(a) : below(a, REFS);
}

static void step_grant_entry(struct actor *a)
{
    struct grant_entry_v1 *e = &gnttab_entries()[below(a, REFS)];

    e->frame = some_mfn(a, 0);
    e->domid = some_domain(a);
    if (e->frame == shared_info_mfn())
        e->frame = 0;
    if (e->domid == DOMID_SELF)
        e->domid = self;
    barrier();
    WRITE_ONCE(e->flags, one_in(a, 6)   ? odd_number(a)
                         : one_in(a, 6) ? GTF_accept_transfer
                                        : GTF_permit_access | (one_in(a, 4) ? GTF_readonly : 0));
}

static uint64_t grant_address(struct actor *a, unsigned flags)
{
    return flags & GNTMAP_contains_pte ? some_entry(a, 1) : some_address(a);
}

static void step_grant_map(struct actor *a)
{
    struct gnttab_map_grant_ref m[3];
    unsigned n = 1 + (one_in(a, 4) ? below(a, 3) : 0);
    const struct gnttab_map_grant_ref *out;
    uint64_t at, count;

    for (unsigned i = 0; i < n; i++) {
        m[i] = (struct gnttab_map_grant_ref){
            .flags = one_in(a, 8) ? odd_number(a)
                                  : GNTMAP_host_map | (below(a, 8) << 2 & ~GNTMAP_device_map),
            .ref = some_ref(a),
            .dom = one_in(a, 8) ? some_domain(a) : self,
            .handle = ~0u,
        };
        m[i].host_addr = grant_address(a, m[i].flags);
    }
    at = place_array(a, m, sizeof(m[0]), n, &count);
    if (CALL(a, grant_table_op, GNTTABOP_map_grant_ref, at, count) == 0 &&
        (out = result_at(a, at, sizeof(m[0]))) && out->status == GNTST_okay)
        handles[below(a, NR_RECENT)] = out->handle;
}

static grant_handle_t some_handle(struct actor *a)
{
    return one_in(a, 8) ? odd_number(a) : handles[below(a, NR_RECENT)];
}

static void step_grant_unmap(struct actor *a)
{
    struct gnttab_unmap_grant_ref u[3];
    struct gnttab_unmap_and_replace r;
    unsigned n = 1 + (one_in(a, 4) ? below(a, 3) : 0);
    uint64_t at, count;

    if (one_in(a, 6)) {
        r = (struct gnttab_unmap_and_replace){.host_addr = some_address(a),
                                              .new_addr = one_in(a, 2) ? 0 : some_address(a),
                                              .handle = some_handle(a)};
        CALL(a, grant_table_op, GNTTABOP_unmap_and_replace, place(a, &r, sizeof(r)), 1);
        return;
    }
    for (unsigned i = 0; i < n; i++)
        u[i] = (struct gnttab_unmap_grant_ref){
            .host_addr =
                one_in(a, 4) ? 0 : grant_address(a, one_in(a, 4) ? GNTMAP_contains_pte : 0),
            .dev_bus_addr = one_in(a, 16) ? odd_number(a) : 0,
            .handle = some_handle(a)};
    at = place_array(a, u, sizeof(u[0]), n, &count);
    CALL(a, grant_table_op, GNTTABOP_unmap_grant_ref, at, count);
}

static void fill_copy_end(struct actor *a, struct gnttab_copy_ptr *p, bool is_ref)
{
    if (is_ref)
        p->u.ref = some_ref(a);
    else
        p->u.gmfn = some_mfn(a, 0);
    p->domid = is_ref ? (one_in(a, 8) ? some_domain(a) : self)
                      : (one_in(a, 8) ? some_domain(a) : DOMID_SELF);
    p->offset = one_in(a, 8) ? odd_number(a) : below(a, 2) * 2048;
    if (p->u.gmfn == shared_info_mfn())
        p->u.gmfn = ~0ul;
}

static void step_grant_copy(struct actor *a)
{
    struct gnttab_copy c[4];
    unsigned n = 1 + below(a, 4);
    uint64_t at, count;

    memset(c, 0, sizeof(c));
    for (unsigned i = 0; i < n; i++) {
        c[i].flags = one_in(a, 8) ? odd_number(a) : below(a, 4);
        c[i].len = one_in(a, 8) ? odd_number(a) : below(a, 2049);
        fill_copy_end(a, &c[i].source, c[i].flags & GNTCOPY_source_gref);
        fill_copy_end(a, &c[i].dest, c[i].flags & GNTCOPY_dest_gref);
    }
    at = place_array(a, c, sizeof(c[0]), n, &count);
    CALL(a, grant_table_op, GNTTABOP_copy, at, count);
}

static void step_grant_other(struct actor *a)
{
    static const uint8_t ops[] = {2, 4, 6, 8, 9, 10, 11, 12, 13, 99};
    unsigned op = ops[below(a, ARRAY_SIZE(ops))];
    uint64_t w[4], count;

    for (unsigned i = 0; i < ARRAY_SIZE(w); i++)
        w[i] = one_in(a, 2) ? some_domain(a) | (rnd(a) & 3) << 32 : odd_number(a);
    switch (op) {
    case GNTTABOP_setup_table:
        w[0] = some_domain(a) | (one_in(a, 4) ? odd_number(a) : below(a, 4)) << 32;
        w[2] = slot_va(below(a, POOL));
        break;
    case GNTTABOP_transfer:
        w[0] = some_mfn(a, 0);
        w[1] = some_domain(a) | (uint64_t)some_ref(a) << 32;
        break;
    case GNTTABOP_get_status_frames:
        w[2] = slot_va(below(a, POOL));
        break;
    case GNTTABOP_set_version:
        w[0] = one_in(a, 2) ? 1 : odd_number(a);
        if ((uint32_t)w[0] == 2) /* allowed elsewhere, and then our entries mean something else */
            w[0] = 3;
        break;
    case GNTTABOP_swap_grant_ref:
        w[0] = some_ref(a) | (uint64_t)some_ref(a) << 32;
        break;
    case GNTTABOP_cache_flush:
        w[0] = one_in(a, 2) ? some_ref(a) : some_mfn(a, 0) << PAGE_SHIFT;
        w[1] = below(a, 4096) | below(a, 4096) << 16 | below(a, 4) << 32 | rnd(a) << 63;
    }
    w[3] = one_in(a, 2) ? w[3] : 0;
    count = one_in(a, 16) ? 0 : 1;
    CALL(a, grant_table_op, op | (one_in(a, 16) ? 1ul << 31 : 0), place(a, w, sizeof(w)), count);
}

/* ---- events ---- */

static bool own_port(uint32_t port) /* Z4 */
{
    for (unsigned i = 0; i < nr_actors; i++)
        if (port == actors[i].kick || port == actors[i].vcpu->timer_port)
            return true;
    return false;
}

static uint32_t some_port(struct actor *a)
{
    uint32_t port = one_in(a, 4)   ? odd_number(a)
                    : one_in(a, 4) ? below(a, 4096)
                                   : ports[below(a, NR_RECENT)];

    return own_port(port) ? 0 : port;
}

static uint32_t some_pirq(struct actor *a)
{
    if (one_in(a, 8))
        return odd_number(a);
    return one_in(a, 2) ? below(a, 40) : pirqs[below(a, NR_RECENT)];
}

/* The argument of each sub-operation as words of 32 bits; returns where the port comes out. */
static unsigned fill_event(struct actor *a, unsigned op, uint32_t w[6])
{
    memset(w, 0, 6 * sizeof(w[0]));
    switch (op) {
    case EVTCHNOP_bind_interdomain:
        w[0] = some_domain(a);
        w[1] = some_port(a);
        return 2;
    case EVTCHNOP_bind_virq:
        w[0] = one_in(a, 8) ? odd_number(a) : below(a, 26);
        w[1] = one_in(a, 8) ? odd_number(a) : below(a, 3);
        return 2;
    case EVTCHNOP_bind_pirq:
        w[0] = some_pirq(a);
        w[1] = below(a, 3);
        return 2;
    case EVTCHNOP_alloc_unbound:
        w[0] = some_domain(a) | some_domain(a) << 16;
        return 1;
    case EVTCHNOP_bind_ipi:
        w[0] = one_in(a, 8) ? odd_number(a) : below(a, 3);
        return 1;
    case EVTCHNOP_status:
        w[0] = some_domain(a);
        w[1] = some_port(a);
        break;
    case EVTCHNOP_reset: /* only domains that are not there: see step_event_reset() */
        w[0] = 0x7fe0 + below(a, 16);
        break;
    case EVTCHNOP_init_control: /* refused, or the guest's own set-up would be at odds with it */
        w[0] = pool[below(a, POOL)];
        w[2] = odd_number(a) | 1;
        w[3] = below(a, 4);
        break;
    case EVTCHNOP_expand_array:
        w[0] = some_mfn(a, 0);
        break;
    default: /* close, send, bind_vcpu, unmask, set_priority, and what does not exist */
        w[0] = some_port(a);
        w[1] = one_in(a, 6) ? odd_number(a) : below(a, op == EVTCHNOP_bind_vcpu ? 3 : 17);
    }
    return 0;
}

static void step_event(struct actor *a)
{
    unsigned op = one_in(a, 24) ? odd_number(a) | 16 : below(a, 14), out;
    uint32_t w[7];
    const uint32_t *result;
    bool old_form = op < 10 && one_in(a, 8);
    uint64_t at;
    long rc;

    w[0] = op;
    out = fill_event(a, op, w + 1);
    at = not_zeros(a, place(a, old_form ? w : w + 1, old_form ? 28 : 24));
    if (old_form)
        rc = CALL(a, event_channel_op_compat, at);
    else
        rc = CALL(a, event_channel_op, op | (one_in(a, 16) ? 1ul << 40 : 0), at);
    result = result_at(a, at, 24);
    if (rc == 0 && out && result)
        ports[below(a, NR_RECENT)] = result[old_form ? out + 1 : out];
    if (rc == 0 && op == EVTCHNOP_expand_array)
        fifo_grown = true;
}

static void event_ignored(evtchn_port_t port, void *arg)
{
    (void)port, (void)arg;
}

/* Another call may have bound the timer first: then that port is ours from now on. */
static evtchn_port_t find_timer_port(unsigned vcpu)
{
    struct evtchn_status st;

    for (evtchn_port_t p = 1; p < 4096; p++)
        if (evtchn_status(p, &st) == 0 && st.status == EVTCHNSTAT_virq && st.u.virq == VIRQ_TIMER &&
            st.vcpu == vcpu)
            return p;
    return 0;
}

static void bind_own_ports(struct actor *a)
{
    evtchn_port_t timer, kick;
    unsigned id = a->vcpu->id;

    if (evtchn_bind_virq(VIRQ_TIMER, id, &timer))
        timer = find_timer_port(id);
    if (timer) {
        a->vcpu->timer_port = timer;
        evtchn_set_handler(timer, event_ignored, NULL);
    }
    if (evtchn_bind_ipi(id, &kick) == 0) {
        a->kick = kick;
        evtchn_set_handler(kick, event_ignored, NULL);
    }
}

/* Close everything at once, then make our own ports anew. Nobody sleeps meanwhile. */
static void step_event_reset(struct actor *a)
{
    struct evtchn_reset r = {.dom = DOMID_SELF};

    if (evtchn_is_fifo() || !spin_trylock(&sleep_lock))
        return;
    if (CALL(a, event_channel_op, EVTCHNOP_reset, (unsigned long)&r) == 0)
        for (unsigned i = 0; i < nr_actors; i++)
            bind_own_ports(&actors[i]);
    spin_unlock(&sleep_lock);
}

/* ---- scheduling, vcpus, time ---- */

static void step_sleep(struct actor *a)
{
    if (fifo_grown || !a->kick ||
        !spin_trylock(&sleep_lock)) /* garbage in event words may lose a wake-up */
        return;
    a->asleep = time_now();
    CALL(a, set_timer_op, a->asleep + below(a, 200) * NS_PER_US);
    CALL(a, sched_op, SCHEDOP_block);
    events_disable();
    a->asleep = 0;
    spin_unlock(&sleep_lock);
}

static void step_poll(struct actor *a)
{
    evtchn_port_t list[8];
    struct sched_poll p = {.nr_ports = one_in(a, 8) ? odd_number(a) : below(a, 9),
                           .timeout = one_in(a, 4) ? 1 : time_now() + below(a, 100) * NS_PER_US};

    for (unsigned i = 0; i < ARRAY_SIZE(list); i++)
        list[i] = some_port(a);
    p.ports.p = (void *)place(a, list, sizeof(list));
    CALL(a, sched_op, SCHEDOP_poll, not_zeros(a, place(a, &p, sizeof(p))));
}

static void step_sched(struct actor *a)
{
    uint32_t w[2] = {odd_number(a), odd_number(a)};
    unsigned op = below(a, 9);

    switch (op) {
    case SCHEDOP_block:
    case SCHEDOP_poll:
        op = SCHEDOP_yield;
        break;
    case SCHEDOP_shutdown:
    case SCHEDOP_shutdown_code:
        CALL(a, sched_op, op, HV_START + 0x30000000000);
        return;
    case SCHEDOP_remote_shutdown:
        w[0] = 0x7fe0 + below(a, 16) + 17 * below(a, 2); /* nobody; never ourselves */
        break;
    case SCHEDOP_watchdog:
        w[0] = below(a, 4); /* a new one that runs out at once would end us */
        w[1] = w[0] && one_in(a, 2) ? 0 : 3600 + (uint32_t)odd_number(a) / 2;
        break;
    case SCHEDOP_pin_override:
        w[0] = below(a, 4) - 1;
    }
    if (one_in(a, 8))
        CALL(a, sched_op_compat, 0, odd_number(a));
    else
        CALL(a, sched_op, op == 8 ? odd_number(a) | 8 : op, not_zeros(a, place(a, w, sizeof(w))));
}

static uint64_t some_time(struct actor *a)
{
    return one_in(a, 2) ? odd_number(a) : time_now() + below(a, 1000) * NS_PER_US;
}

static void step_vcpu(struct actor *a)
{
    static const uint8_t ops[] = {VCPUOP_initialise,
                                  VCPUOP_is_up,
                                  VCPUOP_get_runstate_info,
                                  VCPUOP_register_runstate_memory_area,
                                  VCPUOP_set_periodic_timer,
                                  VCPUOP_stop_periodic_timer,
                                  VCPUOP_set_singleshot_timer,
                                  VCPUOP_stop_singleshot_timer,
                                  VCPUOP_register_vcpu_info,
                                  VCPUOP_get_physid,
                                  VCPUOP_register_vcpu_time_memory_area,
                                  14,
                                  77};
    unsigned op = ops[below(a, ARRAY_SIZE(ops))];
    uint64_t w[8] = {some_time(a), below(a, 2), odd_number(a), odd_number(a)};
    uint64_t vcpu = one_in(a, 6) ? odd_number(a) : below(a, 2);

    switch (op) {
    case VCPUOP_register_runstate_memory_area:
    case VCPUOP_register_vcpu_time_memory_area:
        w[0] = one_in(a, 3)   ? (uint64_t)areas + below(a, 4000)
               : one_in(a, 2) ? slot_va(below(a, POOL)) + below(a, 4096)
                              : bad_address(a);
        break;
    case VCPUOP_register_vcpu_info: /* both vcpus have done it already: always refused */
        w[0] = pool[below(a, POOL)];
        w[1] = below(a, 70) * 64;
        break;
    case VCPUOP_set_periodic_timer:
        w[0] = one_in(a, 2) ? odd_number(a) : NS_PER_MS * (1 + below(a, 50));
    }
    CALL(a, vcpu_op, op, vcpu, place(a, w, sizeof(w)));
}

/* Stop the other vcpu wherever it is and let it go on (Z5). It may hold any lock: touch none. */
static void step_stop_other(struct actor *a)
{
    unsigned other = 1 - a->vcpu->id;

    if (nr_actors < 2 || trace || actors[other].over || !spin_trylock(&stop_lock))
        return;
    CALL(a, vcpu_op, VCPUOP_down, other);
    for (unsigned n = below(a, 4); n; n--)
        CALL(a, sched_op, SCHEDOP_yield);
    if (CALL(a, vcpu_op, VCPUOP_up, other))
        panic("vcpu %u does not come up again", other);
    spin_unlock(&stop_lock);
}

static void step_nmi(struct actor *a)
{
    CALL(a, vcpu_op, VCPUOP_send_nmi, one_in(a, 2) ? a->vcpu->id : odd_number(a) | 64);
}

static void step_timer(struct actor *a)
{
    CALL(a, set_timer_op, some_time(a));
}

static void step_upcalls(struct actor *a)
{
    (void)a;
    events_enable();
    events_disable();
}

/* ---- processor state ---- */

static void step_gdt(struct actor *a)
{
    uint64_t frames[14], count;
    unsigned n = 1 + below(a, one_in(a, 8) ? 14 : 2);

    for (unsigned i = 0; i < n; i++)
        frames[i] = some_mfn(a, 0);
    if (one_in(a, 3)) {
        CALL(a, update_descriptor, pool[slot_for(a, 0)] << PAGE_SHIFT | below(a, 512) << 3,
             one_in(a, 2) ? odd_number(a) : 0x00cff2000000ffff ^ 1ul << below(a, 64));
    } else {
        count = one_in(a, 4) ? odd_number(a) : n * 512 - below(a, 512);
        if ((uint32_t)count > n * 512)
            count = 0x1c01 + below(a, 4096); /* more than there may be */
        CALL(a, set_gdt, place(a, frames, 8 * n), count);
    }
}

/* Segments from whatever table is in force now: may fault, now or at a later return. */
static void step_selectors(struct actor *a)
{
    uint16_t sel = one_in(a, 4) ? odd_number(a) : below(a, 16) << 3 | below(a, 8);

    (void)FAULT_OF(__asm__ volatile("mov %0, %%fs" : : "r"(sel)));
    (void)FAULT_OF(__asm__ volatile("mov %0, %%es" : : "r"(sel)));
    if (one_in(a, 2)) {
        __asm__ volatile("mov %0, %%fs" : : "r"((uint16_t)0));
        __asm__ volatile("mov %0, %%es" : : "r"((uint16_t)0));
    }
    CALL(a, set_segment_base, below(a, 5), one_in(a, 2) ? sel : odd_number(a));
}

static void step_debug(struct actor *a)
{
    uint64_t value = one_in(a, 2) ? some_address(a) : odd_number(a);

    if (one_in(a, 3))
        CALL(a, get_debugreg, one_in(a, 4) ? odd_number(a) : below(a, 9));
    else
        CALL(a, set_debugreg, one_in(a, 4) ? odd_number(a) : below(a, 9),
             precious(value) ? 0 : value);
}

static void step_entries(struct actor *a)
{
    struct trap_info t[8];
    struct callback_register r = {.type = below(a, 10), .flags = below(a, 4)};
    uint64_t x = odd_number(a);

    a->heal = true;
    switch (below(a, 6)) {
    case 0:
        for (unsigned i = 0; i < ARRAY_SIZE(t); i++)
            t[i] =
                (struct trap_info){.vector = rnd(a), .flags = rnd(a), .cs = rnd(a), .address = x++};
        t[below(a, 8)].address = 0;
        CALL(a, set_trap_table, place(a, t, sizeof(t)));
        break;
    case 1:
        CALL(a, set_callbacks, odd_number(a), odd_number(a), odd_number(a));
        break;
    case 2:
        CALL(a, stack_switch, one_in(a, 2) ? FLAT_KERNEL_SS : odd_number(a), odd_number(a));
        break;
    case 3:
        r.address = odd_number(a);
        CALL(a, callback_op, one_in(a, 8) ? odd_number(a) | 2 : below(a, 2),
             place(a, &r, sizeof(r)));
        break;
    case 4:
        if (a->vcpu->id == 0) /* the handler is that of vcpu 0 */
            CALL(a, nmi_op, below(a, 3), place(a, &x, sizeof(x)));
        break;
    default:
        CALL(a, vm_assist, one_in(a, 4) ? odd_number(a) : below(a, 2),
             one_in(a, 4) ? odd_number(a) : below(a, 7));
    }
}

/* Z6: events are masked, so nothing came in between. */
static void restore_entries(struct actor *a)
{
    struct callback_register nmi = {.type = CALLBACKTYPE_nmi,
                                    .address = trap_table()[TRAP_NMI].address};

    a->heal = false;
    trap_init_vcpu();
    hypercall_callback_op(CALLBACKOP_register, &nmi);
}

static void step_iret(struct actor *a)
{
    uint64_t flags = odd_number(a) & ~(uint64_t)X86_EFLAGS_TF, frame_flags = odd_number(a);

    frame_flags &= ~(uint64_t)VGCF_in_syscall;
    a->calls++;
    __asm__ volatile("mov %%rsp, %%rdx\n"
                     "and $-16, %%rsp\n"
                     "push %[ss]; push %%rdx; push %[flags]; push %[cs]\n"
                     "lea 1f(%%rip), %%rax\n"
                     "push %%rax\n"
                     "push %[frame]; push %%rcx; push %%r11; push %%rax\n"
                     "mov %[nr], %%eax\n"
                     "syscall\n"
                     "ud2\n"
                     "1: push $2; popfq; cld\n"
                     :
                     : [ss] "i"(FLAT_KERNEL_SS), [cs] "i"(FLAT_KERNEL_CS & ~3), [flags] "r"(flags),
                       [frame] "r"(frame_flags), [nr] "i"(__HYPERVISOR_iret)
                     : "rax", "rcx", "rdx", "r11", "memory", "cc");
    events_disable();
}

/* Instructions that the hypervisor emulates. */
static void step_privileged(struct actor *a)
{
    static const uint32_t msrs[] = {0x10,       0x1b,       0x17,       0x174,      0x1a0,
                                    0x277,      0xc0000080, 0xc0000081, 0xc0000082, 0xc0000100,
                                    0xc0000101, 0xc0000102, 0x800,      0x40000000, 0x6e0};
    volatile uint32_t msr = one_in(a, 4) ? odd_number(a) : msrs[below(a, ARRAY_SIZE(msrs))];
    uint64_t value = odd_number(a);

    switch (below(a, 8)) {
    case 0:
        (void)FAULT_OF(cpuid_pv(odd_number(a), below(a, 4)));
        break;
    case 1:
        (void)FAULT_OF(cpuid_native(0x40000000 + below(a, 8), below(a, 4)));
        break;
    case 2:
        (void)FAULT_OF(rdmsr(msr));
        break;
    case 3: /* the values written are those read, or a register that is ours */
        (void)FAULT_OF(wrmsr(msr, rdmsr(msr)));
        (void)FAULT_OF(wrmsr(0xc0000100, value));
        break;
    case 4:
        (void)FAULT_OF(__asm__ volatile("clts"));
        break;
    case 5:
        (void)FAULT_OF(__asm__ volatile("mov %%cr0, %%rax; mov %%cr2, %%rax; mov %%cr4, %%rax" ::
                                            : "rax"));
        break;
    case 6:
        (void)FAULT_OF(__asm__ volatile("mov %0, %%cr4" : : "r"(value & ~4ul)));
        break; /* not TSD: time_now() needs the counter */
    default:
        (void)FAULT_OF(__asm__ volatile("mov %%dr7, %%rax; mov %%rax, %%dr7" ::: "rax"));
    }
}

/* ---- the rest ---- */

static void step_version(struct actor *a)
{
    uint64_t w[1024 / 8] = {odd_number(a), odd_number(a)}; /* room for any answer */

    CALL(a, xen_version, one_in(a, 8) ? odd_number(a) : below(a, 12),
         one_in(a, 2) ? place(a, w, sizeof(w)) : slot_va(below(a, POOL)) + below(a, 4096));
}

static void step_console(struct actor *a)
{
    static const char text[] = "# a word from the fuzzer\n";

    if (one_in(a, 4))
        CALL(a, console_io, CONSOLEIO_read, odd_number(a), slot_va(below(a, POOL)));
    else if (one_in(a, 500) && !a->batch)
        CALL(a, console_io, CONSOLEIO_write, sizeof(text) - 1, (unsigned long)text);
    else
        CALL(a, console_io, one_in(a, 2) ? 0 : odd_number(a) | 2, odd_number(a), bad_address(a));
}

/* Words of all kinds, and pointers here and there. */
static void fill_words(struct actor *a, uint32_t *w, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        w[i] = one_in(a, 2) ? below(a, 4) : odd_number(a);
    for (unsigned i = 4; i + 2 <= n; i += 2)
        if (one_in(a, 4))
            memcpy(&w[i], &(uint64_t){slot_va(below(a, POOL))}, 8);
}

/* Where something may be written to, or not. */
static void *some_pointer(struct actor *a)
{
    return one_in(a, 4)
               ? NULL
               : (void *)(one_in(a, 2) ? slot_va(below(a, POOL)) + below(a, 4096) : bad_address(a));
}

static bool listed(const uint16_t *list, uint64_t x)
{
    for (; *list; list++)
        if (*list == x)
            return true;
    return false;
}

/* The tools' interfaces with every number there is; sub-operations that would stop this domain or
 * the machine get a wrong version, as does half of the rest. */
static void step_tools(struct actor *a)
{
    static const uint16_t domctl[] = {5, 9, 13, 14, 17, 25, 36, 43, 59, 61, 63, 69, 72, 82, 85, 0};
    static const uint16_t sysctl[] = {1, 3, 4, 6, 8, 9, 16, 17, 22, 25, 26, 29, 0};
    uint32_t w[36], cmd = below(a, 90);

    fill_words(a, w, ARRAY_SIZE(w));
    w[0] = cmd;
    if (one_in(a, 2)) {
        w[1] = XEN_DOMCTL_INTERFACE_VERSION + !(listed(domctl, cmd) && one_in(a, 2));
        w[2] = some_domain(a);
        CALL(a, domctl, place(a, w, sizeof(struct xen_domctl)));
    } else {
        w[1] = XEN_SYSCTL_INTERFACE_VERSION + !(listed(sysctl, cmd) && one_in(a, 2));
        CALL(a, sysctl, place(a, w, 136));
    }
}

/* ---- the control domain's machine ---- */

static void step_platform(struct actor *a)
{
    struct xen_platform_op op;
    uint32_t w[36];

    fill_words(a, w, ARRAY_SIZE(w));
    memcpy(&op, w, sizeof(op));
    op.cmd = one_in(a, 8) ? odd_number(a) : 17 + below(a, 47);
    op.interface_version = XENPF_INTERFACE_VERSION + one_in(a, 16);
    switch (op.cmd) {
    case XENPF_enter_acpi_sleep:
        op.u.enter_acpi_sleep.sleep_state = below(a, 5); /* 5 would end us */
        break;
    case XENPF_firmware_info:
        op.u.firmware_info.type = below(a, 7);
        break;
    case XENPF_settime64:
        op.u.settime64.mbz &= one_in(a, 4);
    }
    CALL(a, platform_op, place(a, &op, sizeof(op)));
}

static void step_mca(struct actor *a)
{
    struct xen_mc op = {.cmd = one_in(a, 8) ? odd_number(a) : below(a, 7),
                        .interface_version = XEN_MCA_INTERFACE_VERSION + one_in(a, 16)};

    if (op.cmd == XEN_MC_physcpuinfo) {
        op.u.mc_physcpuinfo.ncpus = one_in(a, 2) ? below(a, 4) : odd_number(a);
        op.u.mc_physcpuinfo.info.p = some_pointer(a);
    } else {
        op.u.mc_fetch.flags = one_in(a, 2) ? below(a, 8) : odd_number(a);
        op.u.mc_fetch.fetch_id = odd_number(a);
        op.u.mc_fetch.data.p = some_pointer(a);
    }
    CALL(a, mca, place(a, &op, sizeof(op)));
}

static unsigned some_devfn(struct actor *a)
{
    return one_in(a, 4) ? below(a, 256) : 8 * (5 + below(a, 2));
}

static int some_gsi(struct actor *a)
{
    return one_in(a, 8) ? odd_number(a) : below(a, 26);
}

static void fill_map_pirq(struct actor *a, struct physdev_map_pirq *m)
{
    *m = (struct physdev_map_pirq){.domid = some_domain(a),
                                   .type = one_in(a, 12)  ? odd_number(a)
                                           : one_in(a, 4) ? below(a, 5)
                                                          : below(a, 2),
                                   .index = some_gsi(a),
                                   .pirq = one_in(a, 2) ? -1 : (int)some_pirq(a),
                                   .bus = one_in(a, 12) ? odd_number(a) : 0,
                                   .devfn = some_devfn(a),
                                   .entry_nr = one_in(a, 12) ? odd_number(a) : below(a, 5),
                                   .table_base = below(a, 2)};
}

/* Arguments that name a function of PCI in bus 0, as most of the others do. */
static void fill_device(struct actor *a, unsigned cmd, uint8_t w[12])
{
    bool has_segment = cmd >= PHYSDEVOP_pci_device_add;
    unsigned at = has_segment ? 2 : 0;

    memset(w, 0, 12);
    w[at + 1] = some_devfn(a);
    if (one_in(a, 12))
        w[below(a, at + 1)] = odd_number(a);
    if (cmd == PHYSDEVOP_pci_device_add || cmd == PHYSDEVOP_manage_pci_add_ext) {
        w[4] = one_in(a, 2) ? 0 : below(a, 8);
        w[9] = some_devfn(a);
    }
}

/* A sensible argument; of what is not named here @w has random words already. */
static void fill_physdev(struct actor *a, unsigned cmd, void *w)
{
    switch (cmd) {
    case PHYSDEVOP_irq_status_query:
    case PHYSDEVOP_eoi:
        *(uint32_t *)w = some_pirq(a);
        break;
    case PHYSDEVOP_set_iobitmap:
        *(uint64_t *)w = slot_va(below(a, POOL));
        break;
    case PHYSDEVOP_apic_read:
    case PHYSDEVOP_apic_write:
        *(struct physdev_apic *)w =
            (struct physdev_apic){.apic_physbase = one_in(a, 8) ? odd_number(a) : 0xfec00000,
                                  .reg = one_in(a, 8) ? odd_number(a) : below(a, 0x44),
                                  .value = odd_number(a)};
        break;
    case PHYSDEVOP_setup_gsi:
        *(int *)w = some_gsi(a);
        break;
    case PHYSDEVOP_map_pirq:
        fill_map_pirq(a, w);
        break;
    case PHYSDEVOP_unmap_pirq:
        *(struct physdev_unmap_pirq *)w =
            (struct physdev_unmap_pirq){.domid = some_domain(a), .pirq = some_pirq(a)};
        break;
    case PHYSDEVOP_pirq_eoi_gmfn_v1:
    case PHYSDEVOP_pirq_eoi_gmfn_v2:
        *(uint64_t *)w = some_mfn(a, 0);
        break;
    case PHYSDEVOP_get_free_pirq:
    case PHYSDEVOP_pci_mmcfg_reserved:
    case PHYSDEVOP_dbgp_op:
        break;
    default:
        if (cmd >= PHYSDEVOP_manage_pci_add)
            fill_device(a, cmd, w);
    }
}

static void step_physdev(struct actor *a)
{
    uint32_t w[11], cmd = one_in(a, 16) ? odd_number(a) : below(a, 33);
    const struct physdev_map_pirq *out;
    uint64_t at;

    if (one_in(a, 4))
        cmd = one_in(a, 3) ? PHYSDEVOP_pci_device_add : PHYSDEVOP_map_pirq;
    fill_words(a, w, 10);
    if (!one_in(a, 8))
        fill_physdev(a, cmd, w);
    if (one_in(a, 16)) {
        memmove(w + 2, w, 20);
        w[0] = cmd;
        CALL(a, physdev_op_compat, place(a, w, 24));
        return;
    }
    at = place(a, w, 40);
    if (CALL(a, physdev_op, cmd, at) == 0 && cmd == PHYSDEVOP_map_pirq &&
        (out = result_at(a, at, sizeof(*out))))
        pirqs[below(a, NR_RECENT)] = out->pirq;
}

/* Configuration space: commands, BARs and capabilities of the two functions change under the
 * hypervisor's feet; BARs go where BARs may be. The others are only read. One actor alone does
 * this, since both have one address register.
 *
 * What moves device memory is written on a machine of one CPU only. QEMU's translator can't stand it while
 * another CPU's thread is about to use an address that it has looked up before: it ends with SIGSEGV. */
static void access_config(uint32_t devfn, uint32_t reg, uint32_t value)
{
    bool ours = devfn / 8 == 5 || devfn / 8 == 6, moves = reg >= 0x04 && reg < 0x34;

    if (FAULT_OF(outl(0xcf8, 0x80000000 | devfn << 8 | (reg & 0xfc))).hit)
        return;
    if (ours && !(moves && vcpu_count() > 1))
        (void)FAULT_OF(outl(0xcfc, value));
    else
        (void)FAULT_OF(inl(0xcfc));
}

static void step_pci(struct actor *a)
{
    static const uint8_t regs[] = {0x04, 0x10, 0x14, 0x20, 0x24, 0x34,
                                   0x40, 0x42, 0x44, 0x84, 0x98};
    uint32_t reg = one_in(a, 4) ? below(a, 256) : regs[below(a, ARRAY_SIZE(regs))];
    uint32_t value = one_in(a, 2) ? odd_number(a) : below(a, 8);

    if (a->vcpu->id)
        return;
    a->calls++;
    if (reg >= 0x10 && reg < 0x28)
        value = 0xfea00000 + (below(a, 256) << 12);
    access_config(some_devfn(a), reg, value);
    (void)FAULT_OF(inl(0xcf8 + below(a, 8)));
}

/* Is this call, with arguments that point to nothing readable, one that we would not survive? */
static bool deadly(uint64_t nr, const unsigned long arg[6])
{
    uint32_t cmd = arg[0];

    switch ((uint32_t)nr) {
    case __HYPERVISOR_iret:
    case __HYPERVISOR_nmi_op:
        return true;
    case __HYPERVISOR_sched_op:
        return cmd == SCHEDOP_block;
    case __HYPERVISOR_sched_op_compat:
        return cmd == 1 || cmd == 2; /* block, shutdown: no pointer that could be bad */
    case __HYPERVISOR_vcpu_op:
        return cmd == VCPUOP_up || cmd == VCPUOP_down || cmd == VCPUOP_send_nmi;
    case __HYPERVISOR_update_va_mapping:
    case __HYPERVISOR_update_va_mapping_otherdomain:
        return precious(arg[0]);
    case __HYPERVISOR_set_debugreg:
        return precious(arg[1]);
    default:
        return false;
    }
}

/* Any number with any arguments, none of which points to something. */
static void step_any(struct actor *a)
{
    unsigned long arg[6], nr = one_in(a, 8) ? odd_number(a) : below(a, 66);

    for (unsigned i = 0; i < 6; i++)
        arg[i] = one_in(a, 3) ? bad_address(a) : one_in(a, 2) ? below(a, 40) : odd_number(a);
    for (unsigned i = 0; i < 6; i++)
        if (points_somewhere(arg[i]))
            arg[i] = HV_START + 0x28000000000;
    if (deadly(nr, arg))
        return;
    if ((uint32_t)nr <= 4 || (uint32_t)nr == __HYPERVISOR_callback_op)
        a->heal = true;
    issue(a, nr, arg);
}

static void step_fpu(struct actor *a)
{
    CALL(a, fpu_taskswitch, one_in(a, 4) ? odd_number(a) : below(a, 2));
}

static void step_unused(struct actor *a)
{
    static const uint8_t nr[] = {__HYPERVISOR_xsm_op,
                                 __HYPERVISOR_xenoprof_op,
                                 __HYPERVISOR_hvm_op,
                                 __HYPERVISOR_tmem_op,
                                 __HYPERVISOR_argo_op,
                                 __HYPERVISOR_xenpmu_op,
                                 __HYPERVISOR_dm_op,
                                 __HYPERVISOR_hypfs_op,
                                 __HYPERVISOR_arch_0 + 1,
                                 11,
                                 43,
                                 63};
    uint64_t w[8];

    for (unsigned i = 0; i < ARRAY_SIZE(w); i++)
        w[i] = odd_number(a);
    issue(a, nr[below(a, ARRAY_SIZE(nr))],
          (const unsigned long[6]){below(a, 20), place(a, w, sizeof(w)), below(a, 8),
                                   place(a, w, sizeof(w)), odd_number(a), odd_number(a)});
}

static void step_multicall(struct actor *a);

/* ---- choosing ---- */

static const struct step {
    void (*run)(struct actor *a);
    unsigned weight;
    bool alone; /* not inside a multicall */
} steps[] = {
    {step_mmu_update, 14, false}, {step_va_mapping, 6, false},  {step_slot_mapping, 6, false},
    {step_mmuext, 12, false},     {step_make_table, 5, true},   {step_touch, 8, true},
    {step_reservation, 4, false}, {step_exchange, 2, false},    {step_memory_other, 2, false},
    {step_check_slot, 1, true},   {step_grant_entry, 3, false}, {step_grant_map, 5, false},
    {step_grant_unmap, 5, false}, {step_grant_copy, 3, false},  {step_grant_other, 3, false},
    {step_event, 9, false},       {step_upcalls, 2, true},      {step_poll, 1, false},
    {step_sched, 2, false},       {step_vcpu, 4, false},        {step_timer, 2, false},
    {step_nmi, 1, true},          {step_gdt, 3, false},         {step_selectors, 1, true},
    {step_debug, 2, false},       {step_entries, 2, false},     {step_iret, 2, true},
    {step_privileged, 2, true},   {step_version, 2, false},     {step_console, 1, false},
    {step_tools, 2, false},       {step_platform, 1, false},    {step_mca, 1, false},
    {step_physdev, 6, false},     {step_pci, 2, true},          {step_any, 5, false},
    {step_fpu, 1, false},         {step_unused, 1, false},      {step_multicall, 6, true},
};

/* What a step has cost the actor of late, in ticks. When the machine is shared with others, what
 * needs the other CPU takes a thousand times as long as the rest: such steps are then made less
 * often. */
static void make_step(struct actor *a, const struct step *s)
{
    static uint64_t costs[ARRAY_SIZE(actors)][ARRAY_SIZE(steps)];
    uint64_t *cost = &costs[a->vcpu->id][s - steps], start = rdtsc(), took;

    if (!steady && *cost > cost_limit && !one_in(a, *cost / cost_limit))
        return;
    s->run(a);
    took = rdtsc() - start;
    if (took > 64 * cost_limit) /* rather the vcpu was stopped than this took so long */
        took = 64 * cost_limit;
    *cost = (*cost * 7 + took) / 8;
}

static const struct step *pick(struct actor *a)
{
    static unsigned total;
    const struct step *s = steps;
    unsigned at;

    if (!total)
        for (s = steps; s < steps + ARRAY_SIZE(steps); s++)
            total += s->weight;
    at = below(a, total);
    for (s = steps; at >= s->weight; s++)
        at -= s->weight;
    return s;
}

/* Batches end before the arena comes around: no call's arguments overwrite those of another. */
static void step_multicall(struct actor *a)
{
    struct multicall_entry entries[MAX_BATCH];
    unsigned want = 1 + below(a, MAX_BATCH);
    uint64_t at, count;

    a->cursor = a->arena;
    a->batch = entries;
    a->batched = 0;
    while (a->batched < want) { /* a call's arguments are little more than 1 KiB at most */
        const struct step *s = pick(a);

        if (!s->alone)
            s->run(a);
    }
    a->batch = NULL;
    if (one_in(a, 32))
        entries[below(a, a->batched)].op = __HYPERVISOR_multicall;
    at = place_array(a, entries, sizeof(entries[0]), a->batched, &count);
    a->heal = true; /* an entry that results were written over may be any call */
    CALL(a, multicall, at, count);
}

/* ---- what must hold ---- */

static void check_wards(struct actor *a)
{
    for (unsigned level = 1; level <= 4; level++) {
        uint64_t *ward = wards[level];
        unsigned at = below(a, 512);

        /* Level 1: a write through a read-only mapping is emulated, and some calls make such.
         * Level 4: the upper half of the root belongs to the hypervisor. */
        for (unsigned i = 0; level > 1 && i < (level == 4 ? 256 : 512); i++)
            if (!check_eq(ward[i], ward_copy[level][i]))
                note("in the ward of level %u, entry %u", level, i);
        if (level > 1)
            check(!probe_write(&ward[at], 0));
        check_ne(hypercall_update_va_mapping(slot_va(0), pte_make(virt_to_mfn(ward), PROT_RW),
                                             UVMF_INVLPG),
                 0);
    }
}

static void check_canaries(void)
{
    for (unsigned i = 0; i < PAGE_SIZE; i += 64)
        check_eq(*(volatile uint64_t *)(read_only_page + i), 0);
    for (unsigned c = 0; c < CANARIES; c++) {
        bool same = true;

        for (unsigned i = 0; i < 512; i++)
            same &= canaries[c][i] == (seed ^ (c << 16 | i));
        check(same);
        check_eq(m2p_raw(virt_to_mfn(canaries[c])), virt_to_pfn(canaries[c]));
        check_eq(pte_mfn(*pt_entry((uint64_t)canaries[c], 1)), virt_to_mfn(canaries[c]));
    }
}

/* Z5: a sleeper's timer may be gone, since other calls set it, too. */
static void wake_the_other(struct actor *a)
{
    struct actor *other = &actors[1 - a->vcpu->id];
    uint64_t since = nr_actors > 1 ? other->asleep : 0;

    if (!since || time_now() < since + 2 * NS_PER_MS)
        return;
    if (time_now() > since + 200 * NS_PER_MS) /* its ports may have been closed by a stale number */
        bind_own_ports(other);
    evtchn_send(other->kick);
}

static void look_after(struct actor *a, unsigned n)
{
    if (n % 32 == 0)
        wake_the_other(a);
    if (n % 1024 == 0) {
        check_wards(a);
        check_canaries();
    }
}

/* ---- running ---- */

static void run(struct actor *a)
{
    uint64_t step = forever ? 50000 : a->limit / 5, next = a->calls + step;

    for (unsigned n = 1; a->calls < a->limit && (steady || time_now() < a->end); n++) {
        make_step(a, pick(a));
        if (a->heal)
            restore_entries(a);
        if (n % 512 == 0)
            step_sleep(a);
        if (n % 700 == 0)
            step_stop_other(a);
        if (n % 5000 == 0)
            step_event_reset(a);
        look_after(a, n);
        if (a->calls >= next) {
            next += step;
            note("vcpu %u: %lu calls, at %lu ms, %lu pages left", a->vcpu->id, a->calls,
                 time_now() / NS_PER_MS, mm_unused_pages());
        }
    }
    hypercall_sched_op(SCHEDOP_pin_override, &(struct sched_pin_override){.pcpu = -1});
}

/* The page itself moves into the hypervisor's hands, so that register_vcpu_info is refused later.
 * vcpu_start() forgets where it is. */
static bool move_vcpu_info(void)
{
    static struct vcpu_info *moved[2];
    struct vcpu_local *me = this_vcpu();
    struct vcpu_info *info = moved[me->id] ? moved[me->id] : alloc_page();
    struct vcpu_register_vcpu_info r = {.mfn = virt_to_mfn(info)};

    if (!moved[me->id] && hypercall_vcpu_op(VCPUOP_register_vcpu_info, me->id, &r))
        return false;
    me->info = moved[me->id] = info;
    events_disable();
    return true;
}

static void second_vcpu(void *arg)
{
    struct actor *a = arg;

    if (!check(move_vcpu_info()) || a->over) /* over: brought up once more by the other one */
        return;
    a->vcpu = this_vcpu();
    while (!READ_ONCE(all_set))
        hypercall_sched_op(SCHEDOP_yield, NULL);
    run(a);
    a->over = true;
}

/* Debug traps come from registers that we set, others from nothing that matters. */
static bool go_on(struct trap_regs *r)
{
    r->rflags &= ~(uint64_t)(X86_EFLAGS_TF | X86_EFLAGS_AC);
    r->rflags |= X86_EFLAGS_RF;
    return true;
}

static void (*next_hook)(const char *why);

static void tell_last_calls(const char *why)
{
    for (unsigned i = 0; i < nr_actors; i++)
        for (unsigned n = 0; n < ARRAY_SIZE(actors[i].last); n++) {
            unsigned at = (actors[i].calls + n) % ARRAY_SIZE(actors[i].last);
            const uint64_t *arg = actors[i].last[at].arg;

            note("vcpu %u: %lu(%#lx, %#lx, %#lx, %#lx)", i, actors[i].last[at].nr, arg[0], arg[1],
                 arg[2], arg[3]);
        }
    next_hook(why);
}

/* ---- setting up ---- */

/* A tree of four pinned tables, one entry each; the last leads to a page of no value, since an emulated
 * write may make that entry a writable one. */
static bool make_wards(void)
{
    void *leaf = alloc_page();
    uint64_t mfn = virt_to_mfn(leaf);

    for (unsigned level = 1; leaf && level <= 4; level++) {
        wards[level] = alloc_page();
        if (!wards[level])
            return false;
        wards[level][3] = pte_make(mfn, level == 1 ? PROT_RO : PROT_TABLE);
        if (page_readonly(wards[level]) || pt_pin(wards[level], level))
            return false;
        memcpy(ward_copy[level], wards[level], PAGE_SIZE);
        mfn = virt_to_mfn(wards[level]);
    }
    return leaf;
}

static bool make_pool(void)
{
    slots = (uint64_t)vm_reserve(POOL);
    for (unsigned i = 0; slots && i < POOL; i++) {
        void *page = alloc_page();

        if (!page || hypercall_update_va_mapping((uint64_t)page, 0, UVMF_INVLPG | UVMF_ALL))
            return false;
        pool[i] = virt_to_mfn(page);
        if (map_frame(slot_va(i), pool[i], PROT_RW))
            return false;
    }
    return slots;
}

static bool make_sandbox(void)
{
    areas = alloc_pages(2);
    read_only_page = alloc_page();
    if (!areas || !read_only_page || page_readonly(read_only_page))
        return false;
    for (unsigned i = 0; i < CANARIES; i++) {
        canaries[i] = alloc_page();
        for (unsigned n = 0; canaries[i] && n < 512; n++)
            canaries[i][n] = seed ^ (i << 16 | n);
    }
    return make_pool() && make_wards();
}

static bool make_actor(unsigned id, unsigned percent)
{
    static uint64_t arenas[2];
    struct actor *a = &actors[id];

    *a = (struct actor){.random = seed * 0x9e3779b97f4a7c15ul + id + 1 + 2 * evtchn_is_fifo(),
                        .limit = UINT64_MAX,
                        .end = UINT64_MAX};
    if (!forever) {
        a->limit = cmdline_u64("calls", 1000000) * percent / 100 / nr_actors;
        a->end = time_now() + cmdline_u64("seconds", 300) * NS_PER_SEC / 100 * percent;
    }
    for (unsigned i = 0; i < ARENA_PAGES && !arenas[id]; i++) {
        a->arena = i ? a->arena : (uint64_t)vm_reserve(ARENA_PAGES);
        if (map_frame(a->arena + i * PAGE_SIZE, virt_to_mfn(alloc_page()), PROT_RW))
            return false;
        if (i + 1 == ARENA_PAGES)
            arenas[id] = a->arena;
    }
    a->cursor = a->arena = arenas[id];
    return true;
}

static bool set_up(void)
{
    static const uint16_t ignored[] = {TRAP_DB, TRAP_BP, TRAP_NMI, TRAP_AC, TRAP_FAILSAFE};
    static bool done;

    if (done)
        return true;
    seed = cmdline_u64("seed", cmdline_has("forever") ? rdtsc() : 1);
    trace = cmdline_has("trace");
    steady = cmdline_has("steady");
    cost_limit = 60 * time_tsc_khz() / 1000; /* 60 us */
    forever = cmdline_has("forever");
    nr_actors = vcpu_count() > 1 && !cmdline_has("single") ? 2 : 1;
    top_mfn = hypercall_memory_op(XENMEM_maximum_ram_page, NULL);
    self = guest_domid();
    reservation = current_reservation() + 64;
    for (unsigned i = 0; i < ARRAY_SIZE(ignored); i++)
        trap_set_handler(ignored[i], go_on);
    next_hook = panic_hook;
    panic_hook = tell_last_calls;
    done = gnttab_init(1) == 0 && make_sandbox() && move_vcpu_info();
    grant_mfn = pte_mfn(*pt_entry((uint64_t)gnttab_entries(), 1));
    return done;
}

/* Takes or gives back @n frames listed at @list. Returns how many it were. */
static long change_reservation(unsigned op, uint64_t *list, unsigned long n)
{
    struct xen_memory_reservation r = {.nr_extents = n, .domid = DOMID_SELF};

    r.extent_start.p = list;
    return hypercall_memory_op(op, &r);
}

/* Run the actors until they have made @percent of all calls together. With @list, a place for @room
 * numbers, all memory that the hypervisor has left is taken from it first; returns how many pages.
 */
static unsigned long start_actors(unsigned percent, uint64_t *list, unsigned long room)
{
    unsigned long n = 0;

    all_set = false;
    note("seed %lu, %u vcpus, %s events", seed, nr_actors, evtchn_is_fifo() ? "FIFO" : "2-level");
    for (unsigned i = 0; i < nr_actors; i++)
        check(make_actor(i, percent));
    actors[0].vcpu = this_vcpu();
    if (nr_actors > 1 && check_eq(vcpu_start(1, second_vcpu, &actors[1]), 0))
        while (!READ_ONCE(actors[1].vcpu))
            hypercall_sched_op(SCHEDOP_yield, NULL);
    for (unsigned i = 0; i < nr_actors; i++)
        bind_own_ports(&actors[i]);
    while (n < room && change_reservation(XENMEM_increase_reservation, &list[n], 1) == 1)
        n++;
    all_set = true;
    return n;
}

static unsigned long fuzz(unsigned percent, uint64_t *list, unsigned long room)
{
    unsigned long n = start_actors(percent, list, room);

    run(&actors[0]);
    actors[0].over = true;
    while (nr_actors > 1 && !actors[1].over) {
        wake_the_other(&actors[0]);
        hypercall_sched_op(SCHEDOP_yield, NULL);
    }
    if (nr_actors > 1)
        vcpu_wait_down(1);
    check_wards(&actors[0]);
    check_canaries();
    return n;
}

TEST(calls_with_2_level_events)
{
    need(set_up());
    fuzz(50, NULL, 0);
}

/* Starts from ports that are all closed, since the change of layout takes the open ones along. */
TEST(calls_with_fifo_events)
{
    struct evtchn_reset r = {.dom = DOMID_SELF};

    need(set_up());
    need_eq(hypercall_event_channel_op(EVTCHNOP_reset, &r), 0);
    need_eq(evtchn_use_fifo(nr_actors), 0);
    fuzz(40, NULL, 0);
}

/* The hypervisor's own memory is used up: nothing that it needs can be allocated. */
TEST(calls_without_memory)
{
    uint64_t *list = alloc_pages(64);
    unsigned long n;

    need(set_up());
    need(list);
    n = fuzz(10, list, 64 * PAGE_SIZE / sizeof(*list));
    note("%lu pages taken", n);
    while (n) /* a few may be gone: strays */
        change_reservation(XENMEM_decrease_reservation, &list[--n], 1);
    free_pages(list, 64);
}
