/* SPDX-License-Identifier: MIT */
/* Memory before there is an allocator: what is RAM in our copy of the firmware's map is free, and what is
 * in use is reserved there. Taken from the top, so that low memory stays for those who need it. Nothing is
 * given back but the modules, when the domains in them have been built.
 *
 * The first MiB is never given to anybody: firmware and boot loaders have things there. */
#include <asm/boot.h>
#include <hv/lib.h>
#include <hv/page.h>

#define LOW_END 0x100000UL

const struct boot_info *boot_mem;

static struct boot_info map; /* only its regions */

static void use(uint64_t start, uint64_t end)
{
    start = ALIGN_DOWN(start, PAGE_SIZE);
    boot_region_add(&map, start, ALIGN_UP(end, PAGE_SIZE) - start, BOOT_RESERVED);
    if (map.regions_lost)
        panic("boot memory: too many pieces");
}

void bootmem_init(const struct boot_info *bi, uint64_t image_size)
{
    boot_mem = bi;
    map.nr_regions = bi->nr_regions;
    map.regions_lost = false;
    memcpy(map.region, bi->region, sizeof(map.region));
    use(0, LOW_END);
    use(IMAGE_PHYS, IMAGE_PHYS + image_size);
    for (unsigned int i = 0; i < bi->nr_modules; i++)
        use(bi->module[i].start, bi->module[i].end);
}

uint64_t bootmem_alloc(uint64_t size, uint64_t align, uint64_t limit)
{
    for (unsigned int i = map.nr_regions; i-- > 0;) {
        const struct boot_region *r = &map.region[i];
        uint64_t end = min(r->base + r->len, limit ? limit : DIRECTMAP_SIZE), at;

        if (r->type != BOOT_RAM || end < r->base + size)
            continue;
        at = ALIGN_DOWN(end - size, align);
        if (at < r->base)
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
    for (const struct boot_region *r = map.region; r < map.region + map.nr_regions; r++)
        if (r->type == BOOT_RAM)
            release(r->base, min(r->base + r->len, max_page << PAGE_SHIFT));
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
