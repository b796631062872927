/* SPDX-License-Identifier: MIT */
/* How the parsers of firmware and boot-loader tables reach physical memory: by a callback, so that
 * they run before our page tables exist, after, and on the host. */
#pragma once

#include <hv/types.h>

struct phys_reader {
    /* Make [paddr, paddr + len) readable; NULL when any of it is out of reach. @len is at least 1
     * and at most PHYS_READ_MAX; the pointer is used only until the next call. */
    const void *(*map)(void *ctx, uint64_t paddr, size_t len);
    void *ctx;
};

#define PHYS_READ_MAX 256

/** phys_read - copy @len bytes from @paddr; 0, or -EFAULT with nothing said about @dst. */
int phys_read(const struct phys_reader *r, uint64_t paddr, void *dst, size_t len);
