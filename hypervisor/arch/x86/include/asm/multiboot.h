/* SPDX-License-Identifier: MIT */
/* What the boot loader told us, by Multiboot 1 or 2, in one form. Everything is copied out of the
 * loader's memory except the modules themselves; that memory is free afterwards. */
#pragma once

#include <asm/phys_reader.h>

#define MULTIBOOT1_LOADER_MAGIC 0x2badb002u /* eax at entry */
#define MULTIBOOT2_LOADER_MAGIC 0x36d76289u

#define BOOT_MAX_MODULES 32
#define BOOT_MAX_REGIONS 128
#define BOOT_TEXT_SIZE   8192 /* all command lines and names together */
#define BOOT_RSDP_SIZE   36

enum boot_region_type { /* numbers as in E820; other types become reserved */
                        BOOT_RAM = 1,
                        BOOT_RESERVED = 2,
                        BOOT_ACPI = 3, /* tables, RAM after they have been read */
                        BOOT_NVS = 4,
                        BOOT_BAD = 5,
};

struct boot_region {
    uint64_t base, len; /* bytes; len > 0, base + len does not wrap */
    uint32_t type;
};

struct boot_module {
    uint64_t start, end; /* [start, end) */
    const char *cmdline; /* never NULL; points into boot_info.text */
};

enum boot_display_type {
    BOOT_DISPLAY_NONE, /* nothing said */
    BOOT_DISPLAY_INDEXED,
    BOOT_DISPLAY_RGB,
    BOOT_DISPLAY_TEXT, /* VGA text, width and height in characters */
};

struct boot_display {
    enum boot_display_type type;
    uint64_t addr;
    uint32_t pitch, width, height;
    uint8_t bpp;
    struct {
        uint8_t pos, size;
    } rgb[3]; /* red, green, blue; RGB only */
};

struct boot_info {                /* holds pointers into itself: not to be copied */
    const char *error;            /* why parsing failed; else NULL */
    const char *cmdline, *loader; /* never NULL */

    unsigned int nr_modules;
    struct boot_module module[BOOT_MAX_MODULES];

    /* Ascending, disjoint; where the loader's regions overlapped the most restrictive type holds.
     * Neighbours of one type are joined. */
    unsigned int nr_regions;
    struct boot_region region[BOOT_MAX_REGIONS];

    uint8_t rsdp[BOOT_RSDP_SIZE]; /* copy of the RSDP, rsdp_len bytes (0, 20 or 36) */
    unsigned int rsdp_len;
    uint64_t efi_system_table; /* 0: not booted by EFI, or not said */

    struct boot_display display;

    bool modules_lost; /* more than BOOT_MAX_MODULES; the later ones are left out */
    bool regions_lost; /* more regions than fit: some RAM is not used */
    bool text_lost;    /* some string was cut */
    bool map_is_guess; /* no memory map given, only the sizes below 1 MiB and from there on */

    size_t text_used;
    char text[BOOT_TEXT_SIZE];
};

/** multiboot_parse - read the loader's information
 * @magic  what the loader left in eax   @paddr  what it left in ebx
 * Returns 0; -EINVAL (unknown magic, a structure that contradicts itself, no memory known);
 * -EFAULT (a structure that @r cannot reach). info->error says which. */
int multiboot_parse(uint32_t magic, uint64_t paddr, const struct phys_reader *r,
                    struct boot_info *info);

/** boot_region_add - lay [base, base + len) of @type over the map; see boot_info.region. */
void boot_region_add(struct boot_info *info, uint64_t base, uint64_t len, uint32_t type);
