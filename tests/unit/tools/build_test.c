/* SPDX-License-Identifier: MIT */
/* Where the builder puts what, and the tables that it writes: followed as a CPU would. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "build_kit.h"
#include "dom0-tools/libsocle/build_layout.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <xen/features.h>

#define MIB_PAGES 256ul

static struct kit kit;
static struct build_layout l;
static struct error err;

static int start(void **state)
{
    (void)state;
    kit_make(&kit);
    memset(&err, 0, sizeof(err));
    return 0;
}

static int lay_out(uint64_t initrd, uint64_t pages)
{
    return build_layout(&l, kit.byte, KIT_SIZE, initrd, pages, &err);
}

static void good(uint64_t initrd, uint64_t pages)
{
    if (lay_out(initrd, pages))
        fail_msg("%s", err.text);
}

static void bad(int rc, const char *why)
{
    assert_int_equal(lay_out(0, 32 * MIB_PAGES), rc);
    assert_string_equal(err.text, why);
}

/* Frames in an order of their own, so that none is mistaken for a page's number. */
static uint64_t frame_of(uint64_t page)
{
    return 0x10000 + (page ^ 0x155);
}

static uint64_t page_of(uint64_t frame)
{
    return (frame - 0x10000) ^ 0x155;
}

struct found {
    bool there, writable;
    uint64_t page;
};

static struct found walk(const uint64_t *tables, uint64_t va)
{
    uint64_t table = 0, entry = 0;

    for (int level = 4; level >= 1; level--) {
        entry = tables[table * 512 + (va >> (12 + 9 * (level - 1)) & 511)];
        if (!(entry & 1))
            return (struct found){0};
        assert_int_equal(entry & 4, 4); /* a kernel here is a user */
        table = page_of(entry >> 12) - l.tables;
        if (level > 1) {
            assert_int_equal(entry & 2, 2);
            assert_true(table > 0 && table < l.nr_tables);
        }
    }
    return (struct found){true, entry & 2, page_of(entry >> 12)};
}

/* All that must be true of tables. */
static void check_tables(void)
{
    uint64_t *p2m = malloc(l.nr_pages * sizeof(*p2m)), *tables = malloc(l.nr_tables * BUILD_PAGE);

    for (uint64_t i = 0; i < l.nr_pages; i++)
        p2m[i] = frame_of(i);
    memset(tables, 0xa5, l.nr_tables * BUILD_PAGE);
    build_tables(&l, tables, p2m);
    for (uint64_t page = 0; page < l.mapped; page++) {
        struct found f = walk(tables, build_va(&l, page));

        assert_true(f.there);
        assert_int_equal(f.page, page);
        assert_int_equal(f.writable, page < l.tables || page >= l.tables + l.nr_tables);
    }
    assert_false(walk(tables, build_va(&l, l.mapped)).there);
    assert_false(walk(tables, l.base - BUILD_PAGE).there);
    for (uint64_t i = 0; i < l.nr_p2m; i++)
        assert_int_equal(walk(tables, l.p2m_va + i * BUILD_PAGE).page, l.p2m + i);
    free(tables);
    free(p2m);
}

/* The order of xen/xen.h, "start of day". */
static void in_order(void **state)
{
    (void)state;
    good(5000, 32 * MIB_PAGES);
    assert_int_equal(l.base, KIT_BASE);
    assert_int_equal(l.kernel, 256);
    assert_int_equal(l.initrd, 256 + 2 + 5);
    assert_int_equal(l.p2m, l.initrd + 2);
    assert_int_equal(l.nr_p2m, 16); /* 8192 of 8 bytes */
    assert_int_equal(l.info, l.p2m + 16);
    assert_int_equal(l.store, l.info + 1);
    assert_int_equal(l.console, l.info + 2);
    assert_int_equal(l.tables, l.info + 3);
    assert_int_equal(l.stack, l.tables + l.nr_tables);
    assert_int_equal(l.mapped % 1024, 0);
    assert_true(l.mapped - l.stack - 1 >= 128);
    assert_int_equal(l.used, l.mapped);
    assert_int_equal(l.nr_tables, 5); /* one of the highest levels each, two of the lowest: 4 MiB */
    check_tables();
}

/* What Linux wants: the p2m where it likes, the initrd anywhere. */
static void as_linux(void **state)
{
    (void)state;
    kit_number(&kit, XEN_ELFNOTE_INIT_P2M, KIT_P2M);
    kit_number(&kit, XEN_ELFNOTE_MOD_START_PFN, 1);
    good(5000, 32 * MIB_PAGES);
    assert_int_equal(l.info, 256 + 2 + 5);
    assert_int_equal(l.p2m, l.mapped);
    assert_int_equal(l.p2m_va, KIT_P2M);
    assert_int_equal(l.initrd, l.mapped + 16);
    assert_int_equal(l.used, l.initrd + 2);
    assert_int_equal(l.nr_tables, 8);
    check_tables();
}

/* Tables that both regions share. */
static void p2m_near_the_kernel(void **state)
{
    (void)state;
    kit_number(&kit, XEN_ELFNOTE_INIT_P2M, KIT_BASE + (1 << 30));
    good(0, 32 * MIB_PAGES);
    check_tables();
    kit_make(&kit);
    kit_number(&kit, XEN_ELFNOTE_INIT_P2M, build_va(&l, 4096));
    good(0, 32 * MIB_PAGES);
    check_tables();
}

/* Every size near those where another table is needed. */
static void all_sizes(void **state)
{
    (void)state;
    for (uint64_t initrd = 0; initrd < 24ul << 20; initrd += 345678) {
        good(initrd, 40 * MIB_PAGES);
        if (initrd % 9 == 0)
            check_tables();
    }
    for (uint64_t pages = 1024; pages < 1ul << 21; pages = pages * 3 / 2)
        good(0, pages);
}

static void too_little(void **state)
{
    uint64_t pages = 1;

    (void)state;
    for (; lay_out(1 << 20, pages); pages++) {
        assert_non_null(strstr(err.text, "too little memory for kernel, ramdisk and page tables"));
        assert_true(pages < 100000);
    }
    assert_true(pages >= 1024);
    assert_int_equal(l.used, pages); /* not one more than it takes */
    check_tables();
    assert_int_equal(lay_out(1ul << 41, 1ul << 31), -EFBIG);
    assert_int_equal(lay_out(0, 1ul << 33), -EFBIG);
}

static void refused(void **state)
{
    (void)state;
    kit.eh.e_machine = EM_AARCH64;
    bad(-ENOEXEC, "ELF file for another machine than x86-64");
    kit_make(&kit);
    kit_note(&kit, XEN_ELFNOTE_PAE_MODE, "no", 3);
    bad(-EINVAL, "a kernel without PAE");
    kit_make(&kit);
    kit_note(&kit, XEN_ELFNOTE_FEATURES, "!auto_translated_physmap", 25);
    bad(-EINVAL, "the kernel requires a feature that is not offered");
    kit_make(&kit);
    kit_note(&kit, XEN_ELFNOTE_FEATURES, "auto_translated_physmap|!writable_page_tables", 46);
    good(0, 32 * MIB_PAGES);
}

static void addresses(void **state)
{
    static const char not_its[] = "the kernel wants addresses that a guest can not have";
    static const struct {
        uint64_t base;
        const char *why; /* NULL: good */
    } cases[] = {
        {0x400000, NULL},
        {0x00007fffffd00000, not_its},
        {0x0000800000000000, not_its},
        {0xffff800000000000, not_its},
        {0xffff87fffff00000, not_its},
        {0xffff880000000000, NULL},
        {0xffffffffff800000, NULL},
        {0xffffffffffe00000, not_its},
        {0xfffffffffff00000, "the image wraps around the end of the address space"},
    };

    (void)state;
    for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        kit_make(&kit);
        kit_number(&kit, XEN_ELFNOTE_VIRT_BASE, cases[i].base);
        kit.eh.e_entry = cases[i].base + KIT_START;
        if (cases[i].why) {
            bad(-EINVAL, cases[i].why);
            continue;
        }
        good(0, 32 * MIB_PAGES);
        check_tables();
    }
    kit_make(&kit);
    kit_number(&kit, XEN_ELFNOTE_INIT_P2M, 0xffff800000000000);
    bad(-EINVAL, not_its);
    kit_make(&kit);
    kit_number(&kit, XEN_ELFNOTE_INIT_P2M,
               KIT_BASE + 0x200000); /* in the region, behind the image */
    bad(-EINVAL, not_its);
}

/* A base that is not a page's: the region begins with the page. */
static void odd_base(void **state)
{
    (void)state;
    kit_number(&kit, XEN_ELFNOTE_VIRT_BASE, KIT_BASE + 0x234);
    kit.eh.e_entry += 0x234;
    good(0, 32 * MIB_PAGES);
    assert_int_equal(l.base, KIT_BASE);
    assert_int_equal(l.kernel, 256);
    check_tables();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(in_order, start),
        cmocka_unit_test_setup(as_linux, start),
        cmocka_unit_test_setup(all_sizes, start),
        cmocka_unit_test_setup(p2m_near_the_kernel, start),
        cmocka_unit_test_setup(refused, start),
        cmocka_unit_test_setup(too_little, start),
        cmocka_unit_test_setup(addresses, start),
        cmocka_unit_test_setup(odd_base, start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
