/* SPDX-License-Identifier: MIT */
/* ACPI tables as firmware writes them, and as it should not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <asm/acpi_tables.h>
#include <hv/errno.h>
#include <hv/lib.h>

/* The first MiB, all of it within reach. Tables go to TABLES, one after the other. */
#define SIZE   0x100000u
#define RSDP   0xf0040u
#define TABLES 0x10000u

static uint8_t mem[SIZE];
static uint32_t next; /* where the next table goes */
static uint32_t root_entry[16], nr_root;
static struct acpi_info info;

static const void *map(void *ctx, uint64_t paddr, size_t len)
{
    (void)ctx;
    assert_true(len >= 1 && len <= PHYS_READ_MAX);
    return paddr <= SIZE && len <= SIZE - paddr ? mem + paddr : NULL;
}

static const struct phys_reader reader = {map, NULL};

static void fix_sum(uint32_t at, uint32_t len, uint32_t sum_at)
{
    uint8_t sum = 0;

    mem[at + sum_at] = 0;
    for (uint32_t i = 0; i < len; i++)
        sum = (uint8_t)(sum + mem[at + i]);
    mem[at + sum_at] = (uint8_t)-sum;
}

/* Writes a table of @len bytes after its header and names it in the root table to come. */
static uint32_t table(const char *sig, const void *body, uint32_t len)
{
    uint32_t at = next, total = 36 + len;

    memset(mem + at, 0, 36);
    memcpy(mem + at, sig, 4);
    memcpy(mem + at + 4, &total, 4);
    memcpy(mem + at + 36, body, len);
    fix_sum(at, total, 9);
    next = ALIGN_UP(at + total, 16);
    root_entry[nr_root++] = at;
    return at;
}

static void rsdp(uint8_t revision, uint32_t rsdt, uint64_t xsdt)
{
    uint32_t len = 36;

    memcpy(mem + RSDP, "RSD PTR ", 8);
    mem[RSDP + 15] = revision;
    memcpy(mem + RSDP + 16, &rsdt, 4);
    memcpy(mem + RSDP + 20, &len, 4);
    memcpy(mem + RSDP + 24, &xsdt, 8);
    fix_sum(RSDP, 20, 8);
    fix_sum(RSDP, 36, 32);
}

/* Makes both root tables of what table() has collected. */
static void roots(void)
{
    uint32_t n = nr_root, rsdt = table("RSDT", root_entry, n * 4), xsdt;
    uint64_t wide[16];

    for (uint32_t i = 0; i < n; i++)
        wide[i] = root_entry[i];
    xsdt = table("XSDT", wide, n * 8);
    rsdp(2, rsdt, xsdt);
}

static int parse(void)
{
    return acpi_parse(&reader, RSDP, NULL, 0, &info);
}

static int reset(void **state)
{
    (void)state;
    memset(mem, 0, sizeof(mem));
    next = TABLES;
    nr_root = 0;
    return 0;
}

/* As QEMU's q35 with two processors would say it. */
static const uint8_t madt[] = {
    0,    0,  0xe0, 0xfe, 1,    0,    0,    0, /* 0xfee00000, two 8259 */
    0,    8,  0,    0,    1,    0,    0,    0, /* cpu 0 */
    0,    8,  1,    1,    1,    0,    0,    0, /* cpu 1 */
    0,    8,  2,    2,    0,    0,    0,    0, /* not enabled */
    9,    16, 0,    0,    1,    0,    0,    0,    1,   0, 0, 0,
    1,    0,  0,    0, /* cpu 1 again */
    9,    16, 0,    0,    0x34, 0x12, 0,    0,    1,   0, 0, 0,
    0x99, 0,  0,    0,                                          /* x2APIC id 0x1234 */
    1,    12, 0,    0,    0,    0,    0xc0, 0xfe, 0,   0, 0, 0, /* I/O APIC */
    1,    12, 1,    0,    0,    0x10, 0xc0, 0xfe, 24,  0, 0, 0, /* another */
    2,    10, 0,    0,    2,    0,    0,    0,    0,   0,       /* irq 0 -> gsi 2 */
    2,    10, 0,    9,    9,    0,    0,    0,    0xd, 0,       /* irq 9, level high */
    3,    8,  5,    0,    7,    0,    0,    0,                  /* NMI at gsi 7 */
    4,    6,  0xff, 5,    0,    1,                              /* LINT1 of all */
    10,   12, 0,    0,    0x99, 0,    0,    0,    1,   0, 0, 0, /* LINT1 of uid 0x99 */
    0x7f, 4,  1,    2,                                          /* unknown */
    5,    12, 0,    0,    0,    0,    0xe0, 0xfe, 1,   0, 0, 0, /* 0x1fee00000 */
};

static void madt_of_all_kinds(void **state)
{
    (void)state;
    table("APIC", madt, sizeof(madt));
    roots();
    assert_int_equal(parse(), 0);
    assert_true(info.have_madt && !info.lost);
    assert_int_equal(info.bad_tables, 0);
    assert_int_equal(info.nr_cpus, 3);
    assert_int_equal(info.cpu[1].apic_id, 1);
    assert_int_equal(info.cpu[2].apic_id, 0x1234);
    assert_int_equal(info.cpu[2].uid, 0x99);
    assert_int_equal(info.nr_ioapics, 2);
    assert_int_equal(info.ioapic[1].addr, 0xfec01000);
    assert_int_equal(info.ioapic[1].gsi_base, 24);
    assert_int_equal(info.nr_overrides, 2);
    assert_int_equal(info.override[0].gsi, 2);
    assert_int_equal(info.override[1].irq, 9);
    assert_int_equal(info.override[1].flags, 0xd);
}

static void madt_broken_entries(void **state)
{
    uint8_t body[] = {0, 0, 0xe0, 0xfe, 0, 0, 0, 0, 0, 8, 0, 0, 1, 0, 0, 0, 0, 8, 1, 1, 1, 0, 0, 0};
    uint32_t at = table("APIC", body, sizeof(body));

    (void)state;
    roots();
    mem[at + 53] = 0; /* an entry of no length: the walk must end */
    fix_sum(at, 36 + sizeof(body), 9);
    assert_int_equal(parse(), 0);
    assert_int_equal(info.nr_cpus, 1);
    assert_int_equal(info.bad_tables, 1);
    mem[at + 53] = 9; /* past the end */
    fix_sum(at, 36 + sizeof(body), 9);
    assert_int_equal(parse(), 0);
    assert_int_equal(info.nr_cpus, 1);
    assert_int_equal(info.bad_tables, 1);
    mem[at + 53] = 4; /* too short for what it says to be; the next is of unknown type 1 */
    mem[at + 56] = 0xaa;
    mem[at + 57] = 4;
    fix_sum(at, 36 + sizeof(body), 9);
    assert_int_equal(parse(), 0);
    assert_int_equal(info.nr_cpus, 1);
    assert_int_equal(info.bad_tables, 0);
}

static void madt_with_many_cpus(void **state)
{
    static uint8_t body[8 + (ACPI_MAX_CPUS + 1) * 16];

    (void)state;
    for (uint32_t i = 0; i <= ACPI_MAX_CPUS; i++) {
        uint8_t *e = body + 8 + i * 16;

        e[0] = 9;
        e[1] = 16;
        memcpy(e + 4, &i, 4);
        e[8] = 1;
    }
    table("APIC", body, sizeof(body));
    roots();
    assert_int_equal(parse(), 0);
    assert_int_equal(info.nr_cpus, ACPI_MAX_CPUS);
    assert_true(info.lost);
}

static void hpet_and_mcfg(void **state)
{
    uint8_t hpet[20] = {0x01, 0xa2, 0x86, 0x80, 0, 64, 0, 0, 0, 0, 0xd0, 0xfe, 0, 0, 0, 0, 3, 0x80};
    uint8_t mcfg[8 + 32] = {[8 + 3] = 0xb0, [8 + 11] = 0xff, [24 + 3] = 0xc0, [24 + 10] = 2};

    (void)state;
    table("HPET", hpet, sizeof(hpet));
    table("MCFG", mcfg, sizeof(mcfg));
    roots();
    assert_int_equal(parse(), 0);
    assert_true(info.have_hpet);
    assert_int_equal(info.hpet_addr, 0xfed00000);
    assert_int_equal(info.nr_mcfg, 1); /* the second ends before it starts */
    assert_int_equal(info.mcfg[0].base, 0xb0000000);
    assert_int_equal(info.mcfg[0].end_bus, 0xff);
}

static void put(uint8_t *p, uint32_t table_off, uint64_t val, uint32_t size)
{
    memcpy(p + table_off - 36, &val, size);
}

/* A table of ACPI 1.0: everything by port number. */
static void fadt_old(void **state)
{
    uint8_t b[116 - 36] = {0};

    (void)state;
    put(b, 36, 0x7fe0000, 4);
    put(b, 40, 0x7fe0040, 4);
    put(b, 46, 9, 2);
    put(b, 48, 0xb2, 4);
    put(b, 52, 0xf1, 1);
    put(b, 56, 0x600, 4);
    put(b, 64, 0x604, 4);
    put(b, 76, 0x608, 4);
    put(b, 88, 4, 1);
    put(b, 89, 2, 1);
    put(b, 91, 4, 1);
    put(b, 108, 0x32, 1);
    put(b, 112, 0x84a5, 4);
    table("FACP", b, sizeof(b));
    roots();
    assert_int_equal(parse(), 0);
    assert_true(info.have_fadt);
    assert_int_equal(info.fadt.dsdt, 0x7fe0040);
    assert_int_equal(info.fadt.smi_cmd, 0xb2);
    assert_int_equal(info.fadt.acpi_enable, 0xf1);
    assert_int_equal(info.fadt.century, 0x32);
    assert_int_equal(info.fadt.pm1a_cnt.addr, 0x604);
    assert_int_equal(info.fadt.pm1a_cnt.space, ACPI_SPACE_IO);
    assert_int_equal(info.fadt.pm1a_cnt.bits, 16);
    assert_int_equal(info.fadt.pm1b_cnt.addr, 0);
    assert_int_equal(info.fadt.pm_timer.addr, 0x608);
    assert_int_equal(info.fadt.pm_timer.bits, 24);
    assert_int_equal(info.fadt.reset.addr, 0); /* flagged, but the table is too short */
}

static void fadt_new(void **state)
{
    uint8_t b[276 - 36] = {0};

    (void)state;
    put(b, 40, 0x1000, 4);
    put(b, 64, 0x604, 4);
    put(b, 76, 0x608, 4);
    put(b, 89, 2, 1);
    put(b, 91, 4, 1);
    put(b, 109, ACPI_BOOT_NO_CMOS_RTC | ACPI_BOOT_NO_VGA, 2);
    put(b, 112, ACPI_FADT_TMR_VAL_EXT | ACPI_FADT_RESET_REG_SUP, 4);
    put(b, 116, 1 | 8 << 8, 4); /* I/O, 8 bits */
    put(b, 120, 0xcf9, 8);
    put(b, 128, 0xf, 1);
    put(b, 140, 0x123456789000, 8);
    put(b, 172, 0 | 16 << 8, 4); /* memory */
    put(b, 176, 0xfed80804, 8);
    put(b, 208, 1 | 32 << 8, 4);
    put(b, 212, 0x808, 8);
    table("FACP", b, sizeof(b));
    roots();
    assert_int_equal(parse(), 0);
    assert_int_equal(info.fadt.dsdt, 0x123456789000);
    assert_int_equal(info.fadt.pm1a_cnt.addr, 0xfed80804);
    assert_int_equal(info.fadt.pm1a_cnt.space, ACPI_SPACE_MEMORY);
    assert_int_equal(info.fadt.pm_timer.addr, 0x808);
    assert_int_equal(info.fadt.pm_timer.bits, 32);
    assert_int_equal(info.fadt.reset.addr, 0xcf9);
    assert_int_equal(info.fadt.reset.bits, 8);
    assert_int_equal(info.fadt.reset_value, 0xf);
    assert_int_equal(info.fadt.boot_arch, ACPI_BOOT_NO_CMOS_RTC | ACPI_BOOT_NO_VGA);
}

static void rsdp_is_found(void **state)
{
    (void)state;
    assert_int_equal(acpi_find_rsdp(&reader), 0);
    roots();
    assert_int_equal(acpi_find_rsdp(&reader), RSDP);
    mem[RSDP + 9]++; /* checksum */
    assert_int_equal(acpi_find_rsdp(&reader), 0);
    mem[RSDP + 9]--;

    mem[0x40e] = 0xc0; /* EBDA at 0x9fc00: goes first */
    mem[0x40f] = 0x9f;
    memcpy(mem + 0x9fc10, mem + RSDP, 36);
    assert_int_equal(acpi_find_rsdp(&reader), 0x9fc10);
    memset(mem + 0x9fc10, 0, 36);
    memcpy(mem + 0x9fc18, mem + RSDP, 20); /* not on a boundary of 16 */
    assert_int_equal(acpi_find_rsdp(&reader), RSDP);
}

static void roots_of_both_kinds(void **state)
{
    (void)state;
    table("APIC", madt, sizeof(madt));
    roots();
    assert_int_equal(parse(), 0);
    assert_int_equal(info.revision, 2);
    assert_int_equal(info.rsdp, RSDP);
    assert_int_equal(info.root, root_entry[2]);

    mem[root_entry[2] + 9]++; /* XSDT broken: fall back */
    assert_int_equal(parse(), 0);
    assert_int_equal(info.root, root_entry[1]);
    assert_int_equal(info.nr_cpus, 3);

    rsdp(0, root_entry[1], 0);
    assert_int_equal(acpi_parse(&reader, 0, mem + RSDP, 20, &info), 0); /* the loader's copy */
    assert_int_equal(info.root, root_entry[1]);
    assert_int_equal(info.rsdp, 0);

    mem[root_entry[1] + 9]++;
    assert_int_equal(parse(), -EINVAL);
    assert_string_equal(info.error, "ACPI: neither XSDT nor RSDT can be used");
}

static void bad_rsdp(void **state)
{
    (void)state;
    assert_int_equal(acpi_parse(&reader, 0, NULL, 0, &info), -ENOENT);
    assert_int_equal(acpi_parse(&reader, SIZE - 10, NULL, 0, &info), -EFAULT);
    assert_int_equal(acpi_parse(&reader, 0x1000, NULL, 0, &info), -EINVAL);
    assert_string_equal(info.error, "ACPI: the RSDP has a bad signature or checksum");
    rsdp(2, SIZE - 8, UINT64_MAX);
    assert_int_equal(parse(), -EINVAL);
}

static void bad_tables_are_skipped(void **state)
{
    uint32_t bad, len = UINT32_MAX;

    (void)state;
    bad = table("APIC", madt, sizeof(madt));
    mem[bad + 50]++;
    table("APIC", madt, sizeof(madt)); /* counts: the one before was unusable */
    table("APIC", madt, sizeof(madt)); /* does not: there is one already */
    bad = table("FACP", madt, 80);
    memcpy(mem + bad + 4, &len, 4);
    root_entry[nr_root++] = SIZE - 2;
    root_entry[nr_root++] = 0;
    table("HPET", "", 0); /* valid, but empty */
    roots();
    assert_int_equal(parse(), 0);
    assert_int_equal(info.nr_cpus, 3);
    assert_false(info.have_fadt || info.have_hpet);
    assert_int_equal(info.bad_tables, 4);
}

static void power_off_type(void **state)
{
    static const uint8_t aml[] = {
        0x10, 0x20, '_', 'S', '5', '_',  0,                               /* not a Name */
        0x08, '_',  'S', '4', '_', 0x12, 6,    2,    0x0a, 2,    0x0a, 2, /* \_S4 */
        0x08, '\\', '_', 'S', '5', '_',  0x12, 0x45, 0x00, 4,    0x0a, 5, 0x01, 0,
        0,    0x08, '_', 'S', '3', '_',  0x12, 6,    2,    0x0b, 1,    0, 0, /* words are not
                                                                                understood */
        0x08, '_',  'S', '2', '_',                                           /* cut off */
    };
    uint8_t a = 99, b = 99;

    (void)state;
    memset(&info, 0, sizeof(info));
    assert_int_equal(acpi_pm1_sleep_type(&reader, &info, 5, &a, &b), -ENOENT);
    info.fadt.dsdt = table("DSDT", aml, sizeof(aml));
    assert_int_equal(acpi_pm1_sleep_type(&reader, &info, 5, &a, &b), 0);
    assert_true(a == 5 && b == 1);
    assert_int_equal(acpi_pm1_sleep_type(&reader, &info, 4, &a, &b), 0);
    assert_true(a == 2 && b == 2);
    assert_int_equal(acpi_pm1_sleep_type(&reader, &info, 3, &a, &b), -ENOENT);
    assert_int_equal(acpi_pm1_sleep_type(&reader, &info, 2, &a, &b), -ENOENT);
    assert_int_equal(acpi_pm1_sleep_type(&reader, &info, 6, &a, &b), -ENOENT);
    mem[info.fadt.dsdt + 40]++;
    assert_int_equal(acpi_pm1_sleep_type(&reader, &info, 5, &a, &b), -EFAULT);
    assert_true(a == 2 && b == 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(madt_of_all_kinds, reset),
        cmocka_unit_test_setup(madt_broken_entries, reset),
        cmocka_unit_test_setup(madt_with_many_cpus, reset),
        cmocka_unit_test_setup(hpet_and_mcfg, reset),
        cmocka_unit_test_setup(fadt_old, reset),
        cmocka_unit_test_setup(fadt_new, reset),
        cmocka_unit_test_setup(rsdp_is_found, reset),
        cmocka_unit_test_setup(roots_of_both_kinds, reset),
        cmocka_unit_test_setup(bad_rsdp, reset),
        cmocka_unit_test_setup(bad_tables_are_skipped, reset),
        cmocka_unit_test_setup(power_off_type, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
