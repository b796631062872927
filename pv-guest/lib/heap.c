/* SPDX-License-Identifier: MIT */
/* The heap: pages cut into objects of one size class, or whole pages for big objects.
 *
 * Every page (or run of pages) begins with a header that tells its class, so kfree() needs
 * only the address: no object starts on a page boundary, and none of a big run's later pages
 * is ever given out. Pages of a class are kept for that class. */
#include <pv/mm.h>
#include <pv/print.h>
#include <pv/spinlock.h>
#include <pv/string.h>

struct page_header {
    uint32_t magic;
    uint32_t pages; /* of a big object; 0 for a page of small ones */
    uint64_t size;  /* of each object on this page */
};

struct free_object {
    struct free_object *next;
};

#define HEAP_MAGIC 0x48454150u
#define MIN_SIZE   16ul
#define NR_CLASSES 8 /* 16 .. 2048; the header leaves room for one object of 2048 */

static struct spinlock lock = SPINLOCK_INIT;
static struct free_object *free_lists[NR_CLASSES];

_Static_assert(sizeof(struct page_header) == 16, "keeps objects aligned to 16");

static unsigned class_of(size_t size)
{
    unsigned c = 0;

    while (c < NR_CLASSES && (MIN_SIZE << c) < size)
        c++;
    return c;
}

/* Cut a new page into objects of class @c. Caller holds the lock. */
static bool refill(unsigned c)
{
    size_t size = MIN_SIZE << c;
    char *page = alloc_page();

    if (!page)
        return false;
    *(struct page_header *)page = (struct page_header){.magic = HEAP_MAGIC, .size = size};
    for (size_t at = sizeof(struct page_header); at + size <= PAGE_SIZE; at += size) {
        struct free_object *o = (struct free_object *)(page + at);

        o->next = free_lists[c];
        free_lists[c] = o;
    }
    return true;
}

static void *alloc_small(unsigned c)
{
    bool events = spin_lock_events(&lock);
    struct free_object *o = NULL;

    if (free_lists[c] || refill(c)) {
        o = free_lists[c];
        free_lists[c] = o->next;
    }
    spin_unlock_events(&lock, events);
    return o;
}

static void *alloc_big(size_t size)
{
    size_t n = PAGES_OF(size + sizeof(struct page_header));
    struct page_header *h = size < SIZE_MAX / 2 ? alloc_pages(n) : NULL;

    if (!h)
        return NULL;
    *h = (struct page_header){.magic = HEAP_MAGIC, .pages = n, .size = size};
    return h + 1;
}

void *kmalloc(size_t size)
{
    unsigned c = class_of(size);

    return c < NR_CLASSES ? alloc_small(c) : alloc_big(size);
}

void *kzalloc(size_t size)
{
    void *p = kmalloc(size);

    return p ? memset(p, 0, size) : NULL;
}

void kfree(void *p)
{
    struct page_header *h = (struct page_header *)((uintptr_t)p & PAGE_MASK);
    bool events;

    if (!p)
        return;
    if (h->magic != HEAP_MAGIC)
        panic("kfree(%p): not from this heap", p);
    if (h->pages) {
        free_pages(h, h->pages);
        return;
    }
    events = spin_lock_events(&lock);
    ((struct free_object *)p)->next = free_lists[class_of(h->size)];
    free_lists[class_of(h->size)] = p;
    spin_unlock_events(&lock, events);
}
