/* SPDX-License-Identifier: MIT */
/* Turns the boot loader's information (Multiboot Specification 0.6.96 chapter 3.3, Multiboot2
 * 2.0 chapter 3.6) into one struct boot_info. Loaders are trusted to mean well but not to be
 * free of bugs: nothing is read from where the reader does not allow, no list is believed to end.
 */
#include <asm/multiboot.h>

#include <hv/lib.h>

/* ---- The map of memory ---- */

/* How much a type forbids: of two that claim the same byte the higher wins. */
static const uint8_t severity[] = {
    [BOOT_RAM] = 1, [BOOT_ACPI] = 2, [BOOT_NVS] = 3, [BOOT_RESERVED] = 4, [BOOT_BAD] = 5};

static uint64_t region_end(const struct boot_region *r)
{
    return r->base + r->len;
}

/* The type of the byte at @pos, 0 if no region has it, and of all up to *@end. */
static uint32_t type_at(const struct boot_region *r, unsigned int nr, uint64_t pos, uint64_t *end)
{
    uint32_t type = 0;

    *end = UINT64_MAX;
    for (; nr; nr--, r++) {
        if (pos < r->base) {
            *end = min(*end, r->base);
        } else if (pos < region_end(r)) {
            *end = min(*end, region_end(r));
            if (severity[r->type] > severity[type])
                type = r->type;
        }
    }
    return type;
}

/* Behind all others. What finds no room is lost. */
static void append(struct boot_info *info, uint64_t base, uint64_t end, uint32_t type)
{
    struct boot_region *next = &info->region[info->nr_regions];

    if (info->nr_regions && next[-1].type == type && region_end(&next[-1]) == base) {
        next[-1].len = end - next[-1].base;
    } else if (info->nr_regions < BOOT_MAX_REGIONS) {
        *next = (struct boot_region){base, end - base, type};
        info->nr_regions++;
    } else {
        info->regions_lost = true;
    }
}

/* The list is made anew, from border to border. When something has been lost nothing can become RAM any
 * more: nobody would know what it must not be used for. */
void boot_region_add(struct boot_info *info, uint64_t base, uint64_t len, uint32_t type)
{
    static struct boot_region all[BOOT_MAX_REGIONS + 1];
    unsigned int nr = info->nr_regions;

    if (type < BOOT_RAM || type > BOOT_BAD)
        type = BOOT_RESERVED;
    if (info->regions_lost && type == BOOT_RAM)
        return;
    memcpy(all, info->region, nr * sizeof(all[0]));
    all[nr++] = (struct boot_region){base, min(len, UINT64_MAX - base), type};
    info->nr_regions = 0;
    for (uint64_t pos = 0, next; pos != UINT64_MAX; pos = next) {
        type = type_at(all, nr, pos, &next);
        if (type)
            append(info, pos, next, type);
    }
}

/* Old loaders give no map, only the two sizes that the BIOS of 1990 knew. */
static void guess_regions(struct boot_info *info, uint32_t lower_kib, uint32_t upper_kib)
{
    if (info->nr_regions)
        return;
    info->map_is_guess = true;
    boot_region_add(info, 0, (uint64_t)min(lower_kib, 640u) << 10, BOOT_RAM);
    boot_region_add(info, 1 << 20, (uint64_t)upper_kib << 10, BOOT_RAM);
}

/* ---- Strings ---- */

/* Copies a string that ends at its terminator, after @max bytes, where the reader ends or where our
 * room does. The first byte of text[] stays an empty string for all who have none. */
static const char *copy_text(struct boot_info *info, const struct phys_reader *r, uint64_t paddr,
                             uint64_t max)
{
    char *start = &info->text[info->text_used];
    size_t room = sizeof(info->text) - info->text_used, n = 0;
    char c = 0;

    for (; n < max && paddr <= UINT64_MAX - n; n++) {
        bool lost = phys_read(r, paddr + n, &c, 1) || (c && n + 1 >= room);

        info->text_lost |= lost;
        if (lost || !c)
            break;
        start[n] = c;
    }
    if (n == 0)
        return info->text;
    start[n] = 0;
    info->text_used += n + 1;
    return start;
}

static int add_module(struct boot_info *info, uint64_t start, uint64_t end, const char *cmdline)
{
    if (start > end)
        return fail_with(info, -EINVAL, "boot loader: a module ends before it starts");
    info->module[info->nr_modules++] = (struct boot_module){start, end, cmdline};
    return 0;
}

struct framebuffer {
    uint64_t addr;
    uint32_t pitch, width, height;
    uint8_t bpp, type;
} __attribute__((packed));

/* @color: position and size of red, green and blue. */
static void set_display(struct boot_display *d, const struct framebuffer *fb,
                        const uint8_t color[6])
{
    static const uint8_t types[] = {BOOT_DISPLAY_INDEXED, BOOT_DISPLAY_RGB, BOOT_DISPLAY_TEXT};

    if (fb->type >= ARRAY_SIZE(types))
        return;
    *d = (struct boot_display){
        types[fb->type], fb->addr, fb->pitch, fb->width, fb->height, fb->bpp,
    };
    if (d->type == BOOT_DISPLAY_RGB)
        memcpy(d->rgb, color, sizeof(d->rgb));
}

/* ---- Multiboot 1 ---- */

struct mb1_info {
    uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4];
    uint32_t mmap_length, mmap_addr, drives_length, drives_addr, config_table, loader_name;
    uint32_t apm_table, vbe_control_info, vbe_mode_info;
    uint16_t vbe_mode, vbe_interface_seg, vbe_interface_off, vbe_interface_len;
    struct framebuffer fb;
    uint8_t fb_color[6];
} __attribute__((packed));

_Static_assert(sizeof(struct mb1_info) == 116, "Multiboot 1 layout");

enum {
    MB1_MEM = 1 << 0,
    MB1_CMDLINE = 1 << 2,
    MB1_MODS = 1 << 3,
    MB1_MMAP = 1 << 6,
    MB1_LOADER = 1 << 9,
    MB1_FRAMEBUFFER = 1 << 12,
};

struct mb1_module {
    uint32_t start, end, string, reserved;
};

struct mb1_region {
    uint32_t size; /* of the rest */
    uint64_t base, len;
    uint32_t type;
} __attribute__((packed));

static int mb1_modules(struct boot_info *info, const struct mb1_info *mb,
                       const struct phys_reader *r)
{
    uint32_t nr = min(mb->mods_count, (uint32_t)BOOT_MAX_MODULES);

    info->modules_lost = nr < mb->mods_count;
    for (uint32_t i = 0; i < nr; i++) {
        struct mb1_module m;

        if (phys_read(r, mb->mods_addr + i * sizeof(m), &m, sizeof(m)))
            return fail_with(info, -EFAULT, "boot loader: the list of modules is out of reach");
        TRY(add_module(info, m.start, m.end,
                       m.string ? copy_text(info, r, m.string, UINT64_MAX) : info->text));
    }
    return 0;
}

static int mb1_regions(struct boot_info *info, const struct mb1_info *mb,
                       const struct phys_reader *r)
{
    uint64_t at = mb->mmap_addr, end = at + mb->mmap_length;

    while (end - at >= sizeof(struct mb1_region)) {
        struct mb1_region e;

        if (phys_read(r, at, &e, sizeof(e)))
            return fail_with(info, -EFAULT, "boot loader: the memory map is out of reach");
        if (e.size < sizeof(e) - sizeof(e.size))
            return fail_with(info, -EINVAL, "boot loader: the memory map has a malformed entry");
        boot_region_add(info, e.base, e.len, e.type);
        if ((uint64_t)e.size + sizeof(e.size) > end - at)
            break;
        at += (uint64_t)e.size + sizeof(e.size);
    }
    return 0;
}

static int parse_mb1(struct boot_info *info, uint64_t paddr, const struct phys_reader *r)
{
    struct mb1_info mb = {0};

    /* Loaders of the older text stop before the frame buffer: read no more than is promised. */
    if (phys_read(r, paddr, &mb, offsetof(struct mb1_info, fb)) ||
        ((mb.flags & MB1_FRAMEBUFFER) && phys_read(r, paddr, &mb, sizeof(mb))))
        return fail_with(info, -EFAULT, "boot loader: its information is out of reach");
    if (mb.flags & MB1_CMDLINE)
        info->cmdline = copy_text(info, r, mb.cmdline, UINT64_MAX);
    if (mb.flags & MB1_LOADER)
        info->loader = copy_text(info, r, mb.loader_name, UINT64_MAX);
    if (mb.flags & MB1_MODS)
        TRY(mb1_modules(info, &mb, r));
    if (mb.flags & MB1_MMAP)
        TRY(mb1_regions(info, &mb, r));
    if (mb.flags & MB1_MEM)
        guess_regions(info, mb.mem_lower, mb.mem_upper);
    if (mb.flags & MB1_FRAMEBUFFER)
        set_display(&info->display, &mb.fb, mb.fb_color);
    return 0;
}

/* ---- Multiboot 2 ---- */

struct mb2_tag {
    uint32_t type, size;
};

enum {
    MB2_END = 0,
    MB2_CMDLINE = 1,
    MB2_LOADER = 2,
    MB2_MODULE = 3,
    MB2_MEM = 4,
    MB2_MMAP = 6,
    MB2_FRAMEBUFFER = 8,
    MB2_EFI64 = 12,
    MB2_ACPI_OLD = 14,
    MB2_ACPI_NEW = 15,
};

struct mb2_state {
    struct boot_info *info;
    const struct phys_reader *r;
    bool have_mem;
    uint32_t mem[2]; /* KiB below 1 MiB, and from there */
};

/* Reads the first @len bytes of a tag's contents; false when the tag is shorter. */
static bool tag_read(const struct mb2_state *s, uint64_t body, uint32_t size, void *dst, size_t len)
{
    return size >= len && phys_read(s->r, body, dst, len) == 0;
}

static int mb2_module(struct mb2_state *s, uint64_t body, uint32_t size)
{
    struct boot_info *info = s->info;
    uint32_t range[2];

    if (!tag_read(s, body, size, range, sizeof(range)))
        return fail_with(info, -EINVAL, "boot loader: a module's tag is too short");
    if (info->nr_modules == BOOT_MAX_MODULES) {
        info->modules_lost = true;
        return 0;
    }
    return add_module(info, range[0], range[1],
                      copy_text(info, s->r, body + sizeof(range), size - sizeof(range)));
}

static int mb2_regions(struct mb2_state *s, uint64_t body, uint32_t size)
{
    uint32_t head[2]; /* size and version of an entry */
    struct {
        uint64_t base, len;
        uint32_t type, reserved;
    } e;

    if (!tag_read(s, body, size, head, sizeof(head)) || head[0] < sizeof(e))
        return fail_with(s->info, -EINVAL, "boot loader: the memory map is malformed");
    body += sizeof(head);
    size -= sizeof(head);
    for (; size >= head[0]; body += head[0], size -= head[0]) {
        if (phys_read(s->r, body, &e, sizeof(e)))
            return fail_with(s->info, -EFAULT, "boot loader: the memory map is out of reach");
        boot_region_add(s->info, e.base, e.len, e.type);
    }
    return 0;
}

static void mb2_display(struct mb2_state *s, uint64_t body, uint32_t size)
{
    struct {
        struct framebuffer fb;
        uint8_t reserved[2], color[6]; /* not there for text and palettes */
    } tag = {0};
    size_t len = min((size_t)size, sizeof(tag));

    if (len >= sizeof(tag.fb) && !phys_read(s->r, body, &tag, len))
        set_display(&s->info->display, &tag.fb, tag.color);
}

/* Both tags may be there: the newer one's copy is the longer. */
static void mb2_rsdp(struct mb2_state *s, uint64_t body, uint32_t size, unsigned int len)
{
    if (len > s->info->rsdp_len && tag_read(s, body, size, s->info->rsdp, len))
        s->info->rsdp_len = len;
}

static int mb2_tag(struct mb2_state *s, uint32_t type, uint64_t body, uint32_t size)
{
    struct boot_info *info = s->info;

    switch (type) {
    case MB2_CMDLINE:
        info->cmdline = copy_text(info, s->r, body, size);
        break;
    case MB2_LOADER:
        info->loader = copy_text(info, s->r, body, size);
        break;
    case MB2_MODULE:
        return mb2_module(s, body, size);
    case MB2_MEM:
        s->have_mem = tag_read(s, body, size, s->mem, sizeof(s->mem));
        break;
    case MB2_MMAP:
        return mb2_regions(s, body, size);
    case MB2_FRAMEBUFFER:
        mb2_display(s, body, size);
        break;
    case MB2_EFI64:
        (void)tag_read(s, body, size, &info->efi_system_table, sizeof(uint64_t));
        break;
    case MB2_ACPI_OLD:
        mb2_rsdp(s, body, size, 20);
        break;
    case MB2_ACPI_NEW:
        mb2_rsdp(s, body, size, 36);
        break;
    }
    return 0;
}

static int mb2_tags(struct mb2_state *s, uint64_t at, uint64_t end)
{
    while (end - at >= sizeof(struct mb2_tag)) {
        struct mb2_tag tag;

        if (phys_read(s->r, at, &tag, sizeof(tag)))
            return fail_with(s->info, -EFAULT, "boot loader: its information is out of reach");
        if (tag.type == MB2_END)
            return 0;
        if (tag.size < sizeof(tag) || tag.size > end - at)
            return fail_with(s->info, -EINVAL, "boot loader: a tag has an impossible size");
        TRY(mb2_tag(s, tag.type, at + sizeof(tag), tag.size - sizeof(tag)));
        at = min(ALIGN_UP(at + tag.size, 8), end);
    }
    return fail_with(s->info, -EINVAL, "boot loader: its information has no end tag");
}

static int parse_mb2(struct boot_info *info, uint64_t paddr, const struct phys_reader *r)
{
    struct mb2_state s = {.info = info, .r = r};
    uint32_t head[2];

    if (phys_read(r, paddr, head, sizeof(head)))
        return fail_with(info, -EFAULT, "boot loader: its information is out of reach");
    if (head[0] < sizeof(head) || paddr > UINT64_MAX / 2 || paddr % 8)
        return fail_with(info, -EINVAL,
                         "boot loader: its information has an impossible size or address");
    TRY(mb2_tags(&s, paddr + sizeof(head), paddr + head[0]));
    if (s.have_mem)
        guess_regions(info, s.mem[0], s.mem[1]);
    return 0;
}

int multiboot_parse(uint32_t magic, uint64_t paddr, const struct phys_reader *r,
                    struct boot_info *info)
{
    memset(info, 0, sizeof(*info));
    info->cmdline = info->loader = info->text;
    info->text_used = 1;

    if (magic != MULTIBOOT1_LOADER_MAGIC && magic != MULTIBOOT2_LOADER_MAGIC)
        return fail_with(info, -EINVAL, "not started by a Multiboot loader");
    TRY((magic == MULTIBOOT1_LOADER_MAGIC ? parse_mb1 : parse_mb2)(info, paddr, r));
    return info->nr_regions
               ? 0
               : fail_with(info, -EINVAL, "boot loader: no memory map and no memory sizes");
}
