/* SPDX-License-Identifier: MIT */
/* Grant tables, version 1: every operation, good and refused, with the status that Xen 4.17 gives;
 * then what hostile guests tried. A domain may grant to itself, so most of it needs no second one;
 * tests with two domains need one booted with `peer`. */
// domu: name=b mem=32M vcpus=1 -- peer
#include <pv/test.h>
#include <pv/peer.h>

#define NOWHERE   ((void *)0x10)                 /* not mapped */
#define FORBIDDEN ((void *)0xffff830000000000ul) /* the hypervisor's */
#define ENTRIES   512u

#define RW GTF_permit_access
#define RO (GTF_permit_access | GTF_readonly)

static domid_t me;
static uint8_t *page, *va, *va2; /* a page to be granted; two addresses to map it at */
static mfn_t frame;
static struct grant_entry_v1 *entry;

static bool ready(void)
{
    if (page)
        return true;
    me = guest_domid();
    if (!check_eq(gnttab_init(1), 0))
        return false;
    entry = gnttab_entries();
    page = alloc_page();
    va = vm_reserve(1);
    va2 = vm_reserve(1);
    frame = virt_to_mfn(page);
    return check(page && va && va2 && entry);
}

/* A reference to @mfn that grants as @flags say. */
static grant_ref_t offer(domid_t to, mfn_t mfn, uint16_t flags)
{
    grant_ref_t ref = gnttab_alloc_ref();

    entry[ref].frame = (uint32_t)mfn;
    entry[ref].domid = to;
    wmb();
    WRITE_ONCE(entry[ref].flags, flags);
    return ref;
}

static uint16_t flags_of(grant_ref_t ref)
{
    return READ_ONCE(entry[ref].flags);
}

static bool withdraw(grant_ref_t ref)
{
    return check(gnttab_end(ref));
}

static int map_at(uint64_t addr, domid_t dom, grant_ref_t ref, unsigned flags,
                  grant_handle_t *handle)
{
    struct gnttab_map_grant_ref op = {
        .host_addr = addr, .dom = dom, .ref = ref, .flags = flags, .status = 99};

    check_eq(hypercall_grant_table_op(GNTTABOP_map_grant_ref, &op, 1), 0);
    check_ne(op.status, 99);
    *handle = op.handle;
    return op.status;
}

static int map(void *at, grant_ref_t ref, unsigned flags, grant_handle_t *handle)
{
    return map_at((uint64_t)at, me, ref, flags, handle);
}

static int unmap_at(uint64_t addr, uint64_t dev, grant_handle_t handle)
{
    struct gnttab_unmap_grant_ref op = {
        .host_addr = addr, .dev_bus_addr = dev, .handle = handle, .status = 99};

    check_eq(hypercall_grant_table_op(GNTTABOP_unmap_grant_ref, &op, 1), 0);
    return op.status;
}

static int unmap(void *at, grant_handle_t handle)
{
    return unmap_at((uint64_t)at, 0, handle);
}

static long one_op(unsigned cmd, void *op)
{
    return hypercall_grant_table_op(cmd, op, 1);
}

#define HOST   GNTMAP_host_map
#define RDONLY GNTMAP_readonly

/* ---- tables ---- */

static int setup(domid_t dom, unsigned frames, void *list)
{
    struct gnttab_setup_table op = {.dom = dom, .nr_frames = frames, .status = 99};

    set_xen_guest_handle(op.frame_list, list);
    check_eq(one_op(GNTTABOP_setup_table, &op), 0);
    return op.status;
}

TEST(setup_table)
{
    xen_pfn_t list[8] = {0}, again[8] = {0};
    struct gnttab_setup_table op = {.dom = DOMID_SELF};

    need(ready());
    check_eq(setup(DOMID_SELF, 4, list), GNTST_okay);
    check_eq(setup(me, 2, again), GNTST_okay);
    check_eq(again[0], list[0]);
    check_eq(again[1], list[1]);
    check_eq(again[2], 0);
    for (unsigned i = 0; i < 4; i++)
        check(list[i] && list[i] != list[(i + 1) % 4]);
    check_eq(list[0], pte_mfn(*pt_entry((uint64_t)entry, 1)));
    check_eq(setup(DOMID_SELF, 0, NULL), GNTST_okay);
    op.nr_frames = 1;
    set_xen_guest_handle(op.frame_list, FORBIDDEN);
    check_eq(one_op(GNTTABOP_setup_table, &op), -EFAULT);
    check_eq(setup(DOMID_SELF, 1, NOWHERE), GNTST_bad_virt_addr);
    check_eq(setup(DOMID_SELF, 0x10000000, list), GNTST_general_error);
    check_eq(setup(DOMID_SELF, ~0u, list), GNTST_general_error);
    check_eq(setup(99, 1, list), GNTST_bad_domain);
    check_eq(setup(DOMID_IO, 1, list), GNTST_bad_domain);
    check_eq(hypercall_grant_table_op(GNTTABOP_setup_table, &op, 2), -EINVAL);
    check_eq(hypercall_grant_table_op(GNTTABOP_setup_table, &op, 0), -EINVAL);
}

TEST(query_size)
{
    struct gnttab_query_size op = {.dom = DOMID_SELF, .status = 99};

    need(ready());
    check_eq(one_op(GNTTABOP_query_size, &op), 0);
    check_eq(op.status, GNTST_okay);
    check_ge(op.nr_frames, 4);
    check_ge(op.max_nr_frames, op.nr_frames);
    op.dom = 99;
    check_eq(one_op(GNTTABOP_query_size, &op), 0);
    check_eq(op.status, GNTST_bad_domain);
    check_eq(hypercall_grant_table_op(GNTTABOP_query_size, &op, 2), -EINVAL);
}

/* On Xen: as with gnttab=max-ver:1. */
TEST(versions)
{
    struct gnttab_set_version set = {.version = 2};
    struct gnttab_get_version get = {.dom = DOMID_SELF};
    struct gnttab_get_status_frames frames = {.dom = DOMID_SELF, .status = 99};

    need(ready());
    check_eq(one_op(GNTTABOP_set_version, &set), -ENOSYS);
    set.version = 1;
    check_eq(one_op(GNTTABOP_set_version, &set), 0);
    check_eq(set.version, 1);
    set.version = 0;
    check_eq(one_op(GNTTABOP_set_version, &set), -EINVAL);
    set.version = 3;
    check_eq(one_op(GNTTABOP_set_version, &set), -EINVAL);
    check_eq(one_op(GNTTABOP_get_version, &get), 0);
    check_eq(get.version, 1);
    get.dom = 99;
    check_eq(one_op(GNTTABOP_get_version, &get), -ESRCH);
    frames.nr_frames = 1;
    check_eq(one_op(GNTTABOP_get_status_frames, &frames), 0);
    check_eq(frames.status, GNTST_general_error);
    check_eq(hypercall_grant_table_op(GNTTABOP_get_status_frames, &frames, 2), -EINVAL);
    frames.dom = 99;
    check_eq(one_op(GNTTABOP_get_status_frames, &frames), 0);
    check_eq(frames.status, GNTST_bad_domain);
}

TEST(unknown_commands)
{
    uint8_t buffer[64] = {0};

    check_eq(one_op(13, buffer), -ENOSYS);
    check_eq(one_op(GNTTABOP_dump_table, buffer), -ENOSYS);
    check_eq(one_op(0xfff, buffer), -ENOSYS);
    check_eq(one_op(0x7fffffff, buffer), -EINVAL);
    check_eq(one_op(~0u, buffer), -EINVAL);
}

TEST(bad_pointers_and_counts)
{
    static const unsigned batches[] = {
        GNTTABOP_map_grant_ref,     GNTTABOP_unmap_grant_ref, GNTTABOP_transfer,   GNTTABOP_copy,
        GNTTABOP_unmap_and_replace, GNTTABOP_swap_grant_ref,  GNTTABOP_cache_flush};
    static const unsigned singles[] = {GNTTABOP_setup_table, GNTTABOP_query_size,
                                       GNTTABOP_set_version, GNTTABOP_get_version,
                                       GNTTABOP_get_status_frames};

    for (unsigned i = 0; i < sizeof(batches) / sizeof(batches[0]); i++) {
        check_eq(one_op(batches[i], NOWHERE), -EFAULT);
        check_eq(one_op(batches[i], FORBIDDEN), -EFAULT);
        check_eq(one_op(batches[i], (void *)~0ul), -EFAULT);
        check_eq(one_op(batches[i], (void *)0x0000800000000000ul), -EFAULT);
        check_eq(hypercall_grant_table_op(batches[i], NOWHERE, 0), 0);
        check_eq(hypercall_grant_table_op(batches[i], NOWHERE, 0x80000000u), -EINVAL);
        check_eq(hypercall_grant_table_op(batches[i], (void *)(0xffff800000000000ul - 64), 100),
                 -EFAULT);
    }
    for (unsigned i = 0; i < sizeof(singles) / sizeof(singles[0]); i++) {
        check_eq(one_op(singles[i], NOWHERE), -EFAULT);
        check_eq(one_op(singles[i], FORBIDDEN), -EFAULT);
    }
}

/* ---- map and unmap ---- */

TEST(map_and_unmap)
{
    grant_handle_t a, b;
    grant_ref_t ref;
    struct gnttab_map_grant_ref op;

    need(ready());
    ref = offer(me, frame, RW);
    op = (struct gnttab_map_grant_ref){
        .host_addr = (uint64_t)va, .dom = me, .ref = ref, .flags = HOST};
    need_eq(one_op(GNTTABOP_map_grant_ref, &op), 0);
    need_eq(op.status, GNTST_okay);
    a = op.handle;
    check_eq(op.dev_bus_addr, frame << PAGE_SHIFT);
    check_eq(flags_of(ref), RW | GTF_reading | GTF_writing);
    va[7] = 0x77;
    check_eq(page[7], 0x77);
    check_eq(pte_mfn(*pt_entry((uint64_t)va, 1)), frame);
    need_eq(map(va2, ref, HOST | RDONLY, &b), GNTST_okay);
    check_ne(a, b);
    check_eq(va2[7], 0x77);
    check_fault_err(TRAP_PF, PFEC_P | PFEC_W, *(volatile uint8_t *)va2 = 1);
    check_eq(unmap(va, a), GNTST_okay);
    check_fault(TRAP_PF, (void)*(volatile uint8_t *)va);
    check_eq(flags_of(ref), RW | GTF_reading); /* 230 */
    check(!gnttab_end(ref));
    check_eq(unmap(va2, b), GNTST_okay);
    check_fault(TRAP_PF, (void)*(volatile uint8_t *)va2);
    check_eq(flags_of(ref), RW);
    check_eq(unmap(va2, b), GNTST_bad_handle);
    check_eq(unmap(va, a), GNTST_bad_handle);
    withdraw(ref);
}

TEST(map_flags_reach_the_entry)
{
    grant_handle_t h;
    grant_ref_t ref;

    need(ready());
    ref = offer(me, frame, RW);
    need_eq(map(va, ref, HOST | (5u << 16), &h), GNTST_okay);
    check_eq(*pt_entry((uint64_t)va, 1) & (PTE_SW0 | PTE_SW1 | PTE_SW2), PTE_SW0 | PTE_SW2);
    check_eq(unmap(va, h), GNTST_okay);
    need_eq(map(va, ref, HOST | GNTMAP_application_map, &h), GNTST_okay);
    check(*pt_entry((uint64_t)va, 1) & PTE_US);
    check_eq(unmap(va, h), GNTST_okay);
    check_eq(*pt_entry((uint64_t)va, 1), 0);
    withdraw(ref);
}

TEST(map_refused)
{
    grant_handle_t h;
    grant_ref_t ref, none;
    unsigned limit;
    struct gnttab_query_size q = {.dom = DOMID_SELF};

    need(ready());
    need_eq(one_op(GNTTABOP_query_size, &q), 0);
    limit = q.nr_frames * ENTRIES;
    ref = offer(me, frame, RW);
    none = offer(me, frame, GTF_invalid);
    check_eq(map(va, ref, 0, &h), GNTST_bad_gntref);
    check_eq(map(va, ref, RDONLY, &h), GNTST_bad_gntref);
    check_eq(map_at((uint64_t)va, 99, ref, HOST, &h), GNTST_bad_domain);
    check_eq(map_at((uint64_t)va, DOMID_SELF, ref, HOST, &h), GNTST_bad_domain);
    check_eq(map_at((uint64_t)va, DOMID_XEN, ref, HOST, &h), GNTST_bad_domain);
    check_eq(map_at((uint64_t)va, DOMID_IO, ref, HOST, &h), GNTST_bad_domain);
    check_eq(map(va, limit, HOST, &h), GNTST_bad_gntref);
    check_eq(map(va, ~0u, HOST, &h), GNTST_bad_gntref);
    check_eq(map(va, none, HOST, &h), GNTST_general_error);
    WRITE_ONCE(entry[none].flags, GTF_accept_transfer);
    check_eq(map(va, none, HOST, &h), GNTST_general_error);
    WRITE_ONCE(entry[none].flags, GTF_transitive);
    check_eq(map(va, none, HOST, &h), GNTST_general_error);
    WRITE_ONCE(entry[none].flags, RW | GTF_sub_page);
    check_eq(map(va, none, HOST, &h), GNTST_general_error);
    entry[none].domid = me + 5;
    WRITE_ONCE(entry[none].flags, RW);
    check_eq(map(va, none, HOST, &h), GNTST_general_error); /* for somebody else */
    entry[none].domid = me;
    WRITE_ONCE(entry[none].flags, RO);
    check_eq(map(va, none, HOST, &h), GNTST_general_error);
    check_eq(flags_of(none), RO);
    WRITE_ONCE(entry[none].flags, RW);
    entry[none].frame = 0xffffffff; /* there is no such frame */
    check_lt(map(va, none, HOST, &h), 0);
    check_eq(flags_of(none), RW);
    check_eq(unmap(va, 0x7fffffff), GNTST_bad_handle);
    check_eq(unmap(va, ~0u), GNTST_bad_handle);
    entry[none].frame = (uint32_t)frame;
    withdraw(none);
    withdraw(ref);
}

TEST(addresses_are_checked)
{
    grant_handle_t h;
    grant_ref_t ref;
    uint64_t unbacked = 0xffffd00000000000ul; /* no tables there */

    need(ready());
    ref = offer(me, frame, RW);
    check_eq(map_at(unbacked, me, ref, HOST, &h), GNTST_general_error);
    check_eq(map_at((uint64_t)FORBIDDEN, me, ref, HOST, &h), GNTST_general_error);
    check_eq(map_at(0x0000800000000000ul, me, ref, HOST, &h), GNTST_general_error);
    check_eq(flags_of(ref), RW);
    need_eq(map(va, ref, HOST, &h), GNTST_okay);
    check_eq(unmap_at(unbacked, 0, h), GNTST_general_error);
    check_eq(unmap_at((uint64_t)FORBIDDEN, 0, h), GNTST_general_error);
    check_eq(unmap(va2, h), GNTST_general_error);
    check_eq(va[7], page[7]); /* still mapped */
    check_eq(unmap(va, h), GNTST_okay);
    withdraw(ref);
}

/* 227: by machine address of an entry: aligned, in a table of level 1, ours. */
TEST(map_by_entry)
{
    uint64_t *pte;
    uint64_t at;
    grant_handle_t h;
    grant_ref_t ref;

    need(ready());
    ref = offer(me, frame, RW);
    need(map_frame((uint64_t)va, frame, PROT_RO) == 0); /* so that the table exists */
    need(unmap_frame((uint64_t)va) == 0);
    pte = pt_entry((uint64_t)va, 1);
    at = virt_to_maddr(pte);
    need_eq(map_at(at, me, ref, HOST | GNTMAP_contains_pte, &h), GNTST_okay);
    check_eq(pte_mfn(*pte), frame);
    va[9] = 0x99;
    check_eq(page[9], 0x99);
    check_eq(unmap_at(at + 8, 0, h), GNTST_general_error);
    check_eq(unmap_at(at, 0, h), GNTST_okay);
    check_eq(*pte, 0);
    for (unsigned off = 1; off < 8; off++) {
        check_eq(map_at(at + off, me, ref, HOST | GNTMAP_contains_pte, &h), GNTST_general_error);
        check_eq(*pte, 0);
    }
    check_eq(map_at(virt_to_maddr(page), me, ref, HOST | GNTMAP_contains_pte, &h),
             GNTST_general_error);
    check_eq(
        map_at(virt_to_maddr(pt_entry((uint64_t)va, 2)), me, ref, HOST | GNTMAP_contains_pte, &h),
        GNTST_general_error); /* a table, but of level 2 */
    check_eq(map_at(0, me, ref, HOST | GNTMAP_contains_pte, &h), GNTST_general_error);
    check_eq(map_at(0x000ffffffffff000ul, me, ref, HOST | GNTMAP_contains_pte, &h),
             GNTST_general_error);
    check_eq(map_at(~7ul, me, ref, HOST | GNTMAP_contains_pte, &h), GNTST_general_error);
    check_eq(flags_of(ref), RW);
    withdraw(ref);
}

TEST(tables_cannot_be_granted_for_writing)
{
    grant_handle_t h;
    grant_ref_t ref;
    mfn_t table;

    need(ready());
    table = pte_mfn(*pt_entry((uint64_t)va, 2)); /* the level 1 table behind va */
    ref = offer(me, table, RW);
    check_eq(map(va2, ref, HOST, &h), GNTST_general_error);
    check_eq(flags_of(ref), RW);
    need_eq(map(va2, ref, HOST | RDONLY, &h), GNTST_okay); /* reading is harmless */
    check_eq(unmap(va2, h), GNTST_okay);
    withdraw(ref);
}

TEST(granted_pages_stay_writable_ones)
{
    struct mmuext_op pin = {.cmd = MMUEXT_PIN_L1_TABLE, .arg1.mfn = frame};
    grant_handle_t h;
    grant_ref_t ref;

    need(ready());
    memset(page, 0, PAGE_SIZE);
    ref = offer(me, frame, RW);
    need_eq(map(va, ref, HOST, &h), GNTST_okay);
    need_eq(map_frame((uint64_t)page, frame, PROT_RO), 0);
    pin.arg1.mfn = frame;
    check_lt(hypercall_mmuext_op(&pin, 1, NULL, DOMID_SELF), 0);
    check_eq(unmap(va, h), GNTST_okay);
    check_eq(hypercall_mmuext_op(&pin, 1, NULL, DOMID_SELF), 0);
    check_eq(map(va, ref, HOST, &h), GNTST_general_error); /* now it is a table */
    pin.cmd = MMUEXT_UNPIN_TABLE;
    check_eq(hypercall_mmuext_op(&pin, 1, NULL, DOMID_SELF), 0);
    check_eq(map_frame((uint64_t)page, frame, PROT_RW), 0);
    withdraw(ref);
}

/* 224: the host and the device part of one mapping, undone one by one. */
TEST(host_and_device)
{
    uint64_t bus;
    grant_handle_t h;
    grant_ref_t ref;

    need(ready());
    if (!guest_is_initial())
        skip("no devices");
    bus = frame << PAGE_SHIFT;
    ref = offer(me, frame, RW);
    need_eq(map(va, ref, HOST | GNTMAP_device_map, &h), GNTST_okay);
    check_eq(unmap_at(0, 0, h), GNTST_okay); /* nothing asked */
    check_eq(unmap_at((uint64_t)va, bus + PAGE_SIZE, h), GNTST_bad_dev_addr);
    check_eq(unmap_at((uint64_t)va, 0, h), GNTST_okay);
    check_fault(TRAP_PF, (void)*(volatile uint8_t *)va);
    check_eq(flags_of(ref), RW | GTF_reading | GTF_writing);
    check_eq(unmap_at(0, bus, h), GNTST_okay);
    check_eq(flags_of(ref), RW);
    check_eq(unmap_at(0, bus, h), GNTST_bad_handle);
    need_eq(map(va, ref, GNTMAP_device_map | RDONLY, &h), GNTST_okay);
    check_fault(TRAP_PF, (void)*(volatile uint8_t *)va); /* only what was asked for */
    check_eq(flags_of(ref), RW | GTF_reading);
    check_eq(unmap_at(0, bus, h), GNTST_okay);
    withdraw(ref);
}

/* 234: the entry was changed by an ordinary update. */
TEST(entry_was_replaced)
{
    uint8_t *other = alloc_page();
    grant_handle_t h;
    grant_ref_t ref;

    need(ready());
    ref = offer(me, frame, RW);
    need_eq(map(va, ref, HOST, &h), GNTST_okay);
    need_eq(map_frame((uint64_t)va, virt_to_mfn(other), PROT_RW), 0);
    check_eq(unmap(va, h), GNTST_general_error);
    other[3] = 3;
    check_eq(va[3], 3); /* untouched */
    check(gnttab_in_use(ref));
    need_eq(unmap_frame((uint64_t)va), 0);
    check_eq(unmap(va, h), GNTST_general_error);
    /* Put back by hand, it can be unmapped. */
    need_eq(map_frame((uint64_t)va, frame, PROT_RW), 0);
    check_eq(unmap(va, h), GNTST_okay);
    withdraw(ref);
    free_page(other);
}

static int replace(void *at, uint64_t new_addr, grant_handle_t h)
{
    struct gnttab_unmap_and_replace op = {
        .host_addr = (uint64_t)at, .new_addr = new_addr, .handle = h, .status = 99};

    check_eq(one_op(GNTTABOP_unmap_and_replace, &op), 0);
    return op.status;
}

TEST(unmap_and_replace)
{
    uint8_t *other = alloc_page();
    grant_handle_t h;
    grant_ref_t ref;

    need(ready());
    ref = offer(me, frame, RW);
    other[1] = 0xab;
    page[1] = 0xcd;
    check_eq(replace(va, 0, 0x7fffffff), GNTST_bad_handle);
    need_eq(map(va, ref, HOST, &h), GNTST_okay);
    need_eq(map_frame((uint64_t)va2, virt_to_mfn(other), PROT_RW), 0);
    check_eq(va[1], 0xcd);
    check_eq(replace(va, 0xffffd00000000000ul, h), GNTST_general_error);
    check_eq(replace(va, (uint64_t)FORBIDDEN, h), GNTST_general_error);
    check_eq(va[1], 0xcd);
    check_eq(replace(va, (uint64_t)va2, h), GNTST_okay);
    check_eq(va[1], 0xab);
    check_fault(TRAP_PF, (void)*(volatile uint8_t *)va2); /* moved, not copied */
    check_eq(flags_of(ref), RW);
    need_eq(unmap_frame((uint64_t)va), 0);
    need_eq(map(va, ref, HOST, &h), GNTST_okay);
    check_eq(replace(va, 0, h), GNTST_okay); /* an ordinary unmap */
    check_fault(TRAP_PF, (void)*(volatile uint8_t *)va);
    withdraw(ref);
    free_page(other);
}

/* 318: each element of a long batch gets its status, preempted or not. */
TEST(batches)
{
    enum { N = 240 }; /* Xen allows 128 pins of a kind */
    static struct gnttab_map_grant_ref m[N];
    static struct gnttab_unmap_grant_ref u[N];
    uint8_t *room;
    grant_ref_t ref;

    need(ready());
    room = vm_reserve(N);
    ref = offer(me, frame, RW);
    for (unsigned i = 0; i < N; i++)
        m[i] = (struct gnttab_map_grant_ref){.host_addr = (uint64_t)room + i * PAGE_SIZE,
                                             .flags = i % 2 ? HOST : HOST | RDONLY,
                                             .ref = i % 10 ? ref : ~0u,
                                             .dom = me,
                                             .status = 99};
    check_eq(hypercall_grant_table_op(GNTTABOP_map_grant_ref, m, N), 0);
    for (unsigned i = 0; i < N; i++) {
        if (m[i].status != (i % 10 ? GNTST_okay : GNTST_bad_gntref))
            check_eq(m[i].status, i);
        u[i] = (struct gnttab_unmap_grant_ref){
            .host_addr = m[i].host_addr, .status = 99, .handle = i % 10 ? m[i].handle : ~0u};
    }
    check_eq(hypercall_grant_table_op(GNTTABOP_unmap_grant_ref, u, N), 0);
    for (unsigned i = 0; i < N; i++)
        if (u[i].status != (i % 10 ? GNTST_okay : GNTST_bad_handle))
            check_eq(u[i].status, i);
    withdraw(ref);
}

/* Unmaps 500 pages; how long the ten took for which it was least, as the machine below us stands still at times. */
static uint64_t least_time_to_unmap(uint8_t *room, const grant_handle_t *h)
{
    uint64_t least = ~0ul;

    for (unsigned i = 0; i < 500; i += 10) {
        uint64_t start = rdtsc(), time;

        for (unsigned k = i; k < i + 10; k++)
            check_eq(unmap(room + k * PAGE_SIZE, h[k]), GNTST_okay);
        time = rdtsc() - start;
        least = time < least ? time : least;
    }
    return least;
}

/* 380, 394: one page, very many mappings: as cheap to undo as few. */
TEST(many_mappings_of_one_page)
{
    enum { REFS = 24, EACH = 120, N = REFS * EACH };
    static grant_handle_t h[N];
    grant_ref_t ref[REFS];
    uint64_t few, many;
    uint8_t *room;
    int rc = 0;

    need(ready());
    room = vm_reserve(N);
    for (unsigned i = 0; i < REFS; i++)
        ref[i] = offer(me, frame, RO);
    for (unsigned n = 0; n < N && rc == 0; n++)
        rc = map(room + n * PAGE_SIZE, ref[n / EACH], HOST | RDONLY, &h[n]);
    need_eq(rc, GNTST_okay);
    many = least_time_to_unmap(room, h);
    for (unsigned i = 500; i < N - 500; i++)
        rc |= unmap(room + i * PAGE_SIZE, h[i]);
    check_eq(flags_of(ref[REFS - 1]), RO | GTF_reading);
    few = least_time_to_unmap(room + (N - 500) * PAGE_SIZE, h + N - 500);
    check_eq(rc, GNTST_okay);
    check_lt(many, few * 20);
    for (unsigned i = 0; i < REFS; i++)
        withdraw(ref[i]);
}

/* 500: what was noted at the first use counts. */
TEST(entry_changes_while_mapped)
{
    uint8_t *other = alloc_page();
    grant_handle_t h, h2;
    grant_ref_t ref;

    need(ready());
    page[0] = 1;
    other[0] = 2;
    ref = offer(me, frame, RW);
    need_eq(map(va, ref, HOST | RDONLY, &h), GNTST_okay);
    entry[ref].frame = (uint32_t)virt_to_mfn(other);
    need_eq(map(va2, ref, HOST, &h2), GNTST_okay);
    check_eq(va2[0], 1);
    check_eq(unmap(va2, h2), GNTST_okay);
    entry[ref].domid = me + 1;
    if (map(va2, ref, HOST, &h2) == GNTST_okay) /* Xen does not look again */
        check_eq(unmap(va2, h2), GNTST_okay);
    check_eq(unmap(va, h), GNTST_okay);
    withdraw(ref);
    free_page(other);
}

/* ---- copy ---- */

static int copy(struct gnttab_copy *c)
{
    c->status = 99;
    check_eq(one_op(GNTTABOP_copy, c), 0);
    return c->status;
}

TEST(copies)
{
    uint8_t *to = alloc_page();
    struct gnttab_copy c = {.len = 100};
    grant_ref_t src, dst;

    need(ready());
    for (unsigned i = 0; i < PAGE_SIZE; i++)
        page[i] = i * 3;
    src = offer(me, frame, RO);
    dst = offer(me, virt_to_mfn(to), RW);
    c.source.domid = c.dest.domid = DOMID_SELF;
    c.source.u.gmfn = frame;
    c.dest.u.gmfn = virt_to_mfn(to);
    c.source.offset = 5;
    c.dest.offset = 3996;
    check_eq(copy(&c), GNTST_okay);
    check(memcmp(to + 3996, page + 5, 100) == 0);
    check_eq(to[3995], 0);
    c.source.u.ref = src;
    c.dest.u.ref = dst;
    c.source.domid = c.dest.domid = me;
    c.source.offset = c.dest.offset = 0;
    c.flags = GNTCOPY_source_gref | GNTCOPY_dest_gref;
    c.len = 4096;
    check_eq(copy(&c), GNTST_okay);
    check(memcmp(to, page, 4096) == 0);
    check_eq(flags_of(src), RO);
    check_eq(flags_of(dst), RW);
    c.source.domid = DOMID_SELF;
    c.len = 0;
    c.source.offset = 4096;
    check_eq(copy(&c), GNTST_okay);
    withdraw(src);
    withdraw(dst);
    free_page(to);
}

TEST(copy_refused)
{
    uint8_t *to = alloc_page();
    struct gnttab_copy good = {.len = 100}, c;
    grant_ref_t ro;

    need(ready());
    good.source.domid = good.dest.domid = DOMID_SELF;
    good.source.u.gmfn = frame;
    good.dest.u.gmfn = virt_to_mfn(to);
    ro = offer(me, virt_to_mfn(to), RO);

    c = good;
    c.source.domid = me; /* only DOMID_SELF may name frames */
    check_eq(copy(&c), GNTST_permission_denied);
    c = good;
    c.source.u.gmfn = 0xfffffffffful;
    check_eq(copy(&c), GNTST_bad_page);
    c.source.u.gmfn = ~0ul;
    check_eq(copy(&c), GNTST_bad_page);
    c = good;
    c.dest.u.gmfn = pte_mfn(*pt_entry((uint64_t)va, 2)); /* a page table */
    check_eq(copy(&c), GNTST_general_error);
    c = good;
    c.dest.u.ref = ro;
    c.dest.domid = me;
    c.flags = GNTCOPY_dest_gref;
    check_eq(copy(&c), GNTST_general_error);
    c.dest.u.ref = ~0u;
    check_eq(copy(&c), GNTST_bad_gntref);
    c.dest.domid = 99;
    check_eq(copy(&c), GNTST_bad_domain);
    c.dest.domid = DOMID_XEN;
    check_eq(copy(&c), GNTST_bad_domain);
    c = good;
    c.source.offset = 3997;
    check_eq(copy(&c), GNTST_bad_copy_arg);
    c.source.offset = 0xffff;
    c.len = 0xffff;
    check_eq(copy(&c), GNTST_bad_copy_arg);
    c = good;
    c.dest.offset = 3997;
    check_eq(copy(&c), GNTST_bad_copy_arg);
    check_eq(flags_of(ro), RO);
    withdraw(ro);
    free_page(to);
}

/* 230: copying does not take the status bits of a mapping away. */
TEST(copy_beside_a_mapping)
{
    struct gnttab_copy c = {.len = 100, .flags = GNTCOPY_source_gref};
    uint8_t *to = alloc_page();
    grant_handle_t h;
    grant_ref_t ref;

    need(ready());
    ref = offer(me, frame, RW);
    need_eq(map(va, ref, HOST, &h), GNTST_okay);
    c.source.u.ref = ref;
    c.source.domid = me;
    c.dest.domid = DOMID_SELF;
    c.dest.u.gmfn = virt_to_mfn(to);
    check_eq(copy(&c), GNTST_okay);
    check_eq(flags_of(ref), RW | GTF_reading | GTF_writing);
    check_eq(unmap(va, h), GNTST_okay);
    withdraw(ref);
    free_page(to);
}

TEST(long_batch_of_copies)
{
    enum { N = 300 };
    static struct gnttab_copy c[N];
    uint8_t *to = alloc_page();
    grant_ref_t ref;

    need(ready());
    ref = offer(me, frame, RO);
    for (unsigned i = 0; i < N; i++) {
        c[i] = (struct gnttab_copy){.len = 8, .flags = GNTCOPY_source_gref, .status = 99};
        c[i].source.u.ref = i % 50 == 7 ? ~0u : ref;
        c[i].source.domid = me;
        c[i].source.offset = i;
        c[i].dest.domid = DOMID_SELF;
        c[i].dest.u.gmfn = virt_to_mfn(to);
        c[i].dest.offset = i * 8;
    }
    check_eq(hypercall_grant_table_op(GNTTABOP_copy, c, N), 0);
    for (unsigned i = 0; i < N; i++) {
        if (c[i].status != (i % 50 == 7 ? GNTST_bad_gntref : GNTST_okay))
            check_eq(c[i].status, i);
        if (i % 50 != 7)
            check(memcmp(to + i * 8, page + i, 8) == 0);
    }
    check_eq(flags_of(ref), RO);
    withdraw(ref);
    free_page(to);
}

/* ---- swap ---- */

static int swap(grant_ref_t a, grant_ref_t b)
{
    struct gnttab_swap_grant_ref op = {.ref_a = a, .ref_b = b, .status = 99};

    check_eq(one_op(GNTTABOP_swap_grant_ref, &op), 0);
    return op.status;
}

TEST(swaps)
{
    grant_handle_t h;
    grant_ref_t a, b;

    need(ready());
    a = offer(me, frame, RW);
    b = offer(77, 5, RO);
    check_eq(swap(a, b), GNTST_okay);
    check_eq(flags_of(a), RO);
    check_eq(entry[a].domid, 77);
    check_eq(entry[b].frame, frame);
    check_eq(swap(a, a), GNTST_okay);
    check_eq(swap(a, ~0u), GNTST_bad_gntref); /* 18, 134 */
    check_eq(swap(0x7fffffff, a), GNTST_bad_gntref);
    need_eq(map(va, b, HOST, &h), GNTST_okay);
    check_eq(swap(a, b), GNTST_eagain);
    check_eq(swap(b, a), GNTST_eagain);
    check_eq(unmap(va, h), GNTST_okay);
    check_eq(swap(a, b), GNTST_okay);
    withdraw(a);
    withdraw(b);
}

/* ---- transfer ---- */

static int transfer(mfn_t mfn, domid_t to, grant_ref_t ref)
{
    struct gnttab_transfer op = {.mfn = mfn, .domid = to, .ref = ref, .status = 99};

    check_eq(one_op(GNTTABOP_transfer, &op), 0);
    return op.status;
}

TEST(transfer_refused)
{
    need(ready());
    check_eq(transfer(~0ul, me, 8), GNTST_bad_page);
    check_eq(transfer(0xfffffffffful, me, 8), GNTST_bad_page);
    check_eq(transfer(frame, me, 8), GNTST_bad_page); /* is mapped */
    check_eq(transfer(pte_mfn(*pt_entry((uint64_t)va, 2)), me, 8), GNTST_bad_page);
    check_eq(transfer(pte_mfn(*pt_entry((uint64_t)entry, 1)), me, 8), GNTST_bad_page);
    check_eq(page[0], *(volatile uint8_t *)page);
}

/* A page that goes from us to ourselves. */
TEST(transfer_to_self)
{
    uint8_t *gift = alloc_page();
    mfn_t mfn = virt_to_mfn(gift);
    grant_ref_t ref;
    uint64_t addr = (uint64_t)gift;

    need(ready());
    gift[100] = 0x64;
    ref = offer(me, 0, GTF_accept_transfer);
    check_eq(transfer(mfn, me, ref), GNTST_bad_page); /* still mapped */
    check_eq(flags_of(ref), GTF_accept_transfer);
    need_eq(unmap_frame(addr), 0);
    check_eq(transfer(mfn, me, ref), GNTST_okay);
    check_eq(entry[ref].frame, mfn);
    check_eq(flags_of(ref), GTF_accept_transfer | GTF_transfer_committed | GTF_transfer_completed);
    need_eq(map_frame(addr, mfn, PROT_RW), 0);
    check_eq(gift[100], 0x64);
    WRITE_ONCE(entry[ref].flags, 0);
    gnttab_free_ref(ref);
    {
        struct mmu_update back = {.ptr = mfn << PAGE_SHIFT | MMU_MACHPHYS_UPDATE,
                                  .val = virt_to_pfn(gift)};

        check_eq(hypercall_mmu_update(&back, 1, NULL, DOMID_SELF), 0);
    }
    free_page(gift);
}

/* ---- cache flush ---- */

static long flush(uint64_t addr, uint16_t off, uint16_t len, uint32_t how)
{
    struct gnttab_cache_flush op = {
        .a.dev_bus_addr = addr, .offset = off, .length = len, .op = how};

    return one_op(GNTTABOP_cache_flush, &op);
}

TEST(cache_flushes)
{
    uint64_t own;

    need(ready());
    own = frame << PAGE_SHIFT;
    check_eq(flush(own, 16, 100, GNTTAB_CACHE_CLEAN), 0);
    check_eq(flush(own, 0, 4096, GNTTAB_CACHE_CLEAN | GNTTAB_CACHE_INVAL), 0);
    check_eq(flush(own, 0, 0, GNTTAB_CACHE_CLEAN), 0);
    check_eq(flush(own, 0, 16, 0), 0);
    check_eq(flush(own, 4096, 0, GNTTAB_CACHE_CLEAN), -EINVAL);
    check_eq(flush(own, 1, 4096, GNTTAB_CACHE_CLEAN), -EINVAL);
    check_eq(flush(own, 0, 0xffff, GNTTAB_CACHE_CLEAN), -EINVAL);
    check_eq(flush(own, 0, 16, 4), -EINVAL);
    check_eq(flush(own, 0, 16, GNTTAB_CACHE_CLEAN | GNTTAB_CACHE_SOURCE_GREF), -EINVAL);
    check_eq(flush(own, 0, 16, GNTTAB_CACHE_INVAL), -EOPNOTSUPP);
    check_lt(flush(~0ul, 0, 16, GNTTAB_CACHE_CLEAN), 0);
    check_lt(flush(0x000ffffffffff000ul, 0, 16, GNTTAB_CACHE_CLEAN), 0);
    check_lt(flush(0xb8000, 0, 16, GNTTAB_CACHE_CLEAN), 0); /* 232: no domain's */
}

/* ---- races: 218, 228; a granter that scribbles: 295, 316 ---- */

static volatile bool stop_racing;
static grant_ref_t race_ref[4];

static void racing_unmapper(void *arg)
{
    (void)arg;
    while (!stop_racing)
        for (grant_handle_t h = 0; h < 16; h++)
            unmap(va, h);
}

TEST(unmap_races_unmap)
{
    grant_ref_t ref;
    grant_handle_t h;

    need(ready());
    if (vcpu_count() < 2)
        skip("one vcpu only");
    ref = offer(me, frame, RW);
    stop_racing = false;
    need_eq(vcpu_start(1, racing_unmapper, NULL), 0);
    for (unsigned i = 0; i < 500; i++) {
        int rc = map(va, ref, HOST, &h);

        if (rc == GNTST_okay)
            rc = unmap(va, h);
        if (rc > 0)
            check_eq(rc, 0);
    }
    stop_racing = true;
    vcpu_wait_down(1);
    for (h = 0; h < 64; h++)
        unmap(va, h);
    check_eq(flags_of(ref), RW);
    withdraw(ref);
}

static void scribbling_granter(void *arg)
{
    uint64_t x = 88172645463325252ul;

    (void)arg;
    while (!stop_racing) {
        struct grant_entry_v1 *e = &entry[race_ref[x % 4]];

        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        WRITE_ONCE(e->flags, x & 64 ? RW : (uint16_t)(x >> 16));
        WRITE_ONCE(e->domid, x & 128 ? me : (domid_t)(x >> 32));
        WRITE_ONCE(e->frame, x & 256 ? (uint32_t)frame : (uint32_t)(x >> 40));
    }
}

TEST(scribbled_entries)
{
    struct gnttab_copy c = {.len = 16, .flags = GNTCOPY_source_gref | GNTCOPY_dest_gref};
    unsigned mapped = 0;
    grant_handle_t h;

    need(ready());
    if (vcpu_count() < 2)
        skip("one vcpu only");
    for (unsigned i = 0; i < 4; i++)
        race_ref[i] = offer(me, frame, RW);
    stop_racing = false;
    need_eq(vcpu_start(1, scribbling_granter, NULL), 0);
    for (unsigned i = 0; i < 1500; i++) {
        int rc = map(va, race_ref[i % 4], i % 3 ? HOST : HOST | RDONLY, &h);

        if (rc > 0)
            check_eq(rc, 0); /* 316: never positive */
        if (rc == GNTST_okay) {
            mapped++;
            check_eq(unmap(va, h), GNTST_okay);
        }
        c.source.domid = c.dest.domid = me;
        c.source.u.ref = race_ref[i % 3];
        c.dest.u.ref = race_ref[i / 4 % 4];
        if (copy(&c) > 0)
            check_eq(c.status, 0);
        swap(race_ref[i % 4], race_ref[i / 7 % 4]);
    }
    stop_racing = true;
    vcpu_wait_down(1);
    note("%u of 1500 mapped", mapped);
    for (unsigned i = 0; i < 4; i++) {
        WRITE_ONCE(entry[race_ref[i]].flags, 0);
        gnttab_free_ref(race_ref[i]);
    }
}

/* ---- two domains ---- */

static bool have_peer(struct peer *p)
{
    struct evtchn_status st = {.dom = 1};

    return hypercall_event_channel_op(EVTCHNOP_status, &st) == 0 && peer_connect(p, 1) == 0;
}

static long peer_grant(long to, long flags, long c, long d)
{
    (void)c, (void)d;
    if (!ready())
        return -1;
    page[42] = 42;
    return offer(to, frame, flags);
}

static long peer_flags(long ref, long b, long c, long d)
{
    (void)b, (void)c, (void)d;
    return flags_of(ref);
}

static long peer_byte(long at, long b, long c, long d)
{
    (void)b, (void)c, (void)d;
    return page[at];
}

static long peer_end_grant(long ref, long b, long c, long d)
{
    (void)b, (void)c, (void)d;
    return gnttab_end(ref);
}

static long peer_foreign_table(long dom, long cmd, long c, long d)
{
    struct gnttab_query_size q = {.dom = dom, .status = 99};
    xen_pfn_t list[1];

    (void)c, (void)d;
    if (cmd == GNTTABOP_setup_table)
        return setup(dom, 1, list);
    return one_op(cmd, &q) ? -1000 : q.status;
}

static long peer_map(long dom, long ref, long flags, long d)
{
    grant_handle_t h;
    int rc;

    (void)d;
    if (!ready())
        return -1000;
    rc = map_at((uint64_t)va, dom, ref, flags, &h);
    if (rc == GNTST_okay)
        unmap(va, h);
    return rc;
}

TEST(between_domains)
{
    grant_handle_t h;
    struct peer p;
    long ref;

    need(ready());
    if (!have_peer(&p))
        skip("no second domain");
    ref = peer_call(&p, peer_grant, me, RW, 0, 0);
    need_eq(map_at((uint64_t)va, 1, ref, HOST, &h), GNTST_okay);
    check_eq(va[42], 42);
    va[43] = 43;
    check_eq(peer_call(&p, peer_byte, 43, 0, 0, 0), 43);
    check_eq(peer_call(&p, peer_flags, ref, 0, 0, 0), RW | GTF_reading | GTF_writing);
    check_eq(peer_call(&p, peer_end_grant, ref, 0, 0, 0), 0);
    check_eq(unmap(va, h), GNTST_okay);
    check_eq(peer_call(&p, peer_flags, ref, 0, 0, 0), RW);
    check_eq(peer_call(&p, peer_end_grant, ref, 0, 0, 0), 1);
    check_eq(map_at((uint64_t)va, 1, ref, HOST, &h), GNTST_general_error);
    peer_disconnect(&p);
}

TEST(unprivileged_domain_is_refused)
{
    grant_ref_t ref;
    struct peer p;

    need(ready());
    if (!have_peer(&p))
        skip("no second domain");
    check_eq(peer_call(&p, peer_foreign_table, me, GNTTABOP_setup_table, 0, 0),
             GNTST_permission_denied);
    check_eq(peer_call(&p, peer_foreign_table, me, GNTTABOP_query_size, 0, 0),
             GNTST_permission_denied);
    check_eq(peer_call(&p, peer_foreign_table, 99, GNTTABOP_query_size, 0, 0), GNTST_bad_domain);
    ref = offer(me, frame, RW); /* for us, not for it */
    check_eq(peer_call(&p, peer_map, me, ref, HOST, 0), GNTST_general_error);
    withdraw(ref);
    ref = offer(1, frame, RO);
    check_eq(peer_call(&p, peer_map, me, ref, HOST, 0), GNTST_general_error);
    check_eq(peer_call(&p, peer_map, me, ref, HOST | RDONLY, 0), GNTST_okay);
    withdraw(ref);
    peer_disconnect(&p);
}

static long peer_map_and_keep(long dom, long ref, long c, long d)
{
    grant_handle_t h;

    (void)c, (void)d;
    return ready() ? map_at((uint64_t)va2, dom, ref, HOST, &h) : -1000;
}

static long peer_die(long a, long b, long c, long d)
{
    (void)a, (void)b, (void)c, (void)d;
    guest_shutdown(SHUTDOWN_poweroff);
}

/* A domain dies with a mapping of our page, while we have one of its. */
TEST(peer_dies_with_mappings)
{
    grant_handle_t h, none;
    grant_ref_t ours;
    struct peer p;
    long theirs;

    need(ready());
    if (!have_peer(&p))
        skip("no second domain");
    theirs = peer_call(&p, peer_grant, me, RW, 0, 0);
    need_eq(map_at((uint64_t)va, 1, theirs, HOST, &h), GNTST_okay);
    ours = offer(1, frame, RW);
    check_eq(peer_call(&p, peer_map_and_keep, me, ours, 0, 0), GNTST_okay);
    check(gnttab_in_use(ours));
    peer_start(&p, peer_die, 0, 0, 0, 0);
    check(eventually(!gnttab_in_use(ours)));
    withdraw(ours);
    check_eq(va[42], 42); /* its page is there as long as we map it */
    va[44] = 44;
    check_eq(va[44], 44);
    if (map_at((uint64_t)va2, 1, theirs, HOST, &none) ==
        GNTST_okay) /* while it is being taken down */
        check_eq(unmap(va2, none), GNTST_okay);
    check_eq(unmap(va, h), GNTST_okay);
    check_eq(gnttab_unmap(p.page, p.handle), GNTST_okay);
    check(eventually(map_at((uint64_t)va2, 1, ~0u, HOST, &none) == GNTST_bad_domain));
}
