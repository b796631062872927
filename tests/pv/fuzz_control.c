/* SPDX-License-Identifier: MIT */
/* Can any sequence of control operations harm the hypervisor? Two vcpus make, fill, change, run and
 * end the same few children at once, with arguments of all kinds. In the end every page must be
 * back.
 *
 * Nothing here names this domain as the one that is operated upon. Pointers are into the arena of
 * the calling vcpu, which ends before an unmapped page, or to where nothing may be written.
 *
 * Command line: seed=N, steps=N (of each vcpu), seconds=N (ends earlier if the machine is slow). */
// smp: 2
// timeout: 300
// cmdline: dom0_mem=96M preempt=3
#include "chance.h"
#include <pv/test.h>
#include <pv/control.h>
#include <xen/memory.h>

#define CHILDREN    3 /* ids 1 to 3 */
#define FRAMES      24
#define ARENA_PAGES 4
#define WINDOWS     8

struct actor {
    uint64_t random, end;
    unsigned long steps;
    char *arena;
    uint64_t windows;
    volatile bool ready, over;
};

static struct actor actors[2];
static volatile uint64_t frames[CHILDREN][FRAMES];
static char *read_only;

/* ---- chance ---- */

static uint64_t odd_number(struct actor *a)
{
    switch (below(a, 4)) {
    case 0:
        return below(a, 16);
    case 1:
        return -below(a, 16);
    case 2:
        return (1ul << below(a, 64)) - below(a, 3) + 1;
    default:
        return rnd(a);
    }
}

static uint64_t bad_address(struct actor *a)
{
    static const uint64_t list[] = {0,
                                    0x1000,
                                    0x7ffffffff000,
                                    0x7ffffffffff8,
                                    0x800000000000,
                                    HYPERVISOR_VIRT_START + 0x28000000000,
                                    HYPERVISOR_VIRT_END - 8,
                                    0xffffffffffffff00,
                                    1ul << 63};

    return one_in(a, 8) ? (uint64_t)read_only : list[below(a, ARRAY_SIZE(list))];
}

static uint64_t some_pointer(struct actor *a)
{
    if (one_in(a, 6))
        return bad_address(a);
    return (uint64_t)a->arena + (one_in(a, 4) ? below(a, ARENA_PAGES * PAGE_SIZE) : 0);
}

static domid_t some_child(struct actor *a)
{
    return 1 + below(a, CHILDREN);
}

static uint64_t some_frame(struct actor *a, domid_t id)
{
    if (one_in(a, 16))
        return one_in(a, 2) ? odd_number(a) : virt_to_mfn(a->arena);
    return frames[(one_in(a, 16) ? some_child(a) : id) - 1][below(a, FRAMES)];
}

/* ---- steps ---- */

static void step_create(struct actor *a)
{
    struct xen_domctl op;
    uint32_t *words = (uint32_t *)&op.u.createdomain;

    child_config(&op, 1 + below(a, 3));
    op.u.createdomain.cpupool_id = one_in(a, 4) ? below(a, 4) : 0;
    if (one_in(a, 3))
        words[below(a, sizeof(op.u.createdomain) / 4)] = odd_number(a);
    domctl(XEN_DOMCTL_createdomain, some_child(a), &op);
}

static void step_plain(struct actor *a)
{
    static const uint8_t cmds[] = {XEN_DOMCTL_pausedomain, XEN_DOMCTL_unpausedomain,
                                   XEN_DOMCTL_unpausedomain, XEN_DOMCTL_resumedomain};

    domctl_plain(one_in(a, 12) ? XEN_DOMCTL_destroydomain : cmds[below(a, ARRAY_SIZE(cmds))],
                 some_child(a));
}

static void step_memory(struct actor *a)
{
    domid_t id = some_child(a);
    uint64_t list[8];
    struct xen_memory_reservation r = {.nr_extents = 1 + below(a, 8), .domid = id};
    struct xen_domctl op = {.u.max_mem.max_memkb = one_in(a, 8) ? odd_number(a) : 256};
    long n;

    if (one_in(a, 3))
        domctl(XEN_DOMCTL_max_mem, id, &op);
    for (unsigned i = 0; i < ARRAY_SIZE(list); i++)
        list[i] = one_in(a, 4) ? some_frame(a, id) : below(a, 64);
    r.extent_order = one_in(a, 8) ? odd_number(a) : 0;
    r.extent_start.p = one_in(a, 12) ? (void *)bad_address(a) : list;
    if (one_in(a, 4)) {
        hypercall_memory_op(XENMEM_decrease_reservation, &r);
        return;
    }
    n = hypercall_memory_op(XENMEM_populate_physmap, &r);
    for (long i = 0; i < n && r.extent_order == 0 && r.extent_start.p == list; i++)
        frames[id - 1][below(a, FRAMES)] = list[i];
}

static void step_claim(struct actor *a)
{
    struct xen_memory_reservation r = {.nr_extents = one_in(a, 16) ? odd_number(a) : below(a, 96),
                                       .domid = some_child(a)};

    hypercall_memory_op(XENMEM_claim_pages, &r);
}

static uint64_t some_entry(struct actor *a, domid_t id)
{
    if (one_in(a, 6))
        return 0;
    return pte_make(some_frame(a, id) & (PTE_MFN_MASK >> PAGE_SHIFT),
                    PTE_P | PTE_US | PTE_A | PTE_D | below(a, 2) * PTE_RW);
}

/* Map a frame here, and if it is writable make something of a table of it. */
static void step_fill(struct actor *a)
{
    domid_t id = some_child(a);
    uint64_t *va = (uint64_t *)(a->windows + below(a, WINDOWS) * PAGE_SIZE);

    if (map_foreign(va, some_frame(a, id), id, one_in(a, 4) ? PROT_RO : PROT_RW))
        return;
    for (unsigned n = below(a, 8); n; n--)
        (void)FAULT_OF(((volatile uint64_t *)va)[below(a, 4)] = some_entry(a, id));
    if (!one_in(a, 4))
        unmap_frame((uint64_t)va);
}

static void step_mmuext(struct actor *a)
{
    domid_t id = some_child(a);
    struct mmuext_op op = {.cmd = one_in(a, 8) ? 16 + below(a, 6) : below(a, 5),
                           .arg1.mfn = some_frame(a, id),
                           .arg2.src_mfn = some_frame(a, id)};

    hypercall_mmuext_op(&op, 1, NULL, id);
}

static void step_mmu_update(struct actor *a)
{
    domid_t id = some_child(a);
    struct mmu_update u = {some_frame(a, id) << PAGE_SHIFT | below(a, 4) * 8 | 2 * below(a, 2),
                           some_entry(a, id)};

    hypercall_mmu_update(&u, 1, NULL, id | (id + 1) << 16);
}

static void step_context(struct actor *a)
{
    domid_t id = some_child(a);
    struct vcpu_guest_context *c = (struct vcpu_guest_context *)a->arena;
    struct xen_domctl op = {.u.vcpucontext = {.vcpu = one_in(a, 8) ? odd_number(a) : below(a, 3)}};

    memset(c, 0, sizeof(*c));
    c->flags = VGCF_in_kernel | VGCF_online;
    c->user_regs.rip = CHILD_VA(0);
    c->user_regs.cs = FLAT_KERNEL_CS;
    c->user_regs.ss = c->kernel_ss = FLAT_KERNEL_SS;
    c->ctrlreg[3] = xen_pfn_to_cr3(some_frame(a, id));
    if (one_in(a, 4))
        c->ctrlreg[1] = xen_pfn_to_cr3(some_frame(a, id));
    if (one_in(a, 4)) {
        c->gdt_ents = one_in(a, 2) ? odd_number(a) : 512 * below(a, 17);
        for (unsigned i = 0; i < 16; i++)
            c->gdt_frames[i] = some_frame(a, id);
    }
    if (one_in(a, 4))
        ((uint64_t *)c)[below(a, sizeof(*c) / 8)] = odd_number(a);
    op.u.vcpucontext.ctxt.p = one_in(a, 16) ? NULL : (void *)c;
    domctl(XEN_DOMCTL_setvcpucontext, id, &op);
}

/* A child that runs and makes calls. Only vcpu 0: the builder has one window. */
static void step_run(struct actor *a)
{
    static struct child kid;

    if (vcpu_id() || child_create(&kid, 1 + below(a, 2), CHILD_MIN_PAGES + 8))
        return;
    domctl_plain(XEN_DOMCTL_unpausedomain, kid.id);
    for (unsigned n = below(a, 8); n; n--) {
        kid.data->nr = below(a, 64);
        for (unsigned i = 0; i < 4; i++)
            kid.data->arg[i] = one_in(a, 2)   ? below(a, 20)
                               : one_in(a, 2) ? child_scratch_va()
                                              : odd_number(a);
        kid.data->request = 1;
        for (unsigned i = 0; i < 4 && kid.data->request; i++)
            hypercall_sched_op(SCHEDOP_yield, NULL);
    }
    child_destroy(&kid);
}

/* Any operation: small numbers, odd ones, pointers. The first word of many is a vcpu. */
static void step_any(struct actor *a)
{
    struct xen_domctl op;
    uint64_t *words = (uint64_t *)&op.u;

    for (unsigned i = 0; i < sizeof(op.u) / 8; i++)
        words[i] = one_in(a, 2) ? some_pointer(a) : one_in(a, 2) ? below(a, 64) : odd_number(a);
    if (!one_in(a, 8))
        *(uint32_t *)words = below(a, 4);
    domctl(one_in(a, 32) ? odd_number(a) : 1 + below(a, 86), some_child(a), &op);
}

/* What asks about the machine and its domains. */
static void step_sysctl(struct actor *a)
{
    static const uint8_t cmds[] = {1, 2, 3, 4, 6, 8, 9, 10, 12, 16, 17, 18, 21, 22, 23, 25, 26, 29};
    struct xen_sysctl op;
    uint64_t *words = (uint64_t *)&op.u;

    for (unsigned i = 0; i < sizeof(op.u) / 8; i++)
        words[i] = one_in(a, 2) ? some_pointer(a) : one_in(a, 2) ? below(a, 64) : odd_number(a);
    sysctl(cmds[below(a, ARRAY_SIZE(cmds))], &op);
}

static void step_pool(struct actor *a)
{
    struct xen_sysctl op = {.u.cpupool_op = {.op = 1 + below(a, 7),
                                             .cpupool_id = below(a, 4),
                                             .cpu = below(a, 3),
                                             .domid = some_child(a)}};

    sysctl(XEN_SYSCTL_cpupool_op, &op);
}

static void step_permit(struct actor *a)
{
    struct xen_domctl op = {.u.ioport_permission = {.first_port = below(a, 4096),
                                                    .nr_ports = 1 + below(a, 16),
                                                    .allow_access = below(a, 2)}};

    domctl(XEN_DOMCTL_ioport_permission, some_child(a), &op);
    op.u.iomem_permission =
        (struct xen_domctl_iomem_permission){.first_mfn = 0xf0000 + below(a, 4096),
                                             .nr_mfns = 1 + below(a, 16),
                                             .allow_access = below(a, 2)};
    domctl(XEN_DOMCTL_iomem_permission, some_child(a), &op);
}

static const struct {
    void (*run)(struct actor *a);
    unsigned weight;
} steps[] = {
    {step_create, 4}, {step_plain, 8},      {step_memory, 12}, {step_fill, 16}, {step_mmuext, 8},
    {step_claim, 4},  {step_mmu_update, 8}, {step_context, 8}, {step_any, 16},  {step_run, 1},
    {step_sysctl, 4}, {step_pool, 6},       {step_permit, 6},
};

static void run(struct actor *a)
{
    unsigned total = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(steps); i++)
        total += steps[i].weight;
    while (a->steps && time_now() < a->end) {
        unsigned at = below(a, total), i = 0;

        for (; at >= steps[i].weight; i++)
            at -= steps[i].weight;
        steps[i].run(a);
        a->steps--;
    }
    for (unsigned i = 0; i < WINDOWS; i++)
        unmap_frame(a->windows + i * PAGE_SIZE);
    a->over = true;
}

static void second_vcpu(void *arg)
{
    run(arg);
}

/* ---- before and after ---- */

static bool make_actor(unsigned id)
{
    struct actor *a = &actors[id];

    a->random = (cmdline_u64("seed", 1) * 2 + id + 1) * 0x9e3779b97f4a7c15ul;
    a->steps = cmdline_u64("steps", 20000);
    a->end = time_now() + cmdline_u64("seconds", 60) * NS_PER_SEC;
    a->arena = vm_reserve(ARENA_PAGES + 1);
    a->windows = (uint64_t)vm_reserve(WINDOWS);
    for (unsigned i = 0; a->arena && i < ARENA_PAGES; i++)
        if (map_frame((uint64_t)a->arena + i * PAGE_SIZE, virt_to_mfn(alloc_page()), PROT_RW))
            return false;
    return a->arena && a->windows;
}

TEST(control_operations)
{
    unsigned nr = vcpu_count() > 1 ? 2 : 1;
    struct xen_sysctl info = {0};
    uint64_t before;

    read_only = alloc_page();
    need(read_only && page_readonly(read_only) == 0);
    for (unsigned i = 0; i < nr; i++)
        need(make_actor(i));
    before = free_machine_pages();
    if (nr > 1)
        need_eq(vcpu_start(1, second_vcpu, &actors[1]), 0);
    run(&actors[0]);
    while (nr > 1 && !actors[1].over)
        hypercall_sched_op(SCHEDOP_yield, NULL);
    note("%lu and %lu steps were left", actors[0].steps, actors[1].steps);
    for (domid_t id = 1; id < 1024; id++)
        domctl_plain(XEN_DOMCTL_destroydomain, id);
    (void)eventually(free_machine_pages() == before);
    check_eq(free_machine_pages(), before);
    check_eq(sysctl(XEN_SYSCTL_physinfo, &info), 0);
    check_eq(info.u.physinfo.outstanding_pages, 0);
}
