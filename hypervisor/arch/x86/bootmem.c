/* SPDX-License-Identifier: MIT */
/* Memory before there is an allocator: a list of what is in use, everything else of the firmware's
 * map is free. Taken from the top, so that low memory stays for those who need it. Nothing is given
 * back but the modules, when the domains in them have been built.
 *
 * The first MiB is never given to anybody: firmware and boot loaders have things there. */
#include <asm/boot.h>
#include <hv/lib.h>
#include <hv/page.h>

#define LOW_END  0x100000UL
#define MAX_USED 96

const struct boot_info *boot_mem;

static struct range {
    uint64_t start, end;
} used[MAX_USED]; /* ascending, disjoint */
static unsigned int nr_used;

/* Insert [start, end), whole pages, and join it with what it touches. */
static void use(uint64_t start, uint64_t end)
{
    unsigned int i = 0, last;

    start = ALIGN_DOWN(start, PAGE_SIZE);
    end = ALIGN_UP(end, PAGE_SIZE);
    while (i < nr_used && used[i].end < start)
        i++;
    for (last = i; last < nr_used && used[last].start <= end; last++) {
        start = min(start, used[last].start);
        end = max(end, used[last].end);
    }
    if (last == i && nr_used == MAX_USED)
        panic("boot memory: too many pieces");
    memmove(&used[i + 1], &used[last], (nr_used - last) * sizeof(used[0]));
    nr_used = nr_used - (last - i) + 1;
    used[i] = (struct range){start, end};
}

void bootmem_init(const struct boot_info *bi, uint64_t image_size)
{
    boot_mem = bi;
    nr_used = 0;
    use(0, LOW_END);
    use(IMAGE_PHYS, IMAGE_PHYS + image_size);
    for (unsigned int i = 0; i < bi->nr_modules; i++)
        use(bi->module[i].start, bi->module[i].end);
}

/* The highest place for @size bytes in [start, end), or 0. */
static uint64_t place(uint64_t start, uint64_t end, uint64_t size, uint64_t align)
{
    for (unsigned int i = nr_used; end >= start && end - start >= size;) {
        uint64_t at = ALIGN_DOWN(end - size, align);

        if (at < start)
            return 0;
        while (i && used[i - 1].start >= at + size)
            i--;
        if (!i || used[i - 1].end <= at)
            return at;
        end = used[--i].start;
    }
    return 0;
}

uint64_t bootmem_alloc(uint64_t size, uint64_t align, uint64_t limit)
{
    for (unsigned int i = boot_mem->nr_regions; i-- > 0;) {
        const struct boot_region *r = &boot_mem->region[i];
        uint64_t end = r->base + r->len, at;

        end = min(end, limit ? limit : DIRECTMAP_SIZE);
        if (r->type != BOOT_RAM || !(at = place(r->base, end, size, align)))
            continue;
        use(at, at + size);
        memset(paddr_to_virt(at), 0, size);
        return at;
    }
    boot_fail("too little memory to boot (%lu KiB wanted)", size >> 10);
}

static void release(uint64_t start, uint64_t end)
{
    start = ALIGN_UP(start, PAGE_SIZE);
    end = ALIGN_DOWN(end, PAGE_SIZE);
    if (start < end)
        page_alloc_init_region(mfn(start >> PAGE_SHIFT), mfn(end >> PAGE_SHIFT));
}

void bootmem_release(void)
{
    for (unsigned int i = 0; i < boot_mem->nr_regions; i++) {
        const struct boot_region *r = &boot_mem->region[i];
        uint64_t at = r->base, end = min(r->base + r->len, max_page << PAGE_SHIFT);

        for (unsigned int u = 0; r->type == BOOT_RAM && u < nr_used && at < end; u++) {
            if (used[u].end <= at)
                continue;
            release(at, min(used[u].start, end));
            at = max(at, used[u].end);
        }
        if (r->type == BOOT_RAM)
            release(at, end);
    }
}

void bootmem_release_modules(void)
{
    for (unsigned int i = 0; i < boot_mem->nr_modules; i++)
        if (boot_mem->module[i].start >= LOW_END)
            release(boot_mem->module[i].start, boot_mem->module[i].end);
}

uint64_t bootmem_low_page(void)
{
    for (unsigned int i = 0; i < boot_mem->nr_regions; i++) {
        const struct boot_region *r = &boot_mem->region[i];
        uint64_t at = ALIGN_DOWN(min(r->base + r->len, 0x9f000UL), PAGE_SIZE);

        if (r->type == BOOT_RAM && at >= r->base + PAGE_SIZE && at - PAGE_SIZE >= 0x1000)
            return at - PAGE_SIZE;
    }
    return 0;
}
