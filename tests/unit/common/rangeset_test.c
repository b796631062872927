/* SPDX-License-Identifier: MIT */
/* Sets of ranges, beside a set of bits that says what they should have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "fake.h"
#include <hv/heap.h>
#include <hv/rangeset.h>
#include <stdlib.h>

#define BITS 700UL

static struct rangeset set;
static bool model[BITS];

static int setup(void **state)
{
    (void)state;
    fake_init_alloc(4096, 1);
    rangeset_init(&set);
    memset(model, 0, sizeof(model));
    return 0;
}

static unsigned int ranges_of_model(void)
{
    unsigned int n = 0;

    for (unsigned int i = 0; i < BITS; i++)
        n += model[i] && !(i && model[i - 1]);
    return n;
}

static void check_order(void)
{
    for (unsigned int i = 0; i < set.nr; i++) {
        assert_true(set.range[i].first <= set.range[i].last);
        assert_true(i == 0 || set.range[i - 1].last + 1 < set.range[i].first);
    }
}

/* The numbers lie at the beginning, or at the end of what there is. */
static void random_changes(uint64_t base)
{
    unsigned int seed = 7;

    for (int step = 0; step < 20000; step++) {
        unsigned int first = (unsigned int)rand_r(&seed) % BITS;
        unsigned int n = 1 + (unsigned int)rand_r(&seed) % (step % 50 ? 4 : 300);
        unsigned int last = first + n <= BITS ? first + n - 1 : BITS - 1;
        bool has = rand_r(&seed) & 1, all = true;

        assert_int_equal(rangeset_set(&set, base + first, base + last, has), 0);
        for (unsigned int i = first; i <= last; i++)
            model[i] = has;
        assert_int_equal(set.nr, ranges_of_model());
        check_order();
        first = (unsigned int)rand_r(&seed) % BITS;
        last = first + (unsigned int)rand_r(&seed) % (unsigned int)(BITS - first);
        for (unsigned int i = first; i <= last; i++)
            all &= model[i];
        assert_int_equal(rangeset_has(&set, base + first, base + last), all);
    }
    rangeset_free(&set);
    assert_int_equal(heap_used(), 0);
}

static void from_the_beginning(void **state)
{
    (void)state;
    random_changes(0);
}

static void to_the_end(void **state)
{
    (void)state;
    random_changes(~0UL - (BITS - 1));
}

static void everything(void **state)
{
    (void)state;
    assert_false(rangeset_has(&set, 0, 0));
    assert_int_equal(rangeset_set(&set, 0, ~0UL, true), 0);
    assert_int_equal(rangeset_set(&set, 0, ~0UL, true), 0);
    assert_true(rangeset_has(&set, 0, ~0UL));
    assert_int_equal(set.nr, 1);
    assert_int_equal(rangeset_set(&set, 5, 5, false), 0);
    assert_false(rangeset_has(&set, 0, ~0UL));
    assert_false(rangeset_has(&set, 4, 6));
    assert_true(rangeset_has(&set, 6, ~0UL));
    assert_int_equal(rangeset_set(&set, 0, ~0UL, false), 0);
    assert_int_equal(set.nr, 0);
    assert_false(rangeset_has(&set, ~0UL, ~0UL));
    rangeset_free(&set);
}

static void no_more_than_so_many(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < RANGES_MAX; i++)
        assert_int_equal(rangeset_set(&set, 2 * i + 10, 2 * i + 10, true), 0);
    assert_int_equal(rangeset_set(&set, 5, 5, true), -ENOMEM);
    assert_int_equal(set.nr, RANGES_MAX);
    assert_false(rangeset_has(&set, 5, 5));
    assert_int_equal(rangeset_set(&set, 11, 11, true), 0); /* one less */
    assert_int_equal(rangeset_set(&set, 5, 5, true), 0);
    assert_int_equal(rangeset_set(&set, 11, 11, false), -ENOMEM);
    assert_true(rangeset_has(&set, 10, 12));
    rangeset_free(&set);
    assert_int_equal(heap_used(), 0);
}

static void without_memory(void **state)
{
    (void)state;
    assert_int_equal(rangeset_set(&set, 1, 9, true), 0);
    while (heap_zalloc(32))
        ;
    assert_int_equal(rangeset_set(&set, 20, 29, true), -ENOMEM);
    assert_int_equal(rangeset_set(&set, 5, 5, false), -ENOMEM);
    assert_true(rangeset_has(&set, 1, 9));
    assert_int_equal(set.nr, 1);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(from_the_beginning),   TEST(to_the_end),     TEST(everything),
        TEST(no_more_than_so_many), TEST(without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
