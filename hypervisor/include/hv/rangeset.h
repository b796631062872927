/* SPDX-License-Identifier: MIT */
/* Sets of numbers, as few ranges: what a domain may have of the machine's ports, frames, interrupts. */
#pragma once

#include <hv/lock.h>

#define RANGES_MAX 256 /* in a set */

/* All zero, but for the lock, is the empty set. */
struct rangeset {
    spinlock_t lock; /* LOCK_RANGES */
    unsigned int nr; /* ranges; read anywhere: is it empty? */
    struct range {
        uint64_t first, last;
    } * range; /* ascending, with gaps between them */
};

/** rangeset_init - empty. rangeset_free - empty again, and its memory is free. */
void rangeset_init(struct rangeset *s);
void rangeset_free(struct rangeset *s);
/** rangeset_has - all of [@first, @last]. */
bool rangeset_has(struct rangeset *s, uint64_t first, uint64_t last);
/** rangeset_set - from now on it has all of [@first, @last], or none of it. -ENOMEM, also for more than
 * RANGES_MAX ranges, and then nothing has changed. */
int rangeset_set(struct rangeset *s, uint64_t first, uint64_t last, bool has);
