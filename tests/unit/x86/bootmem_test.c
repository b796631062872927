/* SPDX-License-Identifier: MIT */
/* Memory before there is an allocator: is everything that is handed out RAM, and nobody else's? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <asm/boot.h>
#include <hv/printk.h>
#include <stdlib.h>
#include "fake.h"

#define FRAMES 16384u /* 64 MiB */
#define MB     0x100000ul
#define IMAGE  0x50000u

static struct boot_info info;
static uint8_t owner[FRAMES]; /* 1 RAM, 2 taken; 0 anything else */

void boot_fail(const char *fmt, ...)
{
    (void)fmt;
    panic("boot_fail");
}

static void mark(uint64_t start, uint64_t end, uint8_t what)
{
    for (uint64_t n = start / PAGE_SIZE; n < DIV_ROUND_UP(end, PAGE_SIZE) && n < FRAMES; n++)
        owner[n] = what;
}

static void region(uint64_t base, uint64_t len, uint32_t type)
{
    info.region[info.nr_regions++] = (struct boot_region){base, len, type};
    if (type == BOOT_RAM)
        for (uint64_t n = DIV_ROUND_UP(base, PAGE_SIZE); n < (base + len) / PAGE_SIZE; n++)
            owner[n] = 1;
}

static void module(uint64_t start, uint64_t end)
{
    info.module[info.nr_modules++] = (struct boot_module){start, end, ""};
    mark(start, end, 2);
}

static void begin(void)
{
    fake_init(FRAMES, 1);
    memset(&info, 0, sizeof(info));
    memset(owner, 0, sizeof(owner));
}

static void ready(void)
{
    mark(0, MB, 2);
    mark(IMAGE_PHYS, IMAGE_PHYS + IMAGE, 2);
    bootmem_init(&info, IMAGE);
}

/* A machine as they are: low memory, a hole, memory with a piece of ACPI tables in it. */
static void usual(void)
{
    begin();
    region(0, 0x9fc00, BOOT_RAM);
    region(0x9fc00, 0x400, BOOT_RESERVED);
    region(MB, 40 * MB + 0x800, BOOT_RAM);
    region(41 * MB + 0x800, 0x7800, BOOT_ACPI);
    region(48 * MB, 8 * MB, BOOT_RAM);
}

static uint64_t take(uint64_t size, uint64_t align, uint64_t limit)
{
    uint64_t at = bootmem_alloc(size, align, limit);

    assert_int_equal(at % align, 0);
    if (limit)
        assert_true(at + size <= limit);
    for (uint64_t n = at / PAGE_SIZE; n < (at + size) / PAGE_SIZE; n++) {
        assert_int_equal(owner[n], 1);
        owner[n] = 2;
    }
    return at;
}

static void check_release(void)
{
    for (unsigned int n = 0; n < FRAMES; n++)
        frame_table[n].count = PGC_OFFLINE;
    bootmem_release();
    for (unsigned int n = 0; n < FRAMES; n++)
        assert_int_equal((frame_table[n].count & PGC_FREE) != 0, owner[n] == 1);
    assert_int_equal(page_alloc_check(), 0);
}

static void takes_from_the_top(void **state)
{
    (void)state;
    usual();
    ready();
    assert_int_equal(take(PAGE_SIZE, PAGE_SIZE, 0), 56 * MB - PAGE_SIZE);
    assert_int_equal(take(PAGE_SIZE, PAGE_SIZE, 0), 56 * MB - 2 * PAGE_SIZE);
    assert_int_equal(take(2 * MB, 2 * MB, 0), 52 * MB);
    assert_int_equal(take(PAGE_SIZE, PAGE_SIZE, 16 * MB), 16 * MB - PAGE_SIZE);
    assert_int_equal(take(16 * MB, PAGE_SIZE, 0), 25 * MB); /* the upper piece is too small */
    check_release();
}

static void goes_around_modules(void **state)
{
    (void)state;
    usual();
    module(55 * MB, 56 * MB);
    module(40 * MB + 1, 41 * MB - 1);
    ready();
    assert_int_equal(take(8 * MB, PAGE_SIZE, 0), 32 * MB);
    assert_int_equal(take(PAGE_SIZE, PAGE_SIZE, 0), 55 * MB - PAGE_SIZE);
    check_release();
}

static void modules_come_back(void **state)
{
    (void)state;
    usual();
    module(8 * MB, 9 * MB + 5);
    module(10 * MB + 5, 10 * MB + 6);
    ready();
    check_release();
    bootmem_release_modules();
    for (uint64_t n = 8 * MB / PAGE_SIZE; n < 9 * MB / PAGE_SIZE; n++)
        assert_true(frame_table[n].count & PGC_FREE);
    assert_false(frame_table[9 * MB / PAGE_SIZE].count & PGC_FREE); /* not whole */
    assert_false(frame_table[10 * MB / PAGE_SIZE].count & PGC_FREE);
    assert_int_equal(page_alloc_check(), 0);
}

static void ends_with_a_message(void **state)
{
    (void)state;
    usual();
    ready();
    assert_true(fake_panics(bootmem_alloc(64 * MB, PAGE_SIZE, 0)));
    assert_true(fake_panics(bootmem_alloc(PAGE_SIZE, PAGE_SIZE, MB)));
}

static void start_page_is_low_ram(void **state)
{
    uint64_t at;

    (void)state;
    usual();
    ready();
    at = bootmem_low_page();
    assert_true(at >= PAGE_SIZE && at + PAGE_SIZE <= 0x9fc00 && at % PAGE_SIZE == 0);
    begin();
    region(16 * MB, 16 * MB, BOOT_RAM);
    ready();
    assert_int_equal(bootmem_low_page(), 0);
}

/* Random maps, modules and sizes: never outside of RAM, never twice, nothing is lost. */
static void random_maps(void **state)
{
    (void)state;
    srand(1);
    for (unsigned int round = 0; round < 200; round++) {
        uint64_t at = 0;
        bool touches_ram = false; /* neighbours of one type would be one region */

        begin();
        while (at < 60 * MB) {
            uint64_t len = 1 + (uint64_t)rand() % (8 * MB), gap = rand() % 2 ? 0 : rand() % MB;
            bool ram = !touches_ram && rand() % 4;

            region(at, min(len, FRAMES * PAGE_SIZE - at), ram ? BOOT_RAM : BOOT_RESERVED);
            at += len + gap;
            touches_ram = ram && !gap;
        }
        for (int i = rand() % 5; i > 0; i--) {
            uint64_t start = 3 * MB + (uint64_t)rand() % (50 * MB);

            module(start, start + 1 + (uint64_t)rand() % (2 * MB));
        }
        for (unsigned int i = 0; i < info.nr_modules; i++) /* they may lie in no RAM at all */
            mark(info.module[i].start, info.module[i].end, 2);
        ready();
        for (int i = 0; i < 30; i++)
            take(PAGE_SIZE << (rand() % 4), PAGE_SIZE << (rand() % 5), 0);
        check_release();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_from_the_top),    cmocka_unit_test(goes_around_modules),
        cmocka_unit_test(modules_come_back),     cmocka_unit_test(ends_with_a_message),
        cmocka_unit_test(start_page_is_low_ram), cmocka_unit_test(random_maps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
