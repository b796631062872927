/* SPDX-License-Identifier: MIT */
/* Copies out of physical memory in pieces that the callback of struct phys_reader can map. */
#include <asm/phys_reader.h>

#include <hv/lib.h>

int phys_read(const struct phys_reader *r, uint64_t paddr, void *dst, size_t len)
{
    uint8_t *to = dst;

    if (len > UINT64_MAX - paddr)
        return -EFAULT;
    while (len) {
        size_t n = min(len, (size_t)PHYS_READ_MAX);
        const void *from = r->map(r->ctx, paddr, n);

        if (!from)
            return -EFAULT;
        memcpy(to, from, n);
        to += n;
        paddr += n;
        len -= n;
    }
    return 0;
}
