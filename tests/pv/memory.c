/* SPDX-License-Identifier: MIT */
/* memory_op: does each sub-operation do what the ABI says, are all refusals the ABI's, and do the
 * counts and the machine-to-phys table agree with what happened? */
#include "tables.h"

// cmdline: dom0_mem=400M
// domu: name=b mem=32M -- peer

#define FAR_PFN 0x1000000ul /* a pfn that the guest does not use otherwise */

/* ---- giving pages back and getting them again ---- */

/* Give the frame of @page back; the page is a hole then. Returns the number of extents done. */
static long give_back(void *page)
{
    xen_pfn_t mfn = virt_to_mfn(page);

    if (unmap_frame((uint64_t)page))
        return -1;
    return memory(XENMEM_decrease_reservation, &mfn, 1, 0);
}

static void now_behind(void *page, mfn_t mfn)
{
    p2m_set(virt_to_pfn(page), mfn);
    check_eq(page_writable(page), 0);
}

/* Fill the hole at @page. */
static void get_again(void *page)
{
    xen_pfn_t pfn = virt_to_pfn(page);

    if (check_eq(memory(XENMEM_populate_physmap, &pfn, 1, 0), 1))
        now_behind(page, pfn);
}

static bool can_map(mfn_t mfn)
{
    bool ok = map_at(window(0), pte_make(mfn, PROT_RO)) == 0;

    map_at(window(0), 0);
    return ok;
}

/* ---- sizes ---- */

TEST(sizes_of_this_domain)
{
    long now = current_pages();

    check_ge(now, mm_nr_pages());
    check_eq(reservation_of(XENMEM_current_reservation, guest_domid()), now);
    check_ge(reservation_of(XENMEM_maximum_reservation, DOMID_SELF), now);
    check_ge(hypercall_memory_op(XENMEM_maximum_ram_page, NULL), virt_to_mfn(start_info));
    check_ge(hypercall_memory_op(XENMEM_maximum_ram_page, (void *)HV_ADDR), now);
}

TEST(sizes_of_others)
{
    static const unsigned nobody[] = {NO_DOMAIN,     DOMID_IO,   DOMID_XEN, DOMID_COW,
                                      DOMID_INVALID, DOMID_IDLE, 0xffff};
    static const unsigned ops[] = {XENMEM_current_reservation, XENMEM_maximum_reservation,
                                   XENMEM_maximum_gpfn};

    for (unsigned i = 0; i < ARRAY_SIZE(ops); i++) {
        for (unsigned k = 0; k < ARRAY_SIZE(nobody); k++)
            check_eq(reservation_of(ops[i], nobody[k]), -ESRCH);
        check_eq(hypercall_memory_op(ops[i], NULL), -EFAULT);
        check_eq(hypercall_memory_op(ops[i], (void *)HV_ADDR), -EFAULT);
        check_eq(hypercall_memory_op(ops[i], (void *)BAD_ADDR), -EFAULT);
    }
}

TEST(maximum_gpfn_is_what_the_guest_says)
{
    volatile uint64_t *max_pfn = (uint64_t *)&shared_info->arch.max_pfn;
    uint64_t was = *max_pfn;

    *max_pfn = 0x4321;
    check_eq(reservation_of(XENMEM_maximum_gpfn, DOMID_SELF), 0x4320);
    *max_pfn = 0;
    check_ge(reservation_of(XENMEM_maximum_gpfn, DOMID_SELF), -1);
    *max_pfn = was;
}

/* ---- decrease_reservation ---- */

TEST(decrease_gives_a_frame_back)
{
    void *page = new_page();
    mfn_t mfn = virt_to_mfn(page);
    long before = current_pages();

    check_eq(give_back(page), 1);
    check_eq(current_pages(), before - 1);
    check_ne(m2p_raw(mfn), virt_to_pfn(page));
    check_eq(map_at((uint64_t)page, pte_make(mfn, PROT_RW)), -EBUSY); /* not ours any more */
    check_eq(memory(XENMEM_decrease_reservation, &mfn, 1, 0), 0);
    check_eq(current_pages(), before - 1);
    get_again(page);
    check_eq(current_pages(), before);
    free_page(page);
}

/* A frame that is still mapped stays alive, and counted, until the mapping goes. */
TEST(decrease_of_a_mapped_frame_waits)
{
    uint64_t *page = new_page();
    xen_pfn_t mfn = virt_to_mfn(page);
    long before = current_pages();

    page[1] = 0x1111;
    check_eq(memory(XENMEM_decrease_reservation, &mfn, 1, 0), 1);
    check_eq(current_pages(), before);
    check_eq(page[1], 0x1111);
    check_eq(memory(XENMEM_decrease_reservation, &mfn, 1, 0), 1); /* once more does nothing */
    check_eq(current_pages(), before);
    check_eq(unmap_frame((uint64_t)page), 0);
    check_eq(current_pages(), before - 1);
    check(!can_map(mfn));
    get_again(page);
    check_eq(current_pages(), before);
    free_page(page);
}

TEST(decrease_of_a_pinned_table_waits_for_the_unpin)
{
    uint64_t *table = new_table();
    xen_pfn_t mfn = virt_to_mfn(table);
    long before = current_pages();

    check_eq(pt_pin(table, 1), 0);
    check_eq(memory(XENMEM_decrease_reservation, &mfn, 1, 0), 1);
    check_eq(pt_pin(table, 1), -EINVAL); /* still pinned */
    check_eq(map_at((uint64_t)table, rw_pte(table)), -EBUSY);
    check_eq(unmap_frame((uint64_t)table), 0);
    check_eq(current_pages(), before);
    check_eq(mmuext(MMUEXT_UNPIN_TABLE, mfn, 0), 0);
    check_eq(current_pages(), before - 1);
    get_again(table);
    free_page(table);
}

TEST(decrease_stops_at_what_is_not_ours)
{
    void *first = new_page(), *last = new_page();
    xen_pfn_t list[3] = {virt_to_mfn(first), foreign_frame(), virt_to_mfn(last)};
    xen_pfn_t wrong[] = {foreign_frame(), FRAME_NOWHERE, ~0ul, 0xb8};
    long before = current_pages();

    for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++)
        check_eq(memory(XENMEM_decrease_reservation, &wrong[i], 1, 0), 0);
    check_eq(unmap_frame((uint64_t)first), 0);
    check_eq(memory(XENMEM_decrease_reservation, list, 3, 0), 1);
    check_eq(current_pages(), before - 1);
    check(can_map(virt_to_mfn(last)));
    get_again(first);
    free_page(first);
    free_page(last);
}

/* ---- populate_physmap ---- */

TEST(populate_replaces_pfns_by_frames)
{
    void *page[3];
    xen_pfn_t list[3];
    long before = current_pages();

    for (unsigned i = 0; i < 3; i++) {
        page[i] = new_page();
        list[i] = virt_to_pfn(page[i]);
        check_eq(give_back(page[i]), 1);
    }
    check_eq(memory(XENMEM_populate_physmap, list, 3, 0), 3);
    check_eq(current_pages(), before);
    for (unsigned i = 0; i < 3; i++) {
        check_eq(m2p_raw(list[i]), virt_to_pfn(page[i]));
        now_behind(page[i], list[i]);
        check_eq(mfn_to_pfn(list[i]), virt_to_pfn(page[i]));
        *(volatile uint64_t *)page[i] = i;
        free_page(page[i]);
    }
}

TEST(populate_of_larger_extents)
{
    long before = current_pages();

    for (unsigned order = 1; order <= 4; order++) {
        xen_pfn_t list[2] = {FAR_PFN, FAR_PFN + 0x1000};

        need_eq(memory(XENMEM_populate_physmap, list, 2, order), 2);
        check_eq(current_pages(), before + (2 << order));
        for (unsigned e = 0; e < 2; e++) {
            check_eq(list[e] & ((1ul << order) - 1), 0);
            for (unsigned i = 0; i < 1u << order; i++) {
                check_eq(m2p_raw(list[e] + i), FAR_PFN + e * 0x1000 + i);
                check(can_map(list[e] + i));
            }
        }
        check_eq(memory(XENMEM_decrease_reservation, list, 2, order), 2);
        check_eq(current_pages(), before);
    }
}

TEST(populate_stops_where_the_list_ends)
{
    char *va = expect(vm_reserve(2)), *page = new_page();
    xen_pfn_t *list = (void *)(va + PAGE_SIZE - 2 * sizeof(*list));
    long before = current_pages();

    need_eq(map_frame((uint64_t)va, virt_to_mfn(page), PROT_RW), 0);
    list[0] = list[1] = FAR_PFN;
    check_eq(memory(XENMEM_populate_physmap, list, 4, 0), 2);
    check_eq(current_pages(), before + 2);
    check_eq(memory(XENMEM_decrease_reservation, list, 4, 0), 2);
    check_eq(current_pages(), before);
    /* An answer that cannot be written: the frame is taken back. */
    list[0] = FAR_PFN;
    need_eq(map_frame((uint64_t)va, virt_to_mfn(page), PROT_RO), 0);
    check_eq(memory(XENMEM_populate_physmap, list, 1, 0), 0);
    check_eq(unmap_frame((uint64_t)va), 0);
    free_page(page);
}

/* ---- increase_reservation ---- */

TEST(increase_tells_frames)
{
    xen_pfn_t list[4] = {0};
    long before = current_pages();

    need_eq(memory(XENMEM_increase_reservation, list, 4, 0), 4);
    check_eq(current_pages(), before + 4);
    for (unsigned i = 0; i < 4; i++)
        check(can_map(list[i]));
    check_eq(memory(XENMEM_decrease_reservation, list, 4, 0), 4);
    check_eq(current_pages(), before);
    for (unsigned i = 0; i < 4; i++)
        check(!can_map(list[i]));
}

TEST(new_memory_does_not_show_what_others_had)
{
    volatile uint64_t *p = (uint64_t *)window(0);
    xen_pfn_t mfn = 0;

    need_eq(memory(XENMEM_increase_reservation, &mfn, 1, 9), 1);
    for (unsigned i = 0; i < 512; i++) {
        uint64_t any = 0;

        need_eq(map_at(window(0), pte_make(mfn + i, PROT_RO)), 0);
        for (unsigned k = 0; k < 512; k++)
            any |= p[k];
        check_eq(any, 0);
    }
    check_eq(map_at(window(0), 0), 0);
    check_eq(memory(XENMEM_decrease_reservation, &mfn, 1, 9), 1);
}

TEST(increase_of_each_order)
{
    long before = current_pages();
    xen_pfn_t mfn;

    for (unsigned order = 0; order <= 9; order++) {
        mfn = ~0ul;
        check_eq(memory(XENMEM_increase_reservation, &mfn, 1, order), 1);
        check_eq(mfn & ((1ul << order) - 1), 0);
        check_eq(current_pages(), before + (1 << order));
        check_eq(memory(XENMEM_decrease_reservation, &mfn, 1, order), 1);
        check_eq(current_pages(), before);
    }
    for (unsigned order = 19; order < 70; order++) {
        check_eq(memory(XENMEM_increase_reservation, &mfn, 1, order), 0);
        check_eq(memory(XENMEM_populate_physmap, &mfn, 1, order), 0);
        check_eq(memory(XENMEM_decrease_reservation, &mfn, 1, order), 0);
    }
    check_eq(memory(XENMEM_increase_reservation, &mfn, 1, ~0u), 0);
    check_eq(current_pages(), before);
}

TEST(large_extent_of_frames_one_of_which_is_not_ours)
{
    xen_pfn_t mfn, hole;
    long before = current_pages();

    need_eq(memory(XENMEM_increase_reservation, &mfn, 1, 2), 1);
    hole = mfn + 2;
    check_eq(memory(XENMEM_decrease_reservation, &hole, 1, 0), 1);
    /* The pages before the hole go, the extent does not count as done. */
    check_eq(memory(XENMEM_decrease_reservation, &mfn, 1, 2), 0);
    check_eq(current_pages(), before + 1);
    hole = mfn + 3;
    check_eq(memory(XENMEM_decrease_reservation, &hole, 1, 0), 1);
    check_eq(current_pages(), before);
}

/* ---- arguments of the three ---- */

static const unsigned reservation_ops[] = {XENMEM_increase_reservation, XENMEM_decrease_reservation,
                                           XENMEM_populate_physmap};

TEST(address_width_and_node_flags)
{
    static const unsigned good[] = {32, 64, 255, XENMEMF_node(0), XENMEMF_exact_node(0)};
    static const unsigned bad[] = {1,
                                   11,
                                   12,
                                   XENMEMF_exact_node(1),
                                   XENMEMF_exact_node(63),
                                   XENMEMF_node(64),
                                   XENMEMF_node(254)}; /* XSA-231 */
    xen_pfn_t x;
    long before = current_pages();

    for (unsigned i = 0; i < ARRAY_SIZE(good); i++)
        for (unsigned op = 0; op < 3; op += 2) {
            x = FAR_PFN;
            check_eq(memory_for(reservation_ops[op], &x, 1, 0, good[i], DOMID_SELF), 1);
            check_eq(memory(XENMEM_decrease_reservation, &x, 1, 0), 1);
        }
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
        for (unsigned op = 0; op < 3; op++) {
            x = FAR_PFN;
            check_eq(memory_for(reservation_ops[op], &x, 1, 0, bad[i], DOMID_SELF), 0);
            check_eq(x, FAR_PFN);
        }
    /* 16 MiB may all be in use; what is given lies below. */
    x = 0;
    if (memory_for(XENMEM_increase_reservation, &x, 1, 0, 24, DOMID_SELF) == 1) {
        check_lt(x, 1ul << (24 - PAGE_SHIFT));
        check_eq(memory(XENMEM_decrease_reservation, &x, 1, 0), 1);
    }
    check_eq(memory_for(XENMEM_populate_physmap, &x, 1, 0, XENMEMF_populate_on_demand, DOMID_SELF),
             0);
    check_eq(current_pages(), before);
}

TEST(reservations_of_nobody)
{
    static const unsigned nobody[] = {NO_DOMAIN, DOMID_IO, DOMID_XEN, DOMID_INVALID, 0xffff};
    xen_pfn_t x = FAR_PFN;

    for (unsigned op = 0; op < 3; op++) {
        for (unsigned i = 0; i < ARRAY_SIZE(nobody); i++)
            check_eq(memory_for(reservation_ops[op], &x, 1, 0, 0, nobody[i]), 0);
        check_eq(memory(reservation_ops[op], &x, 0, 0), 0);
    }
    check_eq(x, FAR_PFN);
}

TEST(reservation_arguments_that_cannot_be_read)
{
    void *const bad[] = {(void *)HV_ADDR, (void *)BAD_ADDR, (void *)(HV_ADDR - 8 + 1)};
    long before = current_pages();

    for (unsigned op = 0; op < 3; op++) {
        for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
            check_eq(memory(reservation_ops[op], bad[i], 1, 0), 0);
        check_eq(hypercall_memory_op(reservation_ops[op], NULL), 0);
        check_eq(hypercall_memory_op(reservation_ops[op], (void *)HV_ADDR), 0);
        /* The count done so far is the answer to everything. */
        check_eq(hypercall_memory_op(reservation_ops[op] | 5 << 6, (void *)HV_ADDR), 5);
    }
    check_eq(memory(XENMEM_populate_physmap, (void *)0x1000, 1, 0), 0);
    check_eq(memory(XENMEM_decrease_reservation, (void *)0x1000, 1, 0), 0);
    check_eq(current_pages(), before);
}

TEST(extents_done_are_in_the_command)
{
    xen_pfn_t list[4] = {0};
    long before = current_pages();

    need_eq(memory(XENMEM_increase_reservation, list, 4, 0), 4);
    check_eq(memory(XENMEM_decrease_reservation | 4 << 6, list, 4, 0), 4);
    check_eq(memory(XENMEM_decrease_reservation | 9 << 6, list, 4, 0), 9);
    check_eq(memory(XENMEM_decrease_reservation | 1ul << 58, list, 4, 0), 1ul << 52);
    check_eq(current_pages(), before + 4);
    check_eq(memory(XENMEM_decrease_reservation | 2 << 6, list, 4, 0), 4);
    check_eq(current_pages(), before + 2);
    check(can_map(list[0]) && can_map(list[1]));
    check(!can_map(list[2]) && !can_map(list[3]));
    check_eq(memory(XENMEM_decrease_reservation, list, 2, 0), 2);
    check_eq(current_pages(), before);
}

TEST(counts_do_not_wrap) /* XSA-385 */
{
    static const unsigned long nr[] = {1ul << 26, 1ul << 32, 1ul << 58, 1ul << 63, ~0ul};
    xen_pfn_t x = FAR_PFN;
    long before = current_pages();

    for (unsigned op = 0; op < 3; op++)
        for (unsigned i = 0; i < ARRAY_SIZE(nr); i++)
            check_eq(memory(reservation_ops[op], &x, nr[i], 0), 0);
    check_eq(x, FAR_PFN);
    check_eq(current_pages(), before);
}

TEST(long_lists_are_done_whole)
{
    enum { N = 600 };
    xen_pfn_t *list = expect(alloc_pages(2));
    long before = current_pages();

    for (unsigned i = 0; i < N; i++)
        list[i] = FAR_PFN + i;
    need_eq(memory(XENMEM_populate_physmap, list, N, 0), N);
    check_eq(current_pages(), before + N);
    for (unsigned i = 0; i < N; i++)
        check_eq(m2p_raw(list[i]), FAR_PFN + i);
    check_eq(memory(XENMEM_decrease_reservation, list, N, 0), N);
    check_eq(current_pages(), before);
    free_pages(list, 2);
}

/* ---- exchange ---- */

static struct xen_memory_exchange last_exchange;

static long exchange_from(unsigned long start, void *in, unsigned long nr_in, unsigned order_in,
                          void *out, unsigned long nr_out, unsigned order_out)
{
    struct xen_memory_exchange *x = &last_exchange;

    *x = (struct xen_memory_exchange){
        .in = {.nr_extents = nr_in, .extent_order = order_in, .domid = DOMID_SELF},
        .out = {.nr_extents = nr_out, .extent_order = order_out, .domid = DOMID_SELF},
        .nr_exchanged = start,
    };
    set_xen_guest_handle(x->in.extent_start, in);
    set_xen_guest_handle(x->out.extent_start, out);
    return hypercall_memory_op(XENMEM_exchange, x);
}

static long exchange(void *in, unsigned long nr_in, unsigned order_in, void *out,
                     unsigned long nr_out, unsigned order_out)
{
    return exchange_from(0, in, nr_in, order_in, out, nr_out, order_out);
}

/* Four pages without mapping, their frames in in[], their pfns in out[]. */
static char *four(xen_pfn_t in[4], xen_pfn_t out[4])
{
    char *pages = expect(alloc_pages(4));

    for (unsigned i = 0; i < 4; i++) {
        void *page = pages + i * PAGE_SIZE;

        in[i] = virt_to_mfn(page);
        out[i] = virt_to_pfn(page);
        if (unmap_frame((uint64_t)page))
            panic("cannot unmap");
    }
    return pages;
}

static void free_four(char *pages, const xen_pfn_t mfn[4])
{
    for (unsigned i = 0; i < 4; i++)
        now_behind(pages + i * PAGE_SIZE, mfn[i]);
    free_pages(pages, 4);
}

TEST(exchange_of_single_frames_for_an_extent_and_back)
{
    xen_pfn_t in[4], out[4], pfn;
    char *pages = four(in, out);
    long before = current_pages();

    pfn = virt_to_pfn(pages);
    need_eq(exchange(in, 4, 0, out, 1, 2), 0);
    check_eq(last_exchange.nr_exchanged, 4);
    check_eq(current_pages(), before);
    check_eq(out[0] & 3, 0);
    for (unsigned i = 0; i < 4; i++) {
        check_eq(m2p_raw(out[0] + i), pfn + i);
        check(can_map(out[0] + i));
    }
    in[0] = out[0];
    for (unsigned i = 0; i < 4; i++)
        out[i] = pfn + i;
    need_eq(exchange(in, 1, 2, out, 4, 0), 0);
    check_eq(last_exchange.nr_exchanged, 1);
    check_eq(current_pages(), before);
    for (unsigned i = 0; i < 4; i++)
        check_eq(m2p_raw(out[i]), pfn + i);
    free_four(pages, out);
}

TEST(exchange_one_to_one)
{
    xen_pfn_t in[4], out[4];
    char *pages = four(in, out);
    pfn_t pfn = out[0];
    long before = current_pages();

    need_eq(exchange(in, 4, 0, out, 4, 0), 0);
    check_eq(last_exchange.nr_exchanged, 4);
    check_eq(current_pages(), before);
    for (unsigned i = 0; i < 4; i++)
        check_eq(m2p_raw(out[i]), pfn + i);
    free_four(pages, out);
}

TEST(exchange_goes_on_from_what_is_done)
{
    xen_pfn_t in[4], out[4];
    char *pages = four(in, out);
    pfn_t pfn = out[0];

    need_eq(exchange_from(2, in, 4, 0, out, 4, 0), 0);
    check_eq(last_exchange.nr_exchanged, 4);
    check_eq(out[0], pfn);
    check_eq(out[1], pfn + 1);
    check(can_map(in[0]) && can_map(in[1]));
    check_eq(m2p_raw(out[2]), pfn + 2);
    check_eq(m2p_raw(out[3]), pfn + 3);
    out[0] = in[0];
    out[1] = in[1];
    check_eq(exchange_from(5, in, 4, 0, out, 4, 0), -EINVAL);
    check_eq(exchange_from(~0ul, in, 4, 0, out, 4, 0), -EINVAL);
    check_eq(exchange_from(4, in, 4, 0, out, 4, 0), 0);
    free_four(pages, out);
}

TEST(exchange_refuses_frames_in_use)
{
    xen_pfn_t in[4], out[4], pfn;
    char *pages = four(in, out);
    long before = current_pages();

    pfn = out[0];
    /* In the middle of a list of singles: those before it are done. */
    check_eq(map_at(window(0), pte_make(in[2], PROT_RO)), 0);
    check_eq(exchange(in, 4, 0, out, 4, 0), -EINVAL);
    check_eq(last_exchange.nr_exchanged, 2);
    check_eq(m2p_raw(out[0]), pfn);
    check_eq(m2p_raw(out[1]), pfn + 1);
    check_eq(out[2], pfn + 2);
    in[0] = out[0], in[1] = out[1];
    out[0] = pfn;
    /* As part of a chunk: nothing is done, and all are ours as before. */
    check_eq(exchange(in, 4, 0, out, 1, 2), -EINVAL);
    check_eq(last_exchange.nr_exchanged, 0);
    check_eq(out[0], pfn);
    for (unsigned i = 0; i < 4; i++)
        check(can_map(in[i]));
    check_eq(map_at(window(0), 0), 0);
    check_eq(current_pages(), before);
    check_eq(mmuext(MMUEXT_PIN_L1_TABLE, in[3], 0), 0);
    check_eq(exchange(in, 4, 0, out, 1, 2), -EINVAL);
    check_eq(mmuext(MMUEXT_UNPIN_TABLE, in[3], 0), 0);
    check_eq(current_pages(), before);
    free_four(pages, in);
}

TEST(exchange_refuses_frames_of_others)
{
    const xen_pfn_t wrong[] = {foreign_frame(), FRAME_NOWHERE, ~0ul, 0xb8,
                               start_info->shared_info >> PAGE_SHIFT};
    xen_pfn_t in[4], out[4], was;
    char *pages = four(in, out);

    was = in[3];
    for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
        in[3] = wrong[i];
        check_eq(exchange(in, 4, 0, out, 1, 2), -EINVAL);
        check_eq(last_exchange.nr_exchanged, 0);
    }
    in[3] = in[0]; /* twice the same */
    check_eq(exchange(in, 4, 0, out, 1, 2), -EINVAL);
    check_eq(last_exchange.nr_exchanged, 0);
    in[3] = was;
    free_four(pages, in);
}

TEST(exchange_checks_its_shapes)
{
    xen_pfn_t in[4], out[4];
    char *pages = four(in, out);

    check_eq(exchange(in, 4, 0, out, 1, 3), -EINVAL);
    check_eq(exchange(in, 3, 0, out, 1, 2), -EINVAL);
    check_eq(exchange(in, 1, 0, out, 2, 0), -EINVAL);
    check_eq(exchange(in, 1ul << 63, 1, out, 1, 0), -EINVAL); /* the product wraps */
    check_eq(exchange(in, 1ul << 63, 1, out, 0, 0), -EINVAL);
    check_eq(exchange(in, 1ul << 62, 2, out, 0, 0), -EINVAL);
    check_eq(exchange(in, 4, 0, out, 1, 20), -EPERM);
    check_eq(exchange(in, 1, 19, out, 1, 19), -EPERM);
    check_eq(exchange(in, 1, 64, out, 1, 64), -EPERM);
    check_eq(exchange(in, 1, ~0u, out, 1, ~0u), -EPERM);
    check_eq(exchange(in, 0, 0, out, 0, 0), 0);
    exchange(in, 0, 0, out, 0, 0);
    last_exchange.in.nr_extents = last_exchange.out.nr_extents = 1;
    last_exchange.in.domid = NO_DOMAIN;
    check_eq(hypercall_memory_op(XENMEM_exchange, &last_exchange), -EINVAL);
    last_exchange.out.domid = NO_DOMAIN;
    check_eq(hypercall_memory_op(XENMEM_exchange, &last_exchange), -ESRCH);
    check_eq(hypercall_memory_op(XENMEM_exchange | 1 << 6, &last_exchange), -EINVAL);
    free_four(pages, in);
}

TEST(exchange_lists_that_cannot_be_read)
{
    void *const bad[] = {(void *)HV_ADDR, (void *)BAD_ADDR, (void *)0x1000};
    xen_pfn_t in[4], out[4];
    char *pages = four(in, out);
    long before = current_pages();

    check_eq(hypercall_memory_op(XENMEM_exchange, NULL), -EFAULT);
    check_eq(hypercall_memory_op(XENMEM_exchange, (void *)HV_ADDR), -EFAULT);
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        check_eq(exchange(bad[i], 4, 0, out, 4, 0), -EFAULT);
        if ((uint64_t)bad[i] != 0x1000) /* that one below: it costs a frame */
            check_eq(exchange(in, 4, 0, bad[i], 4, 0), -EFAULT);
    }
    check_eq(current_pages(), before);
    free_four(pages, in);
}

/* The exchange is made, but its result cannot be told. No frame may get lost to the domain. */
TEST(exchange_result_that_cannot_be_written)
{
    xen_pfn_t *out = new_page(), in[4], pfns[4], found = 0;
    char *pages = four(in, pfns);
    long before = current_pages();
    mfn_t end = hypercall_memory_op(XENMEM_maximum_ram_page, NULL);

    out[0] = FAR_PFN + 0x4321;
    check_eq(page_readonly(out), 0);
    check_eq(exchange(in, 1, 0, out, 1, 0), -EFAULT);
    check_eq(current_pages(), before);
    check(!can_map(in[0]));
    for (mfn_t mfn = 0; mfn < end && !found; mfn++) {
        volatile uint64_t pfn = 0;

        if (!FAULT_OF(pfn = m2p_raw(mfn)).hit && pfn == FAR_PFN + 0x4321 && can_map(mfn))
            found = mfn;
    }
    if (check(found)) {
        check_eq(update(found << PAGE_SHIFT | MMU_MACHPHYS_UPDATE, pfns[0]), 0);
        in[0] = found;
    }
    check_free_table(out);
    free_four(pages, in);
}

TEST(exchange_below_an_address)
{
    xen_pfn_t in[4], out[4];
    char *pages = four(in, out);

    exchange(in, 0, 0, out, 0, 0);
    last_exchange.in.nr_extents = 4;
    last_exchange.out.nr_extents = 1;
    last_exchange.out.extent_order = 2;
    last_exchange.out.mem_flags = XENMEMF_address_bits(32);
    if (check_eq(hypercall_memory_op(XENMEM_exchange, &last_exchange), 0)) {
        check_lt(out[0], 1ul << 20);
        for (unsigned i = 0; i < 4; i++)
            in[i] = out[0] + i;
    }
    free_four(pages, in);
}

/* ---- the machine-to-phys table ---- */

TEST(m2p_agrees_with_p2m)
{
    pfn_t wrong = 0;

    for (pfn_t pfn = 0; pfn < mm_nr_pages(); pfn++) {
        mfn_t mfn = pfn_to_mfn(pfn);

        wrong += mfn != INVALID_MFN && m2p_raw(mfn) != pfn;
    }
    check_eq(wrong, 0);
}

TEST(m2p_cannot_be_written)
{
    check_fault_err(TRAP_PF, PFEC_P | PFEC_W, *(volatile uint64_t *)MACH2PHYS_VIRT_START = 1);
}

TEST(machphys_mapping_tells_where)
{
    struct xen_machphys_mapping m;

    need_eq(hypercall_memory_op(XENMEM_machphys_mapping, &m), 0);
    check_eq(m.v_start, MACH2PHYS_VIRT_START);
    check_eq(m.v_end, MACH2PHYS_VIRT_END);
    check_ge(m.max_mfn, hypercall_memory_op(XENMEM_maximum_ram_page, NULL) - 1);
    check_eq(hypercall_memory_op(XENMEM_machphys_mapping, NULL), -EFAULT);
    check_eq(hypercall_memory_op(XENMEM_machphys_mapping, (void *)HV_ADDR), -EFAULT);
    check_eq(hypercall_memory_op(XENMEM_machphys_mapping | 1 << 6, &m), -ENOSYS);
}

static long mmuext_of(unsigned cmd, mfn_t frame, domid_t dom)
{
    struct mmuext_op op = {.cmd = cmd, .arg1.mfn = frame};

    return hypercall_mmuext_op(&op, 1, NULL, dom);
}

TEST(machphys_mfn_list)
{
    xen_pfn_t list[64] = {0};
    struct xen_machphys_mfn_list l = {.max_extents = ARRAY_SIZE(list)};
    uint64_t wanted = PAGES_OF((hypercall_memory_op(XENMEM_maximum_ram_page, NULL) + 1) * 8);

    set_xen_guest_handle(l.extent_start, list);
    need_eq(hypercall_memory_op(XENMEM_machphys_mfn_list, &l), 0);
    check_ge(l.nr_extents * 512, wanted < 64 * 512 ? wanted : 64 * 512);
    /* They are frames of the table itself; the control domain may map them, to read. */
    if (guest_is_initial()) {
        uint64_t at = pt_entry_maddr(pt_entry(window(0), 1));
        mfn_t mine = virt_to_mfn(start_info), frame = list[mine / (512 * 512)];

        frame += mine / 512 % 512;
        check_lt(update_for(at, pte_make(frame, PROT_RW), DOMID_XEN), 0);
        check_lt(update(at, pte_make(frame, PROT_RW)), 0);
        if (check_eq(update_for(at, pte_make(frame, PROT_RO), DOMID_XEN), 0)) {
            check_eq(((volatile uint64_t *)window(0))[mine % 512], virt_to_pfn(start_info));
            check_fault(TRAP_PF, *(volatile uint64_t *)window(0) = 0);
            check_lt(update_for(at, pte_make(frame, PROT_RW), DOMID_XEN), 0);
            check_eq(((volatile uint64_t *)window(0))[mine % 512], virt_to_pfn(start_info));
        }
        for (unsigned cmd = MMUEXT_PIN_L1_TABLE; cmd <= MMUEXT_UNPIN_TABLE; cmd++)
            check_lt(mmuext_of(cmd, frame, DOMID_XEN), 0);
        check_lt(mmuext_of(MMUEXT_CLEAR_PAGE, frame, DOMID_XEN), 0);
        check_eq(map_at(window(0), 0), 0);
    }
    l.max_extents = 0;
    check_eq(hypercall_memory_op(XENMEM_machphys_mfn_list, &l), 0);
    check_eq(l.nr_extents, 0);
    l.max_extents = 1;
    set_xen_guest_handle(l.extent_start, (void *)HV_ADDR);
    check_eq(hypercall_memory_op(XENMEM_machphys_mfn_list, &l), -EFAULT);
    check_eq(hypercall_memory_op(XENMEM_machphys_mfn_list, NULL), -EFAULT);
    check_eq(hypercall_memory_op(XENMEM_machphys_mfn_list | 1 << 6, &l), -ENOSYS);
    check_eq(hypercall_memory_op(XENMEM_machphys_compat_mfn_list, &l), -EOPNOTSUPP);
}

/* ---- memory maps ---- */

struct e820 {
    uint64_t addr, size;
    uint32_t type;
} __attribute__((packed));

static struct e820 map_buf[130];

static long get_map(unsigned op, unsigned *entries, void *buf)
{
    struct xen_memory_map m = {.nr_entries = *entries};
    long rc;

    set_xen_guest_handle(m.buffer, buf);
    rc = hypercall_memory_op(op, &m);
    *entries = m.nr_entries;
    return rc;
}

TEST(machine_memory_map)
{
    unsigned n = 128, all;
    uint64_t ram = 0;

    if (!guest_is_initial())
        skip("not the control domain");
    need_eq(get_map(XENMEM_machine_memory_map, &n, map_buf), 0);
    check_ge(n, 1);
    check_lt(n, 128);
    for (unsigned i = 0; i < n; i++)
        ram += map_buf[i].type == 1 ? map_buf[i].size >> PAGE_SHIFT : 0;
    check_ge(ram, mm_nr_pages());
    all = n;
    check_eq(get_map(XENMEM_machine_memory_map, &n, map_buf), -EINVAL); /* one more is wanted */
    n = all + 1;
    check_eq(get_map(XENMEM_machine_memory_map, &n, map_buf), 0);
    check_eq(n, all);
    n = 0;
    check_eq(get_map(XENMEM_machine_memory_map, &n, map_buf), -EINVAL);
    n = 128;
    check_eq(get_map(XENMEM_machine_memory_map, &n, (void *)HV_ADDR), -EFAULT);
    check_eq(hypercall_memory_op(XENMEM_machine_memory_map, NULL), -EFAULT);
}

static long set_map(unsigned dom, unsigned n, void *buf)
{
    struct xen_foreign_memory_map f = {.domid = dom, .map = {.nr_entries = n}};

    set_xen_guest_handle(f.map.buffer, buf);
    return hypercall_memory_op(XENMEM_set_memory_map, &f);
}

TEST(memory_map_is_what_was_set)
{
    unsigned n;

    for (unsigned i = 0; i < 3; i++)
        map_buf[i] = (struct e820){i * 0x1000, 0x800, i};
    need_eq(set_map(DOMID_SELF, 3, map_buf), 0);
    memset(map_buf, 0, sizeof(map_buf));
    n = 128;
    check_eq(get_map(XENMEM_memory_map, &n, map_buf), 0);
    check_eq(n, 3);
    check_eq(map_buf[2].addr, 0x2000);
    check_eq(map_buf[2].type, 2);
    n = 2;
    check_eq(get_map(XENMEM_memory_map, &n, map_buf), 0);
    check_eq(n, 2);
    n = 128;
    check_eq(get_map(XENMEM_memory_map, &n, (void *)HV_ADDR), -EFAULT);
    check_eq(set_map(NO_DOMAIN, 3, map_buf), -ESRCH);
    check_eq(set_map(DOMID_SELF, ~0u, map_buf), -EINVAL);
    check_eq(set_map(DOMID_SELF, 1, (void *)0x1000), -EFAULT);
    check_eq(set_map(DOMID_SELF, 1, (void *)HV_ADDR), -EFAULT);
    n = 128;
    check_eq(get_map(XENMEM_memory_map, &n, map_buf), 0); /* the failures left it alone */
    check_eq(n, 3);
    check_eq(set_map(DOMID_SELF, 0, NULL), 0);
    check_eq(get_map(XENMEM_memory_map, &n, map_buf), -ENOSYS); /* none */
    check_eq(hypercall_memory_op(XENMEM_memory_map, NULL), -EFAULT);
    check_eq(hypercall_memory_op(XENMEM_set_memory_map, NULL), -EFAULT);
}

/* ---- for guests of other kinds ---- */

/* The guest keeps its own frame map, so there is nothing that these could change. */
TEST(physmap_is_the_guests_own)
{
    xen_ulong_t idx = 0;
    xen_pfn_t gpfn = 5;
    int err = 0;

    for (unsigned space = 0; space < 8; space++) {
        struct xen_add_to_physmap a = {.domid = DOMID_SELF, .space = space, .gpfn = 5};
        struct xen_add_to_physmap_batch b = {.domid = DOMID_SELF, .space = space, .size = 1};
        bool foreign = space == XENMAPSPACE_gmfn_foreign, range = space == XENMAPSPACE_gmfn_range;

        check_eq(hypercall_memory_op(XENMEM_add_to_physmap, &a), foreign ? -ENOSYS : -EACCES);
        a.domid = NO_DOMAIN;
        check_eq(hypercall_memory_op(XENMEM_add_to_physmap, &a), foreign ? -ENOSYS : -ESRCH);
        set_xen_guest_handle(b.idxs, &idx);
        set_xen_guest_handle(b.gpfns, &gpfn);
        set_xen_guest_handle(b.errs, &err);
        check_eq(hypercall_memory_op(XENMEM_add_to_physmap_batch, &b),
                 range ? -EOPNOTSUPP : -EACCES);
        check_eq(hypercall_memory_op(XENMEM_add_to_physmap_batch | 65536ul << 6, &b), -EDOM);
        b.domid = NO_DOMAIN;
        check_eq(hypercall_memory_op(XENMEM_add_to_physmap_batch, &b),
                 range ? -EOPNOTSUPP : -ESRCH);
    }
    check_eq(hypercall_memory_op(XENMEM_add_to_physmap, NULL), -EFAULT);
    check_eq(hypercall_memory_op(XENMEM_add_to_physmap_batch, NULL), -EFAULT);
}

TEST(remove_from_physmap)
{
    struct xen_remove_from_physmap r = {.domid = DOMID_SELF, .gpfn = 5};

    check_eq(hypercall_memory_op(XENMEM_remove_from_physmap, &r), -EACCES);
    r.gpfn = ~0ul;
    check_eq(hypercall_memory_op(XENMEM_remove_from_physmap, &r), -EACCES);
    r.domid = NO_DOMAIN;
    check_eq(hypercall_memory_op(XENMEM_remove_from_physmap, &r), -ESRCH);
    check_eq(hypercall_memory_op(XENMEM_remove_from_physmap, NULL), -EFAULT);
}

TEST(claims)
{
    struct xen_memory_reservation r = {.nr_extents = current_pages() + 1, .domid = guest_domid()};

    if (!guest_is_initial())
        skip("not the control domain");
    check_eq(hypercall_memory_op(XENMEM_claim_pages, &r), 0);
    r.nr_extents = 0;
    check_eq(hypercall_memory_op(XENMEM_claim_pages, &r), 0);
    r.nr_extents = current_pages();
    check_eq(hypercall_memory_op(XENMEM_claim_pages, &r), -EINVAL); /* has it already */
    r.nr_extents = 1ul << 40;
    check_eq(hypercall_memory_op(XENMEM_claim_pages, &r), -EINVAL);
    r.extent_order = 1;
    r.nr_extents = 0;
    check_eq(hypercall_memory_op(XENMEM_claim_pages, &r), -EINVAL);
    r.extent_order = 0;
    r.domid = NO_DOMAIN;
    check_eq(hypercall_memory_op(XENMEM_claim_pages, &r), -EINVAL);
    check_eq(hypercall_memory_op(XENMEM_claim_pages, NULL), -EFAULT);
}

TEST(what_this_hypervisor_does_not_have)
{
    struct xen_vnuma_topology_info v = {.domid = DOMID_SELF};

    check_eq(hypercall_memory_op(XENMEM_get_vnumainfo, &v), -EOPNOTSUPP);
    check_eq(hypercall_memory_op(XENMEM_get_vnumainfo, NULL), -EFAULT);
    v.domid = NO_DOMAIN;
    check_eq(hypercall_memory_op(XENMEM_get_vnumainfo, &v), -ESRCH);
    check_eq(hypercall_memory_op(XENMEM_get_sharing_freed_pages, NULL), 0);
    check_eq(hypercall_memory_op(XENMEM_get_sharing_shared_pages, NULL), 0);
    check_eq(hypercall_memory_op(8, NULL), -ENOSYS);
    for (unsigned op = 29; op < 64; op++)
        check_eq(hypercall_memory_op(op, NULL), -ENOSYS);
    check_eq(hypercall_memory_op(~0ul, NULL), -ENOSYS);
}

TEST(operations_that_are_never_continued)
{
    domid_t self = DOMID_SELF;

    check_eq(hypercall_memory_op(XENMEM_maximum_ram_page | 1 << 6, NULL), -EINVAL);
    check_eq(hypercall_memory_op(XENMEM_current_reservation | 1 << 6, &self), -EINVAL);
    check_eq(hypercall_memory_op(XENMEM_maximum_gpfn | 1 << 6, &self), -EINVAL);
}

/* ---- an unprivileged domain ---- */

static long peer_memory(long op, long nr, long order, long dom)
{
    xen_pfn_t *list = peer_data(peer_served());

    return memory_for(op, list, nr, order, 0, dom);
}

static long peer_question(long op, long dom, long c, long d)
{
    (void)c, (void)d;
    return reservation_of(op, dom);
}

static long peer_map(long op, long b, long c, long d)
{
    struct xen_memory_map m = {.nr_entries = ARRAY_SIZE(map_buf)};

    (void)b, (void)c, (void)d;
    set_xen_guest_handle(m.buffer, (void *)map_buf);
    return hypercall_memory_op(op, &m);
}

TEST(unprivileged_domain_has_its_limits)
{
    struct peer p;
    xen_pfn_t *list;
    long now, max;

    if (!have_peer(&p))
        skip("no second domain");
    list = peer_data(&p);
    now = peer_call(&p, peer_question, XENMEM_current_reservation, DOMID_SELF, 0, 0);
    max = peer_call(&p, peer_question, XENMEM_maximum_reservation, DOMID_SELF, 0, 0);
    check_eq(reservation_of(XENMEM_current_reservation, p.dom), now);
    check_eq(reservation_of(XENMEM_maximum_reservation, p.dom), max);
    check_ge(max, now);
    for (long i = now; i < max + 4 && i < now + 64; i++) {
        list[0] = FAR_PFN;
        check_eq(peer_call(&p, peer_memory, XENMEM_populate_physmap, 1, 0, DOMID_SELF), i < max);
        if (i < max)
            list[i - now + 1] = list[0];
    }
    for (long i = now; i < max && i < now + 64; i++) {
        list[0] = list[i - now + 1];
        check_eq(peer_call(&p, peer_memory, XENMEM_decrease_reservation, 1, 0, DOMID_SELF), 1);
    }
    check_eq(reservation_of(XENMEM_current_reservation, p.dom), now);
    list[0] = FAR_PFN;
    check_eq(peer_call(&p, peer_memory, XENMEM_populate_physmap, 1, 10, DOMID_SELF), 0);
    peer_disconnect(&p);
}

TEST(control_domain_changes_the_memory_of_another)
{
    xen_pfn_t list[2] = {FAR_PFN, FAR_PFN + 1};
    struct peer p;
    long mine = current_pages(), its, max;

    if (!have_peer(&p))
        skip("no second domain");
    its = reservation_of(XENMEM_current_reservation, p.dom);
    max = reservation_of(XENMEM_maximum_reservation, p.dom);
    if (max >= its + 2) {
        check_eq(memory_for(XENMEM_populate_physmap, list, 2, 0, 0, p.dom), 2);
        check_eq(reservation_of(XENMEM_current_reservation, p.dom), its + 2);
        check_eq(current_pages(), mine);
        check_eq(m2p_raw(list[1]), FAR_PFN + 1);
        check(!can_map(list[0])); /* it is not ours */
        check_eq(memory(XENMEM_decrease_reservation, list, 2, 0), 0);
        check_eq(memory_for(XENMEM_decrease_reservation, list, 2, 0, 0, p.dom), 2);
    } else {
        check_eq(memory_for(XENMEM_populate_physmap, list, 2, 0, 0, p.dom), max - its);
    }
    check_eq(reservation_of(XENMEM_current_reservation, p.dom), its);
    peer_disconnect(&p);
}

TEST(unprivileged_domain_may_not_ask_for_others)
{
    struct peer p;

    if (!have_peer(&p))
        skip("no second domain");
    for (unsigned i = 0; i < 3; i++)
        check_eq(peer_call(&p, peer_memory, reservation_ops[i], 1, 0, 0), 0);
    check_eq(peer_call(&p, peer_question, XENMEM_current_reservation, 0, 0, 0), -EPERM);
    check_eq(peer_call(&p, peer_question, XENMEM_maximum_reservation, 0, 0, 0), -EPERM);
    check_eq(peer_call(&p, peer_question, XENMEM_maximum_gpfn, 0, 0, 0), -EPERM);
    check_eq(peer_call(&p, peer_question, XENMEM_current_reservation, NO_DOMAIN, 0, 0), -ESRCH);
    check_eq(peer_call(&p, peer_map, XENMEM_machine_memory_map, 0, 0, 0), -EPERM);
    peer_disconnect(&p);
}

/* ---- two vcpus at once ---- */

#define TRADES 400

/* Each vcpu gives its own page back and takes another, again and again. */
static void trade(void *arg)
{
    char *page = arg;

    for (unsigned i = 0; i < TRADES; i++) {
        if (!check_eq(give_back(page), 1))
            return;
        get_again(page);
        *(volatile uint64_t *)page = i;
    }
}

TEST(two_vcpus_trade_pages)
{
    void *mine = new_page(), *other = new_page();
    long before = current_pages();

    if (vcpu_count() < 2)
        skip("one vcpu only");
    need_eq(vcpu_start(1, trade, other), 0);
    trade(mine);
    vcpu_wait_down(1);
    check_eq(current_pages(), before);
    free_page(mine);
    free_page(other);
}

#define CONTESTED 64
#define CONTESTS  20

static xen_pfn_t contested[CONTESTED];
static struct vcpu_barrier meet = VCPU_BARRIER_INIT(2);
static volatile long given_back[2];

/* Both give back every frame of the list. */
static void give_back_contested(void *arg)
{
    unsigned who = (uintptr_t)arg;

    for (unsigned round = 0; round < CONTESTS; round++) {
        long n = 0;

        vcpu_barrier_wait(&meet); /* the list is there */
        for (unsigned i = 0; i < CONTESTED; i++)
            n += memory(XENMEM_decrease_reservation, &contested[who ? i : CONTESTED - 1 - i], 1, 0);
        given_back[who] = n;
        vcpu_barrier_wait(&meet); /* both are done with it */
        if (who == 0) {
            /* Two that meet in one frame are both told that it is gone. */
            check_ge(given_back[0] + given_back[1], CONTESTED);
            check_eq(memory(XENMEM_increase_reservation, contested, CONTESTED, 0), CONTESTED);
        }
    }
}

TEST(a_frame_is_given_back_once)
{
    long before = current_pages();

    if (vcpu_count() < 2)
        skip("one vcpu only");
    check_eq(memory(XENMEM_increase_reservation, contested, CONTESTED, 0), CONTESTED);
    need_eq(vcpu_start(1, give_back_contested, (void *)1), 0);
    give_back_contested((void *)0);
    vcpu_wait_down(1);
    check_eq(current_pages(), before + CONTESTED);
    check_eq(memory(XENMEM_decrease_reservation, contested, CONTESTED, 0), CONTESTED);
    check_eq(current_pages(), before);
}

TEST(everything_was_put_back)
{
    pfn_t wrong = 0;

    for (pfn_t pfn = 0; pfn < mm_nr_pages(); pfn++)
        wrong += pfn_to_mfn(pfn) != INVALID_MFN && m2p_raw(pfn_to_mfn(pfn)) != pfn;
    check_eq(wrong, 0);
    for (unsigned i = 0; i < 8; i++)
        check_eq(*pt_entry(window(i), 1), 0);
}
