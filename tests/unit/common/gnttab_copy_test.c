/* SPDX-License-Identifier: MIT */
/* Grant copies: every combination of frames and references, bounds, what is held and when it is let
 * go, and random batches, preempted at random, against copies made by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "fake.h"
#include <hv/gnttab_table.h>
#include <hv/heap.h>
#include <pthread.h>
#include <stdlib.h>

#define DOMS  3
#define PAGES 4

static struct domain *dom[DOMS];
static struct page *page[DOMS][PAGES];
static struct grant_entry_v1 *table[DOMS];

#define RW GTF_permit_access
#define RO (GTF_permit_access | GTF_readonly)

static long op(unsigned int by, struct gnttab_copy *c, unsigned int count)
{
    fake_run(dom[by]->vcpu[0]);
    return do_grant_table_op(GNTTABOP_copy, guest_ptr((uintptr_t)c), count);
}

static int copy1(unsigned int by, struct gnttab_copy *c)
{
    c->status = 99;
    assert_int_equal(op(by, c, 1), 0);
    return c->status;
}

static void grant(unsigned int d, uint32_t ref, domid_t to, struct page *pg, uint16_t flags)
{
    table[d][ref] = (struct grant_entry_v1){flags, to, (uint32_t)page_mfn(pg).n};
}

static uint8_t *bytes(unsigned int d, unsigned int p)
{
    return page_virt(page[d][p]);
}

static uint64_t gmfn(unsigned int d, unsigned int p)
{
    return page_mfn(page[d][p]).n;
}

static void nothing_is_held(void)
{
    for (unsigned int d = 0; d < DOMS; d++) {
        assert_int_equal(dom[d]->refcnt, 2); /* the creator and the pages */
        assert_int_equal(gnttab_audit(dom[d]), 0);
        for (unsigned int p = 0; p < PAGES; p++) {
            assert_int_equal(page[d][p]->count & PGC_COUNT_MASK, 1);
            assert_int_equal(pgt_count(page[d][p]->type), 0);
        }
        for (unsigned int ref = 0; ref < 512; ref++)
            assert_int_equal(table[d][ref].flags & (GTF_reading | GTF_writing), 0);
    }
}

static int setup(void **state)
{
    (void)state;
    fake_init_alloc(4096, 4);
    for (unsigned int i = 0; i < DOMS; i++) {
        mfn_t m;

        dom[i] = fake_domain(i, i == 0, 1);
        assert_int_equal(gnttab_domain_init(dom[i], 2, 1), 0);
        assert_int_equal(gnttab_get_shared_frame(dom[i], 0, &m), 0);
        table[i] = mfn_to_virt(m);
        for (unsigned int p = 0; p < PAGES; p++) {
            page[i][p] = page_alloc_domain(dom[i], 0, 0, false);
            assert_non_null(page[i][p]);
            for (unsigned int b = 0; b < PAGE_SIZE; b++)
                bytes(i, p)[b] = (uint8_t)(b * 7 + i * 64 + p);
        }
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    nothing_is_held();
    for (unsigned int i = 0; i < DOMS; i++)
        gnttab_domain_free(dom[i]);
    return 0;
}

static void between_frames_and_references(void **state)
{
    struct gnttab_copy c = {.len = 100};

    (void)state;
    c.source.u.gmfn = gmfn(1, 0);
    c.source.domid = c.dest.domid = DOMID_SELF;
    c.source.offset = 3;
    c.dest.u.gmfn = gmfn(1, 1);
    c.dest.offset = 4000 - 4;
    assert_int_equal(copy1(1, &c), GNTST_okay);
    assert_memory_equal(bytes(1, 1) + 3996, bytes(1, 0) + 3, 100);

    grant(2, 5, 1, page[2][0], RW);
    c.dest.u.ref = 5;
    c.dest.domid = 2;
    c.flags = GNTCOPY_dest_gref;
    c.len = 4093;
    c.dest.offset = 3;
    assert_int_equal(copy1(1, &c), GNTST_okay);
    assert_memory_equal(bytes(2, 0) + 3, bytes(1, 0) + 3, 4093);

    grant(0, 6, 1, page[0][2], RO);
    c.source.u.ref = 6;
    c.source.domid = 0;
    c.source.offset = c.dest.offset = 0;
    c.len = 4096;
    c.flags |= GNTCOPY_source_gref;
    assert_int_equal(copy1(1, &c), GNTST_okay);
    assert_memory_equal(bytes(2, 0), bytes(0, 2), 4096);
    assert_int_equal(table[0][6].flags, RO);
    assert_int_equal(table[2][5].flags, RW);
}

static void refusals(void **state)
{
    struct gnttab_copy good = {.len = 16}, c;

    (void)state;
    good.source.u.gmfn = gmfn(1, 0);
    good.source.domid = good.dest.domid = DOMID_SELF;
    good.dest.u.gmfn = gmfn(1, 1);

    c = good;
    c.source.domid = 1; /* only SELF may name frames */
    assert_int_equal(copy1(1, &c), GNTST_permission_denied);
    c = good;
    c.dest.domid = 2;
    assert_int_equal(copy1(1, &c), GNTST_permission_denied);
    c = good;
    c.source.u.gmfn = gmfn(2, 0);
    assert_int_equal(copy1(1, &c), GNTST_bad_page);
    c.source.u.gmfn = ~0UL;
    assert_int_equal(copy1(1, &c), GNTST_bad_page);
    c.source.u.gmfn = virt_to_mfn(table[1]).n;
    assert_int_equal(copy1(1, &c), GNTST_bad_page);
    c = good;
    fake_to_table(page[1][1]);
    assert_int_equal(copy1(1, &c), GNTST_general_error); /* a page table is not written to */
    fake_from_table(page[1][1]);
    for (unsigned int i = 0; i < 2; i++) {
        struct gnttab_copy_ptr *side = i ? &c.dest : &c.source;

        c = good;
        c.flags = i ? GNTCOPY_dest_gref : GNTCOPY_source_gref;
        side->domid = 99;
        assert_int_equal(copy1(1, &c), GNTST_bad_domain);
        side->domid = DOMID_XEN;
        assert_int_equal(copy1(1, &c), GNTST_bad_domain);
        side->domid = 2;
        side->u.ref = 512;
        assert_int_equal(copy1(1, &c), GNTST_bad_gntref);
        side->u.ref = ~0u;
        assert_int_equal(copy1(1, &c), GNTST_bad_gntref);
        side->u.ref = 7; /* grants nothing */
        assert_int_equal(copy1(1, &c), GNTST_general_error);
        grant(2, 7, 0, page[2][1], RW);
        assert_int_equal(copy1(1, &c), GNTST_general_error);
        grant(2, 7, 1, page[2][1], RO);
        assert_int_equal(copy1(1, &c), i ? GNTST_general_error : GNTST_okay);
        side->offset = 4090;
        assert_int_equal(copy1(1, &c), i ? GNTST_general_error : GNTST_bad_copy_arg);
        grant(2, 7, 1, page[0][1], RW);
        assert_int_equal(copy1(1, &c), GNTST_bad_page);
        grant(2, 7, 1, page[2][1], GTF_invalid);
        nothing_is_held();
    }
    c = good;
    c.source.offset = 4096;
    c.len = 0;
    assert_int_equal(copy1(1, &c), GNTST_okay);
    c.source.offset = 0xffff;
    c.len = 0xffff;
    assert_int_equal(copy1(1, &c), GNTST_bad_copy_arg);
    c = good;
    c.dest.offset = 4081;
    assert_int_equal(copy1(1, &c), GNTST_bad_copy_arg);
}

/* 230: a copy must not take away the status bits of a mapping. */
static void copy_beside_a_mapping(void **state)
{
    struct gnttab_map_grant_ref m = {
        .host_addr = 0x1000, .flags = GNTMAP_host_map, .ref = 5, .dom = 2};
    struct gnttab_unmap_grant_ref u = {.host_addr = 0x1000};
    struct gnttab_copy c = {.len = 16, .flags = GNTCOPY_source_gref};

    (void)state;
    grant(2, 5, 1, page[2][0], RW);
    fake_run(dom[1]->vcpu[0]);
    assert_int_equal(do_grant_table_op(GNTTABOP_map_grant_ref, guest_ptr((uintptr_t)&m), 1), 0);
    assert_int_equal(m.status, GNTST_okay);
    c.source.u.ref = 5;
    c.source.domid = 2;
    c.dest.u.gmfn = gmfn(1, 1);
    c.dest.domid = DOMID_SELF;
    assert_int_equal(copy1(1, &c), GNTST_okay);
    assert_int_equal(table[2][5].flags, RW | GTF_reading | GTF_writing);
    /* 500: frame and flags of a pinned entry changed: the noted frame is copied. */
    grant(2, 5, 1, page[2][3], RW);
    assert_int_equal(copy1(1, &c), GNTST_okay);
    assert_memory_equal(bytes(1, 1), bytes(2, 0), 16);
    u.handle = m.handle;
    assert_int_equal(do_grant_table_op(GNTTABOP_unmap_grant_ref, guest_ptr((uintptr_t)&u), 1), 0);
    assert_int_equal(u.status, GNTST_okay);
}

static void overlaps_in_one_frame(void **state)
{
    struct gnttab_copy c = {.len = 1000};
    uint8_t want[1000];

    (void)state;
    c.source.u.gmfn = c.dest.u.gmfn = gmfn(1, 0);
    c.source.domid = c.dest.domid = DOMID_SELF;
    c.dest.offset = 10;
    memcpy(want, bytes(1, 0), 1000);
    assert_int_equal(copy1(1, &c), GNTST_okay);
    assert_memory_equal(bytes(1, 0) + 10, want, 1000);
}

/* A fault in the middle of a batch: what was acquired is let go, earlier results stand. */
static void faults_let_go(void **state)
{
    struct gnttab_copy *c = mfn_to_virt(fake_frame(1));

    (void)state;
    grant(2, 5, 1, page[2][0], RW);
    for (unsigned int i = 0; i < 10; i++) {
        c[i] = (struct gnttab_copy){.len = 8, .flags = GNTCOPY_dest_gref, .status = 99};
        c[i].source.u.gmfn = gmfn(1, 0);
        c[i].source.domid = DOMID_SELF;
        c[i].dest.u.ref = 5;
        c[i].dest.domid = 2;
    }
    fake_fault_start = (uintptr_t)&c[6];
    fake_fault_end = fake_fault_start + 1;
    assert_int_equal(op(1, c, 10), -EFAULT);
    for (unsigned int i = 0; i < 10; i++)
        assert_int_equal(c[i].status, i < 6 ? GNTST_okay : 99);
    nothing_is_held();
    fake_fault_start = (uintptr_t)&c[3].status; /* readable, but not writable */
    fake_fault_end = fake_fault_start + 1;
    assert_int_equal(op(1, c, 10), -EFAULT);
    fake_fault_start = fake_fault_end = 0;
}

/* 318: preempted wherever, each status is written. Sides are kept between elements that agree. */
static void random_batches(void **state)
{
    static struct gnttab_copy c[64];
    static uint8_t want[DOMS * PAGES][PAGE_SIZE];

    (void)state;
    srandom(17);
    for (unsigned int d = 0; d < DOMS; d++)
        for (unsigned int p = 0; p < PAGES; p++) {
            grant(d, 10 + p, 1, page[d][p], p == 3 ? RO : RW);
            memcpy(want[d * PAGES + p], bytes(d, p), PAGE_SIZE);
        }
    for (unsigned int round = 0; round < 3000; round++) {
        unsigned int n = 1 + (unsigned int)random() % 64, count = n;
        int16_t expect[64];
        uintptr_t at = (uintptr_t)c;
        long rc;

        for (unsigned int i = 0; i < n; i++) {
            unsigned int sd = (unsigned int)random() % DOMS, sp = (unsigned int)random() % PAGES;
            unsigned int dd = (unsigned int)random() % DOMS, dp = (unsigned int)random() % PAGES;
            bool sref = sd != 1 || random() % 2, dref = dd != 1 || random() % 2;

            if (i && random() % 2) {
                c[i] = c[i - 1]; /* the same sides again */
                sd = c[i].source.domid == DOMID_SELF ? 1 : c[i].source.domid;
                dd = c[i].dest.domid == DOMID_SELF ? 1 : c[i].dest.domid;
                sref = c[i].flags & GNTCOPY_source_gref;
                dref = c[i].flags & GNTCOPY_dest_gref;
                sp = dp = PAGES;
                for (unsigned int p = 0; p < PAGES; p++) {
                    if (sref ? c[i].source.u.ref == 10 + p : c[i].source.u.gmfn == gmfn(1, p))
                        sp = p;
                    if (dref ? c[i].dest.u.ref == 10 + p : c[i].dest.u.gmfn == gmfn(1, p))
                        dp = p;
                }
            } else {
                memset(&c[i], 0, sizeof(c[i]));
                c[i].source.domid = sref ? sd : DOMID_SELF;
                c[i].dest.domid = dref ? dd : DOMID_SELF;
                if (sref)
                    c[i].source.u.ref = 10 + sp;
                else
                    c[i].source.u.gmfn = gmfn(1, sp);
                if (dref)
                    c[i].dest.u.ref = 10 + dp;
                else
                    c[i].dest.u.gmfn = gmfn(1, dp);
                c[i].flags = (sref ? GNTCOPY_source_gref : 0) | (dref ? GNTCOPY_dest_gref : 0);
            }
            c[i].source.offset = (uint16_t)(random() % 4096);
            c[i].dest.offset = (uint16_t)(random() % 4096);
            c[i].len = (uint16_t)(random() % 3000);
            c[i].status = 99;
            if (dref && dp == 3)
                expect[i] = GNTST_general_error;
            else if (c[i].source.offset + c[i].len > 4096 || c[i].dest.offset + c[i].len > 4096)
                expect[i] = GNTST_bad_copy_arg;
            else
                expect[i] = GNTST_okay;
            if (expect[i] == GNTST_okay)
                memmove(want[dd * PAGES + dp] + c[i].dest.offset,
                        want[sd * PAGES + sp] + c[i].source.offset, c[i].len);
        }
        fake_preempt_every = (unsigned int)random() % 9;
        while ((rc = op(1, (void *)at, count)) == FAKE_CONTINUED) {
            assert_true(fake_continuation.args[2] < count);
            at = fake_continuation.args[1];
            count = (unsigned int)fake_continuation.args[2];
        }
        assert_int_equal(rc, 0);
        for (unsigned int i = 0; i < n; i++)
            assert_int_equal(c[i].status, expect[i]);
        for (unsigned int i = 0; i < DOMS * PAGES; i++)
            assert_memory_equal(bytes(i / PAGES, i % PAGES), want[i], PAGE_SIZE);
    }
}

/* 236: copies and mappings on several CPUs, while the granter changes its mind. */
static volatile bool stop;

static void *scribbler(void *arg)
{
    unsigned int seed = 3;

    (void)arg;
    while (!stop) {
        struct grant_entry_v1 *e = &table[2][rand_r(&seed) % 4];

        WRITE_ONCE(e->flags, rand_r(&seed) % 2 ? RW : (uint16_t)rand_r(&seed));
        WRITE_ONCE(e->frame, (uint32_t)gmfn(rand_r(&seed) % DOMS, rand_r(&seed) % PAGES));
        WRITE_ONCE(e->domid, (domid_t)(rand_r(&seed) % 2));
    }
    return NULL;
}

static void *copier(void *arg)
{
    unsigned int me = (unsigned int)(uintptr_t)arg, seed = me;
    struct gnttab_copy c[4];

    fake_cpu(me);
    for (unsigned int i = 0; i < 10000; i++) {
        memset(c, 0, sizeof(c));
        for (unsigned int k = 0; k < 4; k++) {
            c[k].source.domid = c[k].dest.domid = 2;
            c[k].source.u.ref = rand_r(&seed) % 4;
            c[k].dest.u.ref = rand_r(&seed) % 4;
            c[k].flags = GNTCOPY_source_gref | GNTCOPY_dest_gref;
            c[k].len = 64;
            c[k].status = 99;
        }
        assert_int_equal(op(me % 2, c, 4), 0);
        for (unsigned int k = 0; k < 4; k++)
            assert_true(c[k].status <= 0);
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
        assert_int_equal(pthread_create(&t[i], NULL, copier, (void *)(i + 1)), 0);
    for (unsigned int i = 0; i < ARRAY_SIZE(t); i++)
        pthread_join(t[i], NULL);
    stop = true;
    pthread_join(s, NULL);
    memset(table[2], 0, PAGE_SIZE); /* the scribbler's own bits */
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(between_frames_and_references),
        T(refusals),
        T(copy_beside_a_mapping),
        T(overlaps_in_one_frame),
        T(faults_let_go),
        T(random_batches),
        T(races),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
