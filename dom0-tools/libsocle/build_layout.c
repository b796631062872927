/* SPDX-License-Identifier: MIT */
/* A PV domain starts with a region of linear addresses that is mapped for it, from its page 0 on:
 * kernel, initrd, list of its frames (p2m), start_info, rings of store and console, page tables, a
 * stack page; padded by at least 512 KiB to a multiple of 4 MiB (xen/xen.h, "start of day"). A
 * kernel may ask for its p2m at an address of its own, and for an initrd that is not mapped: these
 * come behind the region.
 *
 * All places are counted in pages from the region's begin, which cannot wrap: the image is known to
 * fit into the domain's memory before anything is added to its end. */
#include "build_layout.h"

#include "alloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xen/features.h>

#define PAGE_SHIFT_   12
#define PADDING       128u  /* pages: 512 KiB */
#define ALIGNMENT     1024u /* pages: 4 MiB */
#define MOST_PAGES    (1ul << 32)
#define MOST_INITRD   (1ul << 40)
#define HOLE_START    0x0000800000000000ul
#define GUEST_START_2 0xffff880000000000ul /* behind what is the hypervisor's */

/* What a kernel may require: it is there, or does no harm to a kernel under the rules of here. */
#define FEATURES_OFFERED                                                                           \
    (1u << XENFEAT_pae_pgdir_above_4gb | 1u << XENFEAT_writable_page_tables |                      \
     1u << XENFEAT_mmu_pt_update_preserve_ad | 1u << XENFEAT_highmem_assist |                      \
     1u << XENFEAT_gnttab_map_avail_bits | 1u << XENFEAT_supervisor_mode_kernel)

static uint64_t pages_of(uint64_t bytes)
{
    return (bytes + BUILD_PAGE - 1) >> PAGE_SHIFT_;
}

uint64_t build_va(const struct build_layout *l, uint64_t page)
{
    return l->base + (page << PAGE_SHIFT_);
}

uint64_t build_pfn(const struct build_layout *l, uint64_t va)
{
    return (va - l->base) >> PAGE_SHIFT_;
}

static bool own_p2m(const struct build_layout *l)
{
    return l->elf.init_p2m != ELF_NO_ADDR;
}

/* May a guest have all of these addresses? */
static bool guest_has(uint64_t va, uint64_t pages)
{
    uint64_t last = va + (pages << PAGE_SHIFT_) - 1;

    return last >= va && (last < HOLE_START || va >= GUEST_START_2);
}

static bool overlap(uint64_t a, uint64_t a_pages, uint64_t b, uint64_t b_pages)
{
    return a < b + (b_pages << PAGE_SHIFT_) && b < a + (a_pages << PAGE_SHIFT_);
}

/* ---- tables ---- */

/* Tables of one level (1 to 3) that it takes to map so many pages. */
static uint64_t tables_for(uint64_t va, uint64_t pages, int level)
{
    int shift = PAGE_SHIFT_ + 9 * level;

    return pages ? ((va + (pages << PAGE_SHIFT_) - 1) >> shift) - (va >> shift) + 1 : 0;
}

static uint64_t count_tables(const struct build_layout *l)
{
    uint64_t n = 1;

    for (int level = 1; level <= 3; level++) {
        n += tables_for(l->base, l->mapped, level);
        if (own_p2m(l))
            n += tables_for(l->p2m_va, l->nr_p2m, level);
    }
    return n;
}

/* The region has its own tables in it: one more until they are enough. False: the addresses end
 * before. */
static bool place_tables(struct build_layout *l)
{
    for (l->nr_tables = 4;; l->nr_tables++) {
        l->stack = l->tables + l->nr_tables;
        l->mapped = (l->stack + 1 + PADDING + ALIGNMENT - 1) & -(uint64_t)ALIGNMENT;
        if (!guest_has(l->base, l->mapped))
            return false;
        if (count_tables(l) <= l->nr_tables)
            return true;
    }
}

/* ---- layout ---- */

static int check_kernel(struct build_layout *l, const void *kernel, size_t size, struct error *err)
{
    int rc = elf_pv_parse(kernel, size, &l->elf);

    if (rc)
        return error_set(err, rc, "%s", l->elf.error);
    if (l->elf.no_pae)
        return error_set(err, -EINVAL, "a kernel without PAE");
    if (l->elf.features_required & ~FEATURES_OFFERED)
        return error_set(err, -EINVAL, "the kernel requires a feature that is not offered");
    return 0;
}

static int not_its(struct error *err)
{
    return error_set(err, -EINVAL, "the kernel wants addresses that a guest can not have");
}

static int too_small(const struct build_layout *l, uint64_t need, struct error *err)
{
    return error_set(err, -ENOMEM,
                     "too little memory for kernel, ramdisk and page tables: %lu MiB, "
                     "%lu MiB are needed",
                     l->nr_pages >> 8, (need + 255) >> 8);
}

static int place_all(struct build_layout *l, struct error *err)
{
    uint64_t at = pages_of(l->elf.virt_kend - l->base), initrd = pages_of(l->initrd_size);
    bool mapped = !l->elf.mod_start_pfn;

    l->kernel = build_pfn(l, l->elf.virt_kstart);
    l->initrd = at;
    at += mapped ? initrd : 0;
    l->p2m = at;
    at += own_p2m(l) ? 0 : l->nr_p2m;
    l->info = at;
    l->store = at + 1;
    l->console = at + 2;
    l->tables = at + 3;
    l->p2m_va = own_p2m(l) ? l->elf.init_p2m : build_va(l, l->p2m);
    if ((own_p2m(l) && !guest_has(l->p2m_va, l->nr_p2m)) || !place_tables(l))
        return not_its(err);
    l->used = l->mapped;
    if (own_p2m(l)) {
        l->p2m = l->used;
        l->used += l->nr_p2m;
    }
    if (!mapped) {
        l->initrd = l->used;
        l->used += initrd;
    }
    return l->used > l->nr_pages ? too_small(l, l->used, err) : 0;
}

int build_layout(struct build_layout *l, const void *kernel, size_t size, uint64_t initrd_size,
                 uint64_t nr_pages, struct error *err)
{
    int rc;

    memset(l, 0, sizeof(*l));
    rc = check_kernel(l, kernel, size, err);
    if (rc)
        return rc;
    l->nr_pages = nr_pages;
    l->initrd_size = initrd_size;
    l->nr_p2m = pages_of(nr_pages * sizeof(uint64_t));
    l->base = l->elf.virt_base & -BUILD_PAGE;
    if (nr_pages > MOST_PAGES || initrd_size > MOST_INITRD)
        return error_set(err, -EFBIG, "more memory than a domain can have");
    if (l->elf.virt_kend - l->base > nr_pages << PAGE_SHIFT_)
        return too_small(l, pages_of(l->elf.virt_kend - l->base), err);
    rc = place_all(l, err);
    if (rc)
        return rc;
    if (!guest_has(l->base, l->mapped) ||
        (own_p2m(l) &&
         (!guest_has(l->p2m_va, l->nr_p2m) || overlap(l->p2m_va, l->nr_p2m, l->base, l->mapped))))
        return error_set(err, -EINVAL, "the kernel wants addresses that a guest can not have");
    return 0;
}

/* ---- writing tables ---- */

#define PTE_P 0x001u
#define PTE_W 0x002u
#define PTE_U 0x004u
#define PTE_A 0x020u
#define PTE_D 0x040u
#define FLAGS (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)

struct tables {
    const struct build_layout *l;
    const uint64_t *p2m;
    uint64_t *to, *key; /* key: which addresses a table is for, and its level */
    uint64_t nr;
};

/* The table of that level that @va is mapped by. New ones are taken in order, the root is the first.
 */
static uint64_t *table_for(struct tables *t, uint64_t va, int level)
{
    uint64_t key = va >> (PAGE_SHIFT_ + 9 * level) << 3 | (unsigned int)level, n, *above;

    if (level == 4)
        return t->to;
    for (n = t->nr; n--;) {
        if (t->key[n] == key)
            return t->to + n * 512;
    }
    above = table_for(t, va, level + 1);
    n = t->nr++;
    t->key[n] = key;
    above[va >> (PAGE_SHIFT_ + 9 * level) & 511] = t->p2m[t->l->tables + n] << PAGE_SHIFT_ | FLAGS;
    return t->to + n * 512;
}

/* Page tables themselves are read-only. */
static uint64_t leaf(const struct tables *t, uint64_t page)
{
    bool table = page >= t->l->tables && page < t->l->tables + t->l->nr_tables;

    return t->p2m[page] << PAGE_SHIFT_ | (table ? FLAGS & ~PTE_W : FLAGS);
}

static void map(struct tables *t, uint64_t va, uint64_t page, uint64_t nr)
{
    uint64_t *table = NULL;

    for (uint64_t end = page + nr; page < end; page++, va += BUILD_PAGE) {
        uint64_t index = va >> PAGE_SHIFT_ & 511;

        if (!table || !index)
            table = table_for(t, va, 1);
        table[index] = leaf(t, page);
    }
}

void build_tables(const struct build_layout *l, uint64_t *to, const uint64_t *p2m)
{
    struct tables t = {l, p2m, to, must_alloc(l->nr_tables * sizeof(uint64_t)), 1};

    memset(to, 0, l->nr_tables * BUILD_PAGE);
    map(&t, l->base, 0, l->mapped);
    if (own_p2m(l))
        map(&t, l->p2m_va, l->p2m, l->nr_p2m);
    free(t.key);
}
