/* SPDX-License-Identifier: MIT */
/* Sets of numbers. A change makes a new list of ranges beside the old one, so it happens or it does not. */
#include <hv/heap.h>
#include <hv/lib.h>
#include <hv/rangeset.h>

void rangeset_init(struct rangeset *s)
{
    *s = (struct rangeset){.lock = SPINLOCK_INIT(LOCK_RANGES)};
}

void rangeset_free(struct rangeset *s)
{
    heap_free(s->range);
    rangeset_init(s);
}

bool rangeset_has(struct rangeset *s, uint64_t first, uint64_t last)
{
    spin_guard(&s->lock);
    for (unsigned int i = 0; i < s->nr; i++)
        if (first >= s->range[i].first && last <= s->range[i].last)
            return true;
    return false;
}

/* In ascending order: what follows on the last range becomes part of it. */
static void append(struct rangeset *s, uint64_t first, uint64_t last)
{
    if (s->nr && s->range[s->nr - 1].last + 1 == first)
        s->range[s->nr - 1].last = last;
    else
        s->range[s->nr++] = (struct range){first, last};
}

/* What was below, the range itself if it is to be there, and what was above. */
int rangeset_set(struct rangeset *s, uint64_t first, uint64_t last, bool has)
{
    struct rangeset new = {0};

    spin_guard(&s->lock);
    new.range = heap_zalloc_array(s->nr + 2, sizeof(new.range[0]));
    if (!new.range)
        return -ENOMEM;
    for (struct range *r = s->range; r < s->range + s->nr && r->first < first; r++)
        append(&new, r->first, min(r->last, first - 1));
    if (has)
        append(&new, first, last);
    for (struct range *r = s->range; r < s->range + s->nr; r++)
        if (r->last > last)
            append(&new, max(r->first, last + 1), r->last);
    if (new.nr > RANGES_MAX) {
        heap_free(new.range);
        return -ENOMEM;
    }
    heap_free(s->range);
    s->range = new.range;
    WRITE_ONCE(s->nr, new.nr);
    return 0;
}
