/* SPDX-License-Identifier: MIT */
/* A hostile kernel for a new domain: wherever it wants to go, what the builder writes stays inside
 * of the domain's pages, and its tables lead to nothing else. The first bytes are sizes of memory
 * and ramdisk, the rest is the file. */
#include "dom0-tools/libsocle/build_layout.h"

#include <stdlib.h>
#include <string.h>

#define MOST_PAGES 8192u
#define FRAME(n)   ((n) + 0x100000)

static void need(bool good)
{
    if (!good)
        abort();
}

struct sink {
    const struct build_layout *l;
    uint64_t done;
};

static int put(void *ctx, uint64_t offset, const void *src, uint64_t len)
{
    struct sink *s = ctx;
    uint64_t first = s->l->elf.virt_kstart & (BUILD_PAGE - 1);
    volatile uint8_t byte;

    need(offset == s->done);
    s->done += len;
    need(first + s->done <= (s->l->used - s->l->kernel) * BUILD_PAGE);
    if (src && len) {
        byte = *(const uint8_t *)src;
        byte = ((const uint8_t *)src)[len - 1];
        (void)byte;
    }
    return 0;
}

static void check_tables(const struct build_layout *l)
{
    static uint64_t p2m[MOST_PAGES];
    uint64_t *tables = malloc(l->nr_tables * BUILD_PAGE);

    for (uint64_t i = 0; i < l->nr_pages; i++)
        p2m[i] = FRAME(i);
    build_tables(l, tables, p2m);
    for (uint64_t i = 0; i < l->nr_tables * 512; i++) {
        uint64_t page = (tables[i] >> 12) - FRAME(0);

        if (!tables[i])
            continue;
        need(tables[i] & 1 && page < l->nr_pages);
        /* a leaf that is a table is read-only: entries that lead to tables are not of level 1 */
        if (page < l->tables || page >= l->tables + l->nr_tables)
            need(tables[i] & 2);
    }
    free(tables);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct build_layout l;
    struct error err;
    struct sink s = {&l, 0};
    uint16_t pages, initrd;

    if (size < 4)
        return 0;
    memcpy(&pages, data, 2);
    memcpy(&initrd, data + 2, 2);
    if (build_layout(&l, data + 4, size - 4, initrd * 300ul, pages % MOST_PAGES, &err))
        return 0;
    need(l.kernel < l.info && l.info + 3 == l.tables && l.stack == l.tables + l.nr_tables);
    need(l.stack < l.mapped && l.mapped <= l.used && l.used <= l.nr_pages);
    need(l.p2m + l.nr_p2m <= l.used &&
         l.initrd * BUILD_PAGE + l.initrd_size <= l.used * BUILD_PAGE);
    elf_pv_load(&l.elf, put, &s);
    check_tables(&l);
    return 0;
}
