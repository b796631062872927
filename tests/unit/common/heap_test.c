/* SPDX-License-Identifier: MIT */
/* Small objects: zeroed, aligned, disjoint, all memory back at the end; misuse is caught. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "fake.h"
#include <hv/heap.h>
#include <stdlib.h>

static size_t alignment_of(size_t size)
{
    return size >= PAGE_SIZE ? PAGE_SIZE : size >= 64 ? 64 : 16;
}

static void random_objects(void **state)
{
    static struct {
        uint8_t *p;
        size_t size;
        uint8_t fill;
    } live[3000];
    unsigned int nr = 0, seed = 9;
    uint64_t before;

    (void)state;
    fake_init_alloc(16384, 1);
    before = page_free_count();
    for (int step = 0; step < 200000; step++) {
        unsigned int r = (unsigned int)rand_r(&seed);

        if ((r & 1) && nr < ARRAY_SIZE(live)) {
            size_t size = 1 + (r >> 4) % (r & 2 ? 2500 : 200);
            uint8_t *p;

            if ((r & 0xff0) == 0)
                size = (r >> 12) % 70000;
            p = heap_zalloc(size);
            if (!p)
                continue;
            assert_int_equal((uintptr_t)p % alignment_of(size), 0);
            for (size_t i = 0; i < size; i++)
                assert_int_equal(p[i], 0);
            live[nr].p = p;
            live[nr].size = size;
            live[nr].fill = (uint8_t)(r >> 8);
            memset(p, live[nr++].fill, size);
        } else if (nr) {
            unsigned int i = (r >> 1) % nr;

            for (size_t k = 0; k < live[i].size; k++) /* nobody wrote into it */
                assert_int_equal(live[i].p[k], live[i].fill);
            heap_free(live[i].p);
            live[i] = live[--nr];
        }
    }
    while (nr)
        heap_free(live[--nr].p);
    assert_int_equal(heap_used(), 0);
    assert_int_equal(page_free_count(), before);
    assert_int_equal(page_alloc_check(), 0);
}

static void sizes_at_the_borders(void **state)
{
    void *p;

    (void)state;
    fake_init_alloc(4096, 1);
    for (size_t size = 0; size <= 5000; size++) {
        assert_non_null(p = heap_zalloc(size));
        assert_int_equal((uintptr_t)p % alignment_of(size), 0);
        memset(p, 0xff, size);
        assert_true(heap_used() >= size);
        heap_free(p);
    }
    assert_non_null(p = heap_zalloc(1UL << 20));
    heap_free(p);
    assert_null(heap_zalloc((1UL << 20) + 1));
    assert_null(heap_zalloc_array(1UL << 33, 1UL << 33));
    assert_non_null(p = heap_zalloc_array(10, 10));
    heap_free(p);
    heap_free(NULL);
    assert_int_equal(heap_used(), 0);
}

static void out_of_memory(void **state)
{
    unsigned int n = 0;

    (void)state;
    fake_init_alloc(64, 1);
    while (heap_zalloc(2048))
        n++;
    assert_true(n >= 40 && n < 128);
    assert_null(heap_zalloc(3000));
}

static void misuse_is_caught(void **state)
{
    uint8_t *p, *q, *r;

    (void)state;
    fake_init_alloc(256, 1);
    p = heap_zalloc(100);
    q = heap_zalloc(100);
    heap_free(p);
    assert_true(fake_panics(heap_free(p)));
    fake_init_alloc(256, 1);
    p = heap_zalloc(100);
    q = heap_zalloc(100);
    heap_free(q);
    q[50] = 1; /* written after it was freed */
    assert_true(fake_panics(r = heap_zalloc(100)));
    fake_init_alloc(256, 1);
    p = heap_zalloc(100);
    assert_true(fake_panics(heap_free(p + 16)));
    r = heap_zalloc(9000);
    assert_true(fake_panics(heap_free(r + 64)));
    assert_true(fake_panics(heap_free(r + PAGE_SIZE)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_objects),
        cmocka_unit_test(sizes_at_the_borders),
        cmocka_unit_test(out_of_memory),
        cmocka_unit_test(misuse_is_caught),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
