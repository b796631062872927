/* SPDX-License-Identifier: MIT */
/* Arbitrary bytes as ACPI tables. The input lies at BASE, where the RSDP is searched for; when it
 * begins with an RSDP, checksums are put right first, for a fuzzer finds none of them. */
#include <asm/acpi_tables.h>
#include <hv/lib.h>

#include <stdlib.h>

#define BASE 0xe0000

struct window {
    uint8_t *data;
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

/* Makes [at, at + len) add up to 0 if it lies inside. */
static void fix(struct window *w, uint64_t at, uint64_t len, unsigned int sum_at)
{
    uint8_t sum = 0;

    if (at > w->size || len > w->size - at || len <= sum_at)
        return;
    w->data[at + sum_at] = 0;
    for (uint64_t i = 0; i < len; i++)
        sum = (uint8_t)(sum + w->data[at + i]);
    w->data[at + sum_at] = (uint8_t)-sum;
}

static uint64_t get(const struct window *w, uint64_t at, unsigned int size)
{
    uint64_t v = 0;

    if (at <= w->size && size <= w->size - at)
        memcpy(&v, w->data + at, size);
    return v;
}

static void fix_root(struct window *w, uint64_t root, unsigned int width)
{
    uint64_t len = get(w, root + 4, 4);

    for (uint64_t off = 36; off + width <= len && off < 36 + 64 * 8; off += width) {
        uint64_t t = get(w, root + off, width) - BASE;

        fix(w, t, get(w, t + 4, 4), 9);
        if (get(w, t, 4) == 0x50434146) /* FACP: the DSDT hangs there */
            fix(w, get(w, t + 40, 4) - BASE, get(w, get(w, t + 40, 4) - BASE + 4, 4), 9);
    }
    fix(w, root, len, 9);
}

static void fix_sums(struct window *w)
{
    if (w->size < 36 || memcmp(w->data, "RSD PTR ", 8))
        return;
    fix(w, 0, 20, 8);
    fix(w, 0, 36, 32);
    fix_root(w, get(w, 16, 4) - BASE, 4);
    fix_root(w, get(w, 24, 8) - BASE, 8);
}

static void check(const struct acpi_info *i)
{
    if (i->nr_cpus > ACPI_MAX_CPUS || i->nr_ioapics > ACPI_MAX_IOAPICS ||
        i->nr_overrides > ACPI_MAX_OVERRIDES || i->nr_mcfg > ACPI_MAX_MCFG)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct acpi_info info;
    struct window w = {malloc(size + 1), size};
    const struct phys_reader reader = {map, &w};
    uint8_t a, b;

    memcpy(w.data, data, size);
    fix_sums(&w);
    if (acpi_parse(&reader, acpi_find_rsdp(&reader), NULL, 0, &info) == 0) {
        for (unsigned int state = 0; state < 7; state++)
            (void)acpi_pm1_sleep_type(&reader, &info, state, &a, &b);
    }
    check(&info);
    (void)acpi_parse(&reader, 0, w.data, size, &info);
    check(&info);
    free(w.data);
    return 0;
}
