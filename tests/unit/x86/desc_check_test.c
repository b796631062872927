/* SPDX-License-Identifier: MIT */
/* Which descriptors a guest may have: every type, every privilege level. */
#include "fake.h"

#include <asm/mmu.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define P   (1UL << 47)
#define S   (1UL << 44)
#define DPL (3UL << 45)

static uint64_t descriptor(unsigned int type, bool s, unsigned int dpl, bool present)
{
    return 0x00cf00000000ffffUL | (uint64_t)type << 40 | (s ? S : 0) | (uint64_t)dpl << 45 |
           (present ? P : 0);
}

static void segments_become_ring_3(void **state)
{
    (void)state;
    for (unsigned int type = 0; type < 16; type++) {
        for (unsigned int dpl = 0; dpl < 4; dpl++) {
            uint64_t d = descriptor(type, true, dpl, true), was = d;

            assert_true(descriptor_check(&d));
            assert_int_equal(d, was | DPL);
        }
    }
}

static void system_descriptors_are_refused(void **state)
{
    (void)state;
    for (unsigned int type = 1; type < 16; type++) {
        for (unsigned int dpl = 0; dpl < 4; dpl++) {
            uint64_t d = descriptor(type, false, dpl, true);

            assert_false(descriptor_check(&d));
        }
    }
}

static void what_faults_may_be_anything(void **state)
{
    uint64_t d = descriptor(0, false, 0, true), was = d;

    (void)state;
    assert_true(descriptor_check(&d));
    assert_int_equal(d, was);
    for (unsigned int type = 0; type < 32; type++) {
        d = was = descriptor(type & 15, type & 16, 0, false);
        assert_true(descriptor_check(&d));
        assert_int_equal(d, was);
    }
}

static void one_bad_entry_spoils_a_page(void **state)
{
    static uint64_t table[512];

    (void)state;
    for (unsigned int i = 0; i < 512; i++)
        table[i] = descriptor(3, true, 0, true);
    assert_true(descriptor_page_check(table));
    for (unsigned int i = 0; i < 512; i++) {
        assert_int_equal(table[i], descriptor(3, true, 3, true));
        table[i] = descriptor(0xc, false, 3, true);
        assert_false(descriptor_page_check(table));
        table[i] = 0;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments_become_ring_3),
        cmocka_unit_test(system_descriptors_are_refused),
        cmocka_unit_test(what_faults_may_be_anything),
        cmocka_unit_test(one_bad_entry_spoils_a_page),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
