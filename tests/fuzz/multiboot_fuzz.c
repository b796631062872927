/* SPDX-License-Identifier: MIT */
/* Arbitrary bytes as the boot loader's information, in both dialects. The input lies at BASE of
 * physical memory; nothing else can be read. */
#include <asm/multiboot.h>
#include <hv/lib.h>

#include <stdlib.h>

#define BASE 0x1000

struct window {
    const uint8_t *data;
    size_t size;
};

static const void *map(void *ctx, uint64_t paddr, size_t len)
{
    const struct window *w = ctx;

    if (len == 0 || len > PHYS_READ_MAX)
        abort();
    if (paddr < BASE || paddr - BASE > w->size || len > w->size - (paddr - BASE))
        return NULL;
    return w->data + (paddr - BASE);
}

static void check_text(const struct boot_info *info, const char *s)
{
    if (s < info->text || s >= info->text + BOOT_TEXT_SIZE ||
        !memchr(s, 0, (size_t)(info->text + BOOT_TEXT_SIZE - s)))
        abort();
}

static void check(const struct boot_info *info)
{
    if (info->nr_modules > BOOT_MAX_MODULES || info->nr_regions > BOOT_MAX_REGIONS)
        abort();
    check_text(info, info->cmdline);
    check_text(info, info->loader);
    for (unsigned int i = 0; i < info->nr_modules; i++) {
        check_text(info, info->module[i].cmdline);
        if (info->module[i].start > info->module[i].end)
            abort();
    }
    for (unsigned int i = 0; i < info->nr_regions; i++) {
        const struct boot_region *r = &info->region[i];

        if (r->len == 0 || r->len > UINT64_MAX - r->base || r->type < 1 || r->type > 5)
            abort();
        if (i && r[-1].base + r[-1].len > r->base)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct boot_info info;
    struct window w = {data, size};
    const struct phys_reader reader = {map, &w};

    (void)multiboot_parse(MULTIBOOT1_LOADER_MAGIC, BASE, &reader, &info);
    check(&info);
    (void)multiboot_parse(MULTIBOOT2_LOADER_MAGIC, BASE, &reader, &info);
    check(&info);
    return 0;
}
