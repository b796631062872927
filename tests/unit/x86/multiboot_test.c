/* SPDX-License-Identifier: MIT */
/* Boot loader information in both dialects, and the map of memory that is made of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <asm/multiboot.h>
#include <hv/errno.h>
#include <hv/lib.h>

/* "Physical memory": a window at 1 MiB, everything else is out of reach. */
#define WINDOW 0x100000u
#define SIZE   0x8000u

static uint8_t mem[SIZE];
static struct boot_info info;

static const void *map(void *ctx, uint64_t paddr, size_t len)
{
    assert_null(ctx);
    assert_true(len >= 1 && len <= PHYS_READ_MAX);
    if (paddr < WINDOW || paddr - WINDOW > SIZE || len > SIZE - (paddr - WINDOW))
        return NULL;
    return mem + (paddr - WINDOW);
}

static const struct phys_reader reader = {map, NULL};

static void put32(uint32_t at, uint32_t val)
{
    memcpy(mem + at, &val, 4);
}

static void put64(uint32_t at, uint64_t val)
{
    memcpy(mem + at, &val, 8);
}

static uint32_t put_text(uint32_t at, const char *s)
{
    memcpy(mem + at, s, strlen(s) + 1);
    return WINDOW + at;
}

static int reset(void **state)
{
    (void)state;
    memset(mem, 0, sizeof(mem));
    memset(&info, 0, sizeof(info));
    return 0;
}

static void expect_region(unsigned int i, uint64_t base, uint64_t len, uint32_t type)
{
    assert_true(i < info.nr_regions);
    assert_int_equal(info.region[i].base, base);
    assert_int_equal(info.region[i].len, len);
    assert_int_equal(info.region[i].type, type);
}

static int fails(uint32_t magic, int err, const char *why)
{
    int rc = multiboot_parse(magic, WINDOW, &reader, &info);

    assert_int_equal(rc, err);
    assert_string_equal(info.error, why);
    return rc;
}

/* ---- Multiboot 1: the structure at 0, module list at 0x200, map at 0x400, texts from 0x1000 ----
 */

static int parse1(void)
{
    return multiboot_parse(MULTIBOOT1_LOADER_MAGIC, WINDOW, &reader, &info);
}

static void mb1_region(unsigned int i, uint64_t base, uint64_t len, uint32_t type)
{
    uint32_t at = 0x400 + i * 24;

    put32(at, 20);
    put64(at + 4, base);
    put64(at + 12, len);
    put32(at + 20, type);
    put32(44, (i + 1) * 24);
    put32(48, WINDOW + 0x400);
}

static void mb1_module(unsigned int i, uint32_t start, uint32_t end, uint32_t text)
{
    put32(0x200 + i * 16, start);
    put32(0x200 + i * 16 + 4, end);
    put32(0x200 + i * 16 + 8, text);
    put32(20, i + 1);
    put32(24, WINDOW + 0x200);
}

static void mb1_like_qemu(void **state)
{
    (void)state;
    put32(0, 1 << 0 | 1 << 2 | 1 << 3 | 1 << 6 | 1 << 9);
    put32(4, 639);
    put32(8, 0x7fb80);
    put32(16, put_text(0x1000, "build/socle com1=115200,8n1"));
    put32(64, put_text(0x1100, "qemu"));
    mb1_module(0, 0x200000, 0x300000, put_text(0x1200, "hello.elf args"));
    mb1_module(1, 0x300000, 0x300000, 0);
    mb1_region(0, 0, 0x9fc00, BOOT_RAM);
    mb1_region(1, 0x9fc00, 0x400, BOOT_RESERVED);
    mb1_region(2, 0xf0000, 0x10000, BOOT_RESERVED);
    mb1_region(3, 0x100000, 0x7fe0000 - 0x100000, BOOT_RAM);

    assert_int_equal(parse1(), 0);
    assert_null(info.error);
    assert_string_equal(info.cmdline, "build/socle com1=115200,8n1");
    assert_string_equal(info.loader, "qemu");
    assert_int_equal(info.nr_modules, 2);
    assert_int_equal(info.module[0].start, 0x200000);
    assert_int_equal(info.module[0].end, 0x300000);
    assert_string_equal(info.module[0].cmdline, "hello.elf args");
    assert_string_equal(info.module[1].cmdline, "");
    assert_int_equal(info.nr_regions, 4);
    expect_region(0, 0, 0x9fc00, BOOT_RAM);
    expect_region(3, 0x100000, 0x7ee0000, BOOT_RAM);
    assert_int_equal(info.display.type, BOOT_DISPLAY_NONE);
    assert_false(info.map_is_guess || info.modules_lost || info.regions_lost || info.text_lost);

    memset(mem, 0xff, sizeof(mem)); /* nothing points there any more */
    assert_string_equal(info.module[0].cmdline, "hello.elf args");
}

static void mb1_sizes_only(void **state)
{
    (void)state;
    put32(0, 1);
    put32(4, 639);
    put32(8, 127 << 10);
    assert_int_equal(parse1(), 0);
    assert_true(info.map_is_guess);
    assert_int_equal(info.nr_regions, 2);
    expect_region(0, 0, 639 << 10, BOOT_RAM);
    expect_region(1, 1 << 20, 127 << 20, BOOT_RAM);
    assert_string_equal(info.cmdline, "");
}

static void mb1_errors(void **state)
{
    (void)state;
    fails(MULTIBOOT1_LOADER_MAGIC, -EINVAL, "boot loader: no memory map and no memory sizes");
    fails(0x1234, -EINVAL, "not started by a Multiboot loader");
    put32(0, 1 << 6);
    put32(44, 24);
    put32(48, WINDOW + SIZE - 8);
    fails(MULTIBOOT1_LOADER_MAGIC, -EFAULT, "boot loader: the memory map is out of reach");
    mb1_region(0, 0, 0x1000, BOOT_RAM);
    put32(0x400, 19);
    fails(MULTIBOOT1_LOADER_MAGIC, -EINVAL, "boot loader: the memory map has a malformed entry");
    put32(0, 1 << 3);
    mb1_module(0, 2, 1, 0);
    fails(MULTIBOOT1_LOADER_MAGIC, -EINVAL, "boot loader: a module ends before it starts");
    put32(24, 0);
    fails(MULTIBOOT1_LOADER_MAGIC, -EFAULT, "boot loader: the list of modules is out of reach");
    assert_int_equal(multiboot_parse(MULTIBOOT1_LOADER_MAGIC, WINDOW + SIZE - 80, &reader, &info),
                     -EFAULT);
    assert_string_equal(info.error, "boot loader: its information is out of reach");
}

static void mb1_too_many_modules(void **state)
{
    (void)state;
    put32(0, 1 | 1 << 3);
    put32(8, 1024);
    for (unsigned int i = 0; i < BOOT_MAX_MODULES + 1; i++)
        mb1_module(i, i, i + 1, 0);
    assert_int_equal(parse1(), 0);
    assert_int_equal(info.nr_modules, BOOT_MAX_MODULES);
    assert_true(info.modules_lost);
    put32(20, UINT32_MAX);
    assert_int_equal(parse1(), 0);
    assert_true(info.modules_lost);
}

static void texts_are_bounded(void **state)
{
    (void)state;
    put32(0, 1 | 1 << 2 | 1 << 3 | 1 << 9);
    put32(8, 1024);
    memset(mem + 0x1000, 'a', SIZE - 0x1000); /* never terminated: ends with the window */
    put32(16, WINDOW + SIZE - 5);
    put32(64, WINDOW + 0x1000);
    mb1_module(0, 0, 0, WINDOW + 0x1000);
    assert_int_equal(parse1(), 0);
    assert_true(info.text_lost);
    assert_string_equal(info.cmdline, "aaaaa");
    assert_int_equal(strlen(info.loader), BOOT_TEXT_SIZE - 1 - 6 - 1);
    assert_string_equal(info.module[0].cmdline, "");
    assert_true(info.text_used <= BOOT_TEXT_SIZE);
}

static void mb1_framebuffer(void **state)
{
    (void)state;
    put32(0, 1 | 1 << 12);
    put32(8, 1024);
    put64(88, 0xb8000);
    put32(96, 160);
    put32(100, 80);
    put32(104, 25);
    mem[108] = 16;
    mem[109] = 2;
    assert_int_equal(parse1(), 0);
    assert_int_equal(info.display.type, BOOT_DISPLAY_TEXT);
    assert_int_equal(info.display.addr, 0xb8000);
    assert_int_equal(info.display.width, 80);
    mem[109] = 7;
    assert_int_equal(parse1(), 0);
    assert_int_equal(info.display.type, BOOT_DISPLAY_NONE);
    assert_int_equal(info.display.addr, 0);
}

/* ---- Multiboot 2 ---- */

static uint32_t mb2_end; /* where the next tag goes */

static uint32_t tag(uint32_t type, const void *body, uint32_t len)
{
    uint32_t at = mb2_end;

    put32(at, type);
    put32(at + 4, 8 + len);
    if (len)
        memcpy(mem + at + 8, body, len);
    mb2_end = ALIGN_UP(at + 8 + len, 8);
    return at + 8;
}

static int parse2(void)
{
    tag(0, NULL, 0);
    put32(0, mb2_end);
    return multiboot_parse(MULTIBOOT2_LOADER_MAGIC, WINDOW, &reader, &info);
}

static int reset2(void **state)
{
    mb2_end = 8;
    return reset(state);
}

static void add_map(void)
{
    uint64_t m[1 + 3 * 2] = {24, 0, 0xa0000, BOOT_RAM, 0x100000, 0x1000000, BOOT_RAM};

    tag(6, m, sizeof(m));
}

static void mb2_like_grub(void **state)
{
    struct {
        uint32_t start, end;
        char text[20];
    } module = {0x1000, 0x2000, "root=/dev/sda1"};
    uint32_t sizes[2] = {640, 1};
    uint8_t rsdp_new[36] = "RSD PTR new", rsdp_old[20] = "RSD PTR old", fb[30] = {0};
    uint64_t efi = 0x7ff0018;

    (void)state;
    tag(1, "console=com1", 13);
    tag(2, "GRUB 2.06", 10);
    tag(3, &module, sizeof(module));
    tag(4, sizes, sizeof(sizes));
    add_map();
    fb[1] = 0x80; /* address 0x8000 */
    fb[20] = 32;
    fb[21] = 1;
    memcpy(fb + 24, "\x10\x08\x08\x08\0\x08", 6);
    tag(8, fb, sizeof(fb));
    tag(12, &efi, 8);
    tag(15, rsdp_new, sizeof(rsdp_new));
    tag(14, rsdp_old, sizeof(rsdp_old));
    tag(99, "what?", 5);

    assert_int_equal(parse2(), 0);
    assert_string_equal(info.cmdline, "console=com1");
    assert_string_equal(info.loader, "GRUB 2.06");
    assert_int_equal(info.nr_modules, 1);
    assert_int_equal(info.module[0].end, 0x2000);
    assert_string_equal(info.module[0].cmdline, "root=/dev/sda1");
    assert_int_equal(info.nr_regions, 2);
    expect_region(1, 0x100000, 0x1000000, BOOT_RAM);
    assert_false(info.map_is_guess);
    assert_int_equal(info.rsdp_len, 36);
    assert_memory_equal(info.rsdp, "RSD PTR new", 11);
    assert_int_equal(info.efi_system_table, efi);
    assert_int_equal(info.display.type, BOOT_DISPLAY_RGB);
    assert_int_equal(info.display.addr, 0x8000);
    assert_true(info.display.rgb[0].pos == 16 && info.display.rgb[2].size == 8);
}

static void mb2_sizes_only(void **state)
{
    uint32_t sizes[2] = {640, 1024};

    (void)state;
    tag(4, sizes, sizeof(sizes));
    assert_int_equal(parse2(), 0);
    assert_true(info.map_is_guess);
    expect_region(1, 1 << 20, 1 << 20, BOOT_RAM);
}

static void mb2_errors(void **state)
{
    static const char out_of_reach[] = "boot loader: its information is out of reach";

    (void)state;
    put32(0, 4);
    fails(MULTIBOOT2_LOADER_MAGIC, -EINVAL,
          "boot loader: its information has an impossible size or address");
    put32(0, 16);
    fails(MULTIBOOT2_LOADER_MAGIC, -EINVAL, "boot loader: no memory map and no memory sizes");
    put32(8, 1);
    put32(12, 7);
    fails(MULTIBOOT2_LOADER_MAGIC, -EINVAL, "boot loader: a tag has an impossible size");
    put32(12, 9);
    fails(MULTIBOOT2_LOADER_MAGIC, -EINVAL, "boot loader: a tag has an impossible size");
    put32(12, 8);
    fails(MULTIBOOT2_LOADER_MAGIC, -EINVAL, "boot loader: its information has no end tag");
    put32(8, 3);
    fails(MULTIBOOT2_LOADER_MAGIC, -EINVAL, "boot loader: a module's tag is too short");
    put32(8, 6);
    fails(MULTIBOOT2_LOADER_MAGIC, -EINVAL, "boot loader: the memory map is malformed");
    put32(0, UINT32_MAX);
    put32(8, 1);
    put32(12, SIZE - 8);
    fails(MULTIBOOT2_LOADER_MAGIC, -EFAULT, out_of_reach);
    assert_int_equal(multiboot_parse(MULTIBOOT2_LOADER_MAGIC, 16, &reader, &info), -EFAULT);
    assert_string_equal(info.error, out_of_reach);
}

/* An entry size of zero must not make the walk endless. */
static void mb2_map_entries_of_no_size(void **state)
{
    uint32_t m[2 + 6] = {0, 0, 0, 0, 0x1000, 0, 1, 0};

    (void)state;
    tag(6, m, sizeof(m));
    assert_int_equal(parse2(), -EINVAL);
    assert_string_equal(info.error, "boot loader: the memory map is malformed");
}

/* ---- The map ---- */

static void overlaps_go_to_the_stricter(void **state)
{
    (void)state;
    boot_region_add(&info, 0x1000, 0x9000, BOOT_RAM);
    boot_region_add(&info, 0x3000, 0x1000, BOOT_RESERVED); /* in the middle */
    boot_region_add(&info, 0x3800, 0x1000, BOOT_NVS);      /* half hidden */
    boot_region_add(&info, 0, 0x10000, BOOT_ACPI);         /* over RAM, not over the others */
    assert_int_equal(info.nr_regions, 4);
    expect_region(0, 0, 0x3000, BOOT_ACPI);
    expect_region(1, 0x3000, 0x1000, BOOT_RESERVED);
    expect_region(2, 0x4000, 0x800, BOOT_NVS);
    expect_region(3, 0x4800, 0xb800, BOOT_ACPI);
}

static void odd_regions(void **state)
{
    (void)state;
    boot_region_add(&info, 0x5000, 0, BOOT_RAM);
    assert_int_equal(info.nr_regions, 0);
    boot_region_add(&info, 0x2000, 0x1000, BOOT_RAM);
    boot_region_add(&info, 0x1000, 0x1000, BOOT_RAM);
    assert_int_equal(info.nr_regions, 1);
    expect_region(0, 0x1000, 0x2000, BOOT_RAM);
    boot_region_add(&info, UINT64_MAX - 0xfff, UINT64_MAX, 42);
    expect_region(1, UINT64_MAX - 0xfff, 0xfff, BOOT_RESERVED);
    boot_region_add(&info, 0, UINT64_MAX, BOOT_BAD);
    assert_int_equal(info.nr_regions, 1);
    expect_region(0, 0, UINT64_MAX, BOOT_BAD);
}

/* When the array is full RAM may be lost, but what is RAM in the result was RAM and nothing else.
 */
static void full_map_stays_safe(void **state)
{
    (void)state;
    boot_region_add(&info, 0, 0x1000000, BOOT_RAM);
    for (unsigned int i = 0; i < 100; i++)
        boot_region_add(&info, 0x1000 + i * 0x2000, 0x1000, BOOT_RESERVED);
    boot_region_add(&info, 0x2000000, 0x1000, BOOT_RAM);
    assert_true(info.regions_lost);
    assert_true(info.nr_regions <= BOOT_MAX_REGIONS);
    for (unsigned int i = 0; i < info.nr_regions; i++) {
        const struct boot_region *r = &info.region[i];

        for (unsigned int k = 0; r->type == BOOT_RAM && k < 100; k++) {
            uint64_t hole = 0x1000 + k * 0x2000;

            assert_true(r->base >= hole + 0x1000 || r->base + r->len <= hole);
        }
    }
}

/* Against an array that knows the type of each of 256 units. */
static void random_maps(void **state)
{
    static const uint8_t severity[] = {[1] = 1, [3] = 2, [4] = 3, [2] = 4, [5] = 5};
    uint32_t seed = 1;

    (void)state;
    for (unsigned int round = 0; round < 3000; round++) {
        uint8_t unit[256] = {0}, got[256] = {0};

        memset(&info, 0, sizeof(info));
        for (unsigned int n = 0; n < 12; n++) {
            unsigned int base, len, type;

            seed = seed * 1664525 + 1013904223;
            base = seed >> 24;
            len = (seed >> 16) % (256 - base + 1) % 64;
            type = 1 + (seed >> 10) % 5;
            boot_region_add(&info, base * 16ul, len * 16ul, type);
            for (unsigned int i = base; i < base + len; i++)
                unit[i] = severity[type] > severity[unit[i]] ? (uint8_t)type : unit[i];
        }
        for (unsigned int i = 0; i < info.nr_regions; i++) {
            const struct boot_region *r = &info.region[i];

            assert_true(r->len > 0);
            assert_true(i == 0 || r[-1].base + r[-1].len < r->base ||
                        (r[-1].base + r[-1].len == r->base && r[-1].type != r->type));
            memset(got + r->base / 16, (int)r->type, r->len / 16);
        }
        assert_memory_equal(unit, got, sizeof(unit));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(mb1_like_qemu, reset),
        cmocka_unit_test_setup(mb1_sizes_only, reset),
        cmocka_unit_test_setup(mb1_errors, reset),
        cmocka_unit_test_setup(mb1_too_many_modules, reset),
        cmocka_unit_test_setup(texts_are_bounded, reset),
        cmocka_unit_test_setup(mb1_framebuffer, reset),
        cmocka_unit_test_setup(mb2_like_grub, reset2),
        cmocka_unit_test_setup(mb2_sizes_only, reset2),
        cmocka_unit_test_setup(mb2_errors, reset2),
        cmocka_unit_test_setup(mb2_map_entries_of_no_size, reset2),
        cmocka_unit_test_setup(overlaps_go_to_the_stricter, reset),
        cmocka_unit_test_setup(odd_regions, reset),
        cmocka_unit_test_setup(full_map_stays_safe, reset),
        cmocka_unit_test_setup(random_maps, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
