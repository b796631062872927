/* SPDX-License-Identifier: MIT */
/* Which segment descriptors a guest may have: SDM vol. 3, 3.4.5.
 *
 * Code and data segments of ring 3, whatever their base and limit: what they reach is decided by page
 * tables. System descriptors (gates, TSS, LDT) would be ways into ring 0, so there are none. */
#include <asm/mmu.h>

#define DESC_TYPE (0xfUL << 40)
#define DESC_S    (1UL << 44) /* code or data, no system descriptor */
#define DESC_DPL  (3UL << 45)
#define DESC_P    (1UL << 47)

bool descriptor_check(uint64_t *desc)
{
    uint64_t v = *desc;

    if (!(v & DESC_P))
        return true; /* each use of it faults */
    if (!(v & DESC_S))
        return !(v & DESC_TYPE); /* the reserved type 0: the same */
    *desc = v | DESC_DPL;
    return true;
}

bool descriptor_page_check(uint64_t *table)
{
    for (unsigned int i = 0; i < PAGE_SIZE / sizeof(*table); i++) {
        uint64_t v = table[i];

        if (!descriptor_check(&v))
            return false;
        if (v != table[i])
            table[i] = v;
    }
    return true;
}
