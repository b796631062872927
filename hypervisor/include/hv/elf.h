/* SPDX-License-Identifier: MIT */
/* ELF64 images of PV kernels: what a domain builder must know before it loads one. The image is
 * untrusted; nothing here allocates or prints, so the builders in ring 0 and in the tools share it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_MAX_SEGMENTS 32  /* loadable segments */
#define ELF_MAX_PHDRS    64  /* program headers in all */
#define ELF_MAX_SHDRS    512 /* section headers looked at when there are no note segments */
#define ELF_STRING_SIZE  32  /* the short strings below, terminated; longer ones are cut */

#define ELF_NO_ADDR UINT64_MAX /* an address that the image does not name */

struct elf_segment {
    uint64_t paddr;  /* as in the program header */
    uint64_t offset; /* of the bytes in the image */
    uint64_t filesz, memsz;
};

enum elf_note_source {
    ELF_NOTES_NONE,
    ELF_NOTES_SEGMENT, /* PT_NOTE */
    ELF_NOTES_SECTION, /* SHT_NOTE */
};

struct elf_pv_info {
    const char *error; /* why parsing failed, one line without the file's name; else NULL */

    const uint8_t *image; /* borrowed: elf_pv_load() copies from it */
    size_t size;
    unsigned int nr_segments;
    struct elf_segment segment[ELF_MAX_SEGMENTS]; /* ascending paddr, disjoint, memsz > 0 */

    enum elf_note_source source;
    uint64_t virt_base, paddr_offset;
    uint64_t entry;          /* XEN_ELFNOTE_ENTRY or the ELF header's */
    uint64_t hypercall_page; /* ELF_NO_ADDR, or a page between virt_base and virt_kend */
    uint64_t init_p2m;       /* ELF_NO_ADDR, or outside of the image */
    uint64_t phys32_entry;   /* ELF_NO_ADDR if not given */
    bool mod_start_pfn;      /* the kernel can take an initrd that is not mapped for it */
    bool suspend_cancel;
    bool no_pae; /* it has other page tables than ours in mind */
    char loader[ELF_STRING_SIZE];
    char guest_os[ELF_STRING_SIZE];
    char guest_version[ELF_STRING_SIZE];
    char xen_version[ELF_STRING_SIZE];
    uint32_t features_supported; /* 1 << XENFEAT_x; the string and the numeric note together */
    uint32_t features_required;  /* always a subset of features_supported */

    /* Where the image goes: vaddr = paddr - paddr_offset + virt_base. */
    uint64_t pstart, pend; /* lowest and one past the highest paddr of a segment */
    uint64_t virt_kstart, virt_kend;
};

/** elf_pv_parse - check an image and find out how it wants to be started
 * @image, @size  the whole file in memory; it must stay unchanged while @info is used
 * @info          written in any case; info->error says what is wrong when the result is not 0
 * Returns 0; -ENOEXEC when this is no ELF64 x86-64 executable or not one for a PV domain; -EINVAL
 * when it claims to be one and contradicts itself.
 * A builder has still to check [virt_base, end of its own layout) against the address space it
 * offers, and features_required against what it provides. ABI: include/xen/elfnote.h. */
int elf_pv_parse(const void *image, size_t size, struct elf_pv_info *info);

/** elf_put_fn - put @len bytes (zeros when @src is NULL) at @offset from virt_kstart
 * A result other than 0 ends the load and is handed on. */
typedef int elf_put_fn(void *ctx, uint64_t offset, const void *src, uint64_t len);

/** elf_pv_load - hand out a parsed image in ascending pieces
 * The pieces cover [0, virt_kend - virt_kstart) without hole or overlap; bss and the gaps between
 * segments are zero pieces. Returns 0 or what @put returned. */
int elf_pv_load(const struct elf_pv_info *info, elf_put_fn *put, void *ctx);
