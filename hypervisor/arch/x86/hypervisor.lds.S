/* SPDX-License-Identifier: MIT */
/* Layout of the image: one contiguous piece of the file, loaded at IMAGE_PHYS, run at IMAGE_VIRT. */
#include <asm/layout.h>

OUTPUT_FORMAT(elf64-x86-64)
ENTRY(boot_entry_phys)

PHDRS
{
    image PT_LOAD FLAGS(7);
}

SECTIONS
{
    . = IMAGE_VIRT;
    image_start = .;
    .text : AT(ADDR(.text) - IMAGE_VIRT + IMAGE_PHYS) {
        KEEP(*(.head))
        *(.text.entry)
        *(.text .text.*)
    } :image
    text_end = .;

    . = ALIGN(4096);
    .rodata : AT(ADDR(.rodata) - IMAGE_VIRT + IMAGE_PHYS) {
        rodata_start = .;
        *(.rodata .rodata.*)
        . = ALIGN(8);
        ex_table_start = .;
        KEEP(*(.ex_table))
        ex_table_end = .;
        smap_patch_start = .;
        KEEP(*(.smap_patch))
        smap_patch_end = .;
        *(.got .got.plt)
        KEEP(*(.symbols))
    }

    /* Written during boot, read-only from then on. */
    . = ALIGN(4096);
    .data.sealed : AT(ADDR(.data.sealed) - IMAGE_VIRT + IMAGE_PHYS) {
        sealed_start = .;
        *(.data.sealed .data.rel.ro .data.rel.ro.*)
        . = ALIGN(4096);
        sealed_end = .;
    }

    .data : AT(ADDR(.data) - IMAGE_VIRT + IMAGE_PHYS) {
        *(.data .data.*)
        . = ALIGN(8);
    }
    load_end = .;

    .bss : AT(ADDR(.bss) - IMAGE_VIRT + IMAGE_PHYS) {
        *(.bss.page_aligned)
        *(.bss .bss.* COMMON)
        . = ALIGN(32768);
        *(.boot_stack)
        . = ALIGN(4096);
    }
    image_end = .;

    /DISCARD/ : { *(.comment) *(.eh_frame) *(.note .note.*) }
}

boot_entry_phys = boot_entry - IMAGE_VIRT + IMAGE_PHYS;
ASSERT(image_end - image_start <= IMAGE_SIZE_MAX, "the image is too large for its place")
