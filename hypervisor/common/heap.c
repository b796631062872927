/* SPDX-License-Identifier: MIT */
/* Small objects: slabs of one page per size class, whole pages above.
 *
 * All bookkeeping of a slab is in its frame's struct page, so objects can be as large as half a
 * page and as aligned as their class: `stamp` packs class, number of objects in use and index of
 * the first free one; `next` and `prev` link the slabs of a class that have room. The first two
 * bytes of a free object hold the index of the next free one. An empty slab goes back to the page
 * allocator at once.
 *
 * Debug builds fill free objects with a pattern and check it when they are handed out again: writes
 * after free are found then, a second free at once. */
#include <hv/heap.h>
#include <hv/lib.h>
#include <hv/page.h>

static const uint16_t sizes[] = {16,  32,  48,  64,  128, 192,  256,
                                 320, 448, 576, 768, 960, 1344, 2048};
#define CLASSES   ARRAY_SIZE(sizes)
#define MAX_SMALL 2048
#define MAX_LARGE (1UL << 20)

/* stamp: bit 31 always, so that a wild pointer is noticed; large: class LARGE, order in the low
 * bits */
#define S_MARK     (1u << 31)
#define S_CLASS(s) (((s) >> 24) & 0x7f)
#define S_USED(s)  (((s) >> 12) & 0xfff)
#define S_FREE(s)  ((s)&0xfff)
#define LARGE      0x7fu
#define NO_OBJECT  0xfffu

static struct {
    spinlock_t lock;
    uint32_t partial[CLASSES]; /* slabs with a free object */
    size_t used;
} heap = {.lock = SPINLOCK_INIT(LOCK_HEAP)};

static uint32_t stamp_of(unsigned int cls, unsigned int used, unsigned int free)
{
    return S_MARK | cls << 24 | used << 12 | free;
}

static uint16_t *object_at(struct page *slab, unsigned int cls, unsigned int i)
{
    return (uint16_t *)((char *)page_virt(slab) + (size_t)i * sizes[cls]);
}

/* ---- checks of debug builds ---- */

#define POISON 0x6b

static void poison(void *p, size_t size)
{
    if (DEBUG_BUILD)
        memset((char *)p + sizeof(uint16_t), POISON, size - sizeof(uint16_t));
}

static bool is_poisoned(const void *p, size_t size)
{
    const unsigned char *c = p;

    for (size_t i = sizeof(uint16_t); i < size; i++)
        if (c[i] != POISON)
            return false;
    return true;
}

/* A live object may look poisoned by chance: only then the list of free ones is asked. */
static void check_live(struct page *slab, unsigned int cls, unsigned int i)
{
    unsigned int f = S_FREE(slab->stamp);

    if (!DEBUG_BUILD || !is_poisoned(object_at(slab, cls, i), sizes[cls]))
        return;
    for (; f != NO_OBJECT; f = *object_at(slab, cls, f))
        if (f == i)
            panic("heap: double free of %p", (void *)object_at(slab, cls, i));
}

/* ---- objects ---- */

/* A slab in which all objects are free, on no list. */
static struct page *new_slab(unsigned int cls)
{
    unsigned int n = (unsigned int)(PAGE_SIZE / sizes[cls]);
    struct page *slab = page_alloc(0, 0);

    if (!slab)
        return NULL;
    for (unsigned int i = 0; i < n; i++) {
        *object_at(slab, cls, i) = (uint16_t)(i + 1 < n ? i + 1 : NO_OBJECT);
        poison(object_at(slab, cls, i), sizes[cls]);
    }
    slab->stamp = stamp_of(cls, 0, 0);
    return slab;
}

static void *take_object(struct page *slab, unsigned int cls)
{
    uint32_t s = slab->stamp;
    uint16_t *p = object_at(slab, cls, S_FREE(s));

    slab->stamp = stamp_of(cls, S_USED(s) + 1, *p);
    if (*p == NO_OBJECT)
        page_list_del(&heap.partial[cls], slab);
    heap.used += sizes[cls];
    return p;
}

static void *alloc_small(unsigned int cls)
{
    struct page *slab;

    spin_guard(&heap.lock);
    if (!heap.partial[cls] && (slab = new_slab(cls)))
        page_list_add(&heap.partial[cls], slab);
    return heap.partial[cls] ? take_object(&frame_table[heap.partial[cls]], cls) : NULL;
}

static void *alloc_large(size_t size)
{
    unsigned int order = order_for(size);
    struct page *pg = page_alloc(order, PA_ZERO);

    if (!pg)
        return NULL;
    pg->stamp = stamp_of(LARGE, 0, order);
    __atomic_fetch_add(&heap.used, PAGE_SIZE << order, __ATOMIC_RELAXED);
    return page_virt(pg);
}

void *heap_zalloc(size_t size)
{
    unsigned int cls = 0;
    void *p;

    if (size > MAX_LARGE)
        return NULL;
    if (size > MAX_SMALL)
        return alloc_large(size);
    while (sizes[cls] < size)
        cls++;
    p = alloc_small(cls);
    if (!p)
        return NULL;
    if (DEBUG_BUILD && !is_poisoned(p, sizes[cls]))
        panic("heap: object %p of %u bytes was written after it was freed", p, sizes[cls]);
    return memset(p, 0, sizes[cls]);
}

void *heap_zalloc_array(size_t n, size_t size)
{
    size_t bytes;

    return __builtin_mul_overflow(n, size, &bytes) ? NULL : heap_zalloc(bytes);
}

static void free_small(struct page *slab, void *p)
{
    unsigned int cls = S_CLASS(slab->stamp);
    size_t offset = (uintptr_t)p & ~PAGE_MASK;
    unsigned int i = (unsigned int)(offset / sizes[cls]), used, next;

    BUG_ON(offset % sizes[cls]);
    spin_guard(&heap.lock);
    check_live(slab, cls, i);
    poison(p, sizes[cls]);
    used = S_USED(slab->stamp) - 1;
    next = S_FREE(slab->stamp);
    *(uint16_t *)p = (uint16_t)next;
    slab->stamp = stamp_of(cls, used, i);
    heap.used -= sizes[cls];
    if (next == NO_OBJECT)
        page_list_add(&heap.partial[cls], slab);
    if (used == 0) {
        page_list_del(&heap.partial[cls], slab);
        page_free(slab, 0);
    }
}

void heap_free(void *p)
{
    struct page *pg;

    if (!p)
        return;
    pg = mfn_page(virt_to_mfn(p));
    BUG_ON(!(pg->count & PGC_HV) || !(pg->stamp & S_MARK));
    if (S_CLASS(pg->stamp) != LARGE) {
        free_small(pg, p);
        return;
    }
    BUG_ON((uintptr_t)p & ~PAGE_MASK);
    __atomic_fetch_sub(&heap.used, PAGE_SIZE << S_FREE(pg->stamp), __ATOMIC_RELAXED);
    page_free(pg, S_FREE(pg->stamp));
}

size_t heap_used(void)
{
    return READ_ONCE(heap.used);
}

void heap_reset(void)
{
    memset(&heap, 0, sizeof(heap));
    spin_lock_init(&heap.lock, LOCK_HEAP);
}
