/* SPDX-License-Identifier: MIT */
/* The page allocator: a binary buddy system over the frame table.
 *
 * A free block of order k is 2^k frames, aligned to its size. Its first frame carries the order (in
 * the type word, PGR_ORDER) and the links of its list; every frame of it keeps the record of who
 * had it last (PGR_OWNER, PGR_FLUSH, stamp). Frame 0 is never given out, so 0 ends a list.
 *
 * B1  Two free buddies of equal order do not exist: they are merged at once.
 * B2  Only the first frame of a block on a list carries an order, so the question whether a buddy
 *     may be merged has one answer, also for frames that are marked free but not on a list yet.
 * B3  A list belongs to a zone: the frames between two powers of two. A block never crosses such
 *     a border, so a limit on the address width is a limit on the zone. High zones are used
 *     first.
 * B4  The hot list keeps a few single frames, last freed first out, away from merging: giving
 *     back a page and taking one again costs no splitting, and it comes back to the same domain.
 *     B1 holds but for these. When an allocation fails they are merged and it is tried again.
 *
 * LOCK_BUDDY protects the lists; work per acquisition is bounded by the number of orders, never by
 * the size of a block. */
#include <hv/mmu.h>

#define ZONES   32
#define HOT_MAX 32

uint64_t max_page;
uint64_t total_pages;

static struct {
    spinlock_t lock;
    uint64_t zones;         /* bit z: zone z has a free block */
    uint32_t orders[ZONES]; /* bit k: zone z has a free block of order k */
    uint32_t head[ZONES][MAX_ORDER + 1];
    uint64_t frames; /* free in all, hot ones included */
    uint64_t claimed;
    uint32_t hot_first, hot_last, nr_hot;
} buddy = {.lock = SPINLOCK_INIT(LOCK_BUDDY)};

_Static_assert(MAX_ORDER < 32, "a zone's orders are bits of one 32-bit word");

static unsigned int zone_of(uint64_t n)
{
    return fls64(n) - 1;
}

static void set_mark(struct page *pg, uint64_t mark)
{
    pg->type = (pg->type & ~PGR_ORDER_MASK) | mark << PGR_ORDER_SHIFT;
}

static bool is_free_block(uint64_t n, unsigned int order)
{
    const struct page *pg = &frame_table[n];

    return n < max_page && (pg->count & PGC_FREE) &&
           (pg->type & PGR_ORDER_MASK) == (order + 1UL) << PGR_ORDER_SHIFT;
}

/* ---- the lists; buddy.lock is held ---- */

static void push(uint64_t n, unsigned int order)
{
    unsigned int z = zone_of(n);

    set_mark(&frame_table[n], order + 1);
    page_list_add(&buddy.head[z][order], &frame_table[n]);
    buddy.orders[z] |= 1u << order;
    buddy.zones |= 1UL << z;
}

static void unlink_block(uint64_t n, unsigned int order)
{
    unsigned int z = zone_of(n);

    set_mark(&frame_table[n], 0);
    page_list_del(&buddy.head[z][order], &frame_table[n]);
    if (!buddy.head[z][order])
        buddy.orders[z] &= ~(1u << order);
    if (!buddy.orders[z])
        buddy.zones &= ~(1UL << z);
}

/* Put a block whose frames are marked free on its list, merged as far as possible. */
static void merge(uint64_t n, unsigned int order)
{
    for (; order < MAX_ORDER; order++) {
        uint64_t other = n ^ (1UL << order);

        if (!is_free_block(other, order))
            break;
        unlink_block(other, order);
        n &= ~(1UL << order);
    }
    push(n, order);
}

/* The first frame of a block of @order in one of the zones of @allowed, split off if need be. 0:
 * none. */
static uint64_t take(unsigned int order, uint64_t allowed)
{
    for (uint64_t zones = buddy.zones & allowed; zones;) {
        unsigned int z = fls64(zones) - 1;
        uint32_t fit = buddy.orders[z] >> order;

        if (fit) {
            unsigned int k = order + ffs64(fit);
            uint64_t n = buddy.head[z][k];

            unlink_block(n, k);
            while (k > order) {
                k--;
                push(n + (1UL << k), k);
            }
            return n;
        }
        zones &= ~(1UL << z);
    }
    return 0;
}

/* ---- the hot list; buddy.lock is held ---- */

static void hot_push(uint64_t n)
{
    set_mark(&frame_table[n], PGR_HOT);
    page_list_add(&buddy.hot_first, &frame_table[n]);
    if (buddy.nr_hot++ == 0)
        buddy.hot_last = (uint32_t)n;
}

static uint64_t hot_pop(void)
{
    uint32_t n = buddy.hot_first;

    set_mark(&frame_table[n], 0);
    buddy.hot_first = frame_table[n].next;
    if (buddy.hot_first)
        frame_table[buddy.hot_first].prev = 0;
    buddy.nr_hot--;
    return n;
}

static void hot_evict(void)
{
    uint32_t n = buddy.hot_last;

    set_mark(&frame_table[n], 0);
    buddy.hot_last = frame_table[n].prev;
    page_list_del(&buddy.hot_first, &frame_table[n]);
    buddy.nr_hot--;
    merge(n, 0);
}

/* Scarce low memory is not kept hot: it would go out first. Below 4 GiB if there is memory above.
 */
static bool hot_worthy(uint64_t n)
{
    return n >= (max_page > (1UL << 20) ? 1UL << 20 : 1UL << 12);
}

/* ---- raw frames ---- */

static uint64_t zones_below(unsigned int bits)
{
    if (bits == 0 || bits >= PAGE_SHIFT + ZONES)
        return ~0UL;
    return bits <= PAGE_SHIFT ? 0 : (1UL << (bits - PAGE_SHIFT)) - 1;
}

static uint64_t take_cold(unsigned int order, uint64_t allowed)
{
    uint64_t n = take(order, allowed);

    if (n || !buddy.nr_hot)
        return n;
    while (buddy.nr_hot)
        hot_evict();
    return take(order, allowed);
}

/* The first frame of a block, taken off the lists, for one who has claimed @claimed frames. 0: none. */
static uint64_t take_block(unsigned int order, uint64_t allowed, uint64_t claimed)
{
    uint64_t n;

    spin_guard(&buddy.lock);
    if (buddy.frames < buddy.claimed - min(claimed, buddy.claimed) + (1UL << order))
        n = 0; /* the rest is for those who have claimed it */
    else if (order == 0 && allowed == ~0UL && buddy.nr_hot)
        n = hot_pop();
    else
        n = take_cold(order, allowed);
    if (likely(n))
        buddy.frames -= 1UL << order;
    return n;
}

struct page *page_alloc_raw(unsigned int order, unsigned int bits, uint64_t claimed)
{
    uint64_t n = order > MAX_ORDER ? 0 : take_block(order, zones_below(bits), claimed);
    struct page *pg = &frame_table[n];

    if (unlikely(!n))
        return NULL;
    for (unsigned long i = 0; i < 1UL << order; i++)
        pg[i].count &= ~PGC_FREE;
    return pg;
}

/* Put 2^order frames, marked free already, back on the lists. */
static void give_back(struct page *pg, unsigned int order)
{
    uint64_t n = page_mfn(pg).n;

    spin_guard(&buddy.lock);
    buddy.frames += 1UL << order;
    if (order != 0 || !hot_worthy(n)) {
        merge(n, order);
        return;
    }
    if (buddy.nr_hot == HOT_MAX)
        hot_evict();
    hot_push(n);
}

void page_free_raw(struct page *pg, unsigned int order)
{
    for (unsigned long i = 0; i < 1UL << order; i++) {
        uint64_t t = pg[i].type;

        BUG_ON((pg[i].count & ~PGC_TAINTED) || pg[i].owner);
        pg[i].type = pgt_type(t) == PGT_NONE ? t : PGR_ALWAYS; /* see stale_for() */
        pg[i].count = PGC_FREE | PGC_TAINTED;
    }
    give_back(pg, order);
}

/* Whoever had the frame last may still reach it through a translation that was not flushed. To its
 * own old page that does no harm; but if others had mappings too, they would reach what is its own
 * now, and if it was a table, the walker would go on using it. */
static bool stale_for(uint64_t record, uint32_t uid)
{
    if (record & (PGR_ALWAYS | PGT_MASK))
        return true; /* PGT: it was prepared before, for somebody who did not take it */
    return (record & PGR_FLUSH) && (uint32_t)(record & PGR_OWNER_MASK) != uid;
}

/* One complete flush after the latest stamp serves all; frames freed together have the same one. */
static void flush_stale(const struct page *pg, unsigned long n, uint32_t uid)
{
    bool done = false;
    uint32_t done_stamp = 0;

    for (unsigned long i = 0; i < n; i++) {
        if (!stale_for(pg[i].type, uid) || (done && pg[i].stamp == done_stamp))
            continue;
        done_stamp = pg[i].stamp;
        done = true;
        tlb_flush_since(NULL, done_stamp);
    }
}

/* The common case of a single page that comes back to the domain which gave it up. */
static bool is_own(const struct page *pg, uint32_t uid)
{
    return (uint32_t)(pg->type & PGR_OWNER_MASK) == uid && !stale_for(pg->type, uid);
}

bool page_keep_contents;

void page_prepare(struct page *pg, unsigned int order, uint32_t uid)
{
    unsigned long n = 1UL << order;

    if (n > 1 || !is_own(pg, uid))
        flush_stale(pg, n, uid);
    for (unsigned long i = 0; i < n; i++) {
        if (is_own(&pg[i], uid)) {
            /* Not flushed: as if its last writable mapping had just gone, so that P3 is kept. */
            pg[i].type = PGT(PGT_WRITABLE);
        } else {
            if ((pg[i].count & PGC_TAINTED) && !page_keep_contents &&
                (uint32_t)(pg[i].type & PGR_OWNER_MASK) != uid)
                memset(page_virt(&pg[i]), 0, PAGE_SIZE);
            pg[i].type = PGT(PGT_NONE);
        }
        pg[i].count = 0;
    }
}

/* ---- the hypervisor's own frames ---- */

struct page *page_alloc(unsigned int order, unsigned int flags)
{
    struct page *pg = page_alloc_raw(order, flags & PA_LOW4G ? 32 : 0, 0);

    if (!pg)
        return NULL;
    flush_stale(pg, 1UL << order, 0);
    for (unsigned long i = 0; i < 1UL << order; i++) {
        pg[i].type = 0;
        pg[i].next = pg[i].prev = pg[i].owner = pg[i].stamp = 0;
        pg[i].count = PGC_HV | 1;
    }
    if (flags & PA_ZERO)
        memset(page_virt(pg), 0, PAGE_SIZE << order);
    return pg;
}

void page_free(struct page *pg, unsigned int order)
{
    for (unsigned long i = 0; i < 1UL << order; i++) {
        BUG_ON(pg[i].count != (PGC_HV | 1));
        pg[i].type = 0;
        pg[i].owner = 0;
        pg[i].count = PGC_FREE | PGC_TAINTED;
    }
    if (DEBUG_BUILD)
        memset(page_virt(pg), 0xc5, PAGE_SIZE << order);
    give_back(pg, order);
}

void *page_alloc_virt(unsigned int order, unsigned int flags)
{
    struct page *pg = page_alloc(order, flags);

    return pg ? page_virt(pg) : NULL;
}

void page_free_virt(void *va, unsigned int order)
{
    if (va)
        page_free(mfn_page(virt_to_mfn(va)), order);
}

/* ---- boot, statistics, checks ---- */

/* The largest order for a block that starts at @n and ends at or before @end. */
static unsigned int block_order(uint64_t n, uint64_t end)
{
    unsigned int order = min(ffs64(n), (unsigned int)MAX_ORDER);

    while (n + (1UL << order) > end)
        order--;
    return order;
}

void page_alloc_reset(void)
{
    memset(&buddy, 0, sizeof(buddy));
    spin_lock_init(&buddy.lock, LOCK_BUDDY);
}

void page_alloc_init_region(mfn_t start, mfn_t end)
{
    uint64_t n = max(start.n, 1UL);

    for (uint64_t i = n; i < end.n; i++)
        frame_table[i] = (struct page){.count = PGC_FREE | PGC_TAINTED};
    spin_guard(&buddy.lock);
    while (n < end.n) {
        unsigned int order = block_order(n, end.n);

        buddy.frames += 1UL << order;
        merge(n, order);
        n += 1UL << order;
    }
}

bool page_claim(int64_t n)
{
    spin_guard(&buddy.lock);
    if (n > 0 && buddy.claimed + (uint64_t)n > buddy.frames)
        return false;
    buddy.claimed += (uint64_t)n;
    return true;
}

uint64_t page_claimed_count(void)
{
    return READ_ONCE(buddy.claimed);
}

uint64_t page_free_count(void)
{
    return READ_ONCE(buddy.frames);
}

void page_alloc_drain(void)
{
    spin_guard(&buddy.lock);
    while (buddy.nr_hot)
        hot_evict();
}

/* Check one list; *frames grows by what is on it. */
static unsigned int check_list(unsigned int z, unsigned int order, uint64_t *frames)
{
    unsigned int errors = 0;
    uint32_t prev = 0;

    for (uint32_t n = buddy.head[z][order]; n; prev = n, n = frame_table[n].next) {
        if (!is_free_block(n, order) || zone_of(n) != z || (n & ((1UL << order) - 1)) ||
            frame_table[n].prev != prev) {
            pr_err("free list: bad block %#x of order %u in zone %u", n, order, z);
            return errors + 1; /* its links are not to be trusted */
        }
        if (order < MAX_ORDER && is_free_block(n ^ (1UL << order), order)) {
            pr_err("free list: buddies %#x of order %u are not merged", n, order);
            errors++;
        }
        for (uint64_t i = n; i < n + (1UL << order); i++)
            if (frame_table[i].count != (PGC_FREE | PGC_TAINTED) || frame_table[i].owner ||
                (i != n && (frame_table[i].type & PGR_ORDER_MASK)))
                errors++;
        *frames += 1UL << order;
    }
    return errors;
}

unsigned int page_alloc_check(void)
{
    unsigned int errors = 0;
    uint64_t frames = 0;

    spin_guard(&buddy.lock);
    for (unsigned int z = 0; z < ZONES; z++)
        for (unsigned int order = 0; order <= MAX_ORDER; order++) {
            if (!buddy.head[z][order] != !(buddy.orders[z] & (1u << order)))
                errors++;
            errors += check_list(z, order, &frames);
        }
    if (frames + buddy.nr_hot != buddy.frames) {
        pr_err("free lists: %lu frames listed, %lu counted", frames + buddy.nr_hot, buddy.frames);
        errors++;
    }
    return errors;
}
