/* SPDX-License-Identifier: MIT */
/* Grant tables: each operation good and refused, exact counts after each, the attacks of the past,
 * random operations by three domains against a model, and races. Page tables are the fake
 * machine's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "fake.h"
#include <hv/gnttab_table.h>
#include <hv/heap.h>
#include <pthread.h>
#include <stdlib.h>

#define DOMS    3
#define PAGES   8
#define FRAMES  4   /* of a grant table */
#define HANDLES 256 /* one maptrack frame */

static struct domain *dom[DOMS];
static struct page *page[DOMS][PAGES];
static struct grant_entry_v1 *table[DOMS];
static size_t heap_before;
static uint64_t free_before;

/* The fake machine's, but something may happen in the middle of it. */
static void (*while_unmapping)(void);

int mmu_grant_unmap(uint64_t addr, struct page *pg, bool writable, bool contains_pte,
                    uint64_t new_addr)
{
    struct fake_mapping *m = NULL, *moved = NULL;

    (void)contains_pte;
    for (unsigned int i = 0; i < FAKE_MAPPINGS; i++) {
        if (!fake_mappings[i].page || fake_mappings[i].d != current_domain())
            continue;
        if (fake_mappings[i].addr == addr)
            m = &fake_mappings[i];
        else if (fake_mappings[i].addr == new_addr)
            moved = &fake_mappings[i];
    }
    if (while_unmapping)
        while_unmapping();
    if (!m || m->page != pg || (m->writable && !writable))
        return -EINVAL;
    m->page = NULL;
    fake_nr_mappings--;
    if (m->writable)
        page_put_writable(pg);
    else
        page_put(pg);
    if (moved)
        moved->addr = addr;
    return 0;
}

/* ---- calls as a guest makes them ---- */

static long op(unsigned int by, unsigned int cmd, void *arg, unsigned int count)
{
    fake_run(dom[by]->vcpu[0]);
    return do_grant_table_op(cmd, guest_ptr((uintptr_t)arg), count);
}

static int setup_table(unsigned int by, domid_t d, uint32_t frames, xen_pfn_t *list)
{
    struct gnttab_setup_table a = {.dom = d, .nr_frames = frames, .status = 99};

    set_xen_guest_handle(a.frame_list, list);
    assert_int_equal(op(by, GNTTABOP_setup_table, &a, 1), 0);
    return a.status;
}

static void grant(unsigned int d, uint32_t ref, domid_t to, struct page *pg, uint16_t flags)
{
    table[d][ref].frame = (uint32_t)page_mfn(pg).n;
    table[d][ref].domid = to;
    table[d][ref].flags = flags;
}

#define RW GTF_permit_access
#define RO (GTF_permit_access | GTF_readonly)

static int map(unsigned int by, domid_t d, uint32_t ref, uint64_t va, uint32_t flags,
               uint32_t *handle)
{
    struct gnttab_map_grant_ref a = {
        .host_addr = va, .flags = flags, .ref = ref, .dom = d, .status = 99, .handle = 0x1234567};

    assert_int_equal(op(by, GNTTABOP_map_grant_ref, &a, 1), 0);
    if (a.status == GNTST_okay) {
        *handle = a.handle;
        assert_int_equal(a.dev_bus_addr >> PAGE_SHIFT, active_entry(dom[d]->gnttab, ref)->frame);
    } else {
        assert_int_equal(a.handle, 0x1234567);
    }
    return a.status;
}

static int unmap_both(unsigned int by, uint64_t va, uint64_t dev, uint32_t handle)
{
    struct gnttab_unmap_grant_ref a = {
        .host_addr = va, .dev_bus_addr = dev, .handle = handle, .status = 99};

    assert_int_equal(op(by, GNTTABOP_unmap_grant_ref, &a, 1), 0);
    return a.status;
}

static int unmap(unsigned int by, uint64_t va, uint32_t handle)
{
    return unmap_both(by, va, 0, handle);
}

static unsigned long refs(const struct page *pg)
{
    return pg->count & PGC_COUNT_MASK;
}

static unsigned long writers(const struct page *pg)
{
    return pgt_type(pg->type) == PGT_WRITABLE ? pgt_count(pg->type) : 0;
}

#define HOST   GNTMAP_host_map
#define RDONLY GNTMAP_readonly

static int setup(void **state)
{
    (void)state;
    fake_init_alloc(8192, 4);
    heap_before = heap_used();
    for (unsigned int i = 0; i < DOMS; i++)
        dom[i] = fake_domain(i, i == 0, 2);
    page_alloc_drain();
    free_before = page_free_count();
    for (unsigned int i = 0; i < DOMS; i++) {
        xen_pfn_t frames[FRAMES];

        assert_int_equal(gnttab_domain_init(dom[i], FRAMES, 1), 0);
        assert_int_equal(setup_table(i, DOMID_SELF, 1, frames), GNTST_okay);
        table[i] = mfn_to_virt(mfn(frames[0]));
        for (unsigned int p = 0; p < PAGES; p++) {
            page[i][p] = page_alloc_domain(dom[i], 0, 0, false);
            assert_non_null(page[i][p]);
            memset(page_virt(page[i][p]), (int)(i * 16 + p), PAGE_SIZE);
        }
    }
    return 0;
}

static void release_pages(struct domain *d)
{
    struct page *pg, *prev = NULL;

    while ((pg = page_next_owned(d, prev))) {
        page_release(pg);
        if (prev)
            page_put(prev);
        prev = pg;
    }
    if (prev)
        page_put(prev);
}

static int teardown(void **state)
{
    (void)state;
    fake_preempt_every = 0;
    for (unsigned int i = 0; i < DOMS; i++) {
        fake_run(dom[i]->vcpu[0]);
        assert_int_equal(gnttab_audit(dom[i]), 0);
        dom[i]->is_dying = DOMDYING_DYING;
        assert_int_equal(gnttab_release_mappings(dom[i]), 0);
    }
    /* What page tables held goes with them. */
    for (unsigned int i = 0; i < FAKE_MAPPINGS; i++)
        if (fake_mappings[i].page) {
            if (fake_mappings[i].writable)
                page_put_type(fake_mappings[i].page);
            page_put(fake_mappings[i].page);
        }
    for (unsigned int i = 0; i < DOMS; i++) {
        release_pages(dom[i]);
        assert_int_equal(dom[i]->tot_pages, 0);
        assert_int_equal(dom[i]->refcnt, 1);
        gnttab_domain_free(dom[i]);
    }
    assert_int_equal(heap_used(), heap_before);
    page_alloc_drain();
    assert_int_equal(page_free_count(), free_before);
    return 0;
}

/* ---- tables ---- */

static void tables_grow(void **state)
{
    xen_pfn_t f[FRAMES + 1] = {0}, first;
    struct gnttab_query_size q = {.dom = DOMID_SELF};
    struct gnttab_setup_table bad = {.dom = DOMID_SELF, .nr_frames = 1};
    mfn_t m;

    (void)state;
    assert_int_equal(setup_table(1, DOMID_SELF, 1, f), GNTST_okay);
    first = f[0];
    assert_int_equal(setup_table(1, 1, 3, f), GNTST_okay);
    assert_int_equal(f[0], first);
    assert_int_equal(f[3], 0);
    for (unsigned int i = 0; i < 3; i++) {
        assert_ptr_equal(page_owner(mfn_page(mfn(f[i]))), dom[1]);
        assert_true(mfn_page(mfn(f[i]))->count & PGC_SHARED);
    }
    assert_int_equal(setup_table(1, DOMID_SELF, FRAMES + 1, f), GNTST_general_error);
    assert_int_equal(setup_table(1, DOMID_SELF, ~0u, f), GNTST_general_error);
    assert_int_equal(setup_table(1, DOMID_SELF, 2, NULL), GNTST_bad_virt_addr);
    assert_int_equal(setup_table(1, DOMID_SELF, 0, NULL), GNTST_okay);
    set_xen_guest_handle(bad.frame_list, (void *)HV_VIRT_START);
    assert_int_equal(op(1, GNTTABOP_setup_table, &bad, 1), -EFAULT);
    assert_int_equal(setup_table(1, 2, 1, f), GNTST_permission_denied);
    assert_int_equal(setup_table(1, 9, 1, f), GNTST_bad_domain);
    assert_int_equal(setup_table(1, DOMID_XEN, 1, f), GNTST_bad_domain);
    assert_int_equal(setup_table(0, 2, 1, f), GNTST_okay);
    assert_int_equal(op(1, GNTTABOP_setup_table, f, 2), -EINVAL);
    assert_int_equal(op(1, GNTTABOP_setup_table, NULL, 1), -EFAULT);

    assert_int_equal(op(1, GNTTABOP_query_size, &q, 1), 0);
    assert_int_equal(q.status, GNTST_okay);
    assert_int_equal(q.nr_frames, 3);
    assert_int_equal(q.max_nr_frames, FRAMES);
    assert_int_equal(op(1, GNTTABOP_query_size, &q, 0), -EINVAL);
    q.dom = 2;
    assert_int_equal(op(1, GNTTABOP_query_size, &q, 1), 0);
    assert_int_equal(q.status, GNTST_permission_denied);

    assert_int_equal(gnttab_get_shared_frame(dom[1], 0, &m), 0);
    assert_int_equal(m.n, first);
    assert_int_equal(gnttab_get_shared_frame(dom[1], FRAMES - 1, &m), 0);
    assert_int_equal(dom[1]->gnttab->nr_frames, FRAMES);
    assert_int_equal(gnttab_get_shared_frame(dom[1], FRAMES, &m), -EINVAL);
    assert_int_equal(gnttab_get_shared_frame(dom[1], 1UL << 32, &m), -EINVAL);
}

static void versions(void **state)
{
    struct gnttab_set_version s = {.version = 1};
    struct gnttab_get_version g = {.dom = DOMID_SELF};
    struct gnttab_get_status_frames f = {.dom = DOMID_SELF};

    (void)state;
    assert_int_equal(op(1, GNTTABOP_set_version, &s, 1), 0);
    s.version = 2;
    assert_int_equal(op(1, GNTTABOP_set_version, &s, 1), -ENOSYS);
    assert_int_equal(s.version, 1);
    s.version = 3;
    assert_int_equal(op(1, GNTTABOP_set_version, &s, 1), -EINVAL);
    assert_int_equal(op(1, GNTTABOP_get_version, &g, 1), 0);
    assert_int_equal(g.version, 1);
    g.dom = 2;
    assert_int_equal(op(1, GNTTABOP_get_version, &g, 1), -EPERM);
    g.dom = 9;
    assert_int_equal(op(1, GNTTABOP_get_version, &g, 1), -ESRCH);
    assert_int_equal(op(1, GNTTABOP_get_status_frames, &f, 1), 0);
    assert_int_equal(f.status, GNTST_okay);
    f.nr_frames = 1;
    assert_int_equal(op(1, GNTTABOP_get_status_frames, &f, 1), 0);
    assert_int_equal(f.status, GNTST_general_error);
    assert_int_equal(op(1, GNTTABOP_get_status_frames, &f, 2), -EINVAL);
    for (unsigned int cmd = 13; cmd < 100; cmd++)
        assert_int_equal(op(1, cmd, &f, 1), -ENOSYS);
    assert_int_equal(op(1, GNTTABOP_dump_table, &f, 1), -ENOSYS);
    assert_int_equal(op(1, 0xfff, &f, 1), -ENOSYS);
    assert_int_equal(op(1, ~0u, &f, 1), -EINVAL);
}

static void batches_are_bounded(void **state)
{
    (void)state;
    for (unsigned int cmd = 0; cmd < 13; cmd++) {
        assert_int_equal(op(1, cmd, table, 0x80000000u), -EINVAL);
        if (cmd == GNTTABOP_map_grant_ref || cmd == GNTTABOP_unmap_grant_ref ||
            cmd == GNTTABOP_copy || cmd == GNTTABOP_unmap_and_replace ||
            cmd == GNTTABOP_swap_grant_ref || cmd == GNTTABOP_cache_flush ||
            cmd == GNTTABOP_transfer) {
            assert_int_equal(op(1, cmd, NULL, 0), 0);
            assert_int_equal(op(1, cmd, NULL, 1), -EFAULT);
            assert_int_equal(op(1, cmd, (void *)0xffff7ffffffff000ul, 0x7fffffff), -EFAULT);
            assert_int_equal(op(1, cmd, (void *)0xfffffffffffff000ul, 0x7fffffff), -EFAULT);
        }
    }
}

/* ---- map and unmap ---- */

static void map_and_unmap(void **state)
{
    struct page *pg = page[1][0];
    uint32_t h, h2;

    (void)state;
    grant(1, 5, 2, pg, RW);
    assert_int_equal(map(2, 1, 5, 0x1000, HOST, &h), GNTST_okay);
    assert_int_equal(refs(pg), 3); /* the owner's, the mapping's, the page-table entry's */
    assert_int_equal(writers(pg), 2);
    assert_int_equal(table[1][5].flags, RW | GTF_reading | GTF_writing);
    assert_int_equal(map(2, 1, 5, 0x2000, HOST | RDONLY, &h2), GNTST_okay);
    assert_int_not_equal(h, h2);
    assert_int_equal(refs(pg), 5);
    assert_int_equal(writers(pg), 2);
    assert_int_equal(gnttab_audit(dom[1]), 0);
    assert_int_equal(unmap(2, 0x1000, h), GNTST_okay);
    assert_int_equal(table[1][5].flags, RW | GTF_reading); /* 230: one to read remains */
    assert_int_equal(refs(pg), 3);
    assert_int_equal(writers(pg), 0);
    assert_int_equal(unmap(2, 0x2000, h2), GNTST_okay);
    assert_int_equal(table[1][5].flags, RW);
    assert_int_equal(refs(pg), 1);
    assert_int_equal(unmap(2, 0x2000, h2), GNTST_bad_handle);
    assert_int_equal(unmap(2, 0x1000, h), GNTST_bad_handle);
    assert_int_equal(fake_nr_mappings, 0);
}

static void map_is_refused(void **state)
{
    struct page *l1 = page[1][1];
    uint32_t h;

    (void)state;
    grant(1, 5, 2, page[1][0], RO);
    assert_int_equal(map(2, 1, 5, 0x1000, HOST, &h), GNTST_general_error);
    assert_int_equal(map(0, 1, 5, 0x1000, HOST | RDONLY, &h), GNTST_general_error);
    assert_int_equal(map(2, 1, 5, 0x1000, RDONLY, &h), GNTST_bad_gntref);
    assert_int_equal(map(2, 1, 512, 0x1000, HOST, &h), GNTST_bad_gntref);
    assert_int_equal(map(2, 1, ~0u, 0x1000, HOST, &h), GNTST_bad_gntref);
    assert_int_equal(map(2, 9, 5, 0x1000, HOST, &h), GNTST_bad_domain);
    assert_int_equal(map(2, DOMID_SELF, 5, 0x1000, HOST, &h), GNTST_bad_domain);
    assert_int_equal(map(2, DOMID_XEN, 5, 0x1000, HOST, &h), GNTST_bad_domain);
    assert_int_equal(map(2, 1, 5, 0x1000, HOST | RDONLY | GNTMAP_device_map, &h),
                     GNTST_permission_denied);
    grant(1, 6, 2, page[1][0], GTF_invalid);
    assert_int_equal(map(2, 1, 6, 0x1000, HOST, &h), GNTST_general_error);
    grant(1, 6, 2, page[1][0], GTF_accept_transfer);
    assert_int_equal(map(2, 1, 6, 0x1000, HOST, &h), GNTST_general_error);
    grant(1, 6, 2, page[1][0], GTF_transitive);
    assert_int_equal(map(2, 1, 6, 0x1000, HOST, &h), GNTST_general_error);
    grant(1, 6, 2, page[1][0], RW | GTF_sub_page);
    assert_int_equal(map(2, 1, 6, 0x1000, HOST, &h), GNTST_general_error);
    grant(1, 6, 2, page[0][0], RW); /* another domain's frame */
    assert_int_equal(map(2, 1, 6, 0x1000, HOST, &h), GNTST_bad_page);
    assert_int_equal(table[1][6].flags, RW); /* the bits were taken back */
    table[1][6].frame = ~0u;                 /* no frame at all */
    assert_int_equal(map(2, 1, 6, 0x1000, HOST, &h), GNTST_bad_page);
    table[1][6].frame = (uint32_t)virt_to_mfn(table[1]).n; /* 248: its own grant table */
    assert_int_equal(map(2, 1, 6, 0x1000, HOST, &h), GNTST_bad_page);
    grant(1, 6, 2, l1, RW);
    fake_to_table(l1);
    assert_int_equal(map(2, 1, 6, 0x1000, HOST, &h), GNTST_general_error);
    assert_int_equal(map(2, 1, 6, 0x1000, HOST | RDONLY, &h), GNTST_okay); /* reading is harmless */
    assert_int_equal(unmap(2, 0x1000, h), GNTST_okay);
    fake_from_table(l1);
    assert_int_equal(fake_nr_mappings, 0);
    assert_int_equal(refs(page[1][0]), 1);
}

/* 224: a failure at the last step leaves nothing. */
static void map_fails_in_the_page_table(void **state)
{
    struct page *pg = page[1][0];
    uint32_t h;

    (void)state;
    grant(1, 5, 2, pg, RW);
    fake_map_error = -EFAULT;
    assert_int_equal(map(2, 1, 5, 0x1000, HOST, &h), GNTST_general_error);
    assert_int_equal(refs(pg), 1);
    assert_int_equal(writers(pg), 0);
    assert_int_equal(table[1][5].flags, RW);
    for (unsigned int i = 0; i < 2 * HANDLES; i++) {
        fake_map_error = -EFAULT;
        assert_int_equal(map(2, 1, 5, 0x1000, HOST, &h), GNTST_general_error);
    }
    assert_int_equal(map(2, 1, 5, 0x1000, HOST, &h), GNTST_okay); /* no handle was lost */
    assert_int_equal(unmap(2, 0x1000, h), GNTST_okay);
}

/* 224: host and device parts of one mapping, undone one by one. */
static void host_and_device(void **state)
{
    struct page *pg = page[1][0];
    uint64_t dev = page_mfn(pg).n << PAGE_SHIFT;
    uint32_t h;

    (void)state;
    grant(1, 5, 0, pg, RW);
    assert_int_equal(map(0, 1, 5, 0x1000, HOST | GNTMAP_device_map, &h), GNTST_okay);
    assert_int_equal(unmap_both(0, 0, 0, h), GNTST_okay); /* nothing asked, nothing done */
    assert_int_equal(unmap_both(0, 0x1000, dev + PAGE_SIZE, h), GNTST_bad_dev_addr);
    assert_int_equal(fake_nr_mappings, 1);
    assert_int_equal(unmap_both(0, 0, dev, h), GNTST_okay);
    assert_int_equal(table[1][5].flags, RW | GTF_reading | GTF_writing);
    assert_int_equal(refs(pg), 3);
    assert_int_equal(unmap_both(0, 0, dev, h), GNTST_okay); /* is gone already */
    assert_int_equal(unmap_both(0, 0x1000, 0, h), GNTST_okay);
    assert_int_equal(unmap_both(0, 0x1000, 0, h), GNTST_bad_handle);
    assert_int_equal(refs(pg), 1);

    assert_int_equal(map(0, 1, 5, 0x1000, RDONLY | GNTMAP_device_map, &h), GNTST_okay);
    assert_int_equal(fake_nr_mappings, 0); /* only what was asked for is mapped */
    assert_int_equal(table[1][5].flags, RW | GTF_reading);
    assert_int_equal(unmap_both(0, 0x1000, 0, h), GNTST_okay); /* has no host part */
    assert_int_equal(refs(pg), 2);
    assert_int_equal(unmap_both(0, 0, dev, h), GNTST_okay);
    assert_int_equal(refs(pg), 1);
}

/* 234: the guest has changed the page-table entry itself. */
static void entry_was_replaced(void **state)
{
    struct page *pg = page[1][0];
    uint32_t h, h2;

    (void)state;
    grant(1, 5, 2, pg, RW);
    assert_int_equal(map(2, 1, 5, 0x1000, HOST, &h), GNTST_okay);
    assert_int_equal(unmap(2, 0x2000, h), GNTST_general_error);
    assert_int_equal(refs(pg), 3);
    assert_int_equal(map(2, 1, 5, 0x2000, HOST | RDONLY, &h2), GNTST_okay);
    assert_int_equal(unmap(2, 0x1000, h2), GNTST_general_error); /* is writable, that handle not */
    assert_int_equal(unmap(2, 0x2000, h2), GNTST_okay);
    /* An ordinary update drops the entry's own references ... */
    for (unsigned int i = 0; i < FAKE_MAPPINGS; i++)
        if (fake_mappings[i].page) {
            fake_mappings[i].page = NULL;
            page_put_writable(pg);
        }
    assert_int_equal(unmap(2, 0x1000, h), GNTST_general_error);
    assert_int_equal(refs(pg), 2); /* ... and the mapping keeps the frame until the domain ends */
    assert_int_equal(gnttab_audit(dom[1]), 0);
    dom[2]->is_dying = DOMDYING_DYING;
    assert_int_equal(gnttab_release_mappings(dom[2]), 0);
    assert_int_equal(refs(pg), 1);
    assert_int_equal(table[1][5].flags, RW);
}

/* 218: a second CPU unmaps the same handle while the first is at it; and maps something new. */
static uint32_t raced_handle, other_handle;
static int raced_status[2];

static void second_cpu(void)
{
    while_unmapping = NULL;
    fake_cpu(1);
    raced_status[0] = unmap(2, 0x1000, raced_handle);
    raced_status[1] = map(2, 1, 6, 0x9000, HOST, &other_handle);
    fake_cpu(0);
}

static void two_cpus_unmap(void **state)
{
    (void)state;
    grant(1, 5, 2, page[1][0], RW);
    grant(1, 6, 2, page[1][1], RW);
    assert_int_equal(map(2, 1, 5, 0x1000, HOST, &raced_handle), GNTST_okay);
    while_unmapping = second_cpu;
    assert_int_equal(unmap(2, 0x1000, raced_handle), GNTST_okay);
    assert_int_equal(raced_status[0], GNTST_bad_handle);
    assert_int_equal(raced_status[1], GNTST_okay);
    assert_int_not_equal(other_handle, raced_handle); /* it is not free before the end */
    assert_int_equal(refs(page[1][0]), 1);
    assert_int_equal(refs(page[1][1]), 3);
    assert_int_equal(unmap(2, 0x9000, other_handle), GNTST_okay);
}

static void unmap_and_replace(void **state)
{
    struct gnttab_unmap_and_replace a = {.host_addr = 0x1000, .new_addr = 0x5000};
    uint32_t h, h2;

    (void)state;
    grant(1, 5, 2, page[1][0], RW);
    grant(1, 6, 2, page[1][1], RW);
    assert_int_equal(map(2, 1, 5, 0x1000, HOST, &h), GNTST_okay);
    assert_int_equal(map(2, 1, 6, 0x5000, HOST, &h2), GNTST_okay);
    a.handle = 77;
    assert_int_equal(op(2, GNTTABOP_unmap_and_replace, &a, 1), 0);
    assert_int_equal(a.status, GNTST_bad_handle);
    a.handle = h;
    assert_int_equal(op(2, GNTTABOP_unmap_and_replace, &a, 1), 0);
    assert_int_equal(a.status, GNTST_okay);
    assert_int_equal(refs(page[1][0]), 1);
    assert_int_equal(refs(page[1][1]), 3);
    assert_int_equal(unmap(2, 0x5000, h2), GNTST_general_error); /* it has moved */
    assert_int_equal(unmap(2, 0x1000, h2), GNTST_okay);
}

static void handles_run_out(void **state)
{
    uint32_t h[HANDLES], extra;

    (void)state;
    grant(1, 5, 2, page[1][0], RW);
    for (unsigned int i = 0; i < HANDLES; i++)
        assert_int_equal(map(2, 1, 5, 0x1000 * (i + 1ul), HOST, &h[i]), GNTST_okay);
    assert_int_equal(map(2, 1, 5, 0x9000000, HOST, &extra), GNTST_no_space);
    assert_int_equal(active_entry(dom[1]->gnttab, 5)->writers, HANDLES);
    assert_int_equal(gnttab_audit(dom[1]), 0);
    for (unsigned int i = 0; i < HANDLES; i++)
        assert_int_equal(unmap(2, 0x1000 * (i + 1ul), h[i]), GNTST_okay);
    assert_int_equal(unmap(2, 0x1000, HANDLES), GNTST_bad_handle);
    assert_int_equal(unmap(2, 0x1000, ~0u), GNTST_bad_handle);
    assert_int_equal(map(2, 1, 5, 0x1000, HOST, &extra), GNTST_okay);
}

/* 500: once pinned, our note counts, whatever the shared entry says now. */
static void entry_changes_while_pinned(void **state)
{
    uint32_t h, h2;

    (void)state;
    grant(1, 5, 2, page[1][0], RW);
    assert_int_equal(map(2, 1, 5, 0x1000, HOST | RDONLY, &h), GNTST_okay);
    grant(1, 5, 0, page[1][3], RW);
    assert_int_equal(map(0, 1, 5, 0x1000, HOST | RDONLY, &h2), GNTST_general_error);
    assert_int_equal(map(2, 1, 5, 0x2000, HOST | RDONLY, &h2), GNTST_okay);
    assert_int_equal(refs(page[1][0]), 5);
    assert_int_equal(refs(page[1][3]), 1);
    assert_int_equal(map(2, 1, 5, 0x3000, HOST, &h2), GNTST_general_error); /* no right to write */
    grant(1, 5, 2, page[1][3], RW);
    assert_int_equal(map(2, 1, 5, 0x3000, HOST, &h2), GNTST_okay);
    assert_int_equal(refs(page[1][3]), 1); /* still the frame from the first pin */
    assert_int_equal(writers(page[1][0]), 2);
}

/* The granter gives its frame up, and dies, while it is mapped. */
static void granter_goes_away(void **state)
{
    struct page *pg = page[1][0];
    uint32_t h;

    (void)state;
    grant(1, 5, 2, pg, RW);
    assert_int_equal(map(2, 1, 5, 0x1000, HOST, &h), GNTST_okay);
    dom[1]->is_dying = DOMDYING_DYING;
    release_pages(dom[1]);
    assert_int_equal(dom[1]->tot_pages, 1);
    assert_int_equal(refs(pg), 2);
    assert_ptr_equal(page_owner(pg), dom[1]);
    assert_int_equal(unmap(2, 0x1000, h), GNTST_okay);
    assert_int_equal(dom[1]->tot_pages, 0);
    assert_int_equal(table[1][5].flags, RW);
}

static void dying_mapper_is_preemptible(void **state)
{
    uint32_t h;
    unsigned int calls = 0;
    int rc;

    (void)state;
    grant(1, 5, 2, page[1][0], RW);
    for (unsigned int i = 0; i < 100; i++)
        assert_int_equal(map(2, 1, 5, 0x1000 * (i + 1ul), i % 2 ? HOST : HOST | RDONLY, &h),
                         GNTST_okay);
    dom[2]->is_dying = DOMDYING_DYING;
    fake_preempt_every = 1;
    while ((rc = gnttab_release_mappings(dom[2])) == -ERESTART)
        assert_true(++calls < 50);
    assert_int_equal(rc, 0);
    assert_true(calls > 3);
    assert_int_equal(table[1][5].flags, RW);
    assert_int_equal(refs(page[1][0]), 101);
}

/* ---- batches ---- */

/* 318: whatever happens, each element's status is written, exactly once. */
static void preempted_batches(void **state)
{
    struct gnttab_map_grant_ref m[50];
    struct gnttab_unmap_grant_ref u[50];
    unsigned int count = 50;
    uintptr_t at = (uintptr_t)m;
    long rc;

    (void)state;
    grant(1, 5, 2, page[1][0], RW);
    memset(m, 0, sizeof(m));
    for (unsigned int i = 0; i < 50; i++) {
        m[i] = (struct gnttab_map_grant_ref){.host_addr = 0x1000 * (i + 1ul),
                                             .flags = HOST,
                                             .ref = i % 7 ? 5 : 999,
                                             .dom = 1,
                                             .status = 99};
    }
    fake_preempt_every = 3;
    while ((rc = op(2, GNTTABOP_map_grant_ref, (void *)at, count)) == FAKE_CONTINUED) {
        assert_int_equal(fake_continuation.nr, __HYPERVISOR_grant_table_op);
        assert_int_equal(fake_continuation.nargs, 3);
        assert_true(fake_continuation.args[1] > at);
        assert_true(fake_continuation.args[2] < count);
        at = fake_continuation.args[1];
        count = (unsigned int)fake_continuation.args[2];
        assert_ptr_equal((void *)at, &m[50 - count]);
    }
    assert_int_equal(rc, 0);
    assert_true(fake_continuation.calls > 10);
    for (unsigned int i = 0; i < 50; i++) {
        assert_int_equal(m[i].status, i % 7 ? GNTST_okay : GNTST_bad_gntref);
        u[i] = (struct gnttab_unmap_grant_ref){
            .host_addr = m[i].host_addr, .status = 99, .handle = i % 7 ? m[i].handle : ~0u};
    }
    count = 50;
    at = (uintptr_t)u;
    fake_preempt_every = 1;
    while ((rc = op(2, GNTTABOP_unmap_grant_ref, (void *)at, count)) == FAKE_CONTINUED) {
        at = fake_continuation.args[1];
        count = (unsigned int)fake_continuation.args[2];
    }
    assert_int_equal(rc, 0);
    for (unsigned int i = 0; i < 50; i++)
        assert_int_equal(u[i].status, i % 7 ? GNTST_okay : GNTST_bad_handle);
    assert_int_equal(refs(page[1][0]), 1);
}

/* ---- swap ---- */

static int swap(unsigned int by, uint32_t a, uint32_t b)
{
    struct gnttab_swap_grant_ref s = {.ref_a = a, .ref_b = b, .status = 99};

    assert_int_equal(op(by, GNTTABOP_swap_grant_ref, &s, 1), 0);
    return s.status;
}

static void swaps(void **state)
{
    uint32_t h;

    (void)state;
    grant(1, 5, 2, page[1][0], RW);
    grant(1, 6, 0, page[1][1], RO);
    assert_int_equal(swap(1, 5, 6), GNTST_okay);
    assert_int_equal(table[1][5].domid, 0);
    assert_int_equal(table[1][6].flags, RW);
    assert_int_equal(swap(1, 5, 5), GNTST_okay);
    assert_int_equal(swap(1, 5, 512), GNTST_bad_gntref); /* 18, 134 */
    assert_int_equal(swap(1, ~0u, 5), GNTST_bad_gntref);
    assert_int_equal(map(2, 1, 6, 0x1000, HOST, &h), GNTST_okay);
    assert_int_equal(swap(1, 5, 6), GNTST_eagain);
    assert_int_equal(swap(1, 6, 7), GNTST_eagain);
    assert_int_equal(unmap(2, 0x1000, h), GNTST_okay);
    assert_int_equal(swap(1, 6, 7), GNTST_okay);
}

static void swap_without_a_table(void **state)
{
    uint64_t before = page_free_count();
    struct domain *d = fake_domain(8, false, 1);
    struct gnttab_swap_grant_ref s = {.status = 99};
    uint32_t h;

    (void)state;
    free_before -= before - page_free_count(); /* the fake's own */
    assert_int_equal(gnttab_domain_init(d, FRAMES, 1), 0);
    fake_run(d->vcpu[0]);
    assert_int_equal(do_grant_table_op(GNTTABOP_swap_grant_ref, guest_ptr((uintptr_t)&s), 1), 0);
    assert_int_equal(s.status, GNTST_bad_gntref);
    assert_int_equal(map(2, 8, 0, 0x1000, HOST, &h), GNTST_bad_gntref);
    gnttab_domain_free(d);
}

/* ---- transfer ---- */

static int transfer(unsigned int by, uint64_t gmfn, domid_t to, uint32_t ref)
{
    struct gnttab_transfer t = {.mfn = gmfn, .domid = to, .ref = ref, .status = 99};

    assert_int_equal(op(by, GNTTABOP_transfer, &t, 1), 0);
    return t.status;
}

static void transfers(void **state)
{
    struct page *pg = page[1][0];
    uint64_t m = page_mfn(pg).n, tot = dom[1]->tot_pages;

    (void)state;
    table[2][9] = (struct grant_entry_v1){GTF_accept_transfer, 1, 0};
    assert_int_equal(transfer(1, page_mfn(page[0][0]).n, 2, 9), GNTST_bad_page);
    assert_int_equal(transfer(1, ~0UL, 2, 9), GNTST_bad_page);
    assert_int_equal(transfer(1, virt_to_mfn(table[1]).n, 2, 9), GNTST_bad_page);
    assert_int_equal(transfer(1, m, 99, 9), GNTST_bad_domain);
    assert_int_equal(transfer(1, m, DOMID_IO, 9), GNTST_bad_domain);
    assert_int_equal(transfer(1, m, 2, 8), GNTST_general_error);
    assert_int_equal(transfer(1, m, 2, 512), GNTST_general_error);
    assert_int_equal(transfer(0, page_mfn(page[0][0]).n, 2, 9), GNTST_general_error);
    assert_true(page_get(pg, dom[1]));
    assert_int_equal(transfer(1, m, 2, 9), GNTST_bad_page); /* in use */
    page_put(pg);
    assert_ptr_equal(page_owner(pg), dom[1]);
    assert_int_equal(refs(pg), 1);
    assert_int_equal(*(uint8_t *)page_virt(pg), 16); /* nothing was lost by failures */
    assert_int_equal(dom[1]->tot_pages, tot);
    assert_int_equal(table[2][9].flags, GTF_accept_transfer);

    assert_int_equal(transfer(1, m, 2, 9), GNTST_okay);
    assert_ptr_equal(page_owner(pg), dom[2]);
    assert_int_equal(table[2][9].frame, m);
    assert_int_equal(table[2][9].flags,
                     GTF_accept_transfer | GTF_transfer_committed | GTF_transfer_completed);
    assert_int_equal(*(uint8_t *)page_virt(pg), 16); /* contents go along */
    assert_int_equal(dom[1]->tot_pages, tot - 1);
    assert_int_equal(transfer(1, m, 2, 9), GNTST_bad_page);
    assert_int_equal(transfer(1, page_mfn(page[1][1]).n, 2, 9), GNTST_general_error); /* used up */
    dom[2]->max_pages = dom[2]->tot_pages;
    table[2][10] = (struct grant_entry_v1){GTF_accept_transfer, 1, 0};
    assert_int_equal(transfer(1, page_mfn(page[1][1]).n, 2, 10), GNTST_general_error);
    assert_ptr_equal(page_owner(page[1][1]), dom[1]);
}

/* ---- cache flush ---- */

static long flush(unsigned int by, uint64_t addr, uint16_t off, uint16_t len, uint32_t how)
{
    struct gnttab_cache_flush f = {.a.dev_bus_addr = addr, .offset = off, .length = len, .op = how};

    return op(by, GNTTABOP_cache_flush, &f, 1);
}

static void cache_flushes(void **state)
{
    uint64_t own = page_mfn(page[1][0]).n << PAGE_SHIFT;
    uint32_t h;

    (void)state;
    assert_int_equal(flush(1, own, 16, 100, GNTTAB_CACHE_CLEAN), 0);
    assert_int_equal(fake_cache_flushed, 100);
    assert_int_equal(flush(1, own, 0, 4096, GNTTAB_CACHE_CLEAN | GNTTAB_CACHE_INVAL), 0);
    assert_int_equal(flush(1, own, 4096, 0, GNTTAB_CACHE_CLEAN), -EINVAL);
    assert_int_equal(flush(1, own, 1, 4096, GNTTAB_CACHE_CLEAN), -EINVAL);
    assert_int_equal(flush(1, own, 0, 4, 4), -EINVAL);
    assert_int_equal(flush(1, own, 0, 4, GNTTAB_CACHE_CLEAN | GNTTAB_CACHE_SOURCE_GREF), -EINVAL);
    assert_int_equal(flush(1, ~0UL, 0, 4, GNTTAB_CACHE_CLEAN), -EINVAL);
    assert_int_equal(flush(1, 0, 0, 4, GNTTAB_CACHE_CLEAN), -EPERM); /* 232: nobody's */
    assert_int_equal(flush(1, virt_to_mfn(table[1]).n << PAGE_SHIFT, 0, 4, GNTTAB_CACHE_CLEAN),
                     -EPERM);
    assert_int_equal(flush(2, own, 0, 4, GNTTAB_CACHE_CLEAN), -EINVAL);
    grant(1, 5, 2, page[1][0], RO);
    assert_int_equal(map(2, 1, 5, 0x1000, HOST | RDONLY, &h), GNTST_okay);
    assert_int_equal(flush(2, own, 0, 4, GNTTAB_CACHE_CLEAN), 0);
    assert_int_equal(flush(0, own, 0, 4, GNTTAB_CACHE_CLEAN), -EINVAL);
}

/* ---- random operations against a model ---- */

#define REFS 12
#define MAPS 60

static struct model_map {
    bool used, write;
    unsigned int by, of, ref, page;
    uint64_t va;
    uint32_t handle;
} maps[MAPS];

static unsigned long rnd(unsigned long n)
{
    return (unsigned long)random() % n;
}

static unsigned int count_maps(unsigned int of, unsigned int ref, bool write)
{
    unsigned int n = 0;

    for (unsigned int i = 0; i < MAPS; i++)
        n += maps[i].used && maps[i].of == of && maps[i].ref == ref && maps[i].write == write;
    return n;
}

static void step_grant(void)
{
    unsigned int d = rnd(DOMS), ref = rnd(REFS);

    /* As the ABI demands: not while it is in use. */
    if (table[d][ref].flags & (GTF_reading | GTF_writing))
        return;
    grant(d, ref, rnd(DOMS), page[d][rnd(PAGES)], rnd(5) ? (rnd(2) ? RW : RO) : GTF_invalid);
}

static void step_map(struct model_map *m, unsigned int slot)
{
    const struct grant_entry_v1 *e;
    int want = GNTST_okay;

    m->by = rnd(DOMS);
    m->of = rnd(DOMS);
    m->ref = rnd(REFS);
    m->write = rnd(2);
    m->va = 0x1000 * (slot + 1ul);
    e = &table[m->of][m->ref];
    if (!(e->flags & GTF_permit_access) || e->domid != m->by ||
        (m->write && (e->flags & GTF_readonly)))
        want = GNTST_general_error;
    if (want == GNTST_okay && rnd(10) == 0) {
        fake_map_error = -EINVAL;
        want = GNTST_general_error;
    }
    assert_int_equal(map(m->by, m->of, m->ref, m->va, m->write ? HOST : HOST | RDONLY, &m->handle),
                     want);
    fake_map_error = 0;
    m->used = want == GNTST_okay;
    for (unsigned int p = 0; p < PAGES; p++)
        if (page_mfn(page[m->of][p]).n == e->frame)
            m->page = p;
}

static void check_counts(void)
{
    unsigned long want_refs[DOMS][PAGES], want_writers[DOMS][PAGES];

    memset(want_writers, 0, sizeof(want_writers));
    for (unsigned int d = 0; d < DOMS; d++)
        for (unsigned int p = 0; p < PAGES; p++)
            want_refs[d][p] = 1;
    for (unsigned int i = 0; i < MAPS; i++)
        if (maps[i].used) {
            want_refs[maps[i].of][maps[i].page] += 2;
            want_writers[maps[i].of][maps[i].page] += maps[i].write ? 2 : 0;
        }
    for (unsigned int d = 0; d < DOMS; d++) {
        for (unsigned int p = 0; p < PAGES; p++) {
            assert_int_equal(refs(page[d][p]), want_refs[d][p]);
            assert_int_equal(writers(page[d][p]), want_writers[d][p]);
        }
        for (unsigned int ref = 0; ref < REFS; ref++) {
            unsigned int w = count_maps(d, ref, true), r = count_maps(d, ref, false);

            assert_int_equal(!!(table[d][ref].flags & GTF_writing), w != 0);
            assert_int_equal(!!(table[d][ref].flags & GTF_reading), w + r != 0);
        }
        assert_int_equal(gnttab_audit(dom[d]), 0);
    }
}

static void random_operations(void **state)
{
    (void)state;
    srandom(31337);
    memset(maps, 0, sizeof(maps));
    for (unsigned int i = 0; i < 50000; i++) {
        unsigned int slot = rnd(MAPS);
        struct model_map *m = &maps[slot];

        if (rnd(3) == 0)
            step_grant();
        if (!m->used) {
            step_map(m, slot);
        } else if (rnd(8) == 0) {
            assert_int_equal(unmap(m->by, 0x7777000, m->handle), GNTST_general_error);
            assert_int_not_equal(unmap((m->by + 1) % DOMS, m->va, m->handle), GNTST_okay);
        } else {
            assert_int_equal(unmap(m->by, m->va, m->handle), GNTST_okay);
            m->used = false;
        }
        if (i % 1000 == 0)
            check_counts();
    }
}

/* ---- races: 218, 228, 236, and a granter that scribbles ---- */

static volatile bool stop;

static void *scribbler(void *arg)
{
    unsigned int seed = 3;

    (void)arg;
    while (!stop) {
        struct grant_entry_v1 *e = &table[1][rand_r(&seed) % REFS];

        WRITE_ONCE(e->flags, (uint16_t)rand_r(&seed));
        WRITE_ONCE(e->domid, (domid_t)(rand_r(&seed) % DOMS));
        WRITE_ONCE(e->frame, (uint32_t)page_mfn(page[rand_r(&seed) % 2][rand_r(&seed) % PAGES]).n);
    }
    return NULL;
}

static void *racer(void *arg)
{
    unsigned int me = (unsigned int)(uintptr_t)arg, seed = me;

    fake_cpu(me);
    for (unsigned int i = 0; i < 2500; i++) {
        unsigned int by = rand_r(&seed) % 2 ? 2 : 0;
        struct gnttab_map_grant_ref m = {.ref = rand_r(&seed) % REFS,
                                         .dom = 1,
                                         .flags =
                                             GNTMAP_device_map | (rand_r(&seed) % 2 ? RDONLY : 0)};
        struct gnttab_unmap_grant_ref u = {.dev_bus_addr = 1, .handle = rand_r(&seed) % 40};
        struct gnttab_swap_grant_ref s = {.ref_a = rand_r(&seed) % REFS,
                                          .ref_b = rand_r(&seed) % REFS};

        /* Device mappings need no page tables; guess other CPUs' handles. */
        dom[2]->is_privileged = true;
        switch (rand_r(&seed) % 4) {
        case 0:
            assert_int_equal(op(by, GNTTABOP_map_grant_ref, &m, 1), 0);
            assert_true(m.status <= 0);
            break;
        case 1:
            assert_int_equal(op(1, GNTTABOP_swap_grant_ref, &s, 1), 0);
            break;
        default:
            for (unsigned int p = 0; p < PAGES; p++) {
                u.dev_bus_addr = page_mfn(page[1][p]).n << PAGE_SHIFT;
                assert_int_equal(op(by, GNTTABOP_unmap_grant_ref, &u, 1), 0);
                assert_true(u.status <= 0);
            }
        }
    }
    return NULL;
}

static void races(void **state)
{
    pthread_t t[3], s;

    (void)state;
    stop = false;
    assert_int_equal(pthread_create(&s, NULL, scribbler, NULL), 0);
    for (uintptr_t i = 0; i < ARRAY_SIZE(t); i++)
        assert_int_equal(pthread_create(&t[i], NULL, racer, (void *)(i + 1)), 0);
    for (unsigned int i = 0; i < ARRAY_SIZE(t); i++)
        pthread_join(t[i], NULL);
    stop = true;
    pthread_join(s, NULL);
    fake_run(dom[1]->vcpu[0]);
    assert_int_equal(gnttab_audit(dom[1]), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(tables_grow),
        T(versions),
        T(batches_are_bounded),
        T(map_and_unmap),
        T(map_is_refused),
        T(map_fails_in_the_page_table),
        T(host_and_device),
        T(entry_was_replaced),
        T(two_cpus_unmap),
        T(unmap_and_replace),
        T(handles_run_out),
        T(entry_changes_while_pinned),
        T(granter_goes_away),
        T(dying_mapper_is_preemptible),
        T(preempted_batches),
        T(swaps),
        T(swap_without_a_table),
        T(transfers),
        T(cache_flushes),
        T(random_operations),
        T(races),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
