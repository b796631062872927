/* SPDX-License-Identifier: MIT */
/* Small objects of the hypervisor, from size-class slabs on top of the page allocator. */
#pragma once

#include <hv/types.h>

/** heap_zalloc - @size bytes, zeroed, aligned to 16 (to 64 from 64 bytes on, to a page from a page
 * on); NULL if memory is out. Up to 1 MiB. */
void *heap_zalloc(size_t size);
void *heap_zalloc_array(size_t n, size_t size); /* NULL also if n * size overflows */
/** heap_free - @p may be NULL. In debug builds the object is poisoned and double frees are caught.
 */
void heap_free(void *p);

/** __free_heap - of a local pointer: what it points to at the end of its block is freed. */
#define __free_heap __at_end(heap_free_at_end)
static inline void heap_free_at_end(void *p)
{
    heap_free(*(void **)p);
}

#define heap_new(type) ((type *)heap_zalloc(sizeof(type)))

/** heap_used - bytes in live objects, for leak tests. */
size_t heap_used(void);

/** heap_reset - no objects at all; the state at boot. */
void heap_reset(void);
