/* SPDX-License-Identifier: MIT */
/* Bench rows: page tables and reservations. */
#include "bench.h"
#include <pv/guest.h>
#include <pv/hypercall.h>
#include <pv/mm.h>

static uint64_t *window; /* 64 pages of address space */
static void *frame[2];   /* two pages, mapped only there */
static uint64_t pte[2];  /* the contents between which an entry alternates */
static struct mmu_update update[64];
static unsigned turn;

static uint64_t frame_pte(unsigned i)
{
    return pte_make(virt_to_mfn(frame[i]), PROT_RW);
}

static bool prepare_window(void)
{
    if (window)
        return true;
    window = vm_reserve(64);
    for (unsigned i = 0; i < 2; i++) {
        frame[i] = alloc_page();
        if (!frame[i] || unmap_frame((uint64_t)frame[i]))
            return false;
    }
    for (unsigned i = 0; i < 64 && window; i++)
        update[i].ptr = pt_entry_maddr(pt_entry((uint64_t)window + i * PAGE_SIZE, 1));
    return window;
}

/* The first @n entries map frame 0; the samples write @other and frame 0 by turns. */
static bool window_with(unsigned n, uint64_t other)
{
    pte[0] = frame_pte(0);
    pte[1] = other;
    turn = 0;
    for (unsigned i = 0; i < n; i++)
        if (map_frame((uint64_t)window + i * PAGE_SIZE, virt_to_mfn(frame[0]), PROT_RW))
            return false;
    return true;
}

static void release_window(void)
{
    for (unsigned i = 0; i < 64; i++)
        unmap_frame((uint64_t)window + i * PAGE_SIZE);
}

static bool prepare_bit(void)
{
    return prepare_window() && window_with(1, frame_pte(0) | PTE_SW1);
}

static bool prepare_64(void)
{
    return prepare_window() && window_with(64, frame_pte(0) | PTE_SW1);
}

static bool prepare_frame(void)
{
    return prepare_window() && window_with(1, frame_pte(1));
}

static uint64_t mmu_update_one(void)
{
    update[0].val = pte[++turn & 1];
    return TIMED(hypercall_mmu_update(update, 1, NULL, DOMID_SELF));
}

static uint64_t mmu_update_64(void)
{
    turn++;
    for (unsigned i = 0; i < 64; i++)
        update[i].val = pte[turn & 1];
    return TIMED(hypercall_mmu_update(update, 64, NULL, DOMID_SELF));
}

static uint64_t va_map(void)
{
    uint64_t va = (uint64_t)window, ticks;

    ticks = TIMED(hypercall_update_va_mapping(va, pte[0], UVMF_INVLPG));
    hypercall_update_va_mapping(va, 0, UVMF_INVLPG);
    return ticks;
}

static bool prepare_unmapped(void)
{
    return prepare_64() && unmap_frame((uint64_t)window) == 0;
}

static uint64_t va_unmap(void)
{
    uint64_t va = (uint64_t)window;

    hypercall_update_va_mapping(va, pte[0], UVMF_INVLPG);
    return TIMED(hypercall_update_va_mapping(va, 0, UVMF_INVLPG));
}

/* A plain store to a page table: the hypervisor must allow it, check it and carry it out. */
static uint64_t trapped_write(void)
{
    volatile uint64_t *l1e = pt_entry((uint64_t)window, 1);
    uint64_t value = pte[++turn & 1];

    return TIMED(*l1e = value);
}

static void release_trapped(void)
{
    hypercall_vm_assist(VMASST_CMD_disable, VMASST_TYPE_writable_pagetables);
    release_window();
}

static bool prepare_trapped(bool (*prepare)(void))
{
    return hypercall_vm_assist(VMASST_CMD_enable, VMASST_TYPE_writable_pagetables) == 0 &&
           prepare();
}

static bool prepare_trapped_bit(void)
{
    return prepare_trapped(prepare_bit);
}

static bool prepare_trapped_frame(void)
{
    return prepare_trapped(prepare_frame);
}

/* ---- pinning ---- */

static uint64_t *l1;
static char *targets; /* the pages it maps, and nothing else maps */

static bool prepare_l1(unsigned entries)
{
    l1 = alloc_page();
    targets = alloc_pages(512);
    if (!l1 || !targets)
        return false;
    for (unsigned i = 0; i < entries; i++) {
        l1[i] = pte_make(virt_to_mfn(targets + i * PAGE_SIZE), PROT_RW);
        if (unmap_frame((uint64_t)targets + i * PAGE_SIZE))
            return false;
    }
    return page_readonly(l1) == 0;
}

static bool prepare_l1_full(void)
{
    return prepare_l1(512);
}

static bool prepare_l1_empty(void)
{
    return prepare_l1(0);
}

static uint64_t pin_unpin(void)
{
    struct mmuext_op pin = {.cmd = MMUEXT_PIN_L1_TABLE, .arg1.mfn = virt_to_mfn(l1)};
    struct mmuext_op unpin = {.cmd = MMUEXT_UNPIN_TABLE, .arg1.mfn = virt_to_mfn(l1)};

    return TIMED(hypercall_mmuext_op(&pin, 1, NULL, DOMID_SELF);
                 hypercall_mmuext_op(&unpin, 1, NULL, DOMID_SELF));
}

static void release_l1(void)
{
    page_writable(l1);
    free_page(l1);
    for (unsigned i = 0; i < 512; i++)
        page_writable(targets + i * PAGE_SIZE);
    free_pages(targets, 512);
}

/* ---- switching trees: a copy of the kernel's level 4 table ---- */

static uint64_t *other_root;

static bool prepare_root(void)
{
    const uint64_t *mine = pfn_to_virt(pt_kernel_root());

    other_root = alloc_page();
    if (!other_root)
        return false;
    for (unsigned i = 0; i < 512; i++)
        if ((i < 256 || i >= 272) && mine[i] & PTE_P)
            other_root[i] = mine[i];
    return page_readonly(other_root) == 0 && pt_pin(other_root, 4) == 0;
}

static uint64_t new_baseptr(void)
{
    struct mmuext_op op = {.cmd = MMUEXT_NEW_BASEPTR};

    op.arg1.mfn = ++turn & 1 ? virt_to_mfn(other_root) : pfn_to_mfn(pt_kernel_root());
    return TIMED(hypercall_mmuext_op(&op, 1, NULL, DOMID_SELF));
}

static void release_root(void)
{
    mmuext(MMUEXT_NEW_BASEPTR, pfn_to_mfn(pt_kernel_root()), 0);
    pt_unpin(other_root);
    page_writable(other_root);
    free_page(other_root);
}

/* ---- the hypervisor's share: RAM of the machine that the control domain was not given ---- */

static uint64_t hypervisor_kib(void)
{
    static struct e820entry {
        uint64_t addr, size;
        uint32_t type;
    } __attribute__((packed)) map[128];
    struct xen_memory_map op = {.nr_entries = ARRAY_SIZE(map)};
    uint64_t ram = 0;

    set_xen_guest_handle(op.buffer, (void *)map);
    if (hypercall_memory_op(XENMEM_machine_memory_map, &op))
        return 0;
    for (unsigned i = 0; i < op.nr_entries; i++)
        if (map[i].type == 1)
            ram += map[i].size;
    return (ram >> 10) - mm_nr_pages() * 4;
}

void bench_memory_share(void)
{
    uint64_t kib = guest_is_initial() ? hypervisor_kib() : 0;

    if (kib)
        bench_put("hypervisor_kib", kib);
}

/* ---- giving a page back and taking one ---- */

static uint64_t balloon(void)
{
    void *page = alloc_page();
    xen_pfn_t mfn = virt_to_mfn(page), pfn = virt_to_pfn(page);
    struct xen_memory_reservation out = {.nr_extents = 1, .domid = DOMID_SELF};
    struct xen_memory_reservation in = out;
    uint64_t ticks;

    set_xen_guest_handle(out.extent_start, &mfn);
    set_xen_guest_handle(in.extent_start, &pfn);
    hypercall_update_va_mapping((uint64_t)page, 0, UVMF_INVLPG);
    ticks = TIMED(hypercall_memory_op(XENMEM_decrease_reservation, &out);
                  hypercall_memory_op(XENMEM_populate_physmap, &in));
    p2m_set(virt_to_pfn(page), pfn); /* the answer replaces the question */
    page_writable(page);
    free_page(page);
    return ticks;
}

const struct bench_row bench_memory[] = {
    {"mmu_update_bit", 1, prepare_bit, mmu_update_one, release_window},
    {"mmu_update_frame", 1, prepare_frame, mmu_update_one, release_window},
    {"mmu_update_64", 64, prepare_64, mmu_update_64, release_window},
    {"va_mapping_map", 1, prepare_unmapped, va_map, release_window},
    {"va_mapping_unmap", 1, prepare_unmapped, va_unmap, release_window},
    {"trapped_write_bit", 1, prepare_trapped_bit, trapped_write, release_trapped},
    {"trapped_write_frame", 1, prepare_trapped_frame, trapped_write, release_trapped},
    {"pin_unpin_512", 1, prepare_l1_full, pin_unpin, release_l1},
    {"pin_unpin_0", 1, prepare_l1_empty, pin_unpin, release_l1},
    {"new_baseptr", 1, prepare_root, new_baseptr, release_root},
    {"decrease_populate", 1, NULL, balloon, NULL},
    {NULL, 0, NULL, NULL, NULL},
};
