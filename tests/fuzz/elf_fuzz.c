/* SPDX-License-Identifier: MIT */
/* Arbitrary bytes as a kernel image. What parses must be consistent, and loading it must touch
 * each byte of its span once. */
#include <hv/elf.h>
#include <hv/lib.h>

#include <stdlib.h>

struct walk {
    const uint8_t *image;
    size_t size;
    uint64_t next;
};

static int put(void *ctx, uint64_t offset, const void *src, uint64_t len)
{
    struct walk *w = ctx;
    const uint8_t *p = src;

    if (offset != w->next || len == 0 || len > UINT64_MAX - offset)
        abort();
    if (p && (p < w->image || len > w->size || p > w->image + (w->size - len)))
        abort();
    w->next = offset + len;
    return 0;
}

static void check(const struct elf_pv_info *i)
{
    if (i->virt_kstart >= i->virt_kend || i->virt_kend - i->virt_kstart != i->pend - i->pstart)
        abort();
    if (i->entry < i->virt_kstart || i->entry >= i->virt_kend)
        abort();
    if (i->features_required & ~i->features_supported)
        abort();
    for (unsigned int n = 1; n < i->nr_segments; n++) {
        if (i->segment[n - 1].paddr + i->segment[n - 1].memsz > i->segment[n].paddr)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct elf_pv_info info;
    struct walk w = {data, size, 0};
    int rc = elf_pv_parse(data, size, &info);

    if ((rc != 0) != (info.error != NULL))
        abort();
    if (rc)
        return 0;
    check(&info);
    if (elf_pv_load(&info, put, &w) || w.next != info.pend - info.pstart)
        abort();
    return 0;
}
