/* SPDX-License-Identifier: MIT */
/* A small PV kernel as an ELF file, made piece by piece. */
#ifndef BUILD_KIT_H
#define BUILD_KIT_H

#include <elf.h>
#include <stdint.h>
#include <string.h>
#include <xen/elfnote.h>

#define KIT_BASE  0xffffffff80000000ul
#define KIT_START 0x100000ul /* of the first segment: page 256 */
#define KIT_P2M   0x8000000000ul

enum { KIT_NOTES = 0x400, KIT_TEXT = 0x1000, KIT_SIZE = 0x3000, KIT_BSS = 0x5000 };

struct kit {
    union {
        uint8_t byte[KIT_SIZE];
        Elf64_Ehdr eh;
    };
    size_t notes;
};

static inline Elf64_Phdr *kit_phdr(struct kit *k, unsigned int i)
{
    return (Elf64_Phdr *)(k->byte + sizeof(Elf64_Ehdr)) + i;
}

static inline void kit_note(struct kit *k, uint32_t type, const void *desc, uint32_t len)
{
    Elf64_Nhdr nh = {.n_namesz = 4, .n_descsz = len, .n_type = type};
    uint8_t *at = k->byte + KIT_NOTES + k->notes;

    memcpy(at, &nh, sizeof(nh));
    memcpy(at + sizeof(nh), "Xen", 4);
    memcpy(at + sizeof(nh) + 4, desc, len);
    k->notes += sizeof(nh) + 4 + ((len + 3) & ~3u);
    kit_phdr(k, 1)->p_filesz = k->notes;
}

static inline void kit_number(struct kit *k, uint32_t type, uint64_t val)
{
    kit_note(k, type, &val, sizeof(val));
}

/* Two pages of contents and five of zeros at KIT_START. */
static inline void kit_make(struct kit *k)
{
    memset(k, 0, sizeof(*k));
    memcpy(k->eh.e_ident, "\177ELF\2\1\1", 7);
    k->eh.e_type = ET_EXEC;
    k->eh.e_machine = EM_X86_64;
    k->eh.e_version = 1;
    k->eh.e_entry = KIT_BASE + KIT_START + 0x10;
    k->eh.e_phoff = sizeof(Elf64_Ehdr);
    k->eh.e_phentsize = sizeof(Elf64_Phdr);
    k->eh.e_ehsize = sizeof(Elf64_Ehdr);
    k->eh.e_phnum = 2;
    *kit_phdr(k, 0) = (Elf64_Phdr){.p_type = PT_LOAD,
                                   .p_flags = PF_R | PF_W | PF_X,
                                   .p_offset = KIT_TEXT,
                                   .p_vaddr = KIT_BASE + KIT_START,
                                   .p_paddr = KIT_START,
                                   .p_filesz = KIT_SIZE - KIT_TEXT,
                                   .p_memsz = KIT_SIZE - KIT_TEXT + KIT_BSS};
    *kit_phdr(k, 1) = (Elf64_Phdr){.p_type = PT_NOTE, .p_flags = PF_R, .p_offset = KIT_NOTES};
    memset(k->byte + KIT_TEXT, 0xcc, KIT_SIZE - KIT_TEXT);
    kit_note(k, XEN_ELFNOTE_GUEST_OS, "kit", 4);
    kit_note(k, XEN_ELFNOTE_XEN_VERSION, "xen-3.0", 8);
    kit_note(k, XEN_ELFNOTE_LOADER, "generic", 8);
    kit_number(k, XEN_ELFNOTE_VIRT_BASE, KIT_BASE);
}

#endif
