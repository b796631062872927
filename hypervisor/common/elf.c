/* SPDX-License-Identifier: MIT */
/* Reads a PV kernel's ELF image. The file may be hostile (a tool loads it for whoever asked), so
 * each offset and size is checked against the file before use, each loop is bounded by a constant
 * or by the file's size, and no sum is formed that could wrap. */
#include <hv/elf.h>

#include <hv/lib.h>
#include <xen/elfnote.h>
#include <xen/features.h>

/* ELF64, System V gABI chapters 4 and 5. Only what is used. */
struct ehdr {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct phdr {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

struct shdr {
    uint32_t name, type;
    uint64_t flags, addr, offset, size;
    uint32_t link, info;
    uint64_t addralign, entsize;
};

struct nhdr {
    uint32_t namesz, descsz, type;
};

_Static_assert(sizeof(struct ehdr) == 64 && sizeof(struct phdr) == 56, "ELF64 layout");
_Static_assert(sizeof(struct shdr) == 64 && sizeof(struct nhdr) == 12, "ELF64 layout");

enum { EI_CLASS = 4, EI_DATA = 5, ELFCLASS32 = 1, ELFCLASS64 = 2, ELFDATA2LSB = 1 };
enum { ET_EXEC = 2, ET_DYN = 3, EM_X86_64 = 62, PT_LOAD = 1, PT_NOTE = 4 };
enum { SHT_NOTE = 7, PF_RWX = 7 };

/* Is [off, off + len) inside of the file? */
static bool in_file(const struct elf_pv_info *info, uint64_t off, uint64_t len)
{
    return off <= info->size && len <= info->size - off;
}

/* Copied, for the file's structures need not be aligned. */
static bool read_at(const struct elf_pv_info *info, uint64_t off, void *dst, size_t len)
{
    if (!in_file(info, off, len))
        return false;
    memcpy(dst, info->image + off, len);
    return true;
}

/* ---- Headers and segments ---- */

static int check_header(struct elf_pv_info *info, struct ehdr *eh)
{
    static const uint8_t magic[4] = {0x7f, 'E', 'L', 'F'};

    if (info->size > 0x206 && !memcmp((const char *)info->image + 0x202, "HdrS", 4))
        return fail_with(info, -ENOEXEC, "a bzImage: socle-unpack takes the ELF file out of it");
    if (info->size < sizeof(magic) || memcmp(info->image, magic, sizeof(magic)))
        return fail_with(info, -ENOEXEC, "not an ELF file");
    if (!read_at(info, 0, eh, sizeof(*eh)))
        return fail_with(info, -ENOEXEC, "file ends inside of the ELF header");
    if (eh->ident[EI_CLASS] == ELFCLASS32)
        return fail_with(info, -ENOEXEC, "32-bit ELF file, a 64-bit kernel is needed");
    if (eh->ident[EI_CLASS] != ELFCLASS64 || eh->ident[EI_DATA] != ELFDATA2LSB)
        return fail_with(info, -ENOEXEC, "not a little-endian ELF64 file");
    if (eh->machine != EM_X86_64)
        return fail_with(info, -ENOEXEC, "ELF file for another machine than x86-64");
    if (eh->type != ET_EXEC && eh->type != ET_DYN) /* nobody relocates: it starts as linked */
        return fail_with(info, -ENOEXEC, "ELF file is no executable");
    if (eh->phnum == 0)
        return fail_with(info, -ENOEXEC, "ELF file has no program headers");
    if (eh->phentsize != sizeof(struct phdr))
        return fail_with(info, -EINVAL, "program headers of unknown size");
    if (eh->phnum > ELF_MAX_PHDRS)
        return fail_with(info, -EINVAL, "too many program headers");
    if (!in_file(info, eh->phoff, (uint64_t)eh->phnum * sizeof(struct phdr)))
        return fail_with(info, -EINVAL, "program headers lie outside of the file");
    return 0;
}

/* Header @i of the table at @off, which is known to be in the file. */
static void header_at(const struct elf_pv_info *info, uint64_t off, unsigned int i, void *dst,
                      size_t size)
{
    memcpy(dst, info->image + off + i * size, size);
}

/* Keeps the list sorted by paddr. Equal or crossing ranges show up as neighbours afterwards. */
static int add_segment(struct elf_pv_info *info, const struct phdr *ph)
{
    unsigned int i = info->nr_segments;

    if (ph->filesz > ph->memsz)
        return fail_with(info, -EINVAL, "segment has more bytes in the file than in memory");
    if (!in_file(info, ph->offset, ph->filesz))
        return fail_with(info, -EINVAL, "segment lies outside of the file (truncated image?)");
    if (ph->memsz > UINT64_MAX - ph->paddr || ph->memsz > UINT64_MAX - ph->vaddr)
        return fail_with(info, -EINVAL, "segment wraps around the end of memory");
    if (ph->memsz == 0)
        return 0;
    if (i == ELF_MAX_SEGMENTS)
        return fail_with(info, -EINVAL, "too many loadable segments");
    for (info->nr_segments++; i > 0 && info->segment[i - 1].paddr > ph->paddr; i--)
        info->segment[i] = info->segment[i - 1];
    info->segment[i] = (struct elf_segment){ph->paddr, ph->offset, ph->filesz, ph->memsz};
    return 0;
}

/* Segments are placed by physical address: virtual ones may overlap on purpose (Linux links its
 * per-CPU segment at address 0). */
static int collect_segments(struct elf_pv_info *info, const struct ehdr *eh)
{
    for (unsigned int i = 0; i < eh->phnum; i++) {
        struct phdr ph;

        header_at(info, eh->phoff, i, &ph, sizeof(ph));
        TRY(ph.type == PT_LOAD && (ph.flags & PF_RWX) ? add_segment(info, &ph) : 0);
    }
    if (info->nr_segments == 0)
        return fail_with(info, -ENOEXEC, "ELF file has nothing to load");

    for (unsigned int i = 1; i < info->nr_segments; i++) {
        const struct elf_segment *before = &info->segment[i - 1];

        if (before->paddr + before->memsz > info->segment[i].paddr)
            return fail_with(info, -EINVAL, "segments overlap in physical memory");
    }
    const struct elf_segment *last = &info->segment[info->nr_segments - 1];

    info->pstart = info->segment[0].paddr;
    info->pend = last->paddr + last->memsz;
    return 0;
}

/* ---- What a kernel says of itself ---- */

/* The contents of a note. */
struct value {
    const char *s;
    size_t len;
};

static const char *const feature_names[] = {
    [XENFEAT_writable_page_tables] = "writable_page_tables",
    [XENFEAT_writable_descriptor_tables] = "writable_descriptor_tables",
    [XENFEAT_auto_translated_physmap] = "auto_translated_physmap",
    [XENFEAT_supervisor_mode_kernel] = "supervisor_mode_kernel",
    [XENFEAT_pae_pgdir_above_4gb] = "pae_pgdir_above_4gb",
    [XENFEAT_mmu_pt_update_preserve_ad] = "mmu_pt_update_preserve_ad",
    [XENFEAT_highmem_assist] = "highmem_assist",
    [XENFEAT_gnttab_map_avail_bits] = "gnttab_map_avail_bits",
    [XENFEAT_hvm_callback_vector] = "hvm_callback_vector",
    [XENFEAT_hvm_safe_pvclock] = "hvm_safe_pvclock",
    [XENFEAT_hvm_pirqs] = "hvm_pirqs",
    [XENFEAT_dom0] = "dom0",
    [XENFEAT_memory_op_vnode_supported] = "memory_op_vnode_supported",
    [XENFEAT_ARM_SMCCC_supported] = "ARM_SMCCC_supported",
    [XENFEAT_linux_rsdp_unrestricted] = "linux_rsdp_unrestricted",
    [XENFEAT_not_direct_mapped] = "not_direct_mapped",
    [XENFEAT_direct_mapped] = "direct_mapped",
};

static bool text_is(const char *s, size_t len, const char *word)
{
    return len == strlen(word) && memcmp(s, word, len) == 0;
}

/* XENFEAT_x of a name without its prefix, -1 if the ABI has none. */
static int feature_number(const char *name, size_t len)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(feature_names); i++) {
        if (feature_names[i] && text_is(name, len, feature_names[i]))
            return (int)i;
    }
    return -1;
}

/* `name|!name|...`, `!` marks what the kernel cannot do without. An optional feature that nobody
 * knows is no obstacle, a required one is. */
static int take_features(struct elf_pv_info *info, const struct value *v, void *dst __ignored)
{
    const char *s = v->s, *end = s + strnlen(s, v->len), *bar;

    for (; s < end; s = bar + 1) {
        bar = memchr(s, '|', (size_t)(end - s));
        bar = bar ? bar : end;
        bool required = s[0] == '!';
        int nr = feature_number(s + required, (size_t)(bar - s) - required);

        if (nr >= 0) {
            info->features_supported |= 1u << nr;
            info->features_required |= (uint32_t)required << nr;
        } else if (required) {
            return fail_with(info, -EINVAL, "kernel requires a feature that does not exist");
        }
    }
    return 0;
}

static int take_text(struct elf_pv_info *info __ignored, const struct value *v, void *dst)
{
    memset(dst, 0, ELF_STRING_SIZE);
    memcpy(dst, v->s, strnlen(v->s, min(v->len, (size_t)ELF_STRING_SIZE - 1)));
    return 0;
}

static int take_pae(struct elf_pv_info *info __ignored, const struct value *v, void *dst)
{
    size_t len = strnlen(v->s, v->len);

    *(bool *)dst = !text_is(v->s, min(len, (size_t)3), "yes") && !text_is(v->s, len, "bimodal");
    return 0;
}

static int take_number(struct elf_pv_info *info, const struct value *v, void *dst)
{
    uint64_t val = 0;

    if (v->len != 1 && v->len != 2 && v->len != 4 && v->len != 8)
        return fail_with(info, -EINVAL, "a numeric Xen note is not 1, 2, 4 or 8 bytes long");
    memcpy(&val, v->s, v->len); /* little-endian into little-endian */
    *(uint64_t *)dst = val;
    return 0;
}

static int take_flag(struct elf_pv_info *info, const struct value *v, void *dst)
{
    uint64_t val;

    TRY(take_number(info, v, &val));
    *(bool *)dst = val != 0;
    return 0;
}

static int take_feature_bits(struct elf_pv_info *info, const struct value *v, void *dst __ignored)
{
    uint64_t bits;

    TRY(take_number(info, v, &bits));
    info->features_supported |= (uint32_t)bits;
    return 0;
}

#define FIELD(member) offsetof(struct elf_pv_info, member)

static const struct said {
    uint32_t note; /* XEN_ELFNOTE_* */
    int (*take)(struct elf_pv_info *info, const struct value *v, void *dst);
    size_t field;
} known[] = {
    {XEN_ELFNOTE_ENTRY, take_number, FIELD(entry)},
    {XEN_ELFNOTE_HYPERCALL_PAGE, take_number, FIELD(hypercall_page)},
    {XEN_ELFNOTE_VIRT_BASE, take_number, FIELD(virt_base)},
    {XEN_ELFNOTE_PADDR_OFFSET, take_number, FIELD(paddr_offset)},
    {XEN_ELFNOTE_INIT_P2M, take_number, FIELD(init_p2m)},
    {XEN_ELFNOTE_PHYS32_ENTRY, take_number, FIELD(phys32_entry)},
    {XEN_ELFNOTE_MOD_START_PFN, take_flag, FIELD(mod_start_pfn)},
    {XEN_ELFNOTE_SUSPEND_CANCEL, take_flag, FIELD(suspend_cancel)},
    {XEN_ELFNOTE_SUPPORTED_FEATURES, take_feature_bits},
    {XEN_ELFNOTE_FEATURES, take_features},
    {XEN_ELFNOTE_PAE_MODE, take_pae, FIELD(no_pae)},
    {XEN_ELFNOTE_XEN_VERSION, take_text, FIELD(xen_version)},
    {XEN_ELFNOTE_GUEST_OS, take_text, FIELD(guest_os)},
    {XEN_ELFNOTE_GUEST_VERSION, take_text, FIELD(guest_version)},
    {XEN_ELFNOTE_LOADER, take_text, FIELD(loader)},
};

/* ---- Xen's notes ---- */

/* Those not known: INFO and whatever later versions add. */
static int take_note(struct elf_pv_info *info, uint32_t type, const struct value *v)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(known); i++)
        if (known[i].note == type)
            return known[i].take(info, v, (char *)info + known[i].field);
    return 0;
}

/* Walks [off, off + len). Names and contents are padded to 4 bytes; the last one's padding may be
 * missing. */
static int walk_notes(struct elf_pv_info *info, uint64_t off, uint64_t len,
                      enum elf_note_source source)
{
    struct nhdr nh;

    if (!in_file(info, off, len))
        return fail_with(info, -EINVAL,
                         source == ELF_NOTES_SEGMENT ? "note segment lies outside of the file"
                                                     : "note section lies outside of the file");
    while (len >= sizeof(nh)) {
        const char *name = (const char *)info->image + off + sizeof(nh);

        memcpy(&nh, info->image + off, sizeof(nh));
        uint64_t desc = sizeof(nh) + ALIGN_UP((uint64_t)nh.namesz, 4);
        uint64_t step = desc + ALIGN_UP((uint64_t)nh.descsz, 4);

        if (desc + nh.descsz > len)
            return fail_with(info, -EINVAL, "a note runs past the end of its segment or section");
        if ((nh.namesz == 3 || nh.namesz == 4) && memcmp(name, "Xen", nh.namesz) == 0) {
            struct value v = {(const char *)info->image + off + desc, nh.descsz};

            TRY(take_note(info, nh.type, &v));
            info->source = source;
        }
        if (step >= len)
            break;
        off += step;
        len -= step;
    }
    return 0;
}

static int notes_of_segments(struct elf_pv_info *info, const struct ehdr *eh)
{
    for (unsigned int i = 0; i < eh->phnum; i++) {
        struct phdr ph;

        header_at(info, eh->phoff, i, &ph, sizeof(ph));
        if (ph.type == PT_NOTE)
            TRY(walk_notes(info, ph.offset, ph.filesz, ELF_NOTES_SEGMENT));
    }
    return 0;
}

/* ---- Sections: only looked at when no segment has Xen's notes ---- */

/* Number of section headers that can be used: 0 when there are none or they are out of the file (a
 * stripped kernel may say anything there). */
static unsigned int usable_sections(const struct elf_pv_info *info, const struct ehdr *eh)
{
    unsigned int nr = min((unsigned int)eh->shnum, (unsigned int)ELF_MAX_SHDRS);

    if (eh->shentsize != sizeof(struct shdr) ||
        !in_file(info, eh->shoff, (uint64_t)nr * sizeof(struct shdr)))
        return 0;
    return nr;
}

static int notes_of_sections(struct elf_pv_info *info, const struct ehdr *eh)
{
    unsigned int nr = usable_sections(info, eh);

    for (unsigned int i = 0; i < nr; i++) {
        struct shdr sh;

        header_at(info, eh->shoff, i, &sh, sizeof(sh));
        if (sh.type == SHT_NOTE)
            TRY(walk_notes(info, sh.offset, sh.size, ELF_NOTES_SECTION));
    }
    return 0;
}

static int collect_notes(struct elf_pv_info *info, const struct ehdr *eh)
{
    TRY(notes_of_segments(info, eh));
    if (info->source == ELF_NOTES_NONE)
        TRY(notes_of_sections(info, eh));
    if (info->source == ELF_NOTES_NONE)
        return fail_with(info, -ENOEXEC, "no Xen notes: not a kernel for a PV domain");
    return 0;
}

/* ---- What it all means ---- */

static bool begins(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

static int check_version(struct elf_pv_info *info)
{
    if (!begins(info->xen_version, "xen-3.0"))
        return fail_with(info, -ENOEXEC,
                         "kernel is not for the Xen 3.0 interface (note XEN_VERSION)");
    if (info->loader[0] && !begins(info->loader, "generic") && !begins(info->guest_os, "linux"))
        return fail_with(info, -ENOEXEC, "kernel wants another loader than the generic one");
    return 0;
}

static int layout(struct elf_pv_info *info)
{
    bool have_base = info->virt_base != ELF_NO_ADDR;

    if (info->paddr_offset != ELF_NO_ADDR && !have_base)
        return fail_with(info, -EINVAL, "note PADDR_OFFSET without VIRT_BASE");
    if (!have_base)
        info->virt_base = 0;
    if (info->paddr_offset == ELF_NO_ADDR)
        info->paddr_offset = 0;

    if (info->pstart < info->paddr_offset)
        return fail_with(info, -EINVAL, "a segment lies below PADDR_OFFSET");
    if (info->pend - info->paddr_offset > UINT64_MAX - info->virt_base)
        return fail_with(info, -EINVAL, "the image wraps around the end of the address space");
    info->virt_kstart = info->pstart - info->paddr_offset + info->virt_base;
    info->virt_kend = info->pend - info->paddr_offset + info->virt_base;
    return 0;
}

static int check_addresses(struct elf_pv_info *info)
{
    uint64_t page = info->hypercall_page;

    if (info->entry < info->virt_kstart || info->entry >= info->virt_kend)
        return fail_with(info, -EINVAL, "entry point lies outside of the image");
    if (page != ELF_NO_ADDR) {
        if (page & (PAGE_SIZE - 1))
            return fail_with(info, -EINVAL, "hypercall page is not page aligned");
        if (page < info->virt_base || page >= info->virt_kend)
            return fail_with(info, -EINVAL, "hypercall page lies outside of the image");
    }
    if (info->init_p2m != ELF_NO_ADDR) {
        if (info->init_p2m & (PAGE_SIZE - 1))
            return fail_with(info, -EINVAL, "INIT_P2M is not page aligned");
        if (info->init_p2m >= info->virt_kstart && info->init_p2m < info->virt_kend)
            return fail_with(info, -EINVAL, "INIT_P2M lies inside of the image");
    }
    return 0;
}

int elf_pv_parse(const void *image, size_t size, struct elf_pv_info *info)
{
    struct ehdr eh;

    memset(info, 0, sizeof(*info));
    info->image = image;
    info->size = size;
    info->virt_base = info->paddr_offset = info->entry = ELF_NO_ADDR;
    info->hypercall_page = info->init_p2m = info->phys32_entry = ELF_NO_ADDR;

    TRY(check_header(info, &eh));
    TRY(collect_segments(info, &eh));
    TRY(collect_notes(info, &eh));
    TRY(check_version(info));
    TRY(layout(info));
    if (info->entry == ELF_NO_ADDR)
        info->entry = eh.entry;
    return check_addresses(info);
}

/* ---- Loading ---- */

static int put_zero(elf_put_fn *put, void *ctx, uint64_t from, uint64_t to)
{
    return from < to ? put(ctx, from, NULL, to - from) : 0;
}

int elf_pv_load(const struct elf_pv_info *info, elf_put_fn *put, void *ctx)
{
    uint64_t done = 0; /* everything below this offset has been put */

    for (unsigned int i = 0; i < info->nr_segments; i++) {
        const struct elf_segment *seg = &info->segment[i];
        uint64_t start = seg->paddr - info->pstart;

        TRY(put_zero(put, ctx, done, start));
        if (seg->filesz)
            TRY(put(ctx, start, info->image + seg->offset, seg->filesz));
        done = start + seg->memsz;
        TRY(put_zero(put, ctx, start + seg->filesz, done));
    }
    return 0;
}
