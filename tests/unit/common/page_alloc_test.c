/* SPDX-License-Identifier: MIT */
/* The buddy allocator: blocks are aligned, disjoint and below the wanted address; everything merges
 * back into the state before; what is left over from one owner is cleared and flushed for the next.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "fake.h"
#include <stdlib.h>

#define FRAMES 8192

/* What is allocated, frame by frame. */
static uint8_t used[1UL << 21];

static void claim(struct page *pg, unsigned int order)
{
    uint64_t n = page_mfn(pg).n;

    assert_int_equal(n & ((1UL << order) - 1), 0);
    for (uint64_t i = n; i < n + (1UL << order); i++) {
        assert_false(used[i]);
        used[i] = 1;
    }
}

static void unclaim(struct page *pg, unsigned int order)
{
    for (uint64_t i = page_mfn(pg).n; i < page_mfn(pg).n + (1UL << order); i++) {
        assert_true(used[i]);
        used[i] = 0;
    }
}

static void start(unsigned long frames)
{
    memset(used, 0, sizeof(used));
    fake_init_alloc(frames, 1);
}

/* The canonical state: which frames head blocks of which order. */
static uint64_t fingerprint(void)
{
    uint64_t h = 14695981039346656037UL;

    page_alloc_drain();
    for (uint64_t n = 0; n < max_page; n++) {
        const struct page *pg = &frame_table[n];

        h = (h ^ (pg->count & PGC_FREE ? 1 : 0)) * 1099511628211UL;
    }
    assert_int_equal(page_alloc_check(), 0);
    return h ^ page_free_count();
}

/* The number of blocks of each order that can be had in a row tells how well things are merged. */
static unsigned int largest_order(void)
{
    for (int order = MAX_ORDER; order >= 0; order--) {
        struct page *pg = page_alloc_raw((unsigned int)order, 0, 0);

        if (pg) {
            page_free_raw(pg, (unsigned int)order);
            return (unsigned int)order;
        }
    }
    return 0;
}

static void random_operations(void **state)
{
    static struct {
        struct page *pg;
        unsigned int order;
    } live[2000];
    unsigned int nr = 0, seed = 1, largest;
    uint64_t before, held = 0, total;

    (void)state;
    start(FRAMES);
    before = fingerprint();
    largest = largest_order();
    total = page_free_count();
    for (int step = 0; step < 400000; step++) {
        unsigned int r = (unsigned int)rand_r(&seed);

        if ((r & 1) && nr < ARRAY_SIZE(live)) {
            unsigned int order = (r >> 1) % 100 < 70 ? 0 : (r >> 8) % 9;
            struct page *pg = page_alloc_raw(order, 0, 0);

            if (!pg)
                continue;
            claim(pg, order);
            live[nr].pg = pg;
            live[nr++].order = order;
            held += 1UL << order;
        } else if (nr) {
            unsigned int i = (r >> 1) % nr;

            unclaim(live[i].pg, live[i].order);
            page_free_raw(live[i].pg, live[i].order);
            held -= 1UL << live[i].order;
            live[i] = live[--nr];
        }
        assert_int_equal(page_free_count(), total - held);
        if (step % 40000 == 0)
            assert_int_equal(page_alloc_check(), 0);
    }
    while (nr) {
        nr--;
        page_free_raw(live[nr].pg, live[nr].order);
    }
    assert_int_equal(fingerprint(), before);
    assert_int_equal(largest_order(), largest);
}

static void exhaustion_gives_every_frame_once(void **state)
{
    uint64_t n = 0, total;
    uint32_t *list;

    (void)state;
    start(FRAMES);
    total = page_free_count();
    list = calloc(total, sizeof(*list));
    for (struct page *pg; (pg = page_alloc_raw(0, 0, 0));) {
        claim(pg, 0);
        list[n++] = (uint32_t)page_mfn(pg).n;
    }
    assert_int_equal(n, total);
    assert_int_equal(page_free_count(), 0);
    assert_null(page_alloc_raw(3, 0, 0));
    while (n)
        page_free_raw(&frame_table[list[--n]], 0);
    free(list);
    assert_int_equal(page_free_count(), total);
    fingerprint();
    assert_int_equal(largest_order(), 11); /* 2048..4095; the fake has some at the top */
}

/* Hot frames stand in the way of large blocks only until one is wanted. */
static void hot_frames_are_merged_on_demand(void **state)
{
    struct page *pg[64];
    unsigned int largest;

    (void)state;
    start(FRAMES + 64);
    largest = largest_order();
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 64; i++)
            assert_non_null(pg[i] = page_alloc_raw(0, 0, 0));
        for (int i = 0; i < 64; i++)
            page_free_raw(pg[i], 0);
        assert_int_equal(page_alloc_check(), 0);
        assert_int_equal(largest_order(), largest);
    }
}

static void limits_on_address_width(void **state)
{
    struct page *pg;
    unsigned int low = 0;

    (void)state;
    start((1UL << 20) + 4096); /* 16 MiB above 4 GiB */
    pg = page_alloc_raw(0, 0, 0);
    assert_true(page_mfn(pg).n >= 1UL << 20); /* high memory goes first */
    page_free_raw(pg, 0);
    for (int i = 0; i < 5000; i++) {
        assert_non_null(pg = page_alloc_raw(0, 30, 0));
        assert_true(page_mfn(pg).n < 1UL << 18);
    }
    assert_non_null(pg = page_alloc(2, PA_LOW4G | PA_ZERO));
    assert_true(page_mfn(pg).n + 4 <= 1UL << 20);
    while ((pg = page_alloc_raw(0, 24, 0))) {
        assert_true(page_mfn(pg).n < 1UL << 12);
        low++;
    }
    assert_int_equal(low, 4096 - 16);
    assert_null(page_alloc_raw(0, 12, 0));
    assert_null(page_alloc_raw(0, 1, 0));
    assert_null(page_alloc_raw(MAX_ORDER + 1, 0, 0));
    assert_null(page_alloc_raw(64, 0, 0));
    assert_int_equal(page_alloc_check(), 0);
}

static bool all_bytes(const struct page *pg, uint8_t value)
{
    const uint8_t *p = page_virt(pg);

    for (size_t i = 0; i < PAGE_SIZE; i++)
        if (p[i] != value)
            return false;
    return true;
}

/* XSA-100 */
static void other_owners_contents_are_cleared(void **state)
{
    struct page *pg, *again;
    unsigned long flushes;

    (void)state;
    start(FRAMES);
    pg = page_alloc(0, 0);
    memset(page_virt(pg), 0x11, PAGE_SIZE);
    page_free(pg, 0);
    again = page_alloc_raw(0, 0, 0);
    assert_ptr_equal(again, pg);
    assert_true(again->count & PGC_TAINTED);
    page_prepare(again, 0, 7);
    assert_true(all_bytes(again, 0));
    assert_int_equal(again->count, 0);

    /* domain 7 had it: 7 gets it back as it was, without a flush */
    memset(page_virt(again), 0x22, PAGE_SIZE);
    again->type = 7 | PGR_FLUSH;
    flushes = fake_tlb_flushes;
    page_free_raw(again, 0);
    pg = page_alloc_raw(0, 0, 0);
    page_prepare(pg, 0, 7);
    assert_true(all_bytes(pg, 0x22));
    assert_int_equal(fake_tlb_flushes, flushes);
    assert_int_equal(pg->type, PGT(PGT_WRITABLE)); /* so that P3 flushes before it is a table */

    /* the same, but it was a table: flushed even for 7 */
    pg->type = 7 | PGR_FLUSH | PGR_ALWAYS;
    page_free_raw(pg, 0);
    pg = page_alloc_raw(0, 0, 0);
    page_prepare(pg, 0, 7);
    assert_true(all_bytes(pg, 0x22));
    assert_int_equal(fake_tlb_flushes, flushes + 1);
    assert_int_equal(pg->type, PGT(PGT_NONE));

    /* another one: cleared and flushed */
    pg->type = 7 | PGR_FLUSH;
    page_free_raw(pg, 0);
    pg = page_alloc_raw(0, 0, 0);
    page_prepare(pg, 0, 8);
    assert_true(all_bytes(pg, 0));
    assert_int_equal(fake_tlb_flushes, flushes + 2);

    /* the hypervisor: flushed */
    pg->type = 8 | PGR_FLUSH;
    page_free_raw(pg, 0);
    pg = page_alloc(0, 0);
    assert_int_equal(fake_tlb_flushes, flushes + 3);
    page_free(pg, 0);

    /* prepared for one who then did not take it: nothing is forgotten */
    pg = page_alloc_raw(0, 0, 0);
    page_prepare(pg, 0, 9);
    pg->type = 9 | PGR_FLUSH;
    page_prepare(pg, 0, 9);
    flushes = fake_tlb_flushes;
    page_prepare(pg, 0, 10);
    assert_int_equal(fake_tlb_flushes, flushes + 1);
}

static void misuse_is_caught(void **state)
{
    struct page *pg;

    (void)state;
    start(FRAMES);
    pg = page_alloc(1, 0);
    page_free(pg, 1);
    assert_true(fake_panics(page_free(pg, 1)));
    assert_true(fake_panics(page_free_raw(pg, 1)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_operations),
        cmocka_unit_test(exhaustion_gives_every_frame_once),
        cmocka_unit_test(hot_frames_are_merged_on_demand),
        cmocka_unit_test(limits_on_address_width),
        cmocka_unit_test(other_owners_contents_are_cleared),
        cmocka_unit_test(misuse_is_caught),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
