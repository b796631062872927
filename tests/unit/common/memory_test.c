/* SPDX-License-Identifier: MIT */
/* memory_op: each operation's good cases, refusals, and stops half way; exchange with everything
 * that can go wrong in it; and a random mix beside a count of pages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "fake.h"
#include <hv/errno.h>
#include <hv/heap.h>
#include <hv/hypercall.h>
#include <hv/memory.h>
#include <hv/mmu.h>
#include <stdlib.h>
#include <xen/memory.h>

#define FRAMES 8192

struct e820_entry e820_map[32] = {{0, 0x9fc00, 1}, {0x100000, 0x1ff00000, 1}};
unsigned int e820_nr = 2;

static struct domain *ctl, *a, *b;
static uint64_t list[2048], list2[2048];

static void start(void)
{
    fake_init_alloc(FRAMES, 1);
    ctl = fake_domain(0, true, 1);
    a = fake_domain(1, false, 1);
    b = fake_domain(2, false, 1);
    fake_run(a->vcpu[0]);
    memset(list, 0, sizeof(list));
    memset(list2, 0, sizeof(list2));
}

static long op(unsigned long cmd, void *arg)
{
    return do_memory_op(cmd, guest_ptr((uintptr_t)arg));
}

static struct xen_memory_reservation res(uint64_t *l, unsigned long nr, unsigned int order)
{
    struct xen_memory_reservation r = {
        .nr_extents = nr, .extent_order = order, .domid = DOMID_SELF};

    r.extent_start.p = l;
    return r;
}

static long reserve(unsigned int cmd, uint64_t *l, unsigned long nr, unsigned int order)
{
    struct xen_memory_reservation r = res(l, nr, order);

    return op(cmd, &r);
}

/* As a guest does that was told to call again. */
static long op_to_the_end(unsigned long cmd, void *arg)
{
    long rc = op(cmd, arg);

    while (rc == FAKE_CONTINUED) {
        assert_int_equal(fake_continuation.nr, __HYPERVISOR_memory_op);
        assert_int_equal(fake_continuation.nargs, 2);
        assert_int_equal(fake_continuation.args[1], (uintptr_t)arg);
        rc = op(fake_continuation.args[0], arg);
    }
    return rc;
}

static struct page *owned(struct domain *d, uint64_t n)
{
    assert_true(n < max_page);
    assert_ptr_equal(page_owner(&frame_table[n]), d);
    return &frame_table[n];
}

static uint64_t page_list_length(const struct domain *d)
{
    uint64_t n = 0;

    for (uint32_t p = d->page_list; p; p = frame_table[p].next)
        n++;
    return n;
}

/* ---- increase, decrease, populate ---- */

static void populate_sets_the_m2p(void **state)
{
    (void)state;
    start();
    for (int i = 0; i < 4; i++)
        list[i] = 0x100 + 4 * (unsigned)i;
    assert_int_equal(reserve(XENMEM_populate_physmap, list, 4, 2), 4);
    for (int i = 0; i < 4; i++)
        for (unsigned int k = 0; k < 4; k++) {
            owned(a, list[i] + k);
            assert_int_equal(list[i] % 4, 0);
            assert_int_equal(m2p_get(mfn(list[i] + k)), 0x100 + 4 * (unsigned)i + k);
        }
    assert_int_equal(a->tot_pages, 16);
    assert_int_equal(reserve(XENMEM_decrease_reservation, list, 4, 2), 4);
    assert_int_equal(a->tot_pages, 0);
    assert_int_equal(m2p_get(mfn(list[0])), INVALID_M2P);
}

static void increase_with_and_without_a_list(void **state)
{
    (void)state;
    start();
    assert_int_equal(reserve(XENMEM_increase_reservation, list, 3, 0), 3);
    owned(a, list[2]);
    assert_int_equal(reserve(XENMEM_increase_reservation, NULL, 3, 0), 3);
    assert_int_equal(a->tot_pages, 6);
    assert_int_equal(reserve(XENMEM_populate_physmap, NULL, 3, 0), 0);
    assert_int_equal(reserve(XENMEM_decrease_reservation, NULL, 3, 0), 0);
}

static void refusals_give_the_number_done(void **state)
{
    struct xen_memory_reservation r;

    (void)state;
    start();
    assert_int_equal(op(XENMEM_increase_reservation, NULL), 0);
    assert_int_equal(reserve(XENMEM_increase_reservation, list, 1, 10), 0); /* XSA-31, XSA-158 */
    assert_int_equal(reserve(XENMEM_increase_reservation, list, 1, 64), 0);
    assert_int_equal(reserve(XENMEM_increase_reservation, list, 1, ~0u), 0);
    assert_int_equal(reserve(XENMEM_populate_physmap, list, 1UL << 26, 0), 0);
    assert_int_equal(reserve(XENMEM_decrease_reservation, list, ~0UL, 0), 0);
    r = res(list, 1, 0);
    r.domid = 2; /* another's */
    assert_int_equal(op(XENMEM_increase_reservation, &r), 0);
    r.domid = 77; /* nobody's */
    assert_int_equal(op(XENMEM_increase_reservation, &r), 0);
    r.domid = DOMID_SELF;
    r.mem_flags = XENMEMF_address_bits(12);
    assert_int_equal(op(XENMEM_increase_reservation, &r), 0);
    r.mem_flags = XENMEMF_exact_node(1);
    assert_int_equal(op(XENMEM_increase_reservation, &r), 0);
    r.mem_flags = XENMEMF_node(70);
    assert_int_equal(op(XENMEM_increase_reservation, &r), 0);
    r.mem_flags = XENMEMF_populate_on_demand;
    assert_int_equal(op(XENMEM_populate_physmap, &r), 0);
    assert_int_equal(op(XENMEM_increase_reservation | 5 << 6, &r), 5); /* beyond the end */
    assert_int_equal(a->tot_pages, 0);
    r.mem_flags = XENMEMF_exact_node(0) | XENMEMF_address_bits(24);
    assert_int_equal(op(XENMEM_increase_reservation, &r), 1);
    assert_true(list[0] < 1UL << 12);
    /* XSA-29: the hypervisor's addresses as a list */
    r = res((uint64_t *)HV_VIRT_START, 2, 0);
    assert_int_equal(op(XENMEM_increase_reservation, &r), 0);
    assert_int_equal(op(XENMEM_populate_physmap, &r), 0);
    r = res((uint64_t *)(HV_VIRT_START - 8), 2, 0);
    assert_int_equal(op(XENMEM_increase_reservation, &r), 0);
    assert_int_equal(a->tot_pages, 1);
}

static void limit_and_faults_stop_the_walk(void **state)
{
    (void)state;
    start();
    a->max_pages = 10;
    assert_int_equal(reserve(XENMEM_increase_reservation, list, 20, 0), 10);
    assert_int_equal(reserve(XENMEM_decrease_reservation, list, 10, 0), 10);
    fake_fault_start = (uintptr_t)&list[4];
    fake_fault_end = (uintptr_t)&list[5];
    assert_int_equal(reserve(XENMEM_increase_reservation, list, 8, 0), 4);
    assert_int_equal(a->tot_pages, 4); /* the one that could not be told was given back */
    assert_int_equal(reserve(XENMEM_populate_physmap, list2, 2, 0), 2);
    assert_int_equal(reserve(XENMEM_decrease_reservation, list, 8, 0), 4);
    fake_fault_end = 0;
    list[0] = page_mfn(page_alloc(0, 0)).n; /* the hypervisor's */
    assert_int_equal(reserve(XENMEM_decrease_reservation, list, 1, 0), 0);
    list[0] = ~0UL - 1; /* wraps within the extent */
    assert_int_equal(reserve(XENMEM_decrease_reservation, list, 1, 2), 0);
    list[0] = list2[0];
    list[1] = list2[0]; /* twice */
    assert_int_equal(reserve(XENMEM_decrease_reservation, list, 2, 0), 1);
    assert_int_equal(a->tot_pages, 1);
}

/* XSA-252: a frame that is still referenced stays the domain's until it is not. */
static void decrease_of_a_referenced_frame(void **state)
{
    struct page *pg;

    (void)state;
    start();
    assert_int_equal(reserve(XENMEM_populate_physmap, list, 1, 0), 1);
    pg = owned(a, list[0]);
    assert_true(page_get(pg, a));
    assert_int_equal(reserve(XENMEM_decrease_reservation, list, 1, 0), 1);
    assert_int_equal(pg->count, 1);
    assert_int_equal(a->tot_pages, 1);
    assert_int_equal(reserve(XENMEM_decrease_reservation, list, 1, 0), 1);
    assert_int_equal(pg->count, 1);
    page_put(pg);
    assert_int_equal(a->tot_pages, 0);
    assert_int_equal(reserve(XENMEM_decrease_reservation, list, 1, 0), 0);
}

static void shared_frames_stay_the_hypervisors(void **state)
{
    struct page *sh;

    (void)state;
    start();
    sh = page_alloc(0, PA_ZERO);
    page_assign_shared(sh, a);
    list[0] = page_mfn(sh).n;
    assert_int_equal(reserve(XENMEM_decrease_reservation, list, 1, 0), 0);
    assert_int_equal(sh->count, PGC_HV | PGC_SHARED | 1);
}

static void preempted_walks_go_on(void **state)
{
    struct xen_memory_reservation r;

    (void)state;
    start();
    for (unsigned int every = 1; every < 5; every++) {
        fake_preempt_every = every;
        for (int i = 0; i < 100; i++)
            list[i] = 1000 + (unsigned)i;
        r = res(list, 100, 0);
        assert_int_equal(op_to_the_end(XENMEM_populate_physmap, &r), 100);
        for (int i = 0; i < 100; i++)
            assert_int_equal(m2p_get(mfn(list[i])), 1000 + (unsigned)i);
        assert_int_equal(a->tot_pages, 100);
        assert_int_equal(op_to_the_end(XENMEM_decrease_reservation, &r), 100);
        assert_int_equal(a->tot_pages, 0);
    }
    assert_true(fake_continuation.calls >= 99 * 2);
}

static void the_privileged_domain_may_for_others(void **state)
{
    struct xen_memory_reservation r;

    (void)state;
    start();
    fake_run(ctl->vcpu[0]);
    r = res(list, 2, 10);
    r.domid = 1;
    assert_int_equal(op(XENMEM_increase_reservation, &r), 2); /* and larger extents */
    assert_int_equal(a->tot_pages, 2048);
    owned(a, list[1]);
    assert_int_equal(a->refcnt, 2);
    assert_int_equal(op(XENMEM_decrease_reservation, &r), 2);
    assert_int_equal(a->refcnt, 1);
    r.extent_order = 19;
    assert_int_equal(op(XENMEM_increase_reservation, &r), 0);
}

/* ---- exchange ---- */

static struct xen_memory_exchange exch(unsigned long nr_in, unsigned int order_in,
                                       unsigned long nr_out, unsigned int order_out)
{
    struct xen_memory_exchange x = {.in = res(list, nr_in, order_in),
                                    .out = res(list2, nr_out, order_out)};

    for (unsigned int i = 0; i < ARRAY_SIZE(list2); i++)
        list2[i] = 0x5000 + ((uint64_t)i << order_out);
    return x;
}

static void singles_for_a_contiguous_extent_and_back(void **state)
{
    struct xen_memory_exchange x;

    (void)state;
    start();
    assert_int_equal(reserve(XENMEM_populate_physmap, list, 32, 0), 32);
    a->max_pages = 32;
    x = exch(32, 0, 2, 4);
    x.out.mem_flags = XENMEMF_address_bits(24);
    assert_int_equal(op(XENMEM_exchange, &x), 0);
    assert_int_equal(x.nr_exchanged, 32);
    assert_int_equal(a->tot_pages, 32);
    for (int i = 0; i < 2; i++)
        for (unsigned int k = 0; k < 16; k++) {
            owned(a, list2[i] + k);
            assert_true(list2[i] + k < 4096);
            assert_int_equal(m2p_get(mfn(list2[i] + k)), 0x5000 + 16 * (unsigned)i + k);
        }
    list[0] = list2[0];
    list[1] = list2[1];
    x = exch(2, 4, 32, 0);
    fake_preempt_every = 1;
    assert_int_equal(op_to_the_end(XENMEM_exchange, &x), 0);
    assert_int_equal(x.nr_exchanged, 2);
    assert_int_equal(fake_continuation.calls, 1);
    for (int i = 0; i < 32; i++) {
        owned(a, list2[i]);
        assert_int_equal(m2p_get(mfn(list2[i])), 0x5000 + (unsigned)i);
    }
    assert_int_equal(a->tot_pages, 32);
    assert_int_equal(page_alloc_check(), 0);
}

static void exchange_checks_its_arguments(void **state)
{
    struct xen_memory_exchange x;

    (void)state;
    start();
    assert_int_equal(reserve(XENMEM_populate_physmap, list, 4, 0), 4);
    assert_int_equal(op(XENMEM_exchange, NULL), -EFAULT);
    x = exch(4, 0, 1, 2);
    assert_int_equal(op(XENMEM_exchange | 1 << 6, &x), -EINVAL);
    x.out.nr_extents = 2; /* not as much */
    assert_int_equal(op(XENMEM_exchange, &x), -EINVAL);
    x = exch(4, 0, 1, 2);
    x.nr_exchanged = 5;
    assert_int_equal(op(XENMEM_exchange, &x), -EINVAL);
    x = exch(4, 0, 1, 2);
    x.out.domid = 2;
    assert_int_equal(op(XENMEM_exchange, &x), -EINVAL);
    x.in.domid = 2;
    assert_int_equal(op(XENMEM_exchange, &x), -EPERM);
    x.in.domid = x.out.domid = 99;
    assert_int_equal(op(XENMEM_exchange, &x), -ESRCH);
    x = exch(1024, 0, 1, 10);
    assert_int_equal(op(XENMEM_exchange, &x), -EPERM);
    x = exch(1UL << 63, 1, 1UL << 63, 1); /* overflows */
    assert_int_equal(op(XENMEM_exchange, &x), -EINVAL);
    x = exch(0, 0, 0, 0);
    assert_int_equal(op(XENMEM_exchange, &x), 0);
    x = exch(1UL << 62, 0, 1UL << 62, 0);
    assert_int_equal(op(XENMEM_exchange, &x), -EFAULT);
    /* XSA-29 and XSA-212: neither the start of a list nor a start index leads out of guest space */
    x = exch(4, 0, 1, 2);
    x.out.extent_start.p = (void *)HV_VIRT_START;
    assert_int_equal(op(XENMEM_exchange, &x), -EFAULT);
    x = exch(1UL << 61, 0, 1UL << 61, 0);
    x.nr_exchanged = (HV_VIRT_START - (uintptr_t)list) / 8 + 1;
    assert_int_equal(op(XENMEM_exchange, &x), -EFAULT);
    x = exch(~0UL, 0, ~0UL, 0);
    x.nr_exchanged = ~0UL - 4;
    assert_int_equal(op(XENMEM_exchange, &x), -EFAULT);
    assert_int_equal(a->tot_pages, 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(owned(a, list[i])->count, PGC_ALLOCATED | 1);
}

static void exchange_undoes_a_chunk_that_fails(void **state)
{
    struct xen_memory_exchange x;
    uint64_t free_before, fifth;
    struct page *pg;

    (void)state;
    start();
    assert_int_equal(reserve(XENMEM_populate_physmap, list, 8, 0), 8);
    for (int i = 0; i < 8; i++)
        memset(page_virt(owned(a, list[i])), 0x30 + i, PAGE_SIZE);
    free_before = page_free_count();

    pg = owned(a, list[6]); /* in use: the second chunk fails, the first is done */
    assert_true(page_get(pg, a));
    x = exch(8, 0, 2, 2);
    assert_int_equal(op(XENMEM_exchange, &x), -EINVAL);
    assert_int_equal(x.nr_exchanged, 4);
    assert_int_equal(a->tot_pages, 8);
    owned(a, list2[0] + 3);
    for (int i = 4; i < 8; i++) {
        assert_int_equal(owned(a, list[i])->count, PGC_ALLOCATED | (i == 6 ? 2 : 1));
        assert_int_equal(*(uint8_t *)page_virt(owned(a, list[i])), 0x30 + i);
    }
    page_put(pg);

    /* XSA-159: no memory of that kind */
    x = exch(8, 0, 2, 2);
    x.nr_exchanged = 4;
    x.out.mem_flags = XENMEMF_address_bits(13);
    assert_int_equal(op(XENMEM_exchange, &x), -ENOMEM);
    assert_int_equal(x.nr_exchanged, 4);
    assert_int_equal(a->tot_pages, 8);
    for (int i = 4; i < 8; i++)
        assert_int_equal(*(uint8_t *)page_virt(owned(a, list[i])), 0x30 + i);

    /* the same frame twice */
    fifth = list[5];
    list[5] = list[4];
    x = exch(8, 0, 2, 2);
    x.nr_exchanged = 4;
    assert_int_equal(op(XENMEM_exchange, &x), -EINVAL);
    assert_int_equal(a->tot_pages, 8);

    /* the input list faults */
    fake_fault_start = (uintptr_t)&list[7];
    fake_fault_end = fake_fault_start + 8;
    list[5] = fifth;
    x = exch(8, 0, 2, 2);
    x.nr_exchanged = 4;
    assert_int_equal(op(XENMEM_exchange, &x), -EFAULT);
    assert_int_equal(a->tot_pages, 8);
    assert_int_equal(page_free_count(), free_before);
    assert_int_equal(page_alloc_check(), 0);
}

static void kill_when_the_output_is_read(uintptr_t va, size_t n, bool to_guest)
{
    (void)n, (void)to_guest;
    if (va == (uintptr_t)&list2[0])
        a->is_dying = DOMDYING_DYING;
}

static void kill_when_the_input_is_read(uintptr_t va, size_t n, bool to_guest)
{
    (void)n, (void)to_guest;
    if (va == (uintptr_t)&list[3])
        a->is_dying = DOMDYING_DYING;
}

/* XSA-159: the domain is killed at the worst moments. Every frame is its or free, nothing twice. */
static void exchange_by_a_dying_domain(void **state)
{
    struct xen_memory_exchange x;
    uint64_t total;

    (void)state;
    for (int when = 0; when < 2; when++) {
        start();
        total = page_free_count();
        assert_int_equal(reserve(XENMEM_populate_physmap, list, 4, 0), 4);
        fake_copy_hook = when ? kill_when_the_output_is_read : kill_when_the_input_is_read;
        x = exch(4, 0, 4, 0);
        assert_int_equal(op(XENMEM_exchange, &x), -ESRCH);
        fake_copy_hook = NULL;
        assert_int_equal(a->tot_pages, page_list_length(a));
        assert_int_equal(page_free_count() + a->tot_pages, total);
        assert_int_equal(page_alloc_check(), 0);
    }
}

static void exchange_when_the_output_list_faults(void **state)
{
    struct xen_memory_exchange x;

    (void)state;
    start();
    assert_int_equal(reserve(XENMEM_populate_physmap, list, 4, 0), 4);
    fake_fault_start = (uintptr_t)list2;
    fake_fault_end = (uintptr_t)(list2 + 2);
    x = exch(2, 0, 2, 0);
    fake_fault_start = (uintptr_t)list2;
    assert_int_equal(op(XENMEM_exchange, &x), -EFAULT);
    assert_int_equal(a->tot_pages, 4); /* swapped, but the guest was not told: its own fault */
    assert_int_equal(page_alloc_check(), 0);
}

/* ---- questions ---- */

static void sizes(void **state)
{
    struct xen_memory_domain md = {DOMID_SELF};

    (void)state;
    start();
    assert_int_equal(op(XENMEM_maximum_ram_page, NULL), max_page - 1);
    assert_int_equal(op(XENMEM_maximum_ram_page | 1 << 6, NULL), -EINVAL);
    reserve(XENMEM_increase_reservation, NULL, 7, 0);
    a->max_pages = 99;
    assert_int_equal(op(XENMEM_current_reservation, &md), 7);
    assert_int_equal(op(XENMEM_maximum_reservation, &md), 99);
    a->max_pages = ~0UL;
    assert_int_equal(op(XENMEM_maximum_reservation, &md), UINT32_MAX);
    assert_int_equal(op(XENMEM_maximum_gpfn, &md), 0);
    a->shared_info->arch.max_pfn = 64;
    assert_int_equal(op(XENMEM_maximum_gpfn, &md), 63);
    md.domid = 1;
    assert_int_equal(op(XENMEM_current_reservation, &md), 7);
    md.domid = 2;
    assert_int_equal(op(XENMEM_current_reservation, &md), -EPERM);
    md.domid = 50;
    assert_int_equal(op(XENMEM_current_reservation, &md), -ESRCH);
    assert_int_equal(op(XENMEM_current_reservation, NULL), -EFAULT);
    fake_run(ctl->vcpu[0]);
    md.domid = 1;
    assert_int_equal(op(XENMEM_current_reservation, &md), 7);
    assert_int_equal(a->refcnt, 2); /* its pages' */
    assert_int_equal(b->refcnt, 1);
}

static void m2p_questions(void **state)
{
    struct xen_machphys_mfn_list l = {.max_extents = 100};
    struct xen_machphys_mapping m;

    (void)state;
    start();
    l.extent_start.p = list;
    assert_int_equal(op(XENMEM_machphys_mfn_list, &l), 0);
    assert_int_equal(l.nr_extents, 1);
    assert_int_equal(list[0], 0x1000);
    l.max_extents = 0;
    assert_int_equal(op(XENMEM_machphys_mfn_list, &l), 0);
    assert_int_equal(l.nr_extents, 0);
    l.max_extents = 1;
    l.extent_start.p = NULL;
    assert_int_equal(op(XENMEM_machphys_mfn_list, &l), -EFAULT);
    assert_int_equal(op(XENMEM_machphys_mapping, &m), 0);
    assert_int_equal(m.v_start, MACH2PHYS_VIRT_START);
    assert_int_equal(m.max_mfn, MACH2PHYS_NR_ENTRIES - 1);
    fake_run(ctl->vcpu[0]);
    assert_int_equal(op(XENMEM_machphys_mapping, &m), 0);
    assert_int_equal(m.max_mfn, max_page - 1);
}

static void memory_maps(void **state)
{
    static struct e820_entry buf[200];
    struct xen_memory_map map = {.nr_entries = 200};
    struct xen_foreign_memory_map f = {.domid = DOMID_SELF};

    (void)state;
    start();
    map.buffer.p = buf;
    assert_int_equal(op(XENMEM_memory_map, &map), -ENOSYS);
    assert_int_equal(op(XENMEM_machine_memory_map, &map), -EPERM);
    buf[0] = (struct e820_entry){0, 0x2000000, 1};
    f.map.nr_entries = 1;
    f.map.buffer.p = buf;
    assert_int_equal(op(XENMEM_set_memory_map, &f), 0);
    assert_int_equal(op(XENMEM_set_memory_map, &f), 0); /* replaces */
    memset(buf, 0, sizeof(buf));
    assert_int_equal(op(XENMEM_memory_map, &map), 0);
    assert_int_equal(map.nr_entries, 1);
    assert_int_equal(buf[0].size, 0x2000000);
    f.map.nr_entries = 1025;
    assert_int_equal(op(XENMEM_set_memory_map, &f), -EINVAL);
    f.map.nr_entries = 1;
    f.domid = 2;
    assert_int_equal(op(XENMEM_set_memory_map, &f), -EPERM);
    f.domid = 60;
    assert_int_equal(op(XENMEM_set_memory_map, &f), -ESRCH);
    f.domid = DOMID_SELF;
    f.map.buffer.p = NULL;
    assert_int_equal(op(XENMEM_set_memory_map, &f), -EFAULT);
    assert_int_equal(a->nr_e820, 1);

    fake_run(ctl->vcpu[0]);
    map.nr_entries = 2;
    assert_int_equal(op(XENMEM_machine_memory_map, &map), -EINVAL);
    map.nr_entries = 3;
    assert_int_equal(op(XENMEM_machine_memory_map, &map), 0);
    assert_int_equal(map.nr_entries, 2);
    assert_int_equal(buf[1].addr, 0x100000);
    heap_free(a->e820);
    assert_int_equal(heap_used(), 0);
}

static void translated_guests_operations(void **state)
{
    struct xen_add_to_physmap at = {.domid = DOMID_SELF, .space = XENMAPSPACE_shared_info};
    struct xen_add_to_physmap_batch ab = {.domid = DOMID_SELF};
    struct xen_remove_from_physmap rm = {.domid = 2};

    (void)state;
    start();
    assert_int_equal(op(XENMEM_add_to_physmap, &at), -EACCES);
    at.domid = 40;
    assert_int_equal(op(XENMEM_add_to_physmap, &at), -ESRCH);
    at.space = XENMAPSPACE_gmfn_foreign;
    assert_int_equal(op(XENMEM_add_to_physmap, &at), -ENOSYS);
    assert_int_equal(op(XENMEM_add_to_physmap_batch, &ab), -EACCES);
    ab.space = XENMAPSPACE_gmfn_range;
    assert_int_equal(op(XENMEM_add_to_physmap_batch, &ab), -EOPNOTSUPP);
    assert_int_equal(op(XENMEM_add_to_physmap_batch | 0x10000UL << 6, &ab), -EDOM);
    assert_int_equal(op(XENMEM_remove_from_physmap, &rm), -EPERM);
    fake_run(ctl->vcpu[0]);
    assert_int_equal(op(XENMEM_remove_from_physmap, &rm), -EACCES);
    assert_int_equal(b->refcnt, 1);
}

static void claims_and_the_rest(void **state)
{
    struct xen_memory_reservation r = res(NULL, 10, 0);
    struct xen_vnuma_topology_info v = {.domid = DOMID_SELF};
    struct xen_mem_acquire_resource q = {.domid = 0};
    struct xen_pod_target t = {.domid = DOMID_SELF};
    struct xen_reserved_device_memory_map m = {.nr_entries = 9};

    (void)state;
    start();
    r.domid = 2;
    assert_int_equal(op(XENMEM_claim_pages, &r), -EPERM);
    fake_run(ctl->vcpu[0]);
    assert_int_equal(op(XENMEM_claim_pages, &r), 0);
    assert_int_equal(page_claimed_count(), 10 - b->tot_pages);
    assert_int_equal(op(XENMEM_claim_pages, &r), -EINVAL);
    r.nr_extents = 0;
    assert_int_equal(op(XENMEM_claim_pages, &r), 0);
    assert_int_equal(page_claimed_count(), 0);
    r.nr_extents = 1UL << 30;
    assert_int_equal(op(XENMEM_claim_pages, &r), -ENOMEM);
    r.domid = DOMID_SELF;
    assert_int_equal(op(XENMEM_claim_pages, &r), -EINVAL);
    assert_int_equal(op(XENMEM_get_vnumainfo, &v), -EOPNOTSUPP);
    assert_int_equal(op(XENMEM_get_sharing_freed_pages, NULL), 0);
    assert_int_equal(op(XENMEM_machphys_compat_mfn_list, NULL), -EOPNOTSUPP);
    assert_int_equal(op(XENMEM_machphys_mapping | 1 << 6, NULL), -ENOSYS);
    assert_int_equal(op(XENMEM_acquire_resource, &q), -EPERM);
    q.domid = DOMID_SELF;
    assert_int_equal(op(XENMEM_acquire_resource, &q), -ESRCH);
    q.domid = 2;
    assert_int_equal(op(XENMEM_acquire_resource, &q), -EOPNOTSUPP);
    q.pad = 1;
    assert_int_equal(op(XENMEM_acquire_resource, &q), -EINVAL);
    assert_int_equal(op(XENMEM_get_pod_target, &t), -EINVAL);
    assert_int_equal(op(XENMEM_reserved_device_memory_map, &m), 0);
    assert_int_equal(m.nr_entries, 0);
    v.pad = 1;
    assert_int_equal(op(XENMEM_get_vnumainfo, &v), -EINVAL);
    for (unsigned int n = 29; n < 64; n++)
        assert_int_equal(op(n, NULL), -ENOSYS);
    assert_int_equal(op(8, NULL), -ENOSYS);
}

/* ---- a mix ---- */

/* Random requests of all three domains; whatever comes back, frames and accounts agree after each.
 */
static void random_mix(void **state)
{
    struct domain *doms[3];
    unsigned int seed = 3;
    uint64_t total;

    (void)state;
    start();
    doms[0] = a, doms[1] = b, doms[2] = ctl;
    a->max_pages = 300;
    total = page_free_count();
    for (int step = 0; step < 20000; step++) {
        unsigned int r = (unsigned int)rand_r(&seed), nr = 1 + (r >> 8) % 16;
        unsigned int order = (r >> 16) % 4 ? 0 : (r >> 18) % 4, other = (r >> 20) % 4;
        struct xen_memory_exchange x;

        fake_run(doms[r % 3]->vcpu[0]);
        fake_preempt_every = (r >> 12) % 4;
        for (unsigned int i = 0; i < ARRAY_SIZE(list); i++)
            list[i] = 16 + (unsigned int)rand_r(&seed) % (FRAMES - 16);
        switch ((r >> 4) % 4) {
        case 0:
            reserve(XENMEM_populate_physmap, list, nr, order);
            break;
        case 1:
            for (unsigned int i = 0; i < nr; i++) /* mostly its own */
                list[i] = doms[r % 3]->page_list ? doms[r % 3]->page_list : list[i];
            reserve(XENMEM_decrease_reservation, list, nr, order);
            break;
        case 2:
            reserve(XENMEM_increase_reservation, list, nr, order);
            break;
        default:
            for (uint32_t i = 0, p = doms[r % 3]->page_list; p && i < 256; i++) {
                list[i] = p;
                p = frame_table[p].next;
            }
            x = exch((unsigned long)nr << other, order, (unsigned long)nr << order, other);
            op_to_the_end(XENMEM_exchange, &x);
        }
        if (step % 500 == 0) {
            uint64_t sum = 0;

            for (int i = 0; i < 3; i++) {
                assert_int_equal(doms[i]->tot_pages, page_list_length(doms[i]));
                sum += doms[i]->tot_pages;
            }
            assert_int_equal(page_free_count() + sum, total);
            assert_int_equal(page_alloc_check(), 0);
        }
    }
    assert_true(a->tot_pages <= 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(populate_sets_the_m2p),
        cmocka_unit_test(increase_with_and_without_a_list),
        cmocka_unit_test(refusals_give_the_number_done),
        cmocka_unit_test(limit_and_faults_stop_the_walk),
        cmocka_unit_test(decrease_of_a_referenced_frame),
        cmocka_unit_test(shared_frames_stay_the_hypervisors),
        cmocka_unit_test(preempted_walks_go_on),
        cmocka_unit_test(the_privileged_domain_may_for_others),
        cmocka_unit_test(singles_for_a_contiguous_extent_and_back),
        cmocka_unit_test(exchange_checks_its_arguments),
        cmocka_unit_test(exchange_undoes_a_chunk_that_fails),
        cmocka_unit_test(exchange_by_a_dying_domain),
        cmocka_unit_test(exchange_when_the_output_list_faults),
        cmocka_unit_test(sizes),
        cmocka_unit_test(m2p_questions),
        cmocka_unit_test(memory_maps),
        cmocka_unit_test(translated_guests_operations),
        cmocka_unit_test(claims_and_the_rest),
        cmocka_unit_test(random_mix),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
