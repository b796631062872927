/* SPDX-License-Identifier: MIT */
/* The hypervisor's own page tables. They are complete when boot ends: what changes later (a pcpu's
 * GDT window) changes in L1 tables that all L4 tables share, so the slots that hv_l4_fill() copies
 * into guests' L4 tables never need an update.
 *
 * W^X: nothing is writable and executable. Code is the image's text and the pcpus' entry stubs;
 * neither is writable anywhere, the direct map included. Everything is global but the windows. */
#include <asm/boot.h>
#include <asm/cpu.h>
#include <asm/io.h>
#include <asm/switch.h>
#include <asm/system.h>
#include <hv/mmu.h>

#define SIZE_2M    (1UL << L2_SHIFT)
#define SIZE_1G    (1UL << L3_SHIFT)
#define LIMIT_4G   (1UL << 32)
#define TABLE_BITS (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)
#define DATA_RO    (PTE_P | PTE_G | PTE_A | PTE_NX)
#define DATA_RW    (DATA_RO | PTE_W | PTE_D)
#define CODE       (PTE_P | PTE_G | PTE_A)
#define DEVICE     (DATA_RW | PTE_PCD | PTE_PWT)

/* A section of the frame table is one 2 MiB page of it: 256 MiB of machine memory. */
#define SECTION_FRAMES (SIZE_2M / sizeof(struct page))
/* A chunk of the machine-to-phys table is 2 MiB of it: 1 GiB of machine memory. */
#define CHUNK_FRAMES (SIZE_2M / sizeof(uint64_t))

#define BOOT_WINDOW_PAGES 64                                   /* end of the fixmap: map_boot() */
#define WINDOW_PAGE       (PT_ENTRIES - BOOT_WINDOW_PAGES - 1) /* before it: map_window() */

extern char image_start[], image_end[], text_end[], rodata_start[], sealed_start[], sealed_end[];
extern const struct {
    uint8_t *at;
    uint64_t kind;
} smap_patch_start[], smap_patch_end[];

uint64_t hv_l4[PT_ENTRIES] __aligned(4096) __section(".bss.page_aligned");
uint64_t hv_l4_paddr;

uint64_t gdt_empty_entry; /* maps a page of zeros: descriptors that are not there */

static uint64_t *fixmap_l1;
static unsigned int fixmap_used;
static uint64_t boot_used; /* bytes taken by this file */
static bool allocator_ready;

/* ---- tables ---- */

static uint64_t table_limit = LIMIT_4G; /* until the direct map is there */

static uint64_t boot_pages(uint64_t size, uint64_t align)
{
    boot_used += size;
    return bootmem_alloc(size, align, table_limit);
}

/* A cleared page for a table or for a pcpu; 0: none. */
static uint64_t new_page(void)
{
    void *va;

    if (!allocator_ready)
        return boot_pages(PAGE_SIZE, PAGE_SIZE);
    va = page_alloc_virt(0, PA_ZERO);
    if (!va)
        return 0;
    boot_used += PAGE_SIZE;
    return virt_to_mfn(va).n << PAGE_SHIFT;
}

/* Split a superpage entry of @level so that a part of it can be mapped otherwise. */
static bool split(uint64_t *e, int level)
{
    uint64_t pa = new_page(), step = 1UL << (PAGE_SHIFT + 9 * (level - 2));
    uint64_t *t = paddr_to_virt(pa);

    if (!pa)
        return false;
    for (unsigned int i = 0; i < PT_ENTRIES; i++)
        t[i] = (*e + i * step) & (level == 2 ? ~PTE_PSE : ~0UL);
    *e = pa | TABLE_BITS;
    return true;
}

/* The entry for @va in the table of @level, with everything above it made; NULL: no memory. */
static uint64_t *entry(uint64_t va, int level)
{
    uint64_t *t = hv_l4;

    for (int l = 4; l > level; l--) {
        uint64_t *e = &t[pt_index(va, l)];

        if (!*e) {
            uint64_t pa = new_page();

            if (!pa)
                return NULL;
            *e = pa | TABLE_BITS;
        } else if ((*e & PTE_PSE) && !split(e, l)) {
            return NULL;
        }
        t = paddr_to_virt(*e & PTE_ADDR_MASK);
    }
    return &t[pt_index(va, level)];
}

/* Boot: map [va, va + len) to @pa with the largest pages that fit. */
static void map_range(uint64_t va, uint64_t pa, uint64_t len, uint64_t flags)
{
    while (len) {
        int level = 1;
        uint64_t size;

        if (!((va | pa) & (SIZE_1G - 1)) && len >= SIZE_1G && cpu.page1g)
            level = 3;
        else if (!((va | pa) & (SIZE_2M - 1)) && len >= SIZE_2M)
            level = 2;
        size = PAGE_SIZE << (9 * (level - 1));
        *entry(va, level) = pa | flags | (level > 1 ? PTE_PSE : 0);
        va += size;
        pa += size;
        len -= size;
    }
}

void hv_l4_fill(uint64_t *l4, bool m2p)
{
    for (unsigned int i = HV_L4_FIRST; i < HV_L4_FIRST + HV_L4_SLOTS; i++)
        l4[i] = hv_l4[i];
    if (!m2p)
        l4[pt_index(M2P_VIRT, 4)] = 0;
}

/* ---- the image ---- */

static uint64_t image_paddr(const char *va)
{
    return (uint64_t)(va - image_start) + IMAGE_PHYS;
}

/* The same range of the image where it runs (with @flags) and in the direct map (never executable).
 */
static void map_image_part(const char *start, const char *end, uint64_t flags)
{
    uint64_t pa = image_paddr(start), len = ALIGN_UP((uint64_t)(end - start), PAGE_SIZE);

    for (uint64_t o = 0; o < len; o += PAGE_SIZE) {
        *entry((uint64_t)start + o, 1) = (pa + o) | flags;
        *entry(DIRECTMAP_VIRT + pa + o, 1) = (pa + o) | flags | PTE_NX;
    }
}

void paging_seal(void)
{
    map_image_part(sealed_start, sealed_end, DATA_RO);
    for (const char *va = sealed_start; va < sealed_end; va += PAGE_SIZE) {
        invlpg((uint64_t)va);
        invlpg(DIRECTMAP_VIRT + image_paddr(va));
    }
}

/* Turn the marked no-operations into stac and clac; the boot tables still let us write. */
static void patch_smap(void)
{
    for (__typeof__(&smap_patch_start[0]) p = smap_patch_start; p < smap_patch_end; p++) {
        p->at[1] = 0x01;
        p->at[2] = p->kind ? 0xcb : 0xca;
    }
}

/* ---- all RAM ---- */

#define for_each_ram(bi, r)                                                                        \
    for (const struct boot_region *r = (bi)->region; r < (bi)->region + (bi)->nr_regions; r++)     \
        if (r->type == BOOT_RAM)

static uint64_t ram_end(const struct boot_info *bi)
{
    uint64_t end = 0;

    for_each_ram (bi, r)
        end = r->base + r->len; /* they are in order */
    return min(end, (uint64_t)DIRECTMAP_SIZE);
}

static void map_all_ram(const struct boot_info *bi)
{
    for_each_ram (bi, r) {
        uint64_t start = ALIGN_UP(r->base, PAGE_SIZE);
        uint64_t end = min(ALIGN_DOWN(r->base + r->len, PAGE_SIZE), (uint64_t)DIRECTMAP_SIZE);

        if (start < end)
            map_range(DIRECTMAP_VIRT + start, start, end - start, DATA_RW);
    }
}

/* Is any of the frames [first, first + n) RAM? */
static bool has_ram(const struct boot_info *bi, uint64_t first, uint64_t n)
{
    uint64_t start = first << PAGE_SHIFT, end = (first + n) << PAGE_SHIFT;

    for_each_ram (bi, r)
        if (r->base < end && r->base + r->len > start)
            return true;
    return false;
}

/* Entries of frames without RAM read as "not there": one page of such entries for all of them. */
static uint64_t hole_table(void)
{
    uint64_t page = boot_pages(PAGE_SIZE, PAGE_SIZE), table = boot_pages(PAGE_SIZE, PAGE_SIZE);
    struct page *pg = paddr_to_virt(page);
    uint64_t *l1 = paddr_to_virt(table);

    for (unsigned int i = 0; i < PAGE_SIZE / sizeof(*pg); i++)
        pg[i].count = PGC_OFFLINE;
    for (unsigned int i = 0; i < PT_ENTRIES; i++)
        l1[i] = page | DATA_RO;
    return table;
}

static void make_frame_table(const struct boot_info *bi)
{
    uint64_t holes = 0;

    for (uint64_t n = 0; n < max_page; n += SECTION_FRAMES) {
        uint64_t *e = entry((uint64_t)&frame_table[n], 2);

        if (has_ram(bi, n, SECTION_FRAMES)) {
            *e = boot_pages(SIZE_2M, SIZE_2M) | DATA_RW | PTE_PSE;
            for (uint64_t i = n; i < n + SECTION_FRAMES; i++)
                frame_table[i].count = PGC_OFFLINE;
        } else {
            if (!holes)
                holes = hole_table();
            *e = holes | TABLE_BITS;
        }
    }
    /* RAM is ours until it is given to the allocator. The first MiB counts as device memory:
     * nobody's page, but the control domain may look for what firmware has left there. */
    for_each_ram (bi, r) {
        uint64_t end = min((r->base + r->len) >> PAGE_SHIFT, max_page);

        for (uint64_t n = max(DIV_ROUND_UP(r->base, PAGE_SIZE), 0x100UL); n < end; n++) {
            frame_table[n].count = PGC_HV | 1;
            total_pages++;
        }
    }
}

/* Guests read it (slot 256, their bit), we write it (slot 260). */
static void make_m2p(const struct boot_info *bi)
{
    for (uint64_t n = 0; n < max_page; n += CHUNK_FRAMES) {
        uint64_t offset = n * sizeof(uint64_t), pa;

        if (!has_ram(bi, n, CHUNK_FRAMES))
            continue;
        pa = boot_pages(SIZE_2M, SIZE_2M);
        memset(paddr_to_virt(pa), INVALID_M2P & 0xff, SIZE_2M);
        *entry(M2P_VIRT + offset, 2) = pa | DATA_RO | PTE_U | PTE_PSE;
        *entry(M2P_RW_VIRT + offset, 2) = pa | DATA_RW | PTE_PSE;
    }
}

#define m2p_table ((uint64_t *)M2P_RW_VIRT)

void m2p_set(mfn_t m, uint64_t pfn_n)
{
    WRITE_ONCE(m2p_table[m.n], pfn_n);
}

uint64_t m2p_chunk(unsigned int i)
{
    uint64_t va = M2P_RW_VIRT + i * SIZE_2M;
    uint64_t *t = hv_l4;

    if (i >= DIV_ROUND_UP(max_page, CHUNK_FRAMES))
        return INVALID_MFN_N;
    for (int l = 4; l > 2; l--) {
        if (!t[pt_index(va, l)])
            return INVALID_MFN_N;
        t = paddr_to_virt(t[pt_index(va, l)] & PTE_ADDR_MASK);
    }
    t += pt_index(va, 2);
    return *t ? pte_mfn(*t).n : INVALID_MFN_N;
}

void m2p_share(void)
{
    for (unsigned int i = 0; i < DIV_ROUND_UP(max_page, CHUNK_FRAMES); i++) {
        uint64_t first = m2p_chunk(i);

        for (unsigned int k = 0; first != INVALID_MFN_N && k < PT_ENTRIES; k++) {
            struct page *pg = mfn_page(mfn(first + k));

            page_assign_shared(pg, idle_domain);
            BUG_ON(!page_get(pg, idle_domain)); /* a reference of a type holds one to the frame */
            pg->type = PGT(PGT_SEGDESC) | PGT_VALIDATED | 1;
        }
    }
}

/* ---- windows onto what is not RAM ---- */

void *map_device(uint64_t paddr, size_t len)
{
    uint64_t first = paddr >> PAGE_SHIFT, n = ((paddr + len - 1) >> PAGE_SHIFT) - first + 1;
    char *va = (char *)FIXMAP_VIRT + (uint64_t)fixmap_used * PAGE_SIZE + (paddr & ~PAGE_MASK);

    if (fixmap_used + n > WINDOW_PAGE)
        panic("no place to map device registers");
    while (n--)
        fixmap_l1[fixmap_used++] = (first++ << PAGE_SHIFT) | DEVICE;
    return va;
}

void *map_window(uint64_t paddr)
{
    uint64_t va = FIXMAP_VIRT + WINDOW_PAGE * PAGE_SIZE;

    WRITE_ONCE(fixmap_l1[WINDOW_PAGE], (paddr & PAGE_MASK) | DEVICE);
    invlpg(va); /* here is enough: who uses it elsewhere comes by here first */
    return (char *)va + (paddr & ~PAGE_MASK);
}

/* A write-back mapping of firmware tables; the next one may end it. NULL: too large. */
static const void *map_boot(void *ctx __ignored, uint64_t paddr, size_t len)
{
    unsigned int at = PT_ENTRIES - BOOT_WINDOW_PAGES;
    uint64_t first = paddr >> PAGE_SHIFT;

    if (len == 0 || paddr + len < paddr || (paddr + len - 1) >> cpu.paddr_bits ||
        ((paddr + len - 1) >> PAGE_SHIFT) - first >= BOOT_WINDOW_PAGES)
        return NULL;
    for (unsigned int i = 0; i < BOOT_WINDOW_PAGES; i++) {
        bool in = first + i <= (paddr + len - 1) >> PAGE_SHIFT;

        fixmap_l1[at + i] = in ? (first + i) << PAGE_SHIFT | DATA_RO : 0;
        invlpg(FIXMAP_VIRT + (at + i) * PAGE_SIZE);
    }
    return (const char *)FIXMAP_VIRT + at * PAGE_SIZE + (paddr & ~PAGE_MASK);
}

const struct phys_reader firmware_reader = {.map = map_boot};

/* ---- pcpus ---- */

static int map_new(uint64_t va, unsigned int pages, uint64_t flags)
{
    for (; pages; pages--, va += PAGE_SIZE) {
        uint64_t *e = entry(va, 1), pa = new_page();

        if (!e || !pa)
            return -ENOMEM;
        *e = pa | flags;
    }
    return 0;
}

int percpu_area_init(unsigned int cpu_nr)
{
    uintptr_t area = percpu_area(cpu_nr), stack = area + PERCPU_STACK;
    struct pcpu *p = &pcpus[cpu_nr];

    p->arch.window_l1 = entry(area, 1);
    if (!p->arch.window_l1)
        return -ENOMEM;
    TRY(map_new(area + PERCPU_GDT + 14 * PAGE_SIZE, 1, DATA_RW));
    TRY(map_new(area + PERCPU_TSS, 1, DATA_RW));
    TRY(map_new(stack, STACK_GUARD_PAGE, DATA_RW));
    stack += (STACK_GUARD_PAGE + 1) * PAGE_SIZE;
    TRY(map_new(stack, STACK_SIZE / PAGE_SIZE - STACK_GUARD_PAGE - 1, DATA_RW));
    for (unsigned int i = 0; i < GDT_GUEST_FRAMES; i++)
        p->arch.window_l1[i] = gdt_empty_entry;
    for (unsigned int i = 0; i < 2; i++)
        *entry(area + PERCPU_TSS + TSS_PORTS_OPEN + i * PAGE_SIZE, 1) =
            image_paddr(port_bitmap_page(i)) | DATA_RO;
    *entry(area + PERCPU_STUB, 1) = image_paddr(desc_stub_page(cpu_nr)) | CODE;
    ((struct stack_top *)(area + PERCPU_STACK + STACK_SIZE))[-1].self = p;
    p->arch.gdt = paddr_to_virt(*entry(area + PERCPU_GDT + 14 * PAGE_SIZE, 1) & PTE_ADDR_MASK);
    p->arch.tss = (struct tss *)(area + PERCPU_TSS);
    desc_build(cpu_nr);
    return 0;
}

/* ---- the whole ---- */

uint64_t hv_memory_used(void)
{
    return boot_used + ALIGN_UP((uint64_t)(image_end - image_start), PAGE_SIZE);
}

void paging_init(const struct boot_info *bi)
{
    if (cpu.smap)
        patch_smap();
    hv_l4_paddr = image_paddr((const char *)hv_l4);
    max_page = ram_end(bi) >> PAGE_SHIFT;
    map_all_ram(bi);
    map_image_part(image_start, text_end, CODE);
    map_image_part(rodata_start, sealed_start, DATA_RO);
    map_image_part(sealed_start, image_end, DATA_RW);
    fixmap_l1 = entry(FIXMAP_VIRT, 1);
    write_cr3(hv_l4_paddr);
    pcpus[0].arch.cr3 = hv_l4_paddr;
    table_limit = 0;
    gdt_empty_entry = boot_pages(PAGE_SIZE, PAGE_SIZE) | (DATA_RO & ~PTE_G);
    make_frame_table(bi);
    make_m2p(bi);
    bootmem_release();
    allocator_ready = true;
}
