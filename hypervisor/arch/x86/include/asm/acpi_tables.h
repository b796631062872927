/* SPDX-License-Identifier: MIT */
/* The few ACPI tables a hypervisor needs, read once at boot into fixed arrays. */
#pragma once

#include <asm/phys_reader.h>

#define ACPI_MAX_CPUS      256
#define ACPI_MAX_IOAPICS   16
#define ACPI_MAX_OVERRIDES 24
#define ACPI_MAX_MCFG      16

enum acpi_space { ACPI_SPACE_MEMORY = 0, ACPI_SPACE_IO = 1 };

struct acpi_reg {
    uint64_t addr; /* 0: there is no such register */
    uint8_t space; /* enum acpi_space or something we cannot use */
    uint8_t bits;
};

struct acpi_cpu {
    uint32_t apic_id, uid;
};

struct acpi_ioapic {
    uint64_t addr;
    uint32_t gsi_base;
    uint8_t id;
};

struct acpi_override { /* ISA interrupt @irq arrives as @gsi */
    uint32_t gsi;
    uint16_t flags; /* MPS INTI: bits 1:0 polarity (1 high, 3 low), 3:2 trigger (1 edge, 3 level) */
    uint8_t irq;
};

struct acpi_mcfg {
    uint64_t base; /* of bus 0, even when start_bus is not 0 */
    uint16_t segment;
    uint8_t start_bus, end_bus;
};

struct acpi_info { /* zero or empty: the table or the thing is missing */
    const char *error;
    uint64_t rsdp, root;     /* where they were found; rsdp 0 when a copy was used */
    uint8_t revision;        /* of the RSDP: 0 is ACPI 1.0 */
    unsigned int bad_tables; /* skipped: out of reach, or wrong length or checksum */

    bool have_madt, have_hpet, have_fadt;

    unsigned int nr_cpus, nr_ioapics, nr_overrides, nr_mcfg;
    struct acpi_cpu cpu[ACPI_MAX_CPUS]; /* enabled, each APIC id once, in the table's order */
    struct acpi_ioapic ioapic[ACPI_MAX_IOAPICS];
    struct acpi_override override[ACPI_MAX_OVERRIDES];
    struct acpi_mcfg mcfg[ACPI_MAX_MCFG];
    bool lost; /* one of the arrays was too small */

    uint64_t hpet_addr;

    struct {
        uint64_t dsdt;
        uint32_t flags; /* ACPI_FADT_* */
        uint16_t boot_arch;
        uint32_t smi_cmd;
        uint8_t acpi_enable;
        struct acpi_reg pm_timer; /* bits is 24 or 32 */
        struct acpi_reg pm1a_cnt, pm1b_cnt;
        struct acpi_reg reset;
        uint8_t reset_value;
        uint8_t century; /* CMOS index, 0: none */
    } fadt;
};

#define ACPI_FADT_TMR_VAL_EXT   (1u << 8)
#define ACPI_FADT_RESET_REG_SUP (1u << 10)

#define ACPI_BOOT_NO_VGA      (1u << 2)
#define ACPI_BOOT_NO_CMOS_RTC (1u << 5)

/** acpi_find_rsdp - look for the RSDP in the EBDA's first KiB and in 0xe0000-0xfffff
 * Returns its address, 0 if there is none. */
uint64_t acpi_find_rsdp(const struct phys_reader *r);

/** acpi_parse - read the tables
 * @rsdp      physical address, or 0
 * @copy, @copy_len  the RSDP's bytes as the boot loader handed them over (20 or 36), or NULL, 0;
 *            goes before @rsdp
 * Returns 0 (single tables may still be missing: see the fields); -ENOENT no RSDP given; -EINVAL,
 * -EFAULT the RSDP or the root table cannot be used, info->error says why. */
int acpi_parse(const struct phys_reader *r, uint64_t rsdp, const void *copy, size_t copy_len,
               struct acpi_info *info);

/** acpi_pm1_sleep_type - the SLP_TYPa/b values of a sleep state, from the DSDT's package _Sx_
 * @state  0..5 (5: power off). Only the plain form that firmware uses is understood.
 * Returns 0; -ENOENT; -EFAULT. */
int acpi_pm1_sleep_type(const struct phys_reader *r, const struct acpi_info *info,
                        unsigned int state, uint8_t *type_a, uint8_t *type_b);
