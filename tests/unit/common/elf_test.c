/* SPDX-License-Identifier: MIT */
/* ELF images of PV kernels: built here piece by piece, so that each test can break one piece. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <elf.h>
#include <hv/elf.h>
#include <hv/errno.h>
#include <hv/lib.h>
#include <xen/elfnote.h>
#include <xen/features.h>

#define BASE  0xffffffff80000000ul
#define START 0x1000000ul /* paddr of the text segment, like Linux' */

/* The file: header, program headers, contents, section headers at fixed places. */
enum { OFF_PHDR = 64, OFF_NOTES = 0x400, OFF_TEXT = 0x1000, OFF_DATA = 0x3000, OFF_SHDR = 0x3800 };
enum { OFF_STRTAB = 0x3c00, FILE_SIZE = 0x4000 };

struct file {
    union {
        uint8_t byte[FILE_SIZE];
        Elf64_Ehdr eh;
    };
    size_t notes_len;
    struct elf_pv_info info;
};

static Elf64_Phdr *phdr(struct file *f, unsigned int i)
{
    return (Elf64_Phdr *)(f->byte + OFF_PHDR) + i;
}

static Elf64_Shdr *shdr(struct file *f, unsigned int i)
{
    return (Elf64_Shdr *)(f->byte + OFF_SHDR) + i;
}

static void add_phdr(struct file *f, Elf64_Phdr ph)
{
    *phdr(f, f->eh.e_phnum++) = ph;
}

static void add_note(struct file *f, uint32_t type, const void *desc, uint32_t len)
{
    uint8_t *at = f->byte + OFF_NOTES + f->notes_len;
    Elf64_Nhdr nh = {.n_namesz = 4, .n_descsz = len, .n_type = type};

    memcpy(at, &nh, sizeof(nh));
    memcpy(at + sizeof(nh), "Xen", 4);
    memcpy(at + sizeof(nh) + 4, desc, len);
    f->notes_len += sizeof(nh) + 4 + ALIGN_UP(len, 4u);
    phdr(f, 2)->p_filesz = f->notes_len;
}

static void add_number(struct file *f, uint32_t type, uint64_t val, uint32_t len)
{
    add_note(f, type, &val, len);
}

static void add_string(struct file *f, uint32_t type, const char *s)
{
    add_note(f, type, s, strlen(s) + 1);
}

/* Text at START (one page), data with bss at START + 0x2000, the notes. */
static struct file *bare_file(void)
{
    static struct file file;
    struct file *f = &file;

    memset(f, 0, sizeof(*f));
    memcpy(f->eh.e_ident, "\177ELF\2\1\1", 7);
    f->eh.e_type = ET_EXEC;
    f->eh.e_machine = EM_X86_64;
    f->eh.e_version = 1;
    f->eh.e_entry = BASE + START + 0x10;
    f->eh.e_phoff = OFF_PHDR;
    f->eh.e_phentsize = sizeof(Elf64_Phdr);
    f->eh.e_ehsize = sizeof(Elf64_Ehdr);
    f->eh.e_shentsize = sizeof(Elf64_Shdr);
    add_phdr(f, (Elf64_Phdr){.p_type = PT_LOAD,
                             .p_flags = PF_R | PF_X,
                             .p_offset = OFF_TEXT,
                             .p_vaddr = BASE + START,
                             .p_paddr = START,
                             .p_filesz = 0x1000,
                             .p_memsz = 0x1000});
    add_phdr(f, (Elf64_Phdr){.p_type = PT_LOAD,
                             .p_flags = PF_R | PF_W,
                             .p_offset = OFF_DATA,
                             .p_vaddr = 0,
                             .p_paddr = START + 0x2000,
                             .p_filesz = 0x100,
                             .p_memsz = 0x1234});
    add_phdr(f, (Elf64_Phdr){.p_type = PT_NOTE, .p_flags = PF_R, .p_offset = OFF_NOTES});
    memset(f->byte + OFF_TEXT, 0xcc, 0x1000);
    memset(f->byte + OFF_DATA, 0xdd, 0x100);
    return f;
}

static struct file *good_file(void)
{
    struct file *f = bare_file();

    add_string(f, XEN_ELFNOTE_GUEST_OS, "linux");
    add_string(f, XEN_ELFNOTE_GUEST_VERSION, "2.6");
    add_string(f, XEN_ELFNOTE_XEN_VERSION, "xen-3.0");
    add_string(f, XEN_ELFNOTE_LOADER, "generic");
    add_number(f, XEN_ELFNOTE_VIRT_BASE, BASE, 8);
    return f;
}

static int parse(struct file *f)
{
    return elf_pv_parse(f->byte, FILE_SIZE, &f->info);
}

static void expect(struct file *f, int err, const char *why)
{
    assert_int_equal(parse(f), err);
    assert_string_equal(f->info.error, why);
}

static void linux_like_kernel(void **state)
{
    struct file *f = good_file();
    uint64_t l1[2] = {1, 1};

    (void)state;
    add_number(f, XEN_ELFNOTE_ENTRY, BASE + START + 0x40, 8);
    add_number(f, XEN_ELFNOTE_HYPERCALL_PAGE, BASE + START + 0x2000, 8);
    add_number(f, XEN_ELFNOTE_INIT_P2M, 0x8000000000ul, 8);
    add_number(f, XEN_ELFNOTE_HV_START_LOW, 0xffff800000000000ul, 8);
    add_number(f, XEN_ELFNOTE_MOD_START_PFN, 1, 4);
    add_number(f, XEN_ELFNOTE_SUSPEND_CANCEL, 1, 4);
    add_number(f, XEN_ELFNOTE_SUPPORTED_FEATURES, 1u << XENFEAT_dom0, 4);
    add_number(f, XEN_ELFNOTE_PHYS32_ENTRY, 0x1000100, 4);
    add_string(f, XEN_ELFNOTE_FEATURES, "!writable_page_tables|pae_pgdir_above_4gb|no_such_thing");
    add_string(f, XEN_ELFNOTE_PAE_MODE, "yes");
    add_note(f, XEN_ELFNOTE_L1_MFN_VALID, l1, sizeof(l1));

    assert_int_equal(parse(f), 0);
    const struct elf_pv_info *i = &f->info;

    assert_null(i->error);
    assert_int_equal(i->source, ELF_NOTES_SEGMENT);
    assert_int_equal(i->virt_base, BASE);
    assert_int_equal(i->paddr_offset, 0);
    assert_int_equal(i->entry, BASE + START + 0x40);
    assert_int_equal(i->hypercall_page, BASE + START + 0x2000);
    assert_int_equal(i->init_p2m, 0x8000000000ul);
    assert_int_equal(i->phys32_entry, 0x1000100);
    assert_true(i->mod_start_pfn && i->suspend_cancel);
    assert_false(i->no_pae);
    assert_int_equal(i->features_required, 1u << XENFEAT_writable_page_tables);
    assert_int_equal(i->features_supported, 1u << XENFEAT_writable_page_tables |
                                                1u << XENFEAT_pae_pgdir_above_4gb |
                                                1u << XENFEAT_dom0);
    assert_string_equal(i->guest_os, "linux");
    assert_string_equal(i->guest_version, "2.6");
    assert_string_equal(i->loader, "generic");
    assert_int_equal(i->pstart, START);
    assert_int_equal(i->pend, START + 0x3234);
    assert_int_equal(i->virt_kstart, BASE + START);
    assert_int_equal(i->virt_kend, BASE + START + 0x3234);
}

static void numbers_of_all_widths(void **state)
{
    (void)state;
    for (uint32_t len = 1; len <= 8; len *= 2) {
        struct file *f = good_file();

        add_number(f, XEN_ELFNOTE_MOD_START_PFN, 1, len);
        assert_int_equal(parse(f), 0);
        assert_true(f->info.mod_start_pfn);
    }
    struct file *f = good_file();

    add_number(f, XEN_ELFNOTE_MOD_START_PFN, 1, 3);
    expect(f, -EINVAL, "a numeric Xen note is not 1, 2, 4 or 8 bytes long");
}

static void defaults(void **state)
{
    struct file *f = bare_file();

    (void)state;
    add_string(f, XEN_ELFNOTE_XEN_VERSION, "xen-3.0");
    f->eh.e_entry = START + 8; /* no VIRT_BASE: virtual is physical */
    assert_int_equal(parse(f), 0);
    assert_int_equal(f->info.virt_base, 0);
    assert_int_equal(f->info.virt_kstart, START);
    assert_int_equal(f->info.entry, START + 8);
    assert_int_equal(f->info.hypercall_page, ELF_NO_ADDR);
    assert_int_equal(f->info.init_p2m, ELF_NO_ADDR);
}

/* An old kernel: paddr holds virtual addresses, PADDR_OFFSET takes that back. */
static void paddr_offset(void **state)
{
    struct file *f = good_file();

    (void)state;
    phdr(f, 0)->p_paddr += BASE;
    phdr(f, 1)->p_paddr += BASE;
    add_number(f, XEN_ELFNOTE_PADDR_OFFSET, BASE, 8);
    assert_int_equal(parse(f), 0);
    assert_int_equal(f->info.virt_kstart, BASE + START);

    f = bare_file();
    add_string(f, XEN_ELFNOTE_XEN_VERSION, "xen-3.0");
    add_number(f, XEN_ELFNOTE_PADDR_OFFSET, 0, 8);
    expect(f, -EINVAL, "note PADDR_OFFSET without VIRT_BASE");

    f = good_file();
    add_number(f, XEN_ELFNOTE_PADDR_OFFSET, START + 1, 8);
    expect(f, -EINVAL, "a segment lies below PADDR_OFFSET");
}

static void header_is_checked(void **state)
{
    struct file *f = good_file();

    (void)state;
    assert_int_equal(elf_pv_parse(f->byte, 3, &f->info), -ENOEXEC);
    assert_string_equal(f->info.error, "not an ELF file");
    assert_int_equal(elf_pv_parse(f->byte, 63, &f->info), -ENOEXEC);
    assert_string_equal(f->info.error, "file ends inside of the ELF header");
    f->eh.e_ident[EI_CLASS] = ELFCLASS32;
    expect(f, -ENOEXEC, "32-bit ELF file, a 64-bit kernel is needed");
    f = good_file();
    f->eh.e_machine = EM_AARCH64;
    expect(f, -ENOEXEC, "ELF file for another machine than x86-64");
    f = good_file();
    f->eh.e_type = ET_REL;
    expect(f, -ENOEXEC, "ELF file is no executable");
    f = good_file();
    f->eh.e_phentsize = 32;
    expect(f, -EINVAL, "program headers of unknown size");
    f = good_file();
    f->eh.e_phoff = UINT64_MAX - 10;
    expect(f, -EINVAL, "program headers lie outside of the file");
    f = good_file();
    f->eh.e_phnum = ELF_MAX_PHDRS + 1;
    expect(f, -EINVAL, "too many program headers");
    f = good_file();
    f->eh.e_phnum = 0;
    expect(f, -ENOEXEC, "ELF file has no program headers");
}

static void segments_are_checked(void **state)
{
    struct file *f = good_file();

    (void)state;
    phdr(f, 0)->p_filesz = 0x1001;
    expect(f, -EINVAL, "segment has more bytes in the file than in memory");
    f = good_file();
    phdr(f, 0)->p_offset = FILE_SIZE - 0xfff;
    expect(f, -EINVAL, "segment lies outside of the file (truncated image?)");
    f = good_file();
    phdr(f, 0)->p_offset = UINT64_MAX;
    expect(f, -EINVAL, "segment lies outside of the file (truncated image?)");
    f = good_file();
    phdr(f, 1)->p_memsz = UINT64_MAX - START;
    expect(f, -EINVAL, "segment wraps around the end of memory");
    f = good_file();
    phdr(f, 1)->p_paddr = START + 0xfff;
    expect(f, -EINVAL, "segments overlap in physical memory");
    f = good_file();
    phdr(f, 1)->p_paddr = START;
    expect(f, -EINVAL, "segments overlap in physical memory");
    f = good_file();
    phdr(f, 0)->p_type = phdr(f, 1)->p_type = PT_NULL;
    expect(f, -ENOEXEC, "ELF file has nothing to load");
}

static void layout_is_checked(void **state)
{
    struct file *f = good_file();

    (void)state;
    f->eh.e_entry = BASE + START + 0x3234;
    expect(f, -EINVAL, "entry point lies outside of the image");
    f = good_file();
    add_number(f, XEN_ELFNOTE_VIRT_BASE, UINT64_MAX - START, 8);
    expect(f, -EINVAL, "the image wraps around the end of the address space");
    f = good_file();
    add_number(f, XEN_ELFNOTE_HYPERCALL_PAGE, BASE + START + 8, 8);
    expect(f, -EINVAL, "hypercall page is not page aligned");
    f = good_file();
    add_number(f, XEN_ELFNOTE_HYPERCALL_PAGE, BASE + START + 0x4000, 8);
    expect(f, -EINVAL, "hypercall page lies outside of the image");
    f = good_file();
    add_number(f, XEN_ELFNOTE_INIT_P2M, BASE + START + 0x1000, 8);
    expect(f, -EINVAL, "INIT_P2M lies inside of the image");
}

static void notes_are_checked(void **state)
{
    struct file *f = bare_file();

    (void)state;
    expect(f, -ENOEXEC, "no Xen notes: not a kernel for a PV domain");
    add_number(f, XEN_ELFNOTE_VIRT_BASE, BASE, 8);
    expect(f, -ENOEXEC, "kernel is not for the Xen 3.0 interface (note XEN_VERSION)");
    f = good_file();
    add_string(f, XEN_ELFNOTE_GUEST_OS, "other");
    add_string(f, XEN_ELFNOTE_LOADER, "special");
    expect(f, -ENOEXEC, "kernel wants another loader than the generic one");
    f = good_file();
    add_string(f, XEN_ELFNOTE_FEATURES, "dom0|!flying");
    expect(f, -EINVAL, "kernel requires a feature that does not exist");
    f = good_file();
    add_string(f, XEN_ELFNOTE_PAE_MODE, "no");
    assert_int_equal(parse(f), 0);
    assert_true(f->info.no_pae);
    f = good_file();
    phdr(f, 2)->p_filesz -= 1; /* into the last note's contents */
    expect(f, -EINVAL, "a note runs past the end of its segment or section");
    f = good_file();
    phdr(f, 2)->p_offset = FILE_SIZE;
    expect(f, -EINVAL, "note segment lies outside of the file");
}

/* A string without terminator, as long as its note, must not be read beyond it. */
static void unterminated_string(void **state)
{
    struct file *f = good_file();

    (void)state;
    add_note(f, XEN_ELFNOTE_GUEST_VERSION, "0123456789012345678901234567890123456789", 40);
    assert_int_equal(parse(f), 0);
    assert_string_equal(f->info.guest_version, "0123456789012345678901234567890");
}

static void foreign_notes_are_stepped_over(void **state)
{
    struct file *f = bare_file();
    Elf64_Nhdr gnu = {.n_namesz = 4, .n_descsz = 5, .n_type = XEN_ELFNOTE_ENTRY};

    (void)state;
    memcpy(f->byte + OFF_NOTES, &gnu, sizeof(gnu));
    memcpy(f->byte + OFF_NOTES + sizeof(gnu), "GNU", 4);
    f->notes_len = sizeof(gnu) + 4 + 8;
    add_string(f, XEN_ELFNOTE_XEN_VERSION, "xen-3.0");
    add_number(f, XEN_ELFNOTE_VIRT_BASE, BASE, 8);
    assert_int_equal(parse(f), 0);
    assert_int_equal(f->info.entry, BASE + START + 0x10);
}

static void add_sections(struct file *f, uint32_t type, const char *name, uint64_t off,
                         uint64_t len)
{
    f->eh.e_shoff = OFF_SHDR;
    f->eh.e_shnum = 3;
    f->eh.e_shstrndx = 2;
    strcpy((char *)f->byte + OFF_STRTAB + 1, name);
    *shdr(f, 1) = (Elf64_Shdr){.sh_name = 1, .sh_type = type, .sh_offset = off, .sh_size = len};
    *shdr(f, 2) =
        (Elf64_Shdr){.sh_type = SHT_STRTAB, .sh_offset = OFF_STRTAB, .sh_size = strlen(name) + 2};
}

static void notes_in_a_section(void **state)
{
    struct file *f = good_file();

    (void)state;
    phdr(f, 2)->p_type = PT_NULL;
    add_sections(f, SHT_NOTE, ".notes", OFF_NOTES, f->notes_len);
    assert_int_equal(parse(f), 0);
    assert_int_equal(f->info.source, ELF_NOTES_SECTION);
    assert_int_equal(f->info.virt_kstart, BASE + START);

    shdr(f, 1)->sh_size = FILE_SIZE;
    expect(f, -EINVAL, "note section lies outside of the file");
    f->eh.e_shoff = UINT64_MAX - 3; /* unusable tables are as good as none */
    expect(f, -ENOEXEC, "no Xen notes: not a kernel for a PV domain");
}

/* What kernels said before there were notes is not listened to. */
static void legacy_section(void **state)
{
    static const char text[] = "GUEST_OS=netbsd,XEN_VER=xen-3.0,VIRT_BASE=0xffffffff80000000";
    struct file *f = bare_file();

    (void)state;
    memcpy(f->byte + OFF_NOTES, text, sizeof(text));
    phdr(f, 2)->p_type = PT_NULL;
    add_sections(f, SHT_PROGBITS, "__xen_guest", OFF_NOTES, sizeof(text));
    expect(f, -ENOEXEC, "no Xen notes: not a kernel for a PV domain");
}

struct sink {
    uint8_t mem[0x4000];
    uint64_t next;
    int stop_after;
};

static int sink_put(void *ctx, uint64_t offset, const void *src, uint64_t len)
{
    struct sink *s = ctx;

    if (s->stop_after-- == 0)
        return -ENOMEM;
    assert_int_equal(offset, s->next);
    assert_true(len > 0 && len <= sizeof(s->mem) - offset);
    if (src)
        memcpy(s->mem + offset, src, len);
    else
        memset(s->mem + offset, 0, len);
    s->next = offset + len;
    return 0;
}

static void load_covers_everything_once(void **state)
{
    struct file *f = good_file();
    static struct sink s;
    Elf64_Phdr swap = *phdr(f, 0);

    (void)state;
    *phdr(f, 0) = *phdr(f, 1); /* order in the file does not matter */
    *phdr(f, 1) = swap;
    memset(s.mem, 0xee, sizeof(s.mem));
    s.stop_after = -1;
    assert_int_equal(parse(f), 0);
    assert_int_equal(elf_pv_load(&f->info, sink_put, &s), 0);
    assert_int_equal(s.next, f->info.virt_kend - f->info.virt_kstart);
    for (unsigned int i = 0; i < s.next; i++)
        assert_int_equal(s.mem[i], i < 0x1000 ? 0xcc : i >= 0x2000 && i < 0x2100 ? 0xdd : 0);
    assert_int_equal(s.mem[s.next], 0xee);
}

static void load_stops_on_error(void **state)
{
    struct file *f = good_file();

    (void)state;
    assert_int_equal(parse(f), 0);
    for (int n = 0; n < 4; n++) {
        static struct sink s;

        s = (struct sink){.stop_after = n};
        assert_int_equal(elf_pv_load(&f->info, sink_put, &s), -ENOMEM);
    }
}

/* Every truncation of a good file is refused or parsed, never read beyond (ASan looks on). */
static void truncated_files(void **state)
{
    struct file *f = good_file();

    (void)state;
    for (size_t n = 0; n < FILE_SIZE; n += n < 0x500 ? 1 : 61) {
        uint8_t *copy = test_malloc(n + 1);

        memcpy(copy, f->byte, n);
        assert_true(elf_pv_parse(copy, n, &f->info) < 0 || n >= OFF_DATA + 0x100);
        test_free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linux_like_kernel),
        cmocka_unit_test(numbers_of_all_widths),
        cmocka_unit_test(defaults),
        cmocka_unit_test(paddr_offset),
        cmocka_unit_test(header_is_checked),
        cmocka_unit_test(segments_are_checked),
        cmocka_unit_test(layout_is_checked),
        cmocka_unit_test(notes_are_checked),
        cmocka_unit_test(unterminated_string),
        cmocka_unit_test(foreign_notes_are_stepped_over),
        cmocka_unit_test(notes_in_a_section),
        cmocka_unit_test(legacy_section),
        cmocka_unit_test(load_covers_everything_once),
        cmocka_unit_test(load_stops_on_error),
        cmocka_unit_test(truncated_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
