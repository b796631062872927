/* SPDX-License-Identifier: MIT */
/* Where the parts of a new domain go in its memory. The kernel's file is untrusted. */
#ifndef LIBSOCLE_BUILD_LAYOUT_H
#define LIBSOCLE_BUILD_LAYOUT_H

#include "error.h"

#include <hv/elf.h>

#define BUILD_PAGE 4096ul

/* Places are numbers of pages of the domain (pseudo-physical frames). Those below `mapped` are
 * mapped for the kernel at `base` + number * 4096. */
struct build_layout {
    struct elf_pv_info elf; /* refers to the file in memory */
    uint64_t nr_pages;      /* of the domain */
    uint64_t initrd_size;   /* bytes, 0: none */
    uint64_t base;
    uint64_t kernel, initrd, p2m, info, store, console, tables, stack;
    uint64_t mapped, used; /* none of the builder's from `used` on */
    uint64_t p2m_va;
    uint64_t nr_p2m, nr_tables; /* pages */
};

/** build_layout - parse a kernel and find a place for everything
 * Returns 0; -ENOEXEC, -EINVAL: the kernel is not one that can be started; -ENOMEM: the domain has
 * too little memory for it. */
int build_layout(struct build_layout *l, const void *kernel, size_t size, uint64_t initrd_size,
                 uint64_t nr_pages, struct error *err);

/** build_va - the linear address of a page below l->mapped. */
uint64_t build_va(const struct build_layout *l, uint64_t page);

/** build_pfn - the page at a linear address that the kernel's image has. */
uint64_t build_pfn(const struct build_layout *l, uint64_t va);

/** build_tables - write the first page tables
 * @to   the pages from l->tables on
 * @p2m  frames of the domain's pages */
void build_tables(const struct build_layout *l, uint64_t *to, const uint64_t *p2m);

#endif
